//! Wrong credentials by address, where no one instance could count them.

use std::net::IpAddr;

use gateway_core::authenticate::{Failures, network_of};

use super::database::{self, Columns, Trouble, Value};
use crate::host;
use crate::instance::Instance;

const READ: &str = "SELECT failures FROM wrong_credentials WHERE address = ?1";

const SAVE: &str = "INSERT OR REPLACE INTO wrong_credentials (address, failures, at_ms) VALUES (?1, ?2, ?3)";

/// The latest are kept, since an attacker may have many addresses.
const SWEEP: &str = "DELETE FROM wrong_credentials WHERE at_ms < ?1 OR address IN \
(SELECT address FROM wrong_credentials ORDER BY at_ms DESC LIMIT -1 OFFSET ?2)";

/// Longer than any address has to wait.
const KEPT_MS: i64 = 2 * 60 * 60 * 1000;

const KEPT_MAX: i64 = 10_000;

/// Notes a wrong credential. The inner `Err` holds the seconds that its address must wait now. Of two at the same time one may
/// not be counted.
pub(crate) async fn failed(instance: &Instance, address: IpAddr, now_ms: i64) -> Result<Result<(), u64>, Trouble> {
    let address = Value::Text(network_of(address).to_string());
    let rows = database::rows(instance, READ, vec![address.clone()]).await?;
    let known = rows.into_iter().next().and_then(|row| Columns::of(row).text());
    let known: Option<Failures> = known.and_then(|text| serde_json::from_str(&text).ok());
    let mut failures = known.unwrap_or_else(|| Failures::none(now_ms));
    let judged = failures.failed(now_ms);
    if known != Some(failures) {
        let text = serde_json::to_string(&failures).unwrap_or_default();
        database::write(instance, SAVE, vec![address, Value::Text(text), Value::Integer(now_ms)]).await?;
    }
    Ok(judged)
}

/// Forgets those of long ago.
pub(crate) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    let oldest = host::steady_ms().saturating_sub(KEPT_MS);
    database::write(instance, SWEEP, vec![Value::Integer(oldest), Value::Integer(KEPT_MAX)]).await
}
