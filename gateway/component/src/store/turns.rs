//! The turns of models with the strategy `round_robin`, where more than one process serves them or an instance serves one
//! request: each call takes a number, and what it means is worked out from the weights.

use gateway_core::catalog::Model;

use super::database::{self, Columns, Row, Trouble, Value};
use super::health;
use crate::host;
use crate::instance::Instance;

const TAKE: &str = "INSERT INTO turns (model, taken, at_ms) VALUES (?1, 1, ?2) \
ON CONFLICT (model) DO UPDATE SET taken = taken + 1, at_ms = excluded.at_ms RETURNING taken - 1";

const READ: &str = "SELECT taken FROM turns WHERE model = ?1";

const SWEEP: &str = "DELETE FROM turns WHERE at_ms < ?1";

/// How long the turns of a model are kept after the last one.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Takes a turn of this model.
pub(crate) async fn take(instance: &Instance, model: &Model) {
    let parameters = vec![Value::Text(model.name.to_string()), Value::Integer(host::steady_ms())];
    match database::rows(instance, TAKE, parameters).await {
        Ok(rows) => health::turns_taken(instance, number(rows)),
        // Without a database each instance goes on with its own turns; one that has none may begin anywhere.
        Err(_) if host::REMEMBERS => {}
        Err(_) => health::turns_taken(instance, instance.random.draw()),
    }
}

/// Looks whose turn it is.
pub(crate) async fn look(instance: &Instance, model: &Model) {
    if let Ok(rows) = database::rows(instance, READ, vec![Value::Text(model.name.to_string())]).await {
        health::turns_taken(instance, number(rows));
    }
}

/// No row: no turn has been taken yet.
fn number(rows: Vec<Row>) -> u64 {
    rows.into_iter().next().and_then(|row| Columns::of(row).number()).unwrap_or_default()
}

/// Forgets those of models that nobody asks for.
pub(super) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    let oldest = host::steady_ms().saturating_sub(KEPT_MS);
    database::write(instance, SWEEP, vec![Value::Integer(oldest)]).await
}
