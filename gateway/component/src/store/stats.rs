//! What calls come to. The database adds each record to its cell itself (`0036_stats_of_new.sql`), in the statement that
//! writes the record: `stats_fresh` holds the cells of the last minutes, so that this touches few and small rows. The
//! maintenance gathers them into quarters of an hour and into minutes, each cell once for all its records
//! (`0067_stats_gathered_with_days.sql`), and adds them to what long spans of time are read from: the totals of all calls by
//! quarter, and those of each series by day of UTC. Whoever reads adds what has not been gathered yet.

mod statements;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use gateway_core::spending::{self, Used, UsedOf};
use gateway_core::stats::{Counted, MINUTE_MS, Narrowed, Period, Series, SeriesSums, SpanSums, Step, Sums, Uncounted};

use self::statements::{
    CALLS, CALLS_IN_TOTAL, FIRST_BY_DAYS, FIRST_BY_MINUTES, MINUTES, QUARTERS, SERIES_BY_DAYS, SERIES_BY_MINUTES,
    Statements, TOTALS, USED,
};
use super::database::{self, Columns, Row, Trouble, Value, text};
use super::records;
use crate::host;
use crate::instance::Instance;

const NAME: &str = "INSERT OR IGNORE INTO stats_series (id, key, model, provider, upstream_model, credential, client) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// The database gathers when this is written: what belongs together happens in one statement.
const GATHER: &str = "UPDATE maintenance SET at_ms = ?1 WHERE name = 'stats'";

/// What decides where a record is counted. A model was looked for where there was a draw; records that are longer than any
/// were written by nobody, and are left as they are.
const UNCOUNTED: &str = "SELECT id, key, model, decision IS NOT NULL AND instr(decision, '\"draw\":\"\"') = 0, endpoint, user_agent, state, status, \
    provider, upstream_model, CASE WHEN length(attempts) < 65536 THEN attempts END, first_content_ms, duration_ms \
    FROM records WHERE cell IS NULL AND state <> 'running' AND coalesce(length(decision), 0) < 65536 ORDER BY id DESC LIMIT ?1";

const COUNT: &str = "UPDATE records SET cell = counted.value ->> 1, marks = counted.value ->> 2 \
                     FROM json_each(?1) AS counted WHERE records.id = counted.value ->> 0";

/// A day of UTC, in the minutes of cells.
const DAY_MINUTES: i64 = 24 * 60;

/// How many series an instance remembers to have named. There is about one for each way that calls take.
const NAMED_MAX: usize = 4096;

/// For so long.
const NAMED_MS_MAX: u64 = 10 * 60_000;

/// What an instance remembers: the series that it has named.
#[derive(Default)]
pub(crate) struct StatsStore {
    named: RefCell<BTreeSet<i64>>,
    cleared_ms: Cell<u64>,
}

/// The names of a series that has to be written before a record of it.
pub(super) struct Naming {
    id: i64,
    parameters: Vec<Value>,
}

/// The names of a series, unless this instance has written them a while ago. Cells know its id alone.
pub(super) fn naming(instance: &Instance, series: &Series<'_>) -> Option<Naming> {
    let id = series.id();
    let StatsStore { named, cleared_ms } = &instance.store.stats;
    let now_ms = host::now_ms();
    let mut named = named.borrow_mut();
    // The database may be another one by now.
    if named.len() >= NAMED_MAX || now_ms.saturating_sub(cleared_ms.get()) > NAMED_MS_MAX {
        named.clear();
        cleared_ms.set(now_ms);
    }
    if named.contains(&id) {
        return None;
    }
    let owned = |name: Option<&str>| text(name.map(str::to_owned));
    let parameters = vec![
        Value::Integer(id),
        owned(Some(series.key)),
        owned(series.model),
        owned(series.provider),
        owned(series.upstream_model),
        owned(series.credential),
        owned(Some(series.client)),
    ];
    Some(Naming { id, parameters })
}

/// Writes the names of a series. What is wrong with the database is told of the record that follows.
pub(super) async fn name(instance: &Instance, Naming { id, parameters }: Naming) {
    if database::write(instance, NAME, parameters).await.is_ok() {
        instance.store.stats.named.borrow_mut().insert(id);
    }
}

/// Counts records that were not counted when they were written, gathers cells, and forgets what is past its time. The
/// names are written again in case the database is another one.
pub(super) async fn gather(instance: &Instance, today_ms: i64) -> Result<(), Trouble> {
    instance.store.stats.named.borrow_mut().clear();
    let start_ms = host::now_ms();
    loop {
        let limit = vec![Value::Integer(records::SWEEP_ROWS)];
        let rows = database::rows(instance, UNCOUNTED, limit).await?;
        let uncounted: Vec<Uncounted> = rows.into_iter().map(self::uncounted).collect();
        count(instance, &uncounted).await?;
        if uncounted.is_empty() || host::now_ms().saturating_sub(start_ms) > records::step_ms_max(instance) {
            break;
        }
    }
    database::write(instance, GATHER, vec![Value::Integer(today_ms)]).await
}

fn uncounted(row: Row) -> Uncounted {
    let mut columns = Columns::of(row);
    let attempts = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Uncounted {
        id: columns.text().unwrap_or_default(),
        key: columns.text(),
        model: columns.text(),
        is_model_known: columns.integer() == Some(1),
        endpoint: columns.text(),
        user_agent: columns.text(),
        state: columns.text().unwrap_or_default(),
        status: columns.integer(),
        provider: columns.text(),
        upstream_model: columns.text(),
        attempts: attempts(columns.text()),
        first_content_ms: columns.integer(),
        duration_ms: columns.integer(),
    }
}

async fn count(instance: &Instance, uncounted: &[Uncounted]) -> Result<(), Trouble> {
    let counted: Vec<(&str, Counted<'_>)> =
        uncounted.iter().map(|record| (record.id.as_str(), record.counted())).collect();
    for naming in counted.iter().filter_map(|(_, counted)| naming(instance, &counted.series)).collect::<Vec<_>>() {
        name(instance, naming).await;
    }
    let cells: Vec<(&str, i64, i64)> = counted.iter().map(|(id, counted)| (*id, counted.cell, counted.marks)).collect();
    if cells.is_empty() {
        return Ok(());
    }
    database::write(instance, COUNT, vec![Value::Text(serde_json::to_string(&cells).unwrap_or_default())]).await
}

/// How sums are read from the rest of a row.
type ReadSums = fn(&mut Columns) -> Option<Sums>;

/// The calls of each step of a period.
pub(crate) async fn by_step(instance: &Instance, period: &Period) -> Result<Vec<SpanSums>, Trouble> {
    // Totals are added up step by step, cells by the minutes that they begin with.
    let is_total = period.step != Step::Minute && !period.narrowed.is_narrowed();
    let span = |number: i64| match is_total {
        true => usize::try_from(number).ok(),
        false => {
            let at_ms = number.saturating_mul(MINUTE_MS);
            period.spans().partition_point(|span| span.from_ms <= at_ms).checked_sub(1)
        }
    };
    let Statements { sums: of_sums, first: of_first } = match period.step {
        _ if is_total => TOTALS,
        Step::Minute => MINUTES,
        Step::Hour | Step::Day => QUARTERS,
    };
    let read: [(&str, ReadSums); 2] = [(of_sums, sums), (of_first, first)];
    let mut found = Vec::new();
    for (statement, sums) in read {
        let parameters = match is_total {
            true => vec![steps(period.spans().iter().map(|span| (span.from_ms, span.until_ms)))],
            false => parameters(period),
        };
        found.extend(database::rows(instance, statement, parameters).await?.into_iter().filter_map(|row| {
            let mut columns = Columns::of(row);
            Some(SpanSums { span: span(columns.integer()?)?, sums: sums(&mut columns)? })
        }));
    }
    Ok(found)
}

/// The number of calls in a period.
pub(crate) async fn calls(instance: &Instance, period: &Period) -> Result<u64, Trouble> {
    let (statement, parameters) = if period.narrowed.is_narrowed() {
        (CALLS, parameters(period))
    } else {
        (CALLS_IN_TOTAL, minutes(period.from_ms(), period.until_ms()).map(Value::Integer).into())
    };
    let rows = database::rows(instance, statement, parameters).await?;
    Ok(rows.into_iter().next().and_then(|row| Columns::of(row).number()).unwrap_or(0))
}

/// The calls of each series within a period.
pub(crate) async fn by_series(instance: &Instance, period: &Period) -> Result<Vec<SeriesSums>, Trouble> {
    let rows = of_cells(instance, period, (SERIES_BY_MINUTES, SERIES_BY_DAYS)).await?;
    let read = |row: Row| {
        let mut columns = Columns::of(row);
        let mut series = series(&mut columns);
        let _id = columns.integer();
        series.sums = sums(&mut columns)?;
        Some(series)
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// When the first content came of the calls of each series.
pub(crate) async fn first_by_series(instance: &Instance, period: &Period) -> Result<Vec<SeriesSums>, Trouble> {
    let rows = of_cells(instance, period, (FIRST_BY_MINUTES, FIRST_BY_DAYS)).await?;
    let read = |row: Row| {
        let mut columns = Columns::of(row);
        let mut series = series(&mut columns);
        series.sums = first(&mut columns)?;
        Some(series)
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// What one of two statements finds: the first reads minutes, the second days and quarters.
async fn of_cells(instance: &Instance, period: &Period, of: (&str, &str)) -> Result<Vec<Row>, Trouble> {
    let (by_minutes, by_days) = of;
    let mut parameters = parameters(period);
    if period.step == Step::Minute {
        return database::rows(instance, by_minutes, parameters).await;
    }
    parameters.extend(minutes_of_days(period).map(Value::Integer));
    database::rows(instance, by_days, parameters).await
}

/// What the calls of one key used on each day, by model.
pub(crate) async fn used(instance: &Instance, key: &str, period: &spending::Period) -> Result<Vec<UsedOf>, Trouble> {
    let days = steps(period.days().iter().map(|day| (day.from_ms, day.until_ms)));
    let rows = database::rows(instance, USED, vec![days, Value::Text(key.to_owned())]).await?;
    let read = |row: Row| {
        let mut columns = Columns::of(row);
        let day = usize::try_from(columns.number()?).ok()?;
        let model = columns.text();
        let [calls, input_tokens, cache_read_tokens, output_tokens, cost_nano, unpriced_calls] = numbers(&mut columns)?;
        let used = Used { calls, input_tokens, cache_read_tokens, output_tokens, cost_nano, unpriced_calls };
        (calls > 0).then_some(UsedOf { day, model, used })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// A span of time in the minutes of cells. Steps begin with a minute, and those of more than a minute with a quarter.
fn minutes(from_ms: i64, until_ms: i64) -> [i64; 2] {
    [from_ms.div_euclid(MINUTE_MS), until_ms.div_euclid(MINUTE_MS)]
}

/// Spans of time as the one parameter that statements join with.
fn steps(spans: impl Iterator<Item = (i64, i64)>) -> Value {
    let steps: Vec<[i64; 2]> = spans.map(|(from_ms, until_ms)| minutes(from_ms, until_ms)).collect();
    Value::Text(serde_json::to_string(&steps).unwrap_or_default())
}

/// The whole days of UTC within a period, in the minutes of cells; an empty span at its beginning where there is none.
fn minutes_of_days(period: &Period) -> [i64; 2] {
    let [from, until] = minutes(period.from_ms(), period.until_ms());
    let [first, last] =
        [from.saturating_add(DAY_MINUTES - 1), until].map(|minute| minute.div_euclid(DAY_MINUTES) * DAY_MINUTES);
    if first < last { [first, last] } else { [from, from] }
}

fn parameters(period: &Period) -> Vec<Value> {
    let Narrowed { model, provider, upstream_model, credential, key, client } = &period.narrowed;
    let names = [model, provider, upstream_model, credential, key, client];
    let is_narrowed = Value::Integer(period.narrowed.is_narrowed().into());
    let [from, until] = minutes(period.from_ms(), period.until_ms()).map(Value::Integer);
    [from, until, is_narrowed].into_iter().chain(names.map(|name| text(name.clone()))).collect()
}

/// The next numbers of a row.
fn numbers<const COUNT: usize>(columns: &mut Columns) -> Option<[u64; COUNT]> {
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        *number = columns.number()?;
    }
    Some(numbers)
}

/// The names of a series.
fn series(columns: &mut Columns) -> SeriesSums {
    let [key, model, provider, upstream_model, credential, client] = std::array::from_fn(|_| columns.text());
    SeriesSums { key, model, provider, upstream_model, credential, client, sums: Sums::default() }
}

/// Sums, unless all that was counted in them was taken back.
fn sums(columns: &mut Columns) -> Option<Sums> {
    Some(Sums::of_cell(numbers(columns)?)).filter(|sums| sums.calls > 0)
}

/// When the first content of some calls came.
fn first(columns: &mut Columns) -> Option<Sums> {
    let bucket = u8::try_from(columns.integer()?).ok()?;
    Some(Sums::of_first(bucket, columns.number()?))
}
