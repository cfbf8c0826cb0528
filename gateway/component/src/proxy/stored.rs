//! Responses that a provider stores. They are read, deleted and cancelled where they were made, with the same
//! credential. Nothing is chosen and no tokens are used, so that there is no record of it.

use std::rc::Rc;

use gateway_core::authenticate::Caller;
use gateway_core::candidate::{Account, ResponseOwner};
use gateway_core::catalog::Timeouts;
use gateway_core::dialect::Dialect;
use gateway_core::endpoint::Stored;
use gateway_core::headers;
use gateway_core::outcome::{Outcome, UpstreamError};
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::rewrite::{self, Outgoing};
use gateway_core::state::State;
use gateway_core::uri::decode_parameter;

use crate::host::StreamTimer;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::relay::{self, ReadyAnswer};
use crate::response::Response;
use crate::send::{self, Terms};
use crate::store::catalog::{self, Freshness, Snapshot};
use crate::store::responses;

const DIALECT: Dialect = Dialect::OpenaiResponses;

/// Sends the request to the provider that made the response `parameter`.
pub(crate) async fn stored(
    instance: &Rc<Instance>,
    what: Stored,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: Rc<Snapshot>,
    parameter: &str,
) -> Response {
    match ask(instance, what, incoming, caller, snapshot, parameter).await {
        Ok(ready) => relay::respond(instance, incoming, ready, StreamTimer::default()).await,
        Err(refusal) => relay::refuse(incoming, &refusal, Shape::Dialect(DIALECT)),
    }
}

async fn ask(
    instance: &Rc<Instance>,
    what: Stored,
    incoming: &Incoming,
    caller: &Caller,
    mut snapshot: Rc<Snapshot>,
    parameter: &str,
) -> Result<ReadyAnswer, Refusal> {
    if headers::hops(&incoming.headers) >= headers::HOPS_MAX {
        return Err(Refusal::loop_detected(headers::HOPS_MAX));
    }
    let id = decode_parameter(parameter).unwrap_or_default();
    let owner = responses::find(instance, &id, caller.key()).await?.ok_or_else(|| responses::unknown(&id))?;
    if account(&owner, &snapshot).is_none() {
        // The provider may have been added a moment ago through another instance.
        snapshot = catalog::current(instance, Freshness::Now).await?;
    }
    let to = account(&owner, &snapshot).ok_or_else(|| responses::unknown(&id))?;
    let outgoing = rewrite::stored(what, (&id, incoming.query.as_deref()), &incoming.headers, to);
    pass_on(instance, outgoing.ok_or_else(|| responses::unknown(&id))?, to, incoming, DIALECT).await
}

/// The provider and credential of an owner, as far as the catalog still has them.
pub(crate) fn account<'s>(owner: &ResponseOwner, snapshot: &'s Snapshot) -> Option<Account<'s>> {
    let provider = snapshot.catalog.providers.iter().find(|provider| *provider.name == *owner.provider)?;
    let credential = match &owner.credential {
        None => None,
        Some(id) => Some(&**provider.credentials.iter().find(|credential| *credential.id == **id)?),
    };
    Some(Account { provider, credential })
}

/// Sends a request that is no call, and passes its answer on as it comes.
pub(crate) async fn pass_on(
    instance: &Instance,
    outgoing: Outgoing,
    to: Account<'_>,
    incoming: &Incoming,
    dialect: Dialect,
) -> Result<ReadyAnswer, Refusal> {
    let timeouts = to.provider.timeouts.within(&Timeouts::default());
    let terms = Terms::of_no_call(&timeouts, incoming);
    let Terms { start_ms, left_ms, .. } = terms;
    match send::attempt(instance, (outgoing, incoming.holder.nothing()), &terms).await {
        (Outcome::Head(_) | Outcome::Contentless(_), Some(answer)) => {
            let terms = relay::Terms {
                dialect,
                id: incoming.id.clone(),
                start_ms,
                deadline_ms: start_ms.saturating_add(left_ms),
                keep_alive_ms: timeouts.keep_alive_ms,
                is_chat: false,
            };
            Ok(ReadyAnswer::Answer(Box::new(answer), terms, Box::new(|_| Box::pin(async {}))))
        }
        (Outcome::Answered(UpstreamError { status, headers, body, .. }), _) => {
            Ok(ReadyAnswer::Reply(Reply { status, headers, body }))
        }
        (Outcome::Failed(error), _) => {
            let message = format!("Provider {:?} {}.", &*to.provider.name, error.describe());
            Err(Refusal::bad_gateway(error.state(), message))
        }
        (Outcome::Head(_) | Outcome::Contentless(_) | Outcome::NotSent(_), _) => {
            Err(Refusal::bad_gateway(State::UpstreamError, "The provider's answer was lost. Try again."))
        }
    }
}
