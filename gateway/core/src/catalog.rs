//! The catalog: the whole configuration as one validated, versioned snapshot.
//!
//! A [`Document`] is what a person wrote (TOML or JSON, the same names); a [`Catalog`] is what the line uses.
//! Between them stands [`Document::validate`], which refuses a document whole and names every problem at once,
//! so that nothing behind it checks anything again.

mod document;
mod draft;
mod egress;
mod files;
mod lookup;
mod new_key;
mod relay;
mod resolve;
mod rotation;
mod schema;
mod seal;
mod terms;
mod validate;
mod warnings;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

pub use document::{Change, Difference, Document, Edit, EditError, Noun, Part, Unsaved, fixed_key_field};
pub use draft::{Draft, presets};
pub use egress::{Egress, ProxyEgress, RelayEgress};
pub use lookup::{hash_key, hash_text, without_suffix};
pub use new_key::{NewKey, new_key};
pub use relay::Relay;
pub use rotation::Rotation;
pub use seal::{SealError, Sealer};
pub use terms::{Patience, PhaseLimits, Template};

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::dialect::{Auth, Dialect};
use crate::price::{Hours, Price};
use crate::providers::Counter;
use crate::redact::Secrets;
use crate::verdict::ErrorRule;

pub use crate::profile::Source;

/// One accepted catalog, ready for lookups. Cheap to share, never changed.
#[derive(Debug)]
pub struct Catalog {
    /// The settings of the gateway as a whole.
    pub settings: Settings,
    /// The upstream services, in the order of the document.
    pub providers: Vec<Arc<Provider>>,
    /// The public models, in the order of the document.
    pub models: Vec<Arc<Model>>,
    /// The keys issued to clients.
    pub keys: Vec<Key>,
    /// The teams, whose keys share limits, in the order of the document.
    pub teams: Vec<Arc<Team>>,
    /// The pass-throughs, in the order of the document.
    pub relays: Vec<Relay>,
    names: HashMap<String, usize>,
    patterns: Vec<(String, usize)>,
    hashes: HashMap<[u8; 32], usize>,
    total_ms_max: u64,
}

/// The settings of the gateway as a whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long records are kept.
    pub retention: Retention,
    /// Which calls' bodies are kept. Default off.
    pub record_bodies: RecordBodies,
    /// How long bodies are kept.
    pub bodies: BodiesRetention,
    /// Peers whose `x-forwarded-for` is believed, as networks. Default none.
    pub trusted_proxies: Vec<Network>,
    /// Where the days of quotas that name no zone begin. Default UTC.
    pub zone: TimeZone,
    /// How many credentials of one call a provider may refuse (401, 402, 403, 429) without costing the call an attempt.
    /// Default 32.
    pub turned_away_max: u32,
    /// How many USD one unit of each currency is worth, for amounts in that currency.
    pub rates: BTreeMap<String, f64>,
    /// The names of the models that serve as the fallback of every model without its own. Default none.
    pub fallback: Vec<String>,
    /// The models that serve calls without a `model`. Default: the only model that can.
    pub default_models: DefaultModels,
}

/// How long records are kept. Whichever of the two limits is reached first applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this many days are deleted. Default 30.
    pub days: u32,
    /// The oldest records are deleted while the database holds more than so many bytes. Default: no bound.
    pub bytes_max: Option<u64>,
}

/// Which calls' bodies are kept: from none to all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordBodies {
    /// None.
    #[default]
    Off,
    /// Those of calls that do not end well.
    Errors,
    /// All.
    All,
}

impl RecordBodies {
    /// Every word, from none to all.
    pub const ALL: [RecordBodies; 3] = [Self::Off, Self::Errors, Self::All];

    /// Its word in catalogs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Errors => "errors",
            Self::All => "all",
        }
    }

    /// What this word means.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kept| kept.name() == name)
    }
}

/// How long bodies are kept. Whichever of the two limits is reached first applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodiesRetention {
    /// Bodies older than this many days are deleted. Default 7.
    pub days: u32,
    /// The oldest bodies are deleted while all of them hold more than so many bytes, compressed. Default 512 MiB.
    pub bytes_max: u64,
}

/// Which model serves a call that names no model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultModels {
    /// Calls of `moderations`.
    pub moderations: Option<String>,
    /// Calls of `images/generations`.
    pub images: Option<String>,
}

/// An IP network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address of the network.
    pub address: std::net::IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A provider: an upstream service.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Unique name.
    pub name: Arc<str>,
    /// How pages mark it.
    pub label: ProviderLabel,
    /// Whether it is in use. If not, all its targets are skipped.
    pub enabled: bool,
    /// How the gateway reaches it.
    pub kind: ProviderKind,
    /// How a credential is sent. `None`: as the dialect in use does it.
    pub auth: Option<Auth>,
    /// Its credentials. If there are none, requests are sent without one.
    pub credentials: Vec<Arc<Credential>>,
    /// Headers added to every request, names in lower case.
    pub headers: Vec<(String, Value)>,
    /// Pairs added to the query of every request.
    pub query: Vec<(String, Value)>,
    /// The time limits of attempts at targets that have none of their own.
    pub timeouts: PhaseLimits,
    /// How many failures are tolerated where the target does not say.
    pub patience: Patience,
    /// Client headers that are forwarded besides the usual ones; names in lower case.
    pub forward_headers: Vec<String>,
    /// Whether limited keys, too, may send members that make the provider serve another model.
    pub forward_routing: bool,
    /// Whether it refuses `stream_options`, which are then left out.
    pub refuses_stream_options: bool,
    /// Whether its list of models is known to say which of them it will shut down.
    pub announces: bool,
    /// Whether it reviews tool calls if a client asks for `safeguards`, so that such calls may be sent to it.
    pub safeguards: bool,
    /// Whether the exact host and port of the base URL may be a private or loopback address.
    pub local: bool,
    /// The egress of credentials that have none of their own. Default: a direct connection.
    pub egress: Option<Egress>,
    /// A file of CA certificates to trust for this provider besides the usual ones. The host that connects reads it.
    pub ca: Option<Arc<str>>,
    /// Rules that classify this provider's errors. They come before the built-in rules.
    pub errors: Vec<ErrorRule>,
    /// An answer with status 200 counts as failed if one of these texts stands before or in its first content.
    pub error_match: Vec<String>,
    /// Tags of the provider, such as `trains-on-prompts`. Keys can avoid providers by tag.
    pub tags: Vec<String>,
    /// The bundled table's name for its list of prices. It is looked up once, by the host and the name.
    pub(crate) price_list: Arc<str>,
    /// Its quotas: from `quotas`, the shorthand `quota`, and `concurrent`. No two of them limit the same thing.
    pub quotas: Vec<Quota>,
    /// The request that returns the balance and counters of an account, if the provider has one.
    pub counter: Option<&'static Counter>,
    /// The headers whose values are secrets, which are written like credentials.
    pub secret_headers: Vec<String>,
    /// The query parameters whose values are secrets.
    pub secret_query: Vec<String>,
    /// All secrets in a request without a credential, once they are resolved.
    pub secrets: Arc<Secrets>,
}

/// How pages mark a provider where there is no room for its name. Default: by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderLabel {
    /// One or two characters.
    pub short: Option<String>,
    /// One of eight hues, from 1 on.
    pub hue: Option<u32>,
}

/// How the gateway reaches a provider.
#[derive(Debug, Clone, PartialEq)]
pub enum ProviderKind {
    /// The gateway itself answers, as for the built-in `demo` model.
    Echo,
    /// Over HTTP: a base URL for each dialect it speaks.
    Http(Vec<Endpoint>),
}

/// One dialect a provider speaks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The API spoken there.
    pub dialect: Dialect,
    /// `true` for `https`.
    pub tls: bool,
    /// Host and optional port.
    pub authority: String,
    /// Path before the dialect's own paths, with a leading and no trailing slash, or empty.
    pub path: String,
    /// The query of its URL, which is added to every request; may be empty.
    pub query: String,
    /// Scheme, host and port. Health is kept per origin, since several providers may share one.
    pub address: Arc<str>,
}

/// One API key of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// An identity that stays the same while the secret stays where it is written. Sealed secrets are bound to it.
    pub id: Arc<str>,
    /// The account that its spending counts for. It is derived from the secret once that is known
    /// ([`Catalog::resolve`]), so that it survives a new name of the provider and another way of writing the secret.
    pub account: Arc<str>,
    /// Its name in records and in the console, which is never derived from the secret.
    pub label: String,
    /// Whether it is in use.
    pub enabled: bool,
    /// The secret, or where to find it.
    pub value: Value,
    /// The pool: credentials of one pool share an account at the provider. Default: the pool without a name.
    pub pool: Option<Arc<str>>,
    /// Its own quotas. They replace the provider's quotas of the same kind.
    pub quota: Option<Quota>,
    /// Its egress. Default: that of its provider.
    pub egress: Option<Egress>,
    /// All secrets in a request with this credential, once they are resolved ([`Catalog::resolve`]). No answer may
    /// contain them.
    pub secrets: Arc<Secrets>,
}

/// A quota at a provider. An attempt needs room in every quota that applies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The upstream names or patterns (with a `*` at either end), sorted, that share the quota. Empty (default): all.
    pub models: Arc<[String]>,
    /// Who shares the quota. Default: each credential has its own.
    pub per: Per,
    /// The limits, one for each window.
    pub limits: Vec<Limit>,
    /// Whether its calls cost nothing, so that what is left of it is there to be used. Default: those that were published
    /// for everybody.
    pub is_free: bool,
    /// The source, if the limits were published by the provider and are not from the document.
    pub source: Option<Source>,
}

/// Who shares a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Each credential has its own; a provider without credentials has one.
    Credential,
    /// All credentials of one pool.
    Pool,
    /// The whole provider.
    Provider,
}

/// A limit: how much of something may be spent within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub count: Count,
    /// The window.
    pub window: Window,
    /// The most that may be spent.
    pub most: u64,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Calls sent upstream.
    Calls,
    /// Tokens, in and out.
    Tokens,
    /// Tokens without those read from a cache, which some providers do not count.
    FreshTokens,
    /// A fixed number for each call.
    Points {
        /// That number.
        per_call: u64,
    },
    /// What calls cost, in nano-dollars.
    Money,
}

/// The window of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// The last minute.
    Minute,
    /// Since the day began.
    Day(Day),
    /// Since the week began, on a Monday.
    Week(Day),
    /// Since the month began.
    Month(Day),
    /// A number of hours, up to now.
    Rolling {
        /// How many.
        hours: u64,
    },
    /// All time: it never resets.
    Ever,
    /// This moment: what is under way.
    InFlight,
}

/// When a day begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The time zone. Default: [`Settings::zone`].
    pub zone: TimeZone,
    /// The time of day in that zone. Default: midnight.
    pub reset: Time,
}

/// A value that may be secret: in plain text, sealed, or kept elsewhere under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The value itself.
    Plain(Secret),
    /// Sealed with the master key; [`Catalog::resolve`] opens it.
    Sealed(String),
    /// In the variable of this name; [`Catalog::resolve`] fills it in.
    Variable(String),
    /// Each line of the file of this name; [`Catalog::expand`] puts them in its place. Of credentials only.
    File(String),
    /// It is not available, and why. The credential cannot be used until then.
    Missing(String),
}

/// A secret. Its `Debug` shows nothing; there is no `Display` and no serialisation.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself: for the request to its own provider and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

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
    /// The fallback models in order, as indexes into [`Catalog::models`]: their targets are used when none of its own
    /// can serve. Indexes, since two models may be the fallback of each other.
    fallback: Vec<usize>,
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

/// The name of the admin token's calls in records, which no key may have.
pub const ADMIN_NAME: &str = "admin";

/// A key: what llmio issues to a client.
#[derive(Debug)]
pub struct Key {
    /// Unique name, which records show.
    pub name: Arc<str>,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// Its previous secret, if it was rotated.
    pub previous: Option<PreviousKey>,
    /// The names or patterns of the models it may use, with exact aliases replaced by the name of their model. `None`:
    /// all.
    pub models: Option<Vec<String>>,
    /// When it expires, in Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Whether it is in use. If not, it is refused.
    pub enabled: bool,
    /// Providers with one of these tags do not get its calls.
    pub avoid: Vec<String>,
    /// The networks it may be used from. `None`: anywhere.
    pub networks: Option<Vec<Network>>,
    /// The limits of its calls. Default: none.
    pub limits: Vec<Limit>,
    /// Its team, whose limits count the calls of several keys together.
    pub team: Option<Arc<Team>>,
    /// What the admin says of its calls' bodies, in place of the setting.
    pub record_bodies: Option<RecordBodies>,
    /// The most that its holder lets be kept.
    pub record_bodies_at_most: Option<RecordBodies>,
    /// Whether its holder may read the bodies of its own calls. Default no.
    pub see_bodies: bool,
}

/// A team: keys that share limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Team {
    /// Unique name.
    pub name: Arc<str>,
    /// The limits of the calls of all its keys together.
    pub limits: Vec<Limit>,
}

/// The previous secret of a rotated key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousKey {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it expires, in Unix milliseconds.
    pub until_ms: i64,
}
