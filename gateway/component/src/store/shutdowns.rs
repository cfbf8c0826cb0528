//! Which models their providers have said they will shut down, by the host that said so.

use gateway_core::catalog::Catalog;
use gateway_core::offer::{Shutdown, shutdown_warnings};

use super::database::{self, Columns, Row, Trouble, Value};
use crate::host;
use crate::instance::Instance;

const SAVE: &str = "INSERT OR REPLACE INTO shutdowns (place, model, date, at_ms) \
                    SELECT ?1, value ->> 0, value ->> 1, ?3 FROM json_each(?2)";

/// Deletes what a newer list no longer says.
const FORGET: &str = "DELETE FROM shutdowns WHERE place = ?1 AND at_ms < ?2";

const READ: &str = "SELECT place, model, date FROM shutdowns LIMIT 5000";

/// Keeps what a provider's list says, in the place of what it said before.
pub(crate) async fn save(instance: &Instance, place: &str, announced: &[Shutdown]) -> Result<(), Trouble> {
    let rows: Vec<[&str; 2]> = announced.iter().map(|each| [each.model.as_str(), each.date.as_str()]).collect();
    let (place, now_ms) = (|| Value::Text(place.to_owned()), Value::Integer(host::unix_ms()));
    let list = Value::Text(serde_json::to_string(&rows).unwrap_or_default());
    database::write(instance, SAVE, vec![place(), list, now_ms.clone()]).await?;
    database::write(instance, FORGET, vec![place(), now_ms]).await
}

/// What is to be said of a catalog's targets. Nothing, if the database does not answer.
pub(crate) async fn warnings(instance: &Instance, catalog: &Catalog) -> Vec<String> {
    let rows = database::rows(instance, READ, Vec::new()).await.unwrap_or_default();
    let known: Vec<_> = rows.into_iter().filter_map(announcement).collect();
    shutdown_warnings(catalog, &known, host::unix_ms())
}

fn announcement(row: Row) -> Option<(String, Shutdown)> {
    let mut columns = Columns::of(row);
    Some((columns.text()?, Shutdown { model: columns.text()?, date: columns.text()? }))
}
