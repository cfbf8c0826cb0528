//! What an attempt is about, as keys of the health store.

use crate::candidate::Named;
use crate::catalog::{Egress, Target};

use super::Health;

/// What an attempt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    /// The target.
    pub target: String,
    /// The credential; a provider without any has none to blame.
    pub credential: Option<String>,
    /// The credential on this upstream model.
    pub lane: String,
    /// The credential on all models, where the client names the upstream model: a name more than are kept apart.
    pub wide_lane: Option<String>,
    /// The credential on all models that its provider gives away, where this is one of them.
    pub free_lane: Option<String>,
    /// The egress proxy or relay, where there is one.
    pub egress: Option<String>,
    /// The way out as this provider sees it.
    pub place: String,
}

impl Subjects {
    /// The subjects of an attempt: the provider's name, its own name for the model, the credential's id, and the key
    /// of the egress.
    pub fn of(provider: &str, upstream_model: &str, credential: Option<&str>, egress: Option<&str>) -> Self {
        Subjects {
            target: target(provider, upstream_model),
            credential: credential.map(|id| format!("credential/{id}")),
            lane: lane(credential.unwrap_or(provider), upstream_model),
            wide_lane: None,
            free_lane: free_lane(credential.unwrap_or(provider), upstream_model),
            egress: egress.map(|key| format!("egress/{key}")),
            place: format!("egress/{}/{provider}", egress.unwrap_or(DIRECT)),
        }
    }

    /// The subjects of an attempt. A target that sends on whatever name is asked is one for each name, up to a bound.
    pub fn to(to: Named<'_>, health: &Health) -> Self {
        let credential = to.credential.map(|credential| credential.id.as_str());
        let egress = to.provider.egress_of(to.credential).and_then(Egress::key);
        let provider = &to.provider.name;
        let of = Subjects::of(provider, model_of(to.target), credential, egress.as_deref());
        match &to.target.model {
            Some(_) => of,
            None => Subjects {
                target: health.target_of(provider, to.target, to.upstream_model),
                ..of.asked(credential.unwrap_or(provider), to.upstream_model)
            },
        }
    }

    pub(super) fn asked(self, account: &str, upstream_model: &str) -> Self {
        let free_lane = free_lane(account, upstream_model);
        Subjects { wide_lane: Some(self.lane), lane: lane(account, upstream_model), free_lane, ..self }
    }

    /// What has to be fit beside the target.
    pub fn beside_target(&self) -> impl Iterator<Item = &String> {
        self.account().chain(self.ways())
    }

    /// The credential and what it may use.
    pub fn account(&self) -> impl Iterator<Item = &String> {
        self.credential.iter().chain([&self.lane]).chain(&self.wide_lane).chain(&self.free_lane)
    }

    /// The way out, for everybody and for this provider.
    pub fn ways(&self) -> impl Iterator<Item = &String> {
        self.egress.iter().chain([&self.place])
    }
}

/// What the way out is called where there is no egress.
pub const DIRECT: &str = "direct";

pub(super) fn lane(account: &str, upstream_model: &str) -> String {
    format!("lane/{account}/{upstream_model}")
}

/// OpenRouter marks what it gives away: <https://openrouter.ai/docs/api-reference/limits>.
fn free_lane(account: &str, upstream_model: &str) -> Option<String> {
    const MARK: &str = ":free";
    upstream_model.ends_with(MARK).then(|| lane(account, &format!("*{MARK}")))
}

/// The key of a target.
pub fn target(provider: &str, upstream_model: &str) -> String {
    format!("target/{provider}/{upstream_model}")
}

/// The provider's name for the model, or `*` for one that sends on whatever name is asked.
pub fn model_of(target: &Target) -> &str {
    target.model.as_deref().unwrap_or("*")
}

/// The key of how long a target takes to a whole answer.
pub fn whole(target: &str) -> String {
    format!("whole/{}", target.strip_prefix("target/").unwrap_or(target))
}
