//! The targets that can serve a call, one try at one of them, and the reasons why others cannot: what the router makes,
//! failover walks, and records keep.

use serde::Serialize;

use crate::catalog::{Affinity, Catalog, Credential, Model, Provider, Target};
use crate::dialect::Dialect;
use crate::operation::Operation;

/// The targets that can serve a call, best first, and those that cannot.
#[derive(Debug, Default)]
pub struct Candidates {
    /// In the order in which they are tried.
    pub list: Vec<Candidate>,
    /// The rest, each with its reason.
    pub skipped: Vec<Skipped>,
    /// The number the order was drawn from.
    pub draw: u64,
    /// What moved the first candidate to the front, where something did.
    pub affinity: Option<Affinity>,
}

/// A target and the credentials it can be called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Index into the catalog's models: the one asked for, or one of its fallbacks.
    pub model: usize,
    /// Index into the model's targets.
    pub target: usize,
    /// Indexes into the provider's credentials, in the order in which they are tried. Empty: called without one.
    pub credentials: Vec<usize>,
    /// The way out of each of them; equal numbers share one.
    pub egress_groups: Vec<usize>,
    /// It was out of order and may be tried by one call, to find out whether it still is.
    pub probe: bool,
    /// The last that was heard of it is a failure.
    pub failing: bool,
    /// Its context window in tokens, where that is known.
    pub context: Option<u64>,
}

/// One try at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Index into the catalog's models: the one asked for, or one of its fallbacks.
    pub model: usize,
    /// Index into the model's targets.
    pub target: usize,
    /// Index into the provider's credentials.
    pub credential: Option<usize>,
    /// It finds out whether the target works again, which one call at a time may do.
    pub probe: bool,
}

/// What an attempt's indexes stand for.
#[derive(Debug, Clone, Copy)]
pub struct Named<'c> {
    /// The target.
    pub target: &'c Target,
    /// The provider.
    pub provider: &'c Provider,
    /// The provider's own name for the model.
    pub upstream_model: &'c str,
    /// The credential, where one is used.
    pub credential: Option<&'c Credential>,
}

impl Named<'_> {
    /// The dialect a call has to be translated into, where the provider does not speak its own.
    pub fn translated_to(&self, operation: Operation) -> Option<Dialect> {
        let endpoint = self.provider.serving(operation)?;
        (endpoint.dialect != operation.dialect()).then_some(endpoint.dialect)
    }
}

/// A provider and the credential it is called with.
#[derive(Debug, Clone, Copy)]
pub struct Account<'c> {
    /// The provider.
    pub provider: &'c Provider,
    /// The credential, where one is used.
    pub credential: Option<&'c Credential>,
}

impl<'c> Named<'c> {
    /// The provider and the credential alone.
    pub fn account(self) -> Account<'c> {
        Account { provider: self.provider, credential: self.credential }
    }
}

/// Looks up what an attempt's indexes stand for, of a call that asked for the model at `ask_model` by the name `asked`.
/// `None` only for an attempt of another catalog.
pub fn named<'c>(attempt: Attempt, ask_model: usize, asked: &'c str, catalog: &'c Catalog) -> Option<Named<'c>> {
    let model = catalog.models.get(attempt.model)?;
    let target = model.targets.get(attempt.target)?;
    let provider = catalog.providers.get(target.provider)?;
    let credential = match attempt.credential {
        None => None,
        Some(index) => Some(provider.credentials.get(index)?),
    };
    let asked = name_asked(ask_model, asked, attempt.model, model);
    Some(Named { target, provider, upstream_model: target.model.as_deref().unwrap_or(asked), credential })
}

/// What records and messages call a target of the model that was asked for as `asked`.
pub fn target_name(provider: &Provider, target: &Target, asked: &str) -> String {
    format!("{}/{}", provider.name, target.model.as_deref().unwrap_or(asked))
}

/// The name a target of this model is sent when it has none of its own: the name asked, of the model that was asked for.
pub fn name_asked<'n>(ask_model: usize, asked: &'n str, index: usize, model: &'n Model) -> &'n str {
    if index == ask_model { asked } else { &model.name }
}

/// A target that was not considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// `provider/upstream-model`
    pub target: String,
    /// Why.
    pub reason: SkipReason,
    /// When it can be used again, Unix milliseconds; `None`: not before somebody changes something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// More about it, such as which quota is spent.
    #[serde(rename = "said", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The same without its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Why.
    pub reason: SkipReason,
    /// When it can be used again.
    pub until_ms: Option<i64>,
    /// More about it.
    pub message: Option<String>,
}

impl Skip {
    /// A reason that says all there is.
    pub fn new(reason: SkipReason, until_ms: Option<i64>) -> Self {
        Skip { reason, until_ms, message: None }
    }

    /// When it can be used again; what needs somebody to change something comes after all else.
    pub(crate) fn back_ms(&self) -> i64 {
        self.until_ms.unwrap_or(i64::MAX)
    }

    /// With the target it is about.
    pub fn of(self, target: String) -> Skipped {
        Skipped { target, reason: self.reason, until_ms: self.until_ms, message: self.message }
    }
}

/// Why a target was not considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// `enabled = false` on the target.
    TargetDisabled,
    /// `enabled = false` on its provider.
    ProviderDisabled,
    /// The provider does not speak the call's dialect.
    Dialect,
    /// None of the provider's credentials is enabled and can be read.
    NoCredential,
    /// It lacks a capability the call needs.
    Capability,
    /// Its context window is too small for the prompt.
    Context,
    /// Its provider has a tag the key avoids.
    Tag,
    /// It is reached through an egress proxy, and this host can use none.
    EgressUnsupported,
    /// The way out does not work now, or the provider refuses where it comes out.
    EgressResting,
    /// Every credential was refused and rests.
    CredentialsResting,
    /// It is over its rate limit.
    Cooling,
    /// It has failed too often of late.
    Open,
    /// Its provider does not know the model.
    UnknownModel,
    /// It may be tried by one call at a time, and another one does.
    Probing,
    /// A quota is spent.
    QuotaSpent,
    /// The call goes on from a response that another provider or credential made.
    #[serde(rename = "other_maker")]
    OtherOwner,
    /// What the request says cannot be said in the provider's dialect.
    Untranslatable,
    /// Its price is not known, and the caller's key has a budget in money.
    Unpriced,
}

/// Who made a response of the Responses API, and keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseOwner {
    /// The provider's name.
    pub provider: String,
    /// The credential's id, where it was called with one.
    pub credential: Option<String>,
}
