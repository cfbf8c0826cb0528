//! The targets that can serve a call, one attempt at one of them, and the reasons why other targets cannot. The router
//! makes these, failover walks them, and records keep them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::{Affinity, Credential, Provider, Target};
use crate::clock::Now;
use crate::dialect::Dialect;
use crate::operation::Operation;
use crate::price::{Price, Priced};
use crate::redact::Secrets;

/// The targets that can serve a call, best first, and those that cannot.
#[derive(Debug, Default)]
pub struct Candidates {
    /// The candidates in the order in which they are tried.
    pub list: Vec<Candidate>,
    /// The other targets, each with its reason.
    pub skipped: Vec<Skipped>,
    /// The random number that decided the order.
    pub draw: u64,
    /// What moved the first candidate to the front, if anything did.
    pub affinity: Option<Affinity>,
}

/// A target and the credentials it can be called with.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// A target of the requested model, or of one of its fallbacks.
    pub target: Arc<Target>,
    /// The provider's own name for the model.
    pub upstream_model: Arc<str>,
    /// The credentials in the order in which they are tried. If there are none, the target is called without one.
    pub credentials: Vec<Arc<Credential>>,
    /// The egress of each credential; credentials with equal numbers share one.
    pub egress_groups: Vec<usize>,
    /// Whether the last known attempt at it failed.
    pub failing: bool,
    /// Its context window in tokens, if it is known.
    pub context: Option<u64>,
}

impl Candidate {
    /// The parts of an attempt at it, without a credential.
    pub fn parts(&self) -> AttemptParts<'_> {
        let (target, upstream_model) = (&*self.target, &*self.upstream_model);
        AttemptParts { target, provider: &target.provider, upstream_model, credential: None }
    }

    /// The attempt with the credential at this place of the list.
    pub fn attempt(&self, credential: usize) -> Attempt {
        Attempt {
            target: Arc::clone(&self.target),
            upstream_model: Arc::clone(&self.upstream_model),
            credential: self.credentials.get(credential).map(Arc::clone),
        }
    }
}

/// One attempt at one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The target.
    pub target: Arc<Target>,
    /// The provider's own name for the model.
    pub upstream_model: Arc<str>,
    /// The credential, if one is used.
    pub credential: Option<Arc<Credential>>,
}

impl Attempt {
    /// The parts of the attempt.
    pub fn parts(&self) -> AttemptParts<'_> {
        let (target, upstream_model) = (&*self.target, &*self.upstream_model);
        AttemptParts { target, provider: &target.provider, upstream_model, credential: self.credential.as_deref() }
    }
}

/// The parts of an attempt, as references.
#[derive(Debug, Clone, Copy)]
pub struct AttemptParts<'c> {
    /// The target.
    pub target: &'c Target,
    /// The provider.
    pub provider: &'c Provider,
    /// The provider's own name for the model.
    pub upstream_model: &'c str,
    /// The credential, if one is used.
    pub credential: Option<&'c Credential>,
}

impl<'c> AttemptParts<'c> {
    /// The target's name in records and messages: `provider/upstream-model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider.name, self.upstream_model)
    }

    /// The name of the model's profile.
    pub fn profile(&self) -> &str {
        self.target.profile.as_deref().unwrap_or(self.upstream_model)
    }

    /// Whether the provider reviews tool calls for a client that asks for its `safeguards`: it must speak Anthropic's
    /// dialect to the caller, since no other can carry what they say.
    pub fn gives_safeguards(&self, operation: Operation) -> bool {
        let speaks = operation == Operation::Messages && self.provider.endpoint(Dialect::Anthropic).is_some();
        speaks && self.target.safeguards.unwrap_or(self.provider.safeguards)
    }

    /// The address of the host that is called; `None` behind an egress, since the connection then goes to the egress.
    pub fn address(&self, operation: Operation) -> Option<&'c Arc<str>> {
        let is_direct = self.provider.egress_of(self.credential).is_none();
        self.provider.serving(operation).filter(|_| is_direct).map(|endpoint| &endpoint.address)
    }

    /// Whether a model that an answer names is the one that was asked for: the provider's own name for it, a version of
    /// that, or the name of its profile.
    pub fn is_asked(&self, served: &str) -> bool {
        is_same_model(self.upstream_model, served) || is_same_model(self.profile(), served)
    }

    /// The price of the model that the provider says it served instead. It is never below the target's own price.
    pub fn priced_as(&self, served: &str, at_ms: i64) -> Option<Priced> {
        let other = self.provider.published(served, at_ms)?;
        let is_dearer = |own: Price| other.price.input > own.input || other.price.output > own.output;
        self.target.price.is_none_or(is_dearer).then_some(other)
    }

    /// The secrets that its requests hold.
    pub fn secrets(self) -> &'c Arc<Secrets> {
        self.account().secrets()
    }

    /// Only the provider and the credential.
    pub fn account(self) -> Account<'c> {
        Account { provider: self.provider, credential: self.credential }
    }
}

/// Whether two names belong to one model: providers add or leave out the maker, a channel and a date.
fn is_same_model(requested: &str, served: &str) -> bool {
    let bare = |name: &str| {
        let name = name.rsplit('/').next().unwrap_or_default();
        name.split([':', '@']).next().unwrap_or_default().to_ascii_lowercase()
    };
    let (requested, served) = (bare(requested), bare(served));
    let is_version = |rest: &str| {
        let mut parts = rest.split(['-', '.', '_']).filter(|part| !part.is_empty());
        parts.all(|part| VERSIONS.contains(&part) || part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_version_of = |name: &str, of: &str| name.strip_prefix(of).is_some_and(is_version);
    is_version_of(&served, &requested) || is_version_of(&requested, &served)
}

/// Words that name a release state of the same model.
const VERSIONS: [&str; 6] = ["latest", "preview", "exp", "experimental", "free", "001"];

/// A provider and the credential it is called with.
#[derive(Debug, Clone, Copy)]
pub struct Account<'c> {
    /// The provider.
    pub provider: &'c Provider,
    /// The credential, if one is used.
    pub credential: Option<&'c Credential>,
}

impl<'c> Account<'c> {
    /// The secrets that its requests hold.
    pub fn secrets(self) -> &'c Arc<Secrets> {
        self.credential.map_or(&self.provider.secrets, |credential| &credential.secrets)
    }
}

/// A target that cannot be a candidate, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// `provider/upstream-model`
    pub target: String,
    /// The reason.
    pub reason: SkipReason,
    /// When it can be used again; `None` if an operator must change something first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// More about the reason, such as which quota is spent.
    #[serde(rename = "said", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Skipped {
    /// The same as a record tells it: with the time that the wall clock tells now.
    #[must_use]
    pub fn shown(self, now: Now) -> Self {
        Skipped { until_ms: self.until_ms.map(|until_ms| now.shown_ms(until_ms)), ..self }
    }
}

/// A reason why a target cannot be used, without the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The reason.
    pub reason: SkipReason,
    /// When the target can be used again.
    pub until_ms: Option<i64>,
    /// More about the reason.
    pub message: Option<String>,
}

impl Skip {
    /// A skip whose reason needs no message.
    pub fn new(reason: SkipReason, until_ms: Option<i64>) -> Self {
        Skip { reason, until_ms, message: None }
    }

    /// When the target can be used again, for sorting: what an operator must change comes last.
    pub(crate) fn back_ms(&self) -> i64 {
        self.until_ms.unwrap_or(i64::MAX)
    }

    /// The skip of this target.
    pub fn of(self, target: String) -> Skipped {
        Skipped { target, reason: self.reason, until_ms: self.until_ms, message: self.message }
    }
}

/// Why a target was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The target lacks an ability that the call needs.
    Capability,
    /// Its context window is too small for the prompt.
    Context,
    /// Its provider has a tag that the key avoids.
    Tag,
    /// It is reached through an egress, which this host does not support.
    EgressUnsupported,
    /// Its egress does not work now, or the provider refuses the place where it comes out.
    EgressResting,
    /// Its host cannot be reached, whatever is asked there.
    Unreachable,
    /// All its credentials were refused, and are paused.
    CredentialsResting,
    /// It is over its rate limit.
    Cooling,
    /// It has failed too often lately.
    Open,
    /// Its provider does not know the model.
    UnknownModel,
    /// Only one call at a time may try it, and another call does so now.
    Probing,
    /// A quota is spent.
    QuotaSpent,
    /// The call continues a response that another provider or credential made.
    #[serde(rename = "other_maker")]
    OtherOwner,
    /// The request says something that the provider's dialect cannot express.
    Untranslatable,
    /// Its price is not known, and the caller's key has a budget in money.
    Unpriced,
    /// Its provider does not review tool calls, which the client asks for and relies on.
    Safeguards,
}

/// Who made, and stores, a response of the Responses API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseOwner {
    /// The provider's name.
    pub provider: String,
    /// The credential's id, if one was used.
    pub credential: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_a_channel_and_a_maker_make_no_other_model() {
        for (requested, served, is_same) in [
            ("gpt-4o", "gpt-4o-2024-08-06", true),
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", true),
            ("models/gemini-2.5-flash", "gemini-2.5-flash-preview-05-20", true),
            ("openai/gpt-4o:free", "GPT-4o", true),
            ("gemini-2.5-pro-latest", "gemini-2.5-pro", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-4o-mini", "gpt-4o", false),
            ("claude-sonnet-4", "claude-sonnet-4-5", false),
            ("cheap/free:free", "dear/opus", false),
        ] {
            assert_eq!(is_same_model(requested, served), is_same, "{requested} {served}");
        }
    }
}
