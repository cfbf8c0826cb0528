//! What is in trouble, as pages about models and providers show it.

use gateway_core::catalog::{Credential, Endpoint, Provider, ProviderKind, Value};
use gateway_core::health::{Subject, Trouble as Kind};
use gateway_core::views::{HealthView, SubjectView};

use crate::frame::Frame;
use crate::parts::Mark;
use crate::words::trouble::Words;

/// Something in trouble: what, since when, and what was said.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) why: String,
}

impl Trouble {
    pub(super) fn of(subject: &SubjectView, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let (tone, icon, word) = match subject.trouble {
            Kind::Open => ("bad", "s-open", words.open()),
            Kind::UnknownModel => ("bad", "s-fail", words.unknown_model()),
            Kind::Resting => ("wait", "s-rest", words.resting()),
            Kind::Cooling => ("wait", "s-cool", words.cooling()),
            Kind::Spent => ("spent", "s-spent", words.spent()),
        };
        let until = match subject.over {
            true => None,
            false => Some(words.until(frame.clock.short(subject.until_ms))),
        };
        let text = until.map_or_else(|| word.to_owned(), |until| format!("{word} {until}"));
        let message = Some(subject.message.as_str())
            .filter(|message| !message.is_empty())
            .map(|message| words.last_message(message));
        let next = subject.over.then(|| words.tried_next().to_owned());
        let often = (subject.in_a_row > 1).then(|| words.in_a_row(subject.in_a_row));
        let why = [message, often, next].into_iter().flatten().collect::<Vec<_>>().join(" ");
        Trouble { name: subject.name.clone(), mark: Mark::of(tone, frame.icon(icon), text), why }
    }
}

/// Where a provider is reached: nowhere where it answers inside llmio.
pub(super) fn endpoints(provider: &Provider) -> &[Endpoint] {
    match &provider.kind {
        ProviderKind::Echo => &[],
        ProviderKind::Http(endpoints) => endpoints,
    }
}

/// Whether a subject is this provider, one of its credentials or models, or the address of its host.
pub(super) fn is_of(subject: &Subject, provider: &Provider) -> bool {
    let is_credential = |id: &str| provider.credentials.iter().any(|credential| *credential.id == *id);
    match subject {
        Subject::Address(address) => endpoints(provider).iter().any(|endpoint| endpoint.address == *address),
        Subject::Credential(id) => is_credential(id),
        Subject::Lane { account, .. } => *account == provider.name || is_credential(account),
        Subject::Target { provider: name, .. } | Subject::Place { provider: name, .. } => *name == provider.name,
        Subject::Egress(_) => false,
    }
}

/// Whether a subject keeps this model of a provider from being used: as a whole, or with some credential.
pub(super) fn is_of_model(subject: &Subject, provider: &Provider, upstream_model: &str) -> bool {
    is_of(subject, provider)
        && match subject {
            Subject::Lane { models, .. } | Subject::Target { models, .. } => models.covers(upstream_model),
            _ => true,
        }
}

/// The state of a credential by itself: off, without its secret, or ready.
pub(super) fn standing(enabled: bool, value: Option<&Value>, frame: &Frame) -> Mark {
    let words = Words(frame.language);
    match (enabled, value) {
        (false, _) => Mark::of("off", frame.icon("s-off"), words.off().to_owned()),
        (true, Some(Value::Missing(_))) => Mark::of("bad", frame.icon("s-fail"), words.missing().to_owned()),
        (true, _) => Mark::of("ok", frame.icon("s-ok"), words.ready().to_owned()),
    }
}

/// Whether a subject is one credential alone, so that others of its provider may serve.
pub(super) fn is_of_a_credential(subject: &Subject, provider: &Provider) -> bool {
    let is_credential = |id: &str| provider.credentials.iter().any(|credential| *credential.id == *id);
    match subject {
        Subject::Credential(id) => is_credential(id),
        Subject::Lane { account, .. } => is_credential(account),
        _ => false,
    }
}

/// Whether a credential can be used for this model now, as far as it alone is concerned.
pub(super) fn can_be_used(credential: &Credential, upstream_model: &str, health: &HealthView) -> bool {
    let is_kept_out = |subject: &Subject| match subject {
        Subject::Credential(id) => *id == credential.id,
        Subject::Lane { account, models } => *account == credential.id && models.covers(upstream_model),
        _ => false,
    };
    credential.enabled
        && !matches!(credential.value, Value::Missing(_))
        && !health.subjects.iter().any(|each| !each.over && is_kept_out(&each.subject))
}

/// Whether a subject is this credential, on all or on some models.
pub(super) fn is_this(subject: &Subject, credential: &Credential) -> bool {
    match subject {
        Subject::Credential(id) => *id == credential.id,
        Subject::Lane { account, .. } => *account == credential.id,
        _ => false,
    }
}
