//! Parameters of requests that targets refused: for an operator to look at, who can have them left out.

use gateway_core::candidate::AttemptParts;
use gateway_core::catalog::Catalog;
use gateway_core::views::RefusedParameterView;

use super::database::{self, Columns, Row, Trouble, Value};
use crate::host;
use crate::instance::Instance;

const SAVE: &str = "INSERT INTO refused_parameters (provider, model, parameter, calls, last_ms) \
VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT (provider, model, parameter) \
DO UPDATE SET calls = calls + 1, last_ms = excluded.last_ms";

const READ: &str = "SELECT provider, model, parameter, calls, last_ms FROM refused_parameters \
ORDER BY last_ms DESC LIMIT 200";

const FORGET: &str = "DELETE FROM refused_parameters WHERE provider = ?1 AND model = ?2 AND parameter = ?3";

const SWEEP: &str = "DELETE FROM refused_parameters WHERE last_ms < ?1";

/// What has not been refused again for so long is forgotten.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Notes that a target refused a parameter. What it said is not kept, since that may repeat the prompt.
pub(crate) async fn save(instance: &Instance, to: (String, String), parameter: String) {
    let (provider, model) = to;
    let row =
        vec![Value::Text(provider), Value::Text(model), Value::Text(parameter), Value::Integer(host::steady_ms())];
    if let Err(trouble @ (Trouble::Busy | Trouble::Failed(_))) = database::write(instance, SAVE, row).await {
        host::log(&format!("a parameter that a target refused was not noted: {trouble}"));
    }
}

/// Whom an attempt was made at.
pub(crate) fn target(to: AttemptParts<'_>) -> (String, String) {
    (to.provider.name.to_string(), to.upstream_model.to_owned())
}

/// The parameters that were refused and are still sent, the latest first. None, if the database does not answer.
pub(crate) async fn refused(instance: &Instance, catalog: &Catalog) -> Vec<RefusedParameterView> {
    let rows = database::rows(instance, READ, Vec::new()).await.unwrap_or_default();
    rows.into_iter().filter_map(view).filter(|refused| refused.is_sent(catalog)).collect()
}

/// Forgets one, which is sent no longer.
pub(crate) async fn forget(instance: &Instance, provider: &str, model: &str, parameter: &str) {
    let of = [provider, model, parameter].map(|text| Value::Text(text.to_owned()));
    // One that stays is not shown as long as it is not sent.
    let _ = database::write(instance, FORGET, of.into()).await;
}

/// Deletes what is old.
pub(crate) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    database::write(instance, SWEEP, vec![Value::Integer(host::steady_ms() - KEPT_MS)]).await
}

fn view(row: Row) -> Option<RefusedParameterView> {
    let mut columns = Columns::of(row);
    Some(RefusedParameterView {
        provider: columns.text()?,
        model: columns.text()?,
        parameter: columns.text()?,
        calls: columns.number()?,
        last_ms: host::now().shown_ms(columns.integer()?),
    })
}
