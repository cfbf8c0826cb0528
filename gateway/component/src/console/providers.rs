//! Providers: what is shown of them, what forms change, and adding one whose keys are checked first.

use gateway_console::changes;
use gateway_console::pages::{self, AddProviderPage, Calls, CheckPieces, Entered, ProviderPage, ProvidersPage};
use gateway_console::query::Query;
use gateway_core::catalog::{Document, Noun, Unsaved};
use gateway_core::refusal::Refusal;
use gateway_core::stats::By;
use gateway_core::trial;
use gateway_core::uri::{decode_parameter, encode_parameter};
use gateway_core::views::CheckDoneView;
use serde_json::Value;

use super::catalog::status;
use super::edit::{Failed, base, is_of_the_form};
use super::state::calls_of_a_day;
use super::{Answer, Visit, begun};
use crate::admin;
use crate::admin::check::Check;
use crate::admin::nouns::change_entry;
use crate::admin::providers::listed;
use crate::host;

/// How many models a test has listed, and how long that took.
type Tested = (usize, u64);

/// Every provider.
pub(super) async fn list(visit: &Visit<'_>) -> Answer {
    let health = admin::health(visit.instance, visit.snapshot).await;
    let calls = calls_of_a_day(visit).await;
    let calls = (&Calls::by(By::Provider, &calls), &Calls::by(By::Credential, &calls));
    let editing = visit.unchanged("providers", "");
    visit.page(&ProvidersPage::of(&visit.frame, &visit.snapshot.catalog, &health, calls, &editing))
}

/// One provider.
pub(super) async fn read(
    visit: &Visit<'_>,
    parameter: &str,
    (failed, tested): (Option<Failed<'_>>, Option<Tested>),
) -> Result<Answer, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let catalog = &visit.snapshot.catalog;
    let provider = catalog.providers.iter().find(|provider| *provider.name == *name);
    let provider = provider.ok_or_else(|| unknown(&name))?;
    let health = admin::health(visit.instance, visit.snapshot).await;
    let calls = calls_of_a_day(visit).await;
    let calls = (&Calls::by(By::Provider, &calls), &Calls::by(By::Credential, &calls));
    let editing = visit.editing("providers", &name, failed).await;
    let page = ProviderPage::of(&visit.frame, catalog, provider, &health, calls, (&editing, tested));
    Ok(Answer::Page(status(failed), pages::html(&page)))
}

fn unknown(name: &str) -> Refusal {
    Refusal::not_found("provider_not_found", format!("There is no provider {name:?} in the catalog."))
}

/// Changes a provider, or tests, switches or removes one of its credentials.
pub(super) async fn change(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let form = visit.form().await?;
    if changes::tests_credential(&form) {
        return match test(visit, &name, &form).await {
            Ok(tested) => read(visit, parameter, (None, Some(tested))).await,
            Err(refusal) if is_of_the_form(&refusal) => read(visit, parameter, (Some((&form, &refusal)), None)).await,
            Err(refusal) => Err(refusal),
        };
    }
    let edited = |document: &mut Document| changes::change_provider(document, &name, &form);
    match change_entry(visit.instance, visit.incoming, base(&form), ("providers", &name), edited).await {
        Ok(snapshot) if changes::removes(&form, Noun::Provider) => Ok(visit.saved("providers", &snapshot).await),
        Ok(snapshot) => Ok(visit.saved(&page_of(&name), &snapshot).await),
        Err(refusal) if is_of_the_form(&refusal) => read(visit, parameter, (Some((&form, &refusal)), None)).await,
        Err(refusal) => Err(refusal),
    }
}

fn page_of(name: &str) -> String {
    format!("providers/{}", encode_parameter(name))
}

/// Asks the provider for its models with a credential that is stored.
async fn test(visit: &Visit<'_>, name: &str, form: &Query) -> Result<Tested, Refusal> {
    let providers = &visit.snapshot.catalog.providers;
    let provider = providers.iter().find(|provider| *provider.name == *name).ok_or_else(|| unknown(name))?;
    let credential = trial::credential(provider, form.get("credential"))?.map(|credential| &**credential);
    let start_ms = host::now_ms();
    let models = listed(visit.instance, visit.incoming, provider, credential).await?;
    Ok((models.len(), host::now_ms().saturating_sub(start_ms)))
}

/// The form that asks for a provider and its keys, with what was entered before.
pub(super) fn add(visit: &Visit<'_>, entered: &Query, failed: Option<Failed<'_>>) -> Answer {
    let refused = failed.map(|(sent, refusal)| gateway_console::edit::Refused { sent, refusal, changes: Vec::new() });
    let editing = gateway_console::edit::Editing { refused, ..visit.unchanged("providers", "") };
    let page = AddProviderPage::of(&visit.frame, &editing, entered.get("to"), entered);
    Answer::Page(status(failed), pages::html(&page))
}

/// Checks the keys that were entered, or saves them.
pub(super) async fn added(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let Some(entered) = Entered::read(&form) else {
        let refusal = Refusal::bad_request("Choose a provider, or enter the address of another.");
        return Ok(add(visit, &form, Some((&form, &refusal))));
    };
    let done = match changes::action(&form) {
        "check" => check(visit, form.clone(), entered).await,
        _ => save(visit, &form, entered).await,
    };
    match done {
        Err(refusal) if is_of_the_form(&refusal) => Ok(add(visit, &form, Some((&form, &refusal)))),
        done => done,
    }
}

async fn save(visit: &Visit<'_>, form: &Query, entered: Entered) -> Result<Answer, Refusal> {
    let Entered { to, entry, credentials } = entered;
    let name = match &to {
        Some(name) => name.clone(),
        None => Noun::Provider.name_of(&Value::Object(entry.clone())).unwrap_or_default().to_owned(),
    };
    let edited = |document: &mut Document| changes::add_provider(document, (&name, to.is_none()), &entry, &credentials);
    let snapshot = change_entry(visit.instance, visit.incoming, base(form), ("providers", &name), edited).await?;
    Ok(visit.saved(&page_of(&name), &snapshot).await)
}

/// Checks keys, each of which is shown as soon as it is known.
async fn check(visit: &Visit<'_>, form: Query, entered: Entered) -> Result<Answer, Refusal> {
    let Entered { to, entry, credentials } = entered;
    let provider = to.map_or(Unsaved::New(entry), Unsaved::Saved);
    let check = Check::prepare(visit.instance, visit.incoming, visit.snapshot, &provider, credentials).await?;
    let pieces = CheckPieces::of(&visit.frame, check.count(), &check.address());
    let (response, mut writer) = begun();
    let (instance, incoming) = (visit.instance.clone(), visit.incoming.clone());
    let (frame, etag) = (visit.frame.clone(), visit.snapshot.etag.clone());
    host::spawn(async move {
        let mut is_heard = writer.write(pieces.first.into_bytes()).await.is_empty();
        let (mut done, mut good) = (CheckDoneView::default(), Vec::new());
        if is_heard {
            check
                .run(&instance, &incoming, async |checked, offered| {
                    if checked.may_work() {
                        good.push(checked.index);
                    }
                    let row = CheckPieces::row(&frame, &checked);
                    done.add(&checked, offered);
                    is_heard = writer.write(row.into_bytes()).await.is_empty();
                    is_heard
                })
                .await;
        }
        if is_heard {
            let end = CheckPieces::end(&frame, &etag, &form, &good, &done);
            writer.write((end + &pieces.last).into_bytes()).await;
        }
        writer.finish().await;
    });
    Ok(Answer::Pieces(response))
}
