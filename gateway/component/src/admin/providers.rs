//! `/api/presets` and `/api/providers`: providers known by name, and what a provider offers.

use std::rc::Rc;

use gateway_core::candidate::Account;
use gateway_core::catalog::{Credential, Provider, Timeouts};
use gateway_core::offer;
use gateway_core::outcome::{self, SendError};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::rewrite::{self, Outgoing};
use gateway_core::state::State;
use gateway_core::trial;
use gateway_core::uri::decode_parameter;
use gateway_core::views::{OfferView, PresetsView};

use crate::announced;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::send::{self, LIST_BYTES_MAX, Terms};
use crate::store::catalog::Snapshot;

/// A person waits for the list, and can simply ask again.
const LIST_MS_MAX: u64 = 20_000;

/// The names that `preset` takes.
pub(super) fn presets() -> Reply {
    Reply::json(200, &PresetsView::all())
}

/// Lists the models of a provider, asked now with the credential of this label or id.
pub(super) async fn models(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Rc<Snapshot>,
    parameter: &str,
) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let provider = snapshot.catalog.providers.iter().find(|provider| *provider.name == *name);
    let unknown = || Refusal::not_found("provider_not_found", format!("There is no provider {name:?} in the catalog."));
    let provider = provider.ok_or_else(unknown)?;
    let label = match incoming.query.as_deref().filter(|query| !query.is_empty()) {
        None => None,
        Some(query) => Some(query.strip_prefix("credential=").and_then(decode_parameter).ok_or_else(|| {
            Refusal::bad_request("GET /api/providers/{name}/models takes `credential=LABEL` or no parameter.")
        })?),
    };
    let credential = trial::credential(provider, label.as_deref())?.map(|credential| &**credential);
    let start_ms = host::now_ms();
    let models = listed(instance, incoming, provider, credential).await?;
    let view = OfferView {
        provider: name,
        credential: credential.map(|credential| credential.label.clone()),
        suggested: offer::suggested(&models).map(str::to_owned),
        models,
        latency_ms: host::now_ms().saturating_sub(start_ms),
    };
    Ok(Reply::json(200, &view))
}

/// The models that a provider lists when it is asked with this credential.
pub(crate) async fn listed(
    instance: &Instance,
    incoming: &Incoming,
    provider: &Provider,
    credential: Option<&Credential>,
) -> Result<Vec<String>, Refusal> {
    let name = &*provider.name;
    let failed = |message: String| Refusal::bad_gateway(State::UpstreamError, message);
    let list = list(instance, incoming, Account { provider, credential }).await.map_err(|error| match error {
        NoList::NoAddress => Refusal::bad_request(format!(
            "Provider {name:?} answers inside llmio under any name, or its way out is not known."
        )),
        NoList::NotSent(error) => {
            Refusal::bad_gateway(error.state(), format!("Provider {name:?} {}.", error.describe()))
        }
        NoList::Refused(status, reason) => {
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            failed(format!("Provider {name:?} answered {status}{reason}"))
        }
        NoList::Unreadable(status) => {
            failed(format!("Provider {name:?} answered {status}, but not with a list of models. See its base_url."))
        }
    })?;
    announced::note(instance, provider.home(), &list.body).await;
    Ok(list.models)
}

/// A provider's list of models.
pub(super) struct List {
    pub(super) models: Vec<String>,
    body: Vec<u8>,
}

/// Why there is no list of models.
pub(super) enum NoList {
    /// The provider has no address.
    NoAddress,
    /// The request was not answered.
    NotSent(SendError),
    /// The answer is an error of this status; what it says, if anything.
    Refused(u16, Option<String>),
    /// The answer of this status is no list of models.
    Unreadable(u16),
}

/// Asks a provider for its list of models.
pub(super) async fn list(instance: &Instance, incoming: &Incoming, account: Account<'_>) -> Result<List, NoList> {
    let outgoing = rewrite::models(account).ok_or(NoList::NoAddress)?;
    let answer = exchange(instance, incoming, account.provider, outgoing).await;
    let (status, body) = answer.map_err(NoList::NotSent)?;
    if !(200..300).contains(&status) {
        return Err(NoList::Refused(status, outcome::error_message(&body, account.secrets())));
    }
    let models = offer::read(&body).ok_or(NoList::Unreadable(status))?;
    Ok(List { models, body })
}

/// The answer of a provider to a request that is no call.
pub(super) async fn exchange(
    instance: &Instance,
    incoming: &Incoming,
    provider: &Provider,
    outgoing: Outgoing,
) -> Result<(u16, Vec<u8>), SendError> {
    let timeouts = provider.timeouts.within(&Timeouts { total_ms: LIST_MS_MAX, ..Timeouts::default() });
    let terms = Terms::of_no_call(&timeouts, incoming);
    send::fetch(instance, outgoing, &terms, LIST_BYTES_MAX).await
}
