//! The admin API: one file per noun, its verbs in the order list, read, create, update, delete. JSON in and out,
//! problem details for errors. Who may come here is decided by the route table before.

pub(crate) mod bodies;
pub(crate) mod catalog;
pub(crate) mod check;
mod health;
pub(crate) mod history;
mod host;
mod import;
pub(crate) mod join;
pub(crate) mod keys;
mod maintain;
pub(crate) mod nouns;
pub(crate) mod prices;
pub(crate) mod providers;
mod quota;
mod records;
pub(crate) mod route;
mod sessions;
mod stats;
pub(crate) mod targets;

use std::rc::Rc;

use gateway_core::authenticate::Caller;
use gateway_core::endpoint::{Admin, Verb};
use gateway_core::operation::Operation;
use gateway_core::refusal::{Refusal, Reply};

use catalog::ImportScope;

pub(crate) use health::view as health;
pub(crate) use quota::view as quota;
pub(crate) use records::{export, one as record, own as own_record, tail};
pub(crate) use sessions::{all as sessions, end as end_session};

use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::looks;

/// Serves one admin request. `parameter` is what stood in the path, still percent-encoded.
pub(crate) async fn serve(
    instance: &Rc<Instance>,
    admin: Admin,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: Rc<Snapshot>,
    parameter: &str,
) -> Result<Reply, Refusal> {
    let answered = match admin {
        Admin::CatalogRead => catalog::read(incoming, &snapshot).await,
        Admin::CatalogUpdate => catalog::update(instance, incoming, ImportScope::Whole).await,
        Admin::CatalogPatch => catalog::update(instance, incoming, ImportScope::Sections).await,
        Admin::CatalogCheck => catalog::check(instance, incoming, &snapshot).await,
        Admin::CatalogDiff => catalog::diff(incoming, &snapshot).await,
        Admin::CatalogDraft => catalog::draft(incoming).await,
        Admin::Settings(verb) => nouns::settings(instance, incoming, &snapshot, verb).await,
        Admin::Noun(noun, verb) => nouns::serve(instance, incoming, &snapshot, (noun, verb), parameter).await,
        Admin::Part(part, verb) => nouns::serve_part(instance, incoming, &snapshot, (part, verb), parameter).await,
        Admin::HistoryList => history::list(instance, incoming, &snapshot).await,
        Admin::HistoryRead => history::read(instance, &snapshot, parameter).await,
        Admin::HistoryRestore => history::restore(instance, incoming, parameter).await,
        Admin::JoinPreview => join::preview(instance, incoming, &snapshot).await,
        Admin::Join => join::join(instance, incoming).await,
        Admin::ImportList => Ok(import::list()),
        Admin::Import => import::create(instance, incoming, &snapshot).await,
        Admin::PresetsList => Ok(providers::presets()),
        Admin::PricesRead => prices::read(instance, &snapshot).await,
        Admin::PricesRefresh => prices::refresh(instance, &snapshot).await,
        Admin::PricesAccept => prices::accept(instance, incoming).await,
        Admin::ProvidersModels => providers::models(instance, incoming, &snapshot, parameter).await,
        Admin::KeysList => Ok(keys::list(&snapshot)),
        Admin::KeysCreate => keys::create(instance, incoming).await,
        Admin::KeysRead => keys::read(&snapshot, parameter),
        Admin::KeysUpdate => keys::update(instance, incoming, parameter).await,
        Admin::KeysRotate => keys::rotate(instance, incoming, parameter).await,
        Admin::KeysDelete => keys::delete(instance, incoming, parameter).await,
        Admin::HealthList => Ok(health::list(instance, &snapshot).await),
        Admin::HealthReset => health::reset(instance, incoming).await,
        Admin::Route => route::decide(instance, incoming, &snapshot).await,
        Admin::TargetsLeaveOut => targets::leave_out(instance, incoming).await,
        Admin::TargetsTest => targets::test(instance, incoming, caller, &snapshot).await,
        Admin::RecordsList => records::list(instance, incoming).await,
        Admin::RecordsSessions => records::sessions(instance, incoming).await,
        Admin::RecordsRead => records::read(instance, parameter).await,
        Admin::RecordsBodies => bodies::read(instance, incoming, caller, &snapshot, parameter).await,
        Admin::RecordsBodiesDelete => bodies::delete_one(instance, incoming, &snapshot, parameter).await,
        Admin::BodiesDelete => bodies::delete(instance, incoming, &snapshot).await,
        // Their answers are streams, which are sent elsewhere.
        Admin::RecordsExport | Admin::RecordsTail => {
            Err(Refusal::not_found("not_found", "There is nothing to read here."))
        }
        Admin::RecordsEnded => records::ended(instance, incoming).await,
        Admin::Stats => stats::read(instance, incoming, &snapshot).await,
        Admin::SessionsList => sessions::list(instance, &snapshot).await,
        Admin::SessionsCreate => sessions::create(instance, incoming, &snapshot).await,
        Admin::SessionsDelete => sessions::delete(instance, parameter).await,
        Admin::QuotaList => quota::list(instance, &snapshot).await,
        Admin::QuotaUpdate => quota::update(instance, incoming, &snapshot, parameter).await,
        Admin::Maintain => maintain::run(instance, &snapshot).await,
        Admin::Host => Ok(host::read(&snapshot)),
    };
    if takes_back(admin) && answered.as_ref().is_ok_and(|reply| reply.status < 300) {
        looks::seen_by_all().await;
    }
    answered
}

/// Whether other instances must have seen a change before it is answered, because they would go on using what it takes
/// back: a key, the end of a pause, or what is counted as spent. A new key needs no such wait: an instance that does
/// not know a key looks into the store.
fn takes_back(admin: Admin) -> bool {
    match admin {
        Admin::Settings(verb) | Admin::Noun(_, verb) | Admin::Part(_, verb) => !matches!(verb, Verb::List | Verb::Read),
        Admin::CatalogUpdate
        | Admin::CatalogPatch
        | Admin::Import
        | Admin::KeysUpdate
        | Admin::HistoryRestore
        | Admin::Join
        | Admin::KeysRotate
        | Admin::KeysDelete
        | Admin::HealthReset
        | Admin::TargetsTest
        | Admin::TargetsLeaveOut
        | Admin::PricesRefresh
        | Admin::PricesAccept
        | Admin::QuotaUpdate => true,
        Admin::CatalogRead
        | Admin::CatalogCheck
        | Admin::CatalogDiff
        | Admin::CatalogDraft
        | Admin::HistoryList
        | Admin::HistoryRead
        | Admin::JoinPreview
        | Admin::ImportList
        | Admin::PresetsList
        | Admin::PricesRead
        | Admin::ProvidersModels
        | Admin::KeysList
        | Admin::KeysRead
        | Admin::KeysCreate
        | Admin::HealthList
        | Admin::Route
        | Admin::RecordsList
        | Admin::RecordsRead
        | Admin::RecordsBodies
        | Admin::RecordsBodiesDelete
        | Admin::BodiesDelete
        | Admin::RecordsSessions
        | Admin::RecordsExport
        | Admin::RecordsTail
        | Admin::RecordsEnded
        | Admin::Stats
        | Admin::SessionsList
        | Admin::SessionsCreate
        | Admin::SessionsDelete
        | Admin::QuotaList
        | Admin::Maintain
        | Admin::Host => false,
    }
}

/// The refusal while the database does not answer. This is not the caller's fault, and it will pass.
pub(crate) fn unavailable(trouble: Trouble) -> Refusal {
    Refusal::unavailable("records_unavailable", format!("Records cannot be read now: {trouble}. Try again.")).after(1)
}

/// The operation of this name, as records write it.
fn operation(endpoint: &str) -> Result<Operation, Refusal> {
    Operation::ALL.into_iter().find(|operation| operation.name() == endpoint).ok_or_else(|| {
        let names = Operation::ALL.map(Operation::name).join(", ");
        Refusal::bad_request(format!("There is no endpoint {endpoint:?}. Endpoints: {names}."))
    })
}

/// Reads a JSON body into its type, or says what is wrong with it.
async fn json<T: serde::de::DeserializeOwned>(incoming: &Incoming) -> Result<T, Refusal> {
    let body = incoming.body().await?;
    serde_json::from_slice(&body.bytes)
        .map_err(|error| Refusal::bad_request(format!("The body was not understood: {error}.")))
}
