//! The playground: a call that a browser makes, on the line that every call takes.

use gateway_console::frame::Reader;
use gateway_console::pages::{PlaygroundPage, PlaygroundRequest, playground_request};
use gateway_core::authenticate::Caller;
use gateway_core::dialect::Dialect;
use gateway_core::refusal::{Refusal, Shape};
use gateway_core::trial::Written;

use super::{Answer, Visit, state};
use crate::incoming;
use crate::proxy;
use crate::relay;
use crate::response::Response;

/// The form.
pub(super) fn show(visit: &Visit<'_>) -> Answer {
    let catalog = &visit.snapshot.catalog;
    let models = state::models_of(visit);
    let keys: Vec<&str> = match visit.frame.reader {
        Reader::Admin => catalog.keys.iter().map(|key| &*key.name).collect(),
        _ => Vec::new(),
    };
    visit.page(&PlaygroundPage::of(&visit.frame, &models, &keys, visit.query.get("model")))
}

/// What is said, as a call. The answer is the model's as a client would get it, and so is every refusal.
pub(super) async fn send(visit: &Visit<'_>) -> Answer {
    let refuse = |refusal| relay::refuse(visit.incoming, &refusal, Shape::Dialect(Dialect::OpenaiChat));
    Answer::Pieces(call(visit).await.unwrap_or_else(refuse))
}

async fn call(visit: &Visit<'_>) -> Result<Response, Refusal> {
    let form = visit.form().await?;
    let PlaygroundRequest { key, dialect, conversation } = playground_request(&form)?;
    let caller = match key.filter(|_| visit.frame.reader == Reader::Admin) {
        Some(key) => Caller::Key(key.into()),
        None => visit.caller(),
    };
    let catalog = &visit.snapshot.catalog;
    if let Caller::Key(name) = &caller {
        let unknown = || Refusal::not_found("key_unknown", format!("There is no key {name:?}.")).about("key");
        catalog.key_named(name).ok_or_else(unknown)?;
    }
    incoming::check_address(visit.incoming, &caller, catalog)?;
    let Written { operation, parameter, query, body } = conversation.in_dialect(dialect);
    let incoming = visit.incoming.asking(visit.instance, query, body);
    incoming.holder.belongs_to(caller.name());
    Ok(proxy::call(visit.instance, operation, &parameter, incoming, caller, visit.snapshot.clone()).await)
}
