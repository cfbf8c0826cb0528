//! `[[models]]`: what clients ask for, and the targets that serve it.

use std::sync::Arc;

use super::{Patience, PhaseLimits, Provider, Template};
use crate::price::{Hours, Price};

/// A public model: what clients ask for.
#[derive(Debug, Clone)]
pub struct Model {
    /// Unique name.
    pub name: Arc<str>,
    /// Other names it answers to; a trailing `*` makes a pattern.
    pub aliases: Vec<String>,
    /// Whether it is in use. If not, clients do not see it.
    pub enabled: bool,
    /// Upstream attempts a call may make at most. Default 3.
    pub attempts: u32,
    /// The time limits of a call.
    pub timeouts: Timeouts,
    /// The targets that serve it.
    pub targets: Vec<Arc<Target>>,
    /// How targets of one tier are ordered.
    pub strategy: Strategy,
    /// What ties a client's calls to one target.
    pub affinity: Affinity,
    /// The fallback models in order, as indexes into [`Catalog::models`](super::Catalog::models): their targets are
    /// used when none of its own can serve. Indexes, since two models may be the fallback of each other.
    pub(super) fallback: Vec<usize>,
    /// Whether calls may be translated for targets whose provider does not speak the caller's dialect.
    pub translation: Translation,
    /// When a stream without content gets its head, and then signs of life while attempts go on, so that no proxy in
    /// between closes it. Default: after 20 s.
    pub head_after_ms: u64,
    /// How long a call may wait for a rate limit or quota to end if no target can serve it now. 0: not at all.
    pub max_wait_ms: u64,
}

/// How targets of one tier are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// At random, in proportion to the weights.
    #[default]
    Weighted,
    /// In turn, as often as the weights say, evenly spread.
    RoundRobin,
    /// The quicker to its first content of two targets that are drawn by weight.
    Latency,
    /// The cheapest for this call; equals at random.
    Cost,
    /// The one whose unspent quota expires soonest; equals at random.
    Quota,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Strategy; 5] = [Self::Weighted, Self::RoundRobin, Self::Latency, Self::Cost, Self::Quota];

    /// Its name in catalogs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::RoundRobin => "round-robin",
            Self::Latency => "latency",
            Self::Cost => "cost",
            Self::Quota => "quota",
        }
    }
}

/// What ties a client's calls to one target, so that the provider's prompt cache is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affinity {
    /// Nothing.
    #[default]
    None,
    /// The client's session.
    Session,
    /// The beginning of the prompt, if it has at least 1,024 tokens: no provider caches shorter ones.
    PromptCache,
}

impl Affinity {
    /// Every affinity.
    pub const ALL: [Affinity; 3] = [Self::None, Self::Session, Self::PromptCache];

    /// Its name in catalogs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Session => "session",
            Self::PromptCache => "prompt-cache",
        }
    }
}

/// Whether calls may be translated for targets whose provider does not speak the caller's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Translation {
    /// They serve it like any other target.
    #[default]
    Allow,
    /// They come after all targets that speak it.
    LastResort,
    /// They do not serve it.
    Off,
}

impl Translation {
    /// All values.
    pub const ALL: [Translation; 3] = [Self::Allow, Self::LastResort, Self::Off];

    /// Its name in catalogs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::LastResort => "last-resort",
            Self::Off => "off",
        }
    }
}

/// The time limits of a call, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connect and TLS handshake together. Default 5 s.
    pub connect_ms: u64,
    /// Until the head of the upstream's response. `None`: 60 s for streams, 300 s for whole answers.
    pub first_byte_ms: Option<u64>,
    /// Silence between two chunks. Default 90 s.
    pub idle_ms: u64,
    /// The whole call, all attempts together. Default 60 min.
    pub total_ms: u64,
    /// Silence after which the client of a stream gets a sign of life. Default 15 s.
    pub keep_alive_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect_ms: 5_000,
            first_byte_ms: None,
            idle_ms: 90_000,
            total_ms: 60 * 60 * 1000,
            keep_alive_ms: 15_000,
        }
    }
}

/// A target: a provider and its own model, which can serve a public model.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The provider's own name for the model. `None`: the name the client asked for.
    pub model: Option<Arc<str>>,
    /// How the upstream name is derived from the name the client asked for, unless that is sent unchanged.
    pub template: Option<Arc<Template>>,
    /// The name whose profile applies, if the provider has its own name for the model; see [`profile`](crate::profile).
    pub profile: Option<Arc<str>>,
    /// Whether it reviews tool calls if a client asks for `safeguards`. Default: as its provider.
    pub safeguards: Option<bool>,
    /// Its share within its tier, relative to the other weights. 0: only if no other target of the tier can serve.
    /// Default 1.
    pub weight: u32,
    /// Lower tiers are used first. Default 1.
    pub tier: u32,
    /// Its price according to the catalog.
    pub price: Option<Price>,
    /// Hours in which it has another price. The first that hold apply.
    pub hours: Vec<(Hours, Price)>,
    /// Whether it is in use.
    pub enabled: bool,
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// The time limits of its attempts: its own, else those of its provider.
    pub timeouts: PhaseLimits,
    /// How many failures are tolerated: its own value, else that of its provider, else that of its model.
    pub patience: Patience,
    /// Headers added to its requests, names in lower case. They replace its provider's headers of the same name.
    pub headers: Vec<(String, String)>,
    /// Changes to the client's body for this target. `None`: none.
    pub adjustments: Option<Box<Adjustments>>,
}

/// Changes that a target makes to the top level of a JSON body in the provider's dialect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adjustments {
    /// Members that are set, whatever the client wrote.
    pub set: Vec<(String, serde_json::Value)>,
    /// Members that are set unless the client wrote them.
    pub default: Vec<(String, serde_json::Value)>,
    /// Members that are removed.
    pub remove: Vec<String>,
}

/// The capabilities of a target. It has those that the catalog does not mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Tool calls. Default true.
    pub tools: bool,
    /// Answers that follow a JSON schema. Default true.
    pub structured: bool,
    /// Images in the prompt. Default true.
    pub images: bool,
    /// The most tokens of prompt and answer together. `None`: unknown.
    pub context: Option<u64>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Capabilities { tools: true, structured: true, images: true, context: None }
    }
}
