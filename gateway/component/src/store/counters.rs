//! Decides which instance asks a provider for its counters next, by one statement, so that the interval holds over all
//! instances and processes that share the database. Without a database nobody asks.

use super::database::{self, Value};
use crate::host;
use crate::instance::Instance;

/// Takes the turn if the last one is long enough ago, or in a future that only a wrong clock can have written.
const CLAIM: &str = "INSERT INTO maintenance (name, at_ms) VALUES ('counter/' || ?1, ?2) \
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms \
WHERE maintenance.at_ms <= ?3 OR maintenance.at_ms > ?4 RETURNING name";

const PUT_OFF: &str = "UPDATE maintenance SET at_ms = ?2 WHERE name = 'counter/' || ?1";

/// Deletes accounts that have not been asked about for long.
const SWEEP: &str = "DELETE FROM maintenance WHERE name LIKE 'counter/%' AND at_ms < ?1";

/// How long a provider is left alone that does not know the path.
const NOT_THERE_MS: i64 = 24 * 60 * 60 * 1000;

const KEPT_MS: i64 = 7 * NOT_THERE_MS;

/// Takes the turn to ask about an account, unless the last turn was less than `every_ms` ago.
pub(crate) async fn claim(instance: &Instance, account: &str, every_ms: u64) -> bool {
    let now_ms = host::steady_ms();
    let parameters = vec![
        Value::Text(account.to_owned()),
        Value::Integer(now_ms),
        Value::Integer(now_ms.saturating_sub_unsigned(every_ms)),
        Value::Integer(now_ms.saturating_add(2 * NOT_THERE_MS)),
    ];
    database::rows(instance, CLAIM, parameters).await.is_ok_and(|rows| !rows.is_empty())
}

/// Notes that the provider does not know the path.
pub(crate) async fn not_there(instance: &Instance, account: &str) {
    let later = Value::Integer(host::steady_ms().saturating_add(NOT_THERE_MS));
    // If this fails the provider is asked again sooner, which does no harm.
    let _ = database::write(instance, PUT_OFF, vec![Value::Text(account.to_owned()), later]).await;
}

/// Gives the turn back early: it is taken again in `in_ms`, though turns are taken `every_ms`.
pub(crate) async fn put_off(instance: &Instance, account: &str, every_ms: u64, in_ms: u64) {
    let at_ms = host::steady_ms().saturating_sub_unsigned(every_ms).saturating_add_unsigned(in_ms);
    // If this fails, the next turn is taken when it is due anyway.
    let _ = database::write(instance, PUT_OFF, vec![Value::Text(account.to_owned()), Value::Integer(at_ms)]).await;
}

/// Forgets accounts that are no longer asked about.
pub(crate) async fn sweep(instance: &Instance) -> Result<(), database::Trouble> {
    let oldest = Value::Integer(host::steady_ms().saturating_sub(KEPT_MS));
    database::write(instance, SWEEP, vec![oldest]).await
}
