//! Keys: what is shown of them, and what forms change. A key itself is shown once, in the answer to the form that made it.

use std::rc::Rc;

use gateway_console::edit::Editing;
use gateway_console::pages::{self, Calls, KeyPage, KeysPage, key_changes};
use gateway_core::catalog::{Document, NewKey, Rotation};
use gateway_core::refusal::Refusal;
use gateway_core::stats::By;
use gateway_core::uri::{decode_parameter, encode_parameter};
use gateway_core::views::KeyView;
use serde_json::{Map, Value};

use super::catalog::status;
use super::edit::{Failed, base, is_of_the_form};
use super::state::calls_of_a_day;
use super::{Answer, Visit};
use crate::admin::keys;
use crate::store::catalog::Snapshot;
use crate::store::looks;

/// Every key, and one that was made just now, with its name.
pub(super) async fn list(
    visit: &Visit<'_>,
    snapshot: &Rc<Snapshot>,
    (failed, made): (Option<Failed<'_>>, Option<(&str, &str)>),
) -> Answer {
    let refused = failed.map(|(sent, refusal)| gateway_console::edit::Refused { sent, refusal, changes: Vec::new() });
    let editing = Editing { refused, etag: &snapshot.etag, ..visit.unchanged("keys", "") };
    let calls = Calls::by(By::Key, &calls_of_a_day(visit).await);
    let page = KeysPage::of(&visit.frame, &snapshot.catalog, &calls, &editing, made);
    Answer::Page(status(failed), pages::html(&page))
}

/// Makes a key and shows it.
pub(super) async fn make(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let mut fields = key_changes(&form, true);
    fields.insert("name".to_owned(), Value::from(form.get("name").unwrap_or_default()));
    let made = match serde_json::from_value::<NewKey>(Value::Object(fields)) {
        Ok(new_key) => keys::make(visit.instance, visit.incoming, base(&form), new_key).await,
        Err(error) => Err(Refusal::bad_request(format!("The form was not understood: {error}."))),
    };
    match made {
        Ok((made, snapshot)) => {
            Ok(list(visit, &snapshot, (None, Some((form.get("name").unwrap_or_default(), &made.key)))).await)
        }
        Err(refusal) if is_of_the_form(&refusal) => {
            Ok(list(visit, visit.snapshot, (Some((&form, &refusal)), None)).await)
        }
        Err(refusal) => Err(refusal),
    }
}

/// One key.
pub(super) async fn read(visit: &Visit<'_>, parameter: &str, failed: Option<Failed<'_>>) -> Result<Answer, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let catalog = &visit.snapshot.catalog;
    let unknown = || Refusal::not_found("key_not_found", format!("There is no key {name:?} in the catalog."));
    let key = catalog.key_named(&name).ok_or_else(unknown)?;
    let entry = KeyView::find(&visit.snapshot.document, &name).ok_or_else(unknown)?;
    let editing = visit.editing("keys", &name, failed).await;
    Ok(Answer::Page(status(failed), pages::html(&KeyPage::of(&visit.frame, catalog, key, &entry, &editing))))
}

/// Changes a key, gives it another secret, or takes it back.
pub(super) async fn change(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let form = visit.form().await?;
    let done = match form.get("form") {
        Some("rotate") => rotate(visit, &name, &form).await,
        Some("revoke") => {
            let remove = |document: &mut Document| document.remove_key(&name);
            let changed = keys::change_key(visit.instance, visit.incoming, base(&form), &name, remove).await;
            match changed {
                Ok(snapshot) => Ok(visit.saved("keys", &snapshot).await),
                Err(refusal) => Err(refusal),
            }
        }
        _ => {
            let changes = key_changes(&form, false);
            let update = |document: &mut Document| document.change_key(&name, &changes);
            let changed = keys::change_key(visit.instance, visit.incoming, base(&form), &name, update).await;
            match changed {
                Ok(snapshot) => Ok(visit.saved(&format!("keys/{}", encode_parameter(&name)), &snapshot).await),
                Err(refusal) => Err(refusal),
            }
        }
    };
    match done {
        Err(refusal) if is_of_the_form(&refusal) => read(visit, parameter, Some((&form, &refusal))).await,
        done => done,
    }
}

/// Gives a key another secret and shows it.
async fn rotate(visit: &Visit<'_>, name: &str, form: &gateway_console::query::Query) -> Result<Answer, Refusal> {
    let keep = Map::from_iter([("keep".to_owned(), Value::from(form.get("keep").unwrap_or("24h")))]);
    let rotation = Rotation::parse(Value::Object(keep).to_string().as_bytes()).map_err(Refusal::bad_request)?;
    let (made, snapshot) = keys::renew(visit.instance, visit.incoming, base(form), name, rotation).await?;
    looks::seen_by_all().await;
    Ok(list(visit, &snapshot, (None, Some((name, &made.key)))).await)
}
