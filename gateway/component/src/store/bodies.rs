//! Bodies: sealed and in a table of their own, where they go long before their records do. Where they are gone a row without
//! them says why, for as long as the record is there.

use gateway_core::bodies::Gone;
use gateway_core::catalog::BodiesRetention;

use super::database::{self, Columns, Trouble, Value, number};
use super::records::{DAY_MS, SWEEP_ROWS, id_at, in_steps};
use crate::instance::Instance;

const SAVE: &str = "INSERT OR REPLACE INTO bodies (id, bytes, gone, sealed) VALUES (?1, ?2, ?3, ?4)";

const READ: &str = "SELECT gone, sealed FROM bodies WHERE id = ?1";

const DELETE: &str = "UPDATE bodies SET bytes = 0, gone = 'deleted', sealed = NULL \
WHERE id IN (SELECT value FROM json_each(?1)) AND sealed IS NOT NULL RETURNING 1";

/// Old bodies, in small steps.
const EXPIRE: &str = "UPDATE bodies SET bytes = 0, gone = 'expired', sealed = NULL WHERE id IN (\
SELECT id FROM bodies WHERE sealed IS NOT NULL AND id < ?1 ORDER BY id LIMIT ?2) RETURNING 1";

const HELD: &str = "SELECT coalesce(sum(bytes), 0) FROM bodies WHERE sealed IS NOT NULL";

/// The oldest bodies, no more of them than all hold beyond so many bytes. What they hold is summed up within the statement: two
/// instances that delete at the same time must not delete twice as much.
const SHRINK: &str = "UPDATE bodies SET bytes = 0, gone = 'expired', sealed = NULL WHERE id IN (SELECT id FROM (\
SELECT id, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM bodies WHERE sealed IS NOT NULL ORDER BY id LIMIT ?1) \
WHERE before < (SELECT coalesce(sum(bytes), 0) FROM bodies WHERE sealed IS NOT NULL) - ?2) RETURNING 1";

/// What is said of bodies whose records are gone.
const FORGET: &str =
    "DELETE FROM bodies WHERE id IN (SELECT id FROM bodies WHERE id < ?1 ORDER BY id LIMIT ?2) RETURNING 1";

/// Keeps the bodies of a call, which are sealed. They go where its record goes, at the same time.
pub(crate) async fn save(instance: &Instance, id: String, sealed: Vec<u8>) {
    let bytes = number(Some(sealed.len() as u64));
    let row = vec![Value::Text(id.clone()), bytes, Value::Null, Value::Blob(sealed)];
    if let Err(Trouble::Busy | Trouble::Failed(_)) = database::write(instance, SAVE, row).await {
        note(instance, id, Gone::Dropped).await;
    }
}

/// Notes why there are none. If that cannot be written either, the record's trouble says it.
pub(crate) async fn note(instance: &Instance, id: String, gone: Gone) {
    let row = vec![Value::Text(id), Value::Integer(0), Value::Text(gone.name().to_owned()), Value::Null];
    let _ = database::write(instance, SAVE, row).await;
}

/// The bodies of a call as they are sealed, or why there are none.
pub(crate) async fn read(instance: &Instance, id: &str) -> Result<Result<Vec<u8>, Gone>, Trouble> {
    let rows = match database::rows(instance, READ, vec![Value::Text(id.to_owned())]).await {
        Err(Trouble::Absent) => return Ok(Err(Gone::Off)),
        rows => rows?,
    };
    let Some(row) = rows.into_iter().next() else { return Ok(Err(Gone::Off)) };
    let mut columns = Columns::of(row);
    let gone = columns.text().map_or(Gone::Off, |gone| Gone::named(&gone));
    Ok(columns.blob().ok_or(gone))
}

/// Deletes the bodies of these calls. Returns how many had some.
pub(crate) async fn delete(instance: &Instance, ids: &[String]) -> Result<usize, Trouble> {
    let ids = serde_json::to_string(ids).unwrap_or_default();
    database::rows(instance, DELETE, vec![Value::Text(ids)]).await.map(|rows| rows.len())
}

/// Deletes bodies that are too old or too many, and what is said of those whose records are gone.
pub(crate) async fn sweep(
    instance: &Instance,
    retention: BodiesRetention,
    record_days: u32,
    today_ms: i64,
) -> Result<(), Trouble> {
    let oldest = |days: u32| id_at(today_ms.saturating_sub(i64::from(days).saturating_mul(DAY_MS)));
    let rows = Value::Integer(SWEEP_ROWS);
    in_steps(instance, FORGET, vec![Value::Text(oldest(record_days)), rows.clone()]).await?;
    in_steps(instance, EXPIRE, vec![Value::Text(oldest(retention.days)), rows]).await?;
    shrink(instance, retention.bytes_max).await
}

/// Deletes the oldest bodies so that the database holds so many bytes less, as far as bodies hold them.
pub(crate) async fn make_room(instance: &Instance, bytes: u64) -> Result<(), Trouble> {
    let held = held(instance).await?;
    if held == 0 { Ok(()) } else { shrink(instance, held.saturating_sub(bytes)).await }
}

async fn shrink(instance: &Instance, bytes_max: u64) -> Result<(), Trouble> {
    if held(instance).await? <= bytes_max {
        return Ok(());
    }
    in_steps(instance, SHRINK, vec![Value::Integer(SWEEP_ROWS), number(Some(bytes_max))]).await?;
    Ok(())
}

/// What all bodies hold.
async fn held(instance: &Instance) -> Result<u64, Trouble> {
    let rows = database::rows(instance, HELD, Vec::new()).await?;
    Ok(rows.into_iter().next().and_then(|row| Columns::of(row).number()).unwrap_or(0))
}
