//! Records: saved without keeping the client waiting, and read in pages. Errors here are counted and shown on
//! `/readyz`; they never affect a call.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gateway_core::catalog::{BodiesRetention, Retention};
use gateway_core::record::Record;
use gateway_core::state::State;
use gateway_core::stats::{Counted, marks_of};
use gateway_core::views::{RecordView, StoredJson};

use super::database::{self, Columns, Row as Found, Trouble, Value, number, text};
use super::{believed, bodies, changes, counters, failures, health, parameters, quota};
use super::{responses, seals, sessions, stats, turns, wrong_credentials};
use crate::host;
use crate::instance::Instance;

/// How many rows one statement deletes or counts, so that no lock is held for long.
pub(super) const SWEEP_ROWS: i64 = 500;

/// How long one clean-up may take; the next one continues where it stopped. On the runner it has a thread of the
/// database to itself and runs every minute; elsewhere it follows somebody's request.
const SWEEP_MS_MAX: u64 = 10_000;
const SWEEP_MS_MAX_ELSEWHERE: u64 = 1_000;

/// The columns of a record, in the order in which they are written and read.
macro_rules! columns {
    () => {
        "id, at_ms, key, model, dialect, endpoint, streamed, \
         session, client, user_agent, state, status, error, provider, \
         upstream_model, decision, attempts, first_byte_ms, first_content_ms, duration_ms, bytes_in, bytes_out, \
         input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano, price, tokens_per_second, warnings, until_ms"
    };
}

mod conversations;
mod list;

pub(crate) use conversations::conversations;
pub(crate) use list::{Page, list, page};

/// Saves a call that never had a `running` row. The statement is short, since its text goes to the host with every
/// call. A row that exists already was written by the host, which says how the call ended.
const SAVE: &str = concat!(
    "INSERT OR IGNORE INTO records (",
    columns!(),
    ", boot, cell, marks) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35)"
);

/// Saves the end of a call that has a row. The end replaces `running`, and what was presumed of a call that was not
/// heard of again, but not what the host reported.
const SAVE_OVER_RUNNING: &str = concat!(
    "INSERT INTO records (",
    columns!(),
    ", boot, cell, marks) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35) \
ON CONFLICT (id) DO UPDATE SET model = excluded.model, streamed = excluded.streamed, session = excluded.session, state = CASE WHEN records.state IN ('running', 'interrupted') THEN excluded.state ELSE records.state END, status = excluded.status, error = excluded.error, provider = excluded.provider, upstream_model = excluded.upstream_model, decision = excluded.decision, attempts = excluded.attempts, first_byte_ms = excluded.first_byte_ms, first_content_ms = excluded.first_content_ms, duration_ms = excluded.duration_ms, bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out, input_tokens = excluded.input_tokens, cache_read_tokens = excluded.cache_read_tokens, cache_write_tokens = excluded.cache_write_tokens, output_tokens = excluded.output_tokens, reasoning_tokens = excluded.reasoning_tokens, cost_nano = excluded.cost_nano, price = excluded.price, tokens_per_second = excluded.tokens_per_second, warnings = excluded.warnings, cell = excluded.cell, marks = CASE WHEN records.state IN ('running', 'interrupted') THEN excluded.marks ELSE records.marks END"
);

const READ: &str = concat!("SELECT ", columns!(), " FROM records WHERE id = ?1");

/// Notes an end that the host reports. If the host cuts a call, the component only sees that its client left, so the
/// host knows better.
const END: &str = "INSERT INTO records (id, at_ms, state, boot) VALUES (?1, ?2, ?3, ?4) \
ON CONFLICT (id) DO UPDATE SET state = excluded.state, error = NULL, duration_ms = max(excluded.at_ms - records.at_ms, 0), marks = ?5 \
WHERE records.state IN ('running', 'interrupted', 'client_closed')";

/// Notes an end that the host reports after the client had its answer, or left. What the component recorded itself
/// stays.
const END_DELIVERED: &str = "INSERT INTO records (id, at_ms, state, boot) VALUES (?1, ?2, ?3, ?4) \
ON CONFLICT (id) DO UPDATE SET state = excluded.state, error = NULL, duration_ms = max(excluded.at_ms - records.at_ms, 0), marks = ?5 \
WHERE records.state IN ('running', 'interrupted')";

/// Marks calls that an earlier start left running, or that have run for longer than any call may. Nobody will report
/// their end.
const INTERRUPT: &str = "UPDATE records SET state = 'interrupted', marks = 2 \
WHERE state = 'running' AND ((?1 IS NOT NULL AND boot IS NOT ?1) OR until_ms < ?2) RETURNING id";

const SWEEP: &str =
    "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id < ?1 ORDER BY id LIMIT ?2) RETURNING 1";

/// Deletes the oldest rows, no more of them than the database holds beyond so many bytes. Its size is read within the
/// statement: two instances that delete at the same time must not delete twice as much. A call under way has its row
/// until it ends.
const SHRINK: &str = "DELETE FROM records WHERE id IN (SELECT id FROM (\
SELECT id, sum(bytes) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (\
SELECT id, 300 + coalesce(length(decision), 0) + coalesce(length(attempts), 0) + coalesce(length(error), 0) \
+ coalesce(length(warnings), 0) + coalesce(length(user_agent), 0) AS bytes \
FROM records WHERE state <> 'running' ORDER BY id LIMIT ?1)) WHERE coalesce(before, 0) < (\
SELECT (page_count - freelist_count) * page_size \
FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()) - ?2) RETURNING 1";

const USED_BYTES: &str = "SELECT (page_count - freelist_count) * page_size \
FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";

/// What is full is emptied to so much of a hundred.
const SHRINK_PERCENT: u64 = 95;

const CLAIM_MAINTENANCE: &str = "INSERT INTO maintenance (name, at_ms) VALUES ('records', ?1) \
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms WHERE maintenance.at_ms < ?2 RETURNING name";

/// The time between two clean-ups on a host that does not ask for them.
const MAINTENANCE_MS: i64 = 60_000;

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long a step of the maintenance may take on this host.
pub(super) fn step_ms_max(instance: &Instance) -> u64 {
    if instance.host.asks_for_maintenance { SWEEP_MS_MAX } else { SWEEP_MS_MAX_ELSEWHERE }
}

/// What an instance remembers of the records.
#[derive(Default)]
pub(crate) struct RecordStore {
    maintained_ms: Cell<i64>,
    /// The host does not tell how large its database is, which was said once.
    is_size_unknown: Cell<bool>,
    lost: RefCell<LostRecords>,
}

#[derive(Default)]
struct LostRecords {
    count: u64,
    why: String,
}

/// What is to be saved of a record.
pub(crate) struct Row {
    /// The parameters of the statement.
    values: Vec<Value>,
    /// The names that it is counted under, if they have to be written before.
    naming: Option<stats::Naming>,
}

/// Saves the record of a call that has ended; `running_saved` says whether it has a `running` row. If its client left,
/// the host may have reported the end already.
pub(crate) async fn save(instance: &Instance, record: Record, running_saved: bool) {
    let may_be_there = running_saved || matches!(record.state, State::ClientClosed | State::Drained);
    execute(instance, if may_be_there { SAVE_OVER_RUNNING } else { SAVE }, row(instance, &record)).await;
}

/// Saves the row of a call that is under way.
pub(crate) async fn save_running(instance: &Instance, row: Row) {
    execute(instance, SAVE, row).await;
}

async fn execute(instance: &Instance, sql: &str, row: Row) {
    if let Some(naming) = row.naming {
        stats::name(instance, naming).await;
    }
    match database::write(instance, sql, row.values).await {
        Ok(()) | Err(Trouble::Absent) => {}
        Err(trouble) => {
            let mut lost = instance.store.records.lost.borrow_mut();
            if lost.count == 0 {
                host::log(&format!("records are not kept: {trouble}"));
            }
            lost.count += 1;
            lost.why = trouble.to_string();
        }
    }
}

/// The row of a record in its present state.
pub(crate) fn row(instance: &Instance, record: &Record) -> Row {
    let counted = Counted::of(record);
    let deciding = record.deciding_attempt();
    let json = |value: Result<String, serde_json::Error>| text(value.ok());
    let usage = &record.usage;
    let values = vec![
        Value::Text(record.id.clone()),
        Value::Integer(record.at_ms),
        Value::Text(record.key.clone()),
        Value::Text(record.model.clone()),
        Value::Text(record.dialect.into()),
        Value::Text(record.endpoint.into()),
        Value::Integer(record.streamed.into()),
        text(record.session.clone()),
        text(record.client.clone()),
        text(record.user_agent.clone()),
        Value::Text(record.state.name().into()),
        number((record.status != 0).then(|| record.status.into())),
        text(record.error.clone()),
        text(deciding.map(|attempt| attempt.provider.clone())),
        text(deciding.map(|attempt| attempt.model.clone())),
        json(serde_json::to_string(&record.decision)),
        json(serde_json::to_string(&record.attempts)),
        number(record.first_byte_ms),
        number(record.first_content_ms),
        number(record.duration_ms),
        number(Some(record.bytes_in)),
        number(Some(record.bytes_out)),
        number(usage.input_tokens),
        number(usage.cache_read_tokens),
        number(usage.cache_write_tokens),
        number(usage.output_tokens),
        number(usage.reasoning_tokens),
        record.cost_nano().map_or(Value::Null, Value::Integer),
        record.priced.as_ref().map_or(Value::Null, |priced| Value::Text(priced.source.to_string())),
        record.tokens_per_second().map_or(Value::Null, Value::Real),
        if record.warnings.is_empty() { Value::Null } else { json(serde_json::to_string(&record.warnings)) },
        Value::Integer(record.until_ms),
        text(instance.host.boot.clone()),
        Value::Integer(counted.cell),
        Value::Integer(counted.marks),
    ];
    Row { values, naming: stats::naming(instance, &counted.series) }
}

/// An id begins with the time at which the host made it, which is about the time of the record.
const ID_SLACK_MS: i64 = 60_000;

/// The smallest id of this time. Ids sort by time, so a span of time is a range of the table and needs no index.
pub(super) fn id_at(at_ms: i64) -> String {
    let millis = u64::try_from(at_ms).unwrap_or(0).min((1 << 48) - 1);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string()
}

/// Reads one record.
pub(crate) async fn read(instance: &Instance, id: &str) -> Result<Option<RecordView>, Trouble> {
    let rows = database::rows(instance, READ, vec![Value::Text(id.to_owned())]).await?;
    Ok(rows.into_iter().next().map(view))
}

/// Notes the end of a call as the host reports it. If the answer was `delivered`, an end that is known already stays.
pub(crate) async fn end(
    instance: &Instance,
    id: &str,
    state: State,
    at_ms: i64,
    delivered: bool,
) -> Result<(), Trouble> {
    let parameters = vec![
        Value::Text(id.to_owned()),
        Value::Integer(at_ms),
        Value::Text(state.name().to_owned()),
        text(instance.host.boot.clone()),
        Value::Integer(marks_of(state, 0)),
    ];
    database::write(instance, if delivered { END_DELIVERED } else { END }, parameters).await
}

/// Maintains after a response on hosts that do not ask for maintenance: at most once a minute over all instances. The
/// database decides which instance does it, since instances come and go there.
pub(crate) async fn maintain_lazily(instance: &Rc<Instance>, kept: (Retention, BodiesRetention)) {
    let now_ms = host::steady_ms();
    let maintained_ms = &instance.store.records.maintained_ms;
    if instance.host.asks_for_maintenance || now_ms - maintained_ms.get() < MAINTENANCE_MS {
        return;
    }
    maintained_ms.set(now_ms);
    let due = vec![Value::Integer(now_ms), Value::Integer(now_ms - MAINTENANCE_MS)];
    if database::rows(instance, CLAIM_MAINTENANCE, due).await.is_ok_and(|rows| !rows.is_empty())
        && let Err(trouble) = maintain(instance, kept).await
    {
        host::log(&format!("records were not cleaned up: {trouble}"));
    }
}

/// Deletes what is past its retention or no longer counts, and marks calls whose end nobody will report. Returns how
/// many records were deleted and marked.
pub(crate) async fn maintain(
    instance: &Rc<Instance>,
    (retention, kept_bodies): (Retention, BodiesRetention),
) -> Result<(usize, usize), Trouble> {
    database::migrate(instance).await?;
    health::forget(instance);
    let today_ms = believed::unix_ms(instance).await?;
    stats::gather(instance, today_ms).await?;
    bodies::sweep(instance, kept_bodies, retention.days, today_ms).await?;
    let deleted = sweep(instance, retention.days, today_ms).await? + shrink(instance, retention.bytes_max).await?;
    let now_ms = Value::Integer(host::steady_ms());
    let interrupted = database::rows(instance, INTERRUPT, vec![text(instance.host.boot.clone()), now_ms]).await?.len();
    quota::sweep(instance).await?;
    responses::sweep(instance).await?;
    seals::sweep(instance).await?;
    counters::sweep(instance).await?;
    sessions::sweep(instance).await?;
    parameters::sweep(instance).await?;
    changes::sweep(instance, retention.days, today_ms).await?;
    wrong_credentials::sweep(instance).await?;
    failures::sweep(instance).await?;
    turns::sweep(instance).await?;
    Ok((deleted, interrupted))
}

/// Deletes old records. They are the first rows of the table, and go in small steps, so that no lock is held for long.
async fn sweep(instance: &Instance, retention_days: u32, today_ms: i64) -> Result<usize, Trouble> {
    let oldest = id_at(today_ms.saturating_sub(i64::from(retention_days).saturating_mul(DAY_MS)));
    in_steps(instance, SWEEP, vec![Value::Text(oldest), Value::Integer(SWEEP_ROWS)]).await
}

/// Runs a statement that changes a few rows until it finds no more, or takes too long; the next maintenance goes on. Returns
/// how many rows it changed.
pub(super) async fn in_steps(instance: &Instance, sql: &str, parameters: Vec<Value>) -> Result<usize, Trouble> {
    let (limit_ms, start_ms) = (step_ms_max(instance), host::now_ms());
    let mut changed = 0;
    loop {
        let now = database::rows(instance, sql, parameters.clone()).await?.len();
        changed += now;
        if now == 0 || host::now_ms().saturating_sub(start_ms) > limit_ms {
            return Ok(changed);
        }
    }
}

/// Deletes the oldest records while the database holds more than it may. Pages that are free already do not count: the
/// runner gives them back to the file system, and elsewhere the next rows go there. In small steps as well, and what is left
/// over goes with the next maintenance.
async fn shrink(instance: &Instance, bytes_max: Option<u64>) -> Result<usize, Trouble> {
    let Some(bytes_max) = bytes_max else { return Ok(0) };
    let limit_ms = step_ms_max(instance);
    let (mut deleted, start_ms) = (0, host::now_ms());
    let Some(mut used) = used_bytes(instance).await else { return Ok(0) };
    // A little more than has to go, so that it is not full again with the next record.
    let goal = if used > bytes_max { bytes_max / 100 * SHRINK_PERCENT } else { bytes_max };
    if used > goal {
        // What was said goes before what became of it.
        bodies::make_room(instance, used - goal).await?;
        used = used_bytes(instance).await.unwrap_or(0);
    }
    while used > goal && host::now_ms().saturating_sub(start_ms) <= limit_ms {
        let swept = database::rows(instance, SHRINK, vec![Value::Integer(SWEEP_ROWS), number(Some(goal))]).await?.len();
        deleted += swept;
        let left = used_bytes(instance).await.unwrap_or(0);
        if swept == 0 {
            // Another instance may have done it meanwhile.
            if left <= goal {
                break;
            }
            let mib = used >> 20;
            host::log(&format!(
                "the database holds {mib} MiB without any record that could go: max_db_mib is too small"
            ));
            break;
        }
        used = left;
    }
    Ok(deleted)
}

/// What the database holds; `None` where its host does not say.
async fn used_bytes(instance: &Instance) -> Option<u64> {
    let rows = match database::rows(instance, USED_BYTES, Vec::new()).await {
        Ok(rows) => rows,
        Err(trouble) => {
            if !instance.store.records.is_size_unknown.replace(true) {
                host::log(&format!(
                    "max_db_mib does not hold here: the host does not tell how large its database is ({trouble})"
                ));
            }
            return None;
        }
    };
    match rows.into_iter().next()?.values.into_iter().next()? {
        Value::Integer(bytes) => u64::try_from(bytes).ok(),
        _ => None,
    }
}

/// The troubles of records that `/readyz` shows.
pub(crate) fn trouble(instance: &Instance) -> Vec<String> {
    if database::is_absent(instance) {
        return vec!["records: off, this host has no SQLite database".into()];
    }
    let lost = instance.store.records.lost.borrow();
    match lost.count {
        0 => Vec::new(),
        count => vec![format!("records: {count} not kept, {}", lost.why)],
    }
}

/// A row as the admin API shows it. Its columns are read in the order of [`columns`].
fn view(row: Found) -> RecordView {
    let mut row = Columns::of(row);
    let view = RecordView {
        id: row.text().unwrap_or_default(),
        at_ms: row.integer().unwrap_or_default(),
        key: row.text(),
        model: row.text(),
        dialect: row.text(),
        endpoint: row.text(),
        streamed: row.integer().map(|streamed| streamed != 0),
        session: row.text(),
        client: row.text(),
        user_agent: row.text(),
        state: row.text().unwrap_or_default(),
        status: row.integer(),
        error: row.text(),
        provider: row.text(),
        upstream_model: row.text(),
        decision: row.text().map(StoredJson::read),
        attempts: row.text().map(StoredJson::read),
        first_byte_ms: row.integer(),
        first_content_ms: row.integer(),
        duration_ms: row.integer(),
        bytes_in: row.integer(),
        bytes_out: row.integer(),
        input_tokens: row.integer(),
        cache_read_tokens: row.integer(),
        cache_write_tokens: row.integer(),
        output_tokens: row.integer(),
        reasoning_tokens: row.integer(),
        cost_nano: row.integer(),
        price: row.text(),
        tokens_per_second: row.real(),
        warnings: row.text().map(StoredJson::read),
    };
    view.now(row.integer(), host::steady_ms())
}
