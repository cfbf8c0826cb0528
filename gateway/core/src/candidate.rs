//! The targets that can serve a call, one try at one of them, and the reasons why others cannot: what the router makes,
//! failover walks, and records keep.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::{Affinity, Credential, Provider, Target};
use crate::dialect::Dialect;
use crate::operation::Operation;
use crate::price::{Price, Priced};
use crate::redact::Secrets;

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
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// One of the model asked for, or of one of its fallbacks.
    pub target: Arc<Target>,
    /// The provider's own name for the model.
    pub upstream_model: Arc<str>,
    /// In the order in which they are tried. Empty: called without one.
    pub credentials: Vec<Arc<Credential>>,
    /// The way out of each of them; equal numbers share one.
    pub egress_groups: Vec<usize>,
    /// The last that was heard of it is a failure.
    pub failing: bool,
    /// Its context window in tokens, where that is known.
    pub context: Option<u64>,
}

impl Candidate {
    /// What it stands for, without a credential.
    pub fn parts(&self) -> AttemptParts<'_> {
        let (target, upstream_model) = (&*self.target, &*self.upstream_model);
        AttemptParts { target, provider: &target.provider, upstream_model, credential: None }
    }

    /// One try, with the credential at this place of its list.
    pub fn attempt(&self, credential: usize) -> Attempt {
        Attempt {
            target: Arc::clone(&self.target),
            upstream_model: Arc::clone(&self.upstream_model),
            credential: self.credentials.get(credential).map(Arc::clone),
        }
    }
}

/// One try at one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The target.
    pub target: Arc<Target>,
    /// The provider's own name for the model.
    pub upstream_model: Arc<str>,
    /// The credential, where one is used.
    pub credential: Option<Arc<Credential>>,
}

impl Attempt {
    /// What it stands for.
    pub fn parts(&self) -> AttemptParts<'_> {
        let (target, upstream_model) = (&*self.target, &*self.upstream_model);
        AttemptParts { target, provider: &target.provider, upstream_model, credential: self.credential.as_deref() }
    }
}

/// What an attempt is made of, for whoever only looks at it.
#[derive(Debug, Clone, Copy)]
pub struct AttemptParts<'c> {
    /// The target.
    pub target: &'c Target,
    /// The provider.
    pub provider: &'c Provider,
    /// The provider's own name for the model.
    pub upstream_model: &'c str,
    /// The credential, where one is used.
    pub credential: Option<&'c Credential>,
}

impl<'c> AttemptParts<'c> {
    /// What records and messages call the target: `provider/upstream-model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider.name, self.upstream_model)
    }

    /// The name that says what the model takes.
    pub fn profile(&self) -> &str {
        self.target.profile.as_deref().unwrap_or(self.upstream_model)
    }

    /// The dialect a call has to be translated into, where the provider does not speak its own.
    pub fn translated_to(&self, operation: Operation) -> Option<Dialect> {
        let endpoint = self.provider.serving(operation)?;
        (endpoint.dialect != operation.dialect()).then_some(endpoint.dialect)
    }

    /// The address of the host that is asked; `None` behind an egress, which is then who is connected to.
    pub fn address(&self, operation: Operation) -> Option<&'c Arc<str>> {
        let is_direct = self.provider.egress_of(self.credential).is_none();
        self.provider.serving(operation).filter(|_| is_direct).map(|endpoint| &endpoint.address)
    }

    /// Whether an answer that names this model is one of the model that was asked for: by the provider's own name for it, a
    /// version of that, or the name that says what it takes.
    pub fn is_asked(&self, served: &str) -> bool {
        is_same_model(self.upstream_model, served) || is_same_model(self.profile(), served)
    }

    /// What the model costs that it says it served instead. What the catalog says of the target is the least.
    pub fn priced_as(&self, served: &str) -> Option<Priced> {
        let other = self.provider.published(served)?;
        let is_dearer = |own: Price| other.price.input > own.input || other.price.output > own.output;
        self.target.price.is_none_or(is_dearer).then_some(other)
    }

    /// The secrets its requests hold.
    pub fn secrets(self) -> &'c Arc<Secrets> {
        self.account().secrets()
    }

    /// The provider and the credential alone.
    pub fn account(self) -> Account<'c> {
        Account { provider: self.provider, credential: self.credential }
    }
}

/// Whether two names are of one model: providers add who made it, a channel and a date, or leave them out.
fn is_same_model(asked: &str, served: &str) -> bool {
    let bare = |name: &str| {
        let name = name.rsplit('/').next().unwrap_or_default();
        name.split([':', '@']).next().unwrap_or_default().to_ascii_lowercase()
    };
    let (asked, served) = (bare(asked), bare(served));
    let is_version = |rest: &str| {
        let mut parts = rest.split(['-', '.', '_']).filter(|part| !part.is_empty());
        parts.all(|part| VERSIONS.contains(&part) || part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_version_of = |name: &str, of: &str| name.strip_prefix(of).is_some_and(is_version);
    is_version_of(&served, &asked) || is_version_of(&asked, &served)
}

/// Words that name a state of the same model.
const VERSIONS: [&str; 6] = ["latest", "preview", "exp", "experimental", "free", "001"];

/// A provider and the credential it is called with.
#[derive(Debug, Clone, Copy)]
pub struct Account<'c> {
    /// The provider.
    pub provider: &'c Provider,
    /// The credential, where one is used.
    pub credential: Option<&'c Credential>,
}

impl<'c> Account<'c> {
    /// The secrets its requests hold.
    pub fn secrets(self) -> &'c Arc<Secrets> {
        self.credential.map_or(&self.provider.secrets, |credential| &credential.secrets)
    }
}

/// A target that was not considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// There is no connection to its host, whoever is asked there.
    Unreachable,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_a_channel_and_a_maker_make_no_other_model() {
        for (asked, served, is_same) in [
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
            assert_eq!(is_same_model(asked, served), is_same, "{asked} {served}");
        }
    }
}
