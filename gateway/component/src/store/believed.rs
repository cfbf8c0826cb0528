//! The wall clock as far as it is believed when something is deleted for its age. A clock that is set years ahead by mistake
//! would otherwise delete every record within a minute, and nobody could set that right. So the least that it was ahead of
//! the steady clock by within the last day counts. Without a steady clock the wall clock is all there is.

use super::database::{self, Columns, Trouble, Value};
use crate::host;
use crate::instance::Instance;

/// What the wall clock is ahead by, in seconds, and when it last was.
const NOTE: &str = "INSERT INTO maintenance (name, at_ms) VALUES ('ahead/' || ?1, ?2) \
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms RETURNING 1";

const LEAST: &str =
    "SELECT min(CAST(substr(name, 7) AS INTEGER)) FROM maintenance WHERE name LIKE 'ahead/%' AND at_ms >= ?1";

const SWEEP: &str = "DELETE FROM maintenance WHERE name LIKE 'ahead/%' AND at_ms < ?1";

/// How long it takes to believe a clock that was set forward.
const BELIEVED_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// The wall clock in Unix milliseconds, or an earlier time.
pub(super) async fn unix_ms(instance: &Instance) -> Result<i64, Trouble> {
    let now = host::now();
    if instance.host.boot.is_none() {
        return Ok(now.wall_ms);
    }
    let note = vec![Value::Integer(now.ahead_ms() / 1_000), Value::Integer(now.steady_ms)];
    database::rows(instance, NOTE, note).await?;
    let since = || vec![Value::Integer(now.steady_ms.saturating_sub(BELIEVED_AFTER_MS))];
    let rows = database::rows(instance, LEAST, since()).await?;
    database::write(instance, SWEEP, since()).await?;
    let ahead_s = rows.into_iter().next().and_then(|row| Columns::of(row).integer());
    let ahead_ms = ahead_s.map_or(now.ahead_ms(), |ahead_s| ahead_s.saturating_mul(1_000));
    Ok(now.steady_ms.saturating_add(ahead_ms))
}
