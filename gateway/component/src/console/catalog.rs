//! Models, joining them, settings and history: what is shown, and what forms change.

use gateway_console::changes;
use gateway_console::pages::{
    self, Calls, HistoryPage, JoinPage, ModelPage, ModelState, ModelsPage, SettingsPage, Stored, VersionPage,
};
use gateway_console::query::Query;
use gateway_core::catalog::{Document, Noun};
use gateway_core::refusal::Refusal;
use gateway_core::stats::By;
use gateway_core::uri::{decode_parameter, encode_parameter};
use gateway_core::views::PricesView;
use serde_json::{Map, Value};

use super::edit::{Failed, base, is_of_the_form};
use super::state::calls_of_a_day;
use super::{Answer, Visit};
use crate::admin::nouns::change_entry;
use crate::admin::prices::Accepted;
use crate::admin::route::DecideRequest;
use crate::admin::{self, history, join, targets};
use crate::host;

/// Every model.
pub(super) async fn models(visit: &Visit<'_>, failed: Option<Failed<'_>>) -> Answer {
    let health = admin::health(visit.instance, visit.snapshot).await;
    let calls = Calls::by(By::Model, &calls_of_a_day(visit).await);
    let editing = visit.editing("models", "", failed).await;
    let page = ModelsPage::of(&visit.frame, &visit.snapshot.catalog, &health, &calls, &editing);
    Answer::Page(status(failed), pages::html(&page))
}

/// The status of a page, which is that of the form on it that was refused.
pub(super) fn status(failed: Option<Failed<'_>>) -> u16 {
    failed.map_or(200, |(_, refusal)| refusal.status)
}

/// Makes a model with one target.
pub(super) async fn make_model(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let name = form.get("name").unwrap_or_default();
    let edited = |document: &mut Document| changes::new_model(document, &form);
    match change_entry(visit.instance, visit.incoming, base(&form), ("models", name), edited).await {
        Ok(snapshot) => Ok(visit.saved(&format!("models/{}", encode_parameter(name)), &snapshot).await),
        Err(refusal) if is_of_the_form(&refusal) => Ok(models(visit, Some((&form, &refusal))).await),
        Err(refusal) => Err(refusal),
    }
}

/// One model, and where a call would go where that is asked for.
pub(super) async fn model(visit: &Visit<'_>, parameter: &str, failed: Option<Failed<'_>>) -> Result<Answer, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let catalog = &visit.snapshot.catalog;
    let model = catalog.models.iter().find(|model| *model.name == *name);
    let unknown = || Refusal::not_found("model_not_found", format!("There is no model {name:?} in the catalog."));
    let model = model.ok_or_else(unknown)?;
    let health = admin::health(visit.instance, visit.snapshot).await;
    let editing = visit.editing("models", &name, failed).await;
    let key = visit.query.get("key");
    let plan = match visit.query.get("try").and_then(|_| DecideRequest::of(&name, key)) {
        Some(request) => Some(admin::route::planned(visit.instance, visit.snapshot, request).await?),
        None => None,
    };
    let state = ModelState {
        document: &visit.snapshot.document,
        health: &health,
        editing: &editing,
        plan: plan.as_ref().map(|plan| (plan, key)),
    };
    Ok(Answer::Page(status(failed), pages::html(&ModelPage::of(&visit.frame, catalog, model, &state))))
}

/// Changes a model or one of its targets.
pub(super) async fn change_model(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let form = visit.form().await?;
    if changes::action(&form) == "leave-out" {
        return leave_out(visit, parameter, &name, &form).await;
    }
    let edited = |document: &mut Document| changes::change_model(document, &name, &form);
    let changed = change_entry(visit.instance, visit.incoming, base(&form), ("models", &name), edited).await;
    match changed {
        Ok(snapshot) if changes::removes(&form, Noun::Model) => Ok(visit.saved("models", &snapshot).await),
        Ok(snapshot) => Ok(visit.saved(&format!("models/{}", encode_parameter(&name)), &snapshot).await),
        Err(refusal) if is_of_the_form(&refusal) => model(visit, parameter, Some((&form, &refusal))).await,
        Err(refusal) => Err(refusal),
    }
}

/// Leaves a parameter out that a target of the model refuses.
async fn leave_out(visit: &Visit<'_>, parameter: &str, name: &str, form: &Query) -> Result<Answer, Refusal> {
    let what = ["provider", "upstream", "parameter"].map(|field| form.get(field).unwrap_or_default());
    match targets::left_out(visit.instance, visit.incoming, base(form), what).await {
        Ok((_, snapshot)) => Ok(visit.saved(&format!("models/{}", encode_parameter(name)), &snapshot).await),
        Err(refusal) if is_of_the_form(&refusal) => model(visit, parameter, Some((form, &refusal))).await,
        Err(refusal) => Err(refusal),
    }
}

/// Models of providers that become one: which providers, and then what that would do.
pub(super) async fn join(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    join_page(visit, None).await
}

async fn join_page(visit: &Visit<'_>, failed: Option<Failed<'_>>) -> Result<Answer, Refusal> {
    let editing = visit.editing("models", "", failed).await;
    let preview = match visit.query.get("ask") {
        None => None,
        Some(_) => {
            let chosen: Vec<String> = visit.query.all("provider").into_iter().map(str::to_owned).collect();
            let chosen = (!chosen.is_empty()).then_some(chosen);
            Some(join::planned(visit.instance, visit.incoming, visit.snapshot, chosen.as_deref()).await?)
        }
    };
    let page = JoinPage::of(&visit.frame, &visit.snapshot.catalog, &visit.query, &editing, preview.as_ref());
    Ok(Answer::Page(status(failed), pages::html(&page)))
}

/// Adds what was ticked.
pub(super) async fn carry_out_join(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let request = pages::join_of_form(&form);
    match join::carry_out(visit.instance, visit.incoming, base(&form), &request).await {
        Ok((_, snapshot)) => Ok(visit.saved("models", &snapshot).await),
        Err(refusal) if is_of_the_form(&refusal) => join_page(visit, Some((&form, &refusal))).await,
        Err(refusal) => Err(refusal),
    }
}

/// What holds for the gateway as a whole.
pub(super) async fn settings(visit: &Visit<'_>, failed: Option<Failed<'_>>) -> Result<Answer, Refusal> {
    let snapshot = visit.snapshot;
    let public_url = host::variable("public_url").await;
    let sections = snapshot.file.iter().flat_map(|file| file.as_json().keys());
    // A store that does not answer is told elsewhere.
    let prices = admin::prices::view(visit.instance, snapshot).await.unwrap_or_else(|_| PricesView::of(None, None));
    let stored = Stored {
        prices: &prices,
        version: snapshot.version,
        file_sections: sections.map(String::as_str).collect(),
        public_url: public_url.as_deref().filter(|url| !url.is_empty()),
    };
    let nothing = Map::new();
    let written = snapshot.document.as_json().get("settings").and_then(Value::as_object).unwrap_or(&nothing);
    let sessions = admin::sessions(visit.instance, snapshot).await?;
    let mut editing = visit.editing("settings", "", failed).await;
    // The page says itself which sections come from the file.
    editing.locked = None;
    let page = SettingsPage::of(&visit.frame, &snapshot.catalog, (&stored, written), &sessions, &editing);
    Ok(Answer::Page(status(failed), pages::html(&page)))
}

/// Ends a session, or changes the settings or a relay.
pub(super) async fn change_settings(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    if let Some(session) = form.get("session") {
        admin::end_session(visit.instance, session).await?;
        return Ok(visit.to("settings"));
    }
    if let Some(change) = form.get("prices").filter(|_| form.get("form").is_none()) {
        match change {
            "accept" => {
                let named = |name: &str| form.get(name).map(str::to_owned);
                let accepted = Accepted { provider: named("provider"), model: named("model") };
                admin::prices::take(visit.instance, accepted).await?;
            }
            _ => admin::prices::renew(visit.instance, visit.snapshot).await?,
        }
        return Ok(visit.to("settings"));
    }
    let (section, relay) = changes::section_of_settings(&form);
    let edited = |document: &mut Document| changes::change_settings(document, &form);
    match change_entry(visit.instance, visit.incoming, base(&form), (section, relay), edited).await {
        Ok(snapshot) => Ok(visit.saved("settings", &snapshot).await),
        Err(refusal) if is_of_the_form(&refusal) => settings(visit, Some((&form, &refusal))).await,
        Err(refusal) => Err(refusal),
    }
}

/// Who changed the catalog.
pub(super) async fn history(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let before = visit.query.get("before").and_then(|id| id.parse().ok());
    let view = history::page(visit.instance, visit.snapshot, before).await?;
    Ok(visit.page(&HistoryPage::of(&visit.frame, &view)))
}

/// One version of the catalog.
pub(super) async fn version(visit: &Visit<'_>, parameter: &str, failed: Option<Failed<'_>>) -> Result<Answer, Refusal> {
    let view = history::version(visit.instance, visit.snapshot, history::number(parameter)?).await?;
    let editing = visit.editing("", "", failed).await;
    Ok(Answer::Page(status(failed), pages::html(&VersionPage::of(&visit.frame, &view, &editing))))
}

/// Puts a version back.
pub(super) async fn put_back(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let with_keys = form.get("keys").is_some();
    let number = history::number(parameter)?;
    match history::put_back(visit.instance, visit.incoming, base(&form), number, with_keys).await {
        Ok(snapshot) => Ok(visit.saved("models", &snapshot).await),
        Err(refusal) if is_of_the_form(&refusal) => version(visit, parameter, Some((&form, &refusal))).await,
        Err(refusal) => Err(refusal),
    }
}
