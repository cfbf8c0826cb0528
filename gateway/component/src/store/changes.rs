//! Who changed the catalog, when and how: a row for each version, beside the versions themselves in key-value, and one for
//! whatever else was done with what an operator entered, such as a check of credentials that are not stored.

use gateway_core::accept::client_address;
use gateway_core::authenticate;
use gateway_core::record::kept_text;
use gateway_core::refusal::Refusal;
use gateway_core::views::ChangeView;

use super::catalog::{self, Snapshot};
use super::database::{self, Columns, Row, Trouble, Value, number, text};
use super::key_value;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;

/// Whoever changed something is shown the history at once, so the row is waited for.
const SAVE: &str = "INSERT INTO catalog_changes (at_ms, version, client, user_agent, action) \
VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";

const LIST: &str = "SELECT id, at_ms, version, client, user_agent, action FROM catalog_changes \
WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

const OF_VERSION: &str = "SELECT id, at_ms, version, client, user_agent, action FROM catalog_changes \
WHERE version = ?1 ORDER BY id DESC LIMIT 1";

/// How many of the latest changes stay, however old they are.
const KEPT: i64 = 100;

/// Old changes, but for the latest, in small steps.
const SWEEP: &str = "DELETE FROM catalog_changes WHERE id IN (SELECT id FROM catalog_changes WHERE at_ms < ?1 \
AND id <= (SELECT MAX(id) FROM catalog_changes) - ?2 ORDER BY id LIMIT 50) RETURNING version";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Who changes something, and how.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    /// The address that asked for it.
    pub(crate) client: Option<String>,
    /// What the client said of itself.
    pub(crate) user_agent: Option<String>,
    /// What was asked for.
    pub(crate) action: String,
}

impl Author {
    /// Whoever sent this request, for what its method and path say.
    pub(crate) fn of(incoming: &Incoming, snapshot: &Snapshot) -> Author {
        let trusted = &snapshot.catalog.settings.trusted_proxies;
        let client = client_address(incoming.peer, &incoming.headers, trusted).map(|address| address.to_string());
        let kept = |text: &str| authenticate::without_credentials(&kept_text(text), &incoming.headers, None);
        Author {
            client,
            user_agent: incoming.header("user-agent").map(kept),
            action: kept(&format!("{} {}", incoming.method, incoming.path)),
        }
    }
}

/// Keeps a change that was made. A change is in force by then, so that one that cannot be kept is only logged.
pub(crate) async fn save(instance: &Instance, author: Author, version: Option<u64>) {
    let Author { client, user_agent, action } = author;
    let at_ms = Value::Integer(host::unix_ms());
    let row = vec![at_ms, number(version), text(client), text(user_agent), Value::Text(action)];
    match database::rows(instance, SAVE, row).await {
        Ok(_) | Err(Trouble::Absent) => {}
        Err(trouble) => host::log(&format!("the author of a change of the catalog was not recorded: {trouble}")),
    }
}

/// The latest changes before the one of this id, newest first.
pub(crate) async fn list(instance: &Instance, before: i64, limit: i64) -> Result<Vec<ChangeView>, Refusal> {
    let rows = database::rows(instance, LIST, vec![Value::Integer(before), Value::Integer(limit)]).await;
    match rows {
        Ok(rows) => Ok(rows.into_iter().filter_map(change).collect()),
        Err(Trouble::Absent) => Ok(Vec::new()),
        Err(trouble) => Err(unavailable(&trouble)),
    }
}

/// What is known of a version.
pub(crate) async fn of_version(instance: &Instance, version: u64) -> Result<Option<ChangeView>, Refusal> {
    match database::rows(instance, OF_VERSION, vec![number(Some(version))]).await {
        Ok(rows) => Ok(rows.into_iter().next().and_then(change)),
        Err(Trouble::Absent) => Ok(None),
        Err(trouble) => Err(unavailable(&trouble)),
    }
}

/// Deletes changes that are older than records may be, with their versions.
pub(crate) async fn sweep(instance: &Instance, retention_days: u32, today_ms: i64) -> Result<(), Trouble> {
    let oldest = today_ms.saturating_sub(i64::from(retention_days).saturating_mul(DAY_MS));
    let rows = database::rows(instance, SWEEP, vec![Value::Integer(oldest), Value::Integer(KEPT)]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let Ok(Some(store)) = key_value::open(instance).await else { return Ok(()) };
    for row in rows {
        if let Some(Value::Integer(version)) = row.values.first() {
            // One that stays behind takes a little room and does no harm.
            let _ = store.delete(&catalog::version_key(*version)).await;
        }
    }
    Ok(())
}

fn unavailable(trouble: &Trouble) -> Refusal {
    Refusal::unavailable("history_unavailable", format!("The history cannot be read now: {trouble}. Try again."))
        .after(1)
}

fn change(row: Row) -> Option<ChangeView> {
    let mut columns = Columns::of(row);
    Some(ChangeView {
        id: columns.integer()?,
        at_ms: columns.integer()?,
        version: columns.number(),
        client: columns.text(),
        user_agent: columns.text(),
        action: columns.text()?,
    })
}
