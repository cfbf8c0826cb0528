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

pub use document::{Change, Difference, Document, fixed_key_field};
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
use crate::price::Price;
use crate::providers::Counter;
use crate::redact::Secrets;
use crate::verdict::ErrorRule;

pub use crate::profile::Source;

/// One accepted catalog, ready for lookups. Cheap to share, never changed.
#[derive(Debug)]
pub struct Catalog {
    /// What holds for the gateway as a whole.
    pub settings: Settings,
    /// The upstream services, in the order of the document.
    pub providers: Vec<Arc<Provider>>,
    /// The public models, in the order of the document.
    pub models: Vec<Arc<Model>>,
    /// The keys issued to clients.
    pub keys: Vec<Key>,
    /// Those that share limits, in the order of the document.
    pub teams: Vec<Arc<Team>>,
    /// The pass-throughs, in the order of the document.
    pub relays: Vec<Relay>,
    names: HashMap<String, usize>,
    patterns: Vec<(String, usize)>,
    hashes: HashMap<[u8; 32], usize>,
    total_ms_max: u64,
}

/// What holds for the gateway as a whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long records are kept.
    pub retention: Retention,
    /// Peers whose `x-forwarded-for` is believed, as networks. Default none.
    pub trusted_proxies: Vec<Network>,
    /// Where the days of quotas that name no zone begin. Default UTC.
    pub zone: TimeZone,
    /// Credentials of a call that may be turned away at the door without costing an attempt. Default 32.
    pub turned_away_max: u32,
    /// What one unit of a currency is in USD, for amounts that come in it.
    pub rates: BTreeMap<String, f64>,
    /// The fallback of models that say nothing of theirs, by name. Default none.
    pub fallback: Vec<String>,
    /// The models of calls that may leave theirs out. Default: the only model that is able.
    pub default_models: DefaultModels,
}

/// How long records are kept: what goes first of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this many days are deleted. Default 30.
    pub days: u32,
    /// The oldest records are deleted while the database holds more than so many bytes. Default: no bound.
    pub bytes_max: Option<u64>,
}

/// Which model serves a call that names none.
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

/// An upstream service.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Unique name.
    pub name: Arc<str>,
    /// Off: every target of it is skipped.
    pub enabled: bool,
    /// How it is reached.
    pub kind: ProviderKind,
    /// How a credential is presented; `None`: as the dialect spoken does it.
    pub auth: Option<Auth>,
    /// The pool. Empty: requests go without a credential.
    pub credentials: Vec<Arc<Credential>>,
    /// Headers added to every request, names in lower case.
    pub headers: Vec<(String, Value)>,
    /// Pairs added to the query of every request.
    pub query: Vec<(String, Value)>,
    /// Limits of its attempts' phases where a target has none of its own.
    pub timeouts: PhaseLimits,
    /// What is put up with where a target says nothing.
    pub patience: Patience,
    /// Client headers that travel on besides those that always do, names in lower case.
    pub forward_headers: Vec<String>,
    /// Members of a body that make it serve something else pass for limited keys too.
    pub forward_routing: bool,
    /// The base URL's exact host and port may be private or loopback.
    pub local: bool,
    /// The way out for credentials that have none of their own. Default: llmio's own.
    pub egress: Option<Egress>,
    /// A file of CA certificates that its own may come from besides; read by the host that connects to it.
    pub ca: Option<Arc<str>>,
    /// How this provider's errors are judged, before the rows llmio knows.
    pub errors: Vec<ErrorRule>,
    /// An answer of 200 that holds one of these before or in its first content has failed.
    pub error_match: Vec<String>,
    /// What is true of the provider as a whole, such as `trains-on-prompts`; keys may avoid it.
    pub tags: Vec<String>,
    /// What may be spent here: `quotas`, the shorthand `quota`, and `concurrent`. No two limit the same thing.
    pub quotas: Vec<Quota>,
    /// The request by which it tells the numbers of an account, if it has one.
    pub counter: Option<&'static Counter>,
    /// Of its headers, those whose values are secrets: tables and variables, as a credential is written.
    pub secret_headers: Vec<String>,
    /// The same of its query.
    pub secret_query: Vec<String>,
    /// All secrets that a request without a credential holds, once they are known.
    pub secrets: Arc<Secrets>,
}

/// How a provider is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum ProviderKind {
    /// Answers inside the gateway: what the built-in `demo` model uses.
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
    /// What its URL has behind the `?`, added to every request; or empty.
    pub query: String,
    /// Scheme, host and port: what health knows the host by, whoever else is served there.
    pub address: Arc<str>,
}

/// One API key of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// Stable across edits that keep the secret where it is written; what sealing binds to.
    pub id: Arc<str>,
    /// Whose spending it is: follows the secret itself, once that is known ([`Catalog::resolve`]), however it is written
    /// and whatever its provider is called.
    pub account: Arc<str>,
    /// What records and the console call it. Never derived from the secret's characters.
    pub label: String,
    /// Off: never used.
    pub enabled: bool,
    /// The secret itself or where it is.
    pub value: Value,
    /// Credentials of a provider that name one pool share an account there. Default: the pool without a name.
    pub pool: Option<Arc<str>>,
    /// What this one may spend. Stands in for the provider's limits of the same kind per credential.
    pub quota: Option<Quota>,
    /// Its way out. Default: its provider's.
    pub egress: Option<Egress>,
    /// All secrets that a request with it holds, once they are known ([`Catalog::resolve`]): no answer may tell them.
    pub secrets: Arc<Secrets>,
}

/// How much may be spent at a provider. All limits that apply to an attempt must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Upstream names or patterns (a `*` at either end), sorted, whose spending counts together. Empty (default): all.
    pub models: Arc<[String]>,
    /// Whose spending counts together. Default: each credential for itself.
    pub per: Per,
    /// What may be spent, window by window.
    pub limits: Vec<Limit>,
    /// Where it is from when it is the provider's own word and not the document's.
    pub source: Option<Source>,
}

/// Whose spending counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Each credential for itself, or the provider where it has none.
    Credential,
    /// All credentials of one pool.
    Pool,
    /// The whole provider.
    Provider,
}

/// How much of what may be spent within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub count: Count,
    /// Within which time.
    pub window: Window,
    /// The most of it.
    pub most: u64,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Calls sent upstream.
    Calls,
    /// Tokens, in and out.
    Tokens,
    /// The same without those that were read from a cache, which some providers do not count.
    FreshTokens,
    /// A fixed number for each call.
    Points {
        /// That number.
        per_call: u64,
    },
    /// What calls cost, in nano-dollars.
    Money,
}

/// The time a limit looks back over.
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
    /// The last so many hours.
    Rolling {
        /// That many.
        hours: u64,
    },
    /// All there ever was: it never resets.
    Ever,
    /// Now: what is under way.
    InFlight,
}

/// When a day begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Where. Default [`Settings::zone`].
    pub zone: TimeZone,
    /// At which time there. Default midnight.
    pub reset: Time,
}

/// A value that may be secret: written out, sealed, or held elsewhere under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Known now.
    Plain(Secret),
    /// Sealed with the master key; [`Catalog::resolve`] opens it.
    Sealed(String),
    /// In the variable of this name; [`Catalog::resolve`] fills it in.
    Variable(String),
    /// Each line of the file of this name; [`Catalog::expand`] puts them in its place. Of credentials only.
    File(String),
    /// Could not be had, and why; the credential is not able until this is mended.
    Missing(String),
}

/// A secret. Its `Debug` shows nothing; there is no `Display` and no serialisation.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret in.
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

/// A public name clients ask for.
#[derive(Debug, Clone)]
pub struct Model {
    /// Unique name.
    pub name: Arc<str>,
    /// Other names it answers to; a trailing `*` makes a pattern.
    pub aliases: Vec<String>,
    /// Off: unknown to clients.
    pub enabled: bool,
    /// Upstream attempts a call may make at most. Default 3.
    pub attempts: u32,
    /// Limits of a call's phases.
    pub timeouts: Timeouts,
    /// The ways to serve it.
    pub targets: Vec<Arc<Target>>,
    /// How targets of one tier are ordered.
    pub strategy: Strategy,
    /// What keeps a client's calls on one target.
    pub affinity: Affinity,
    /// The models whose targets follow when none of its own can serve, in their order, by their places in
    /// [`Catalog::models`]. Not the models themselves, since two may be the fallback of each other.
    fallback: Vec<usize>,
    /// Whether targets whose provider does not speak a caller's dialect serve it.
    pub translation: Translation,
    /// A stream without content by then gets its head, and signs of life while attempts go on, so that no proxy in
    /// between takes it for dead. Default 20 s.
    pub head_after_ms: u64,
    /// How long a call that nobody can serve now waits for a rate limit or quota that is over by then. 0: not at all.
    pub max_wait_ms: u64,
}

/// How targets of one tier are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// By chance, in proportion to the weights.
    #[default]
    Weighted,
    /// In turn, as often as the weights say, evenly spread.
    RoundRobin,
    /// Of two drawn by weight, the one that has been quicker to its first content.
    Latency,
    /// The one that this call costs least at; of equals by chance.
    Cost,
    /// The one whose unspent allowance expires soonest; of equals by chance.
    Quota,
}

impl Strategy {
    /// The strategies that are built.
    pub const ALL: [Strategy; 5] = [Self::Weighted, Self::RoundRobin, Self::Latency, Self::Cost, Self::Quota];

    /// What catalogs and records call it.
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

/// What keeps a client's calls on one target, so that what the provider has cached of them is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affinity {
    /// Nothing.
    #[default]
    None,
    /// The client's session.
    Session,
    /// The beginning of the prompt, from 1,024 tokens on: shorter ones no provider caches.
    PromptCache,
}

impl Affinity {
    /// Every affinity.
    pub const ALL: [Affinity; 3] = [Self::None, Self::Session, Self::PromptCache];

    /// What catalogs and records call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Session => "session",
            Self::PromptCache => "prompt-cache",
        }
    }
}

/// Whether targets whose provider does not speak a caller's dialect serve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Translation {
    /// Like any other.
    #[default]
    Allow,
    /// After all that speak it.
    LastResort,
    /// Not at all.
    Off,
}

impl Translation {
    /// Every way.
    pub const ALL: [Translation; 3] = [Self::Allow, Self::LastResort, Self::Off];

    /// What catalogs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::LastResort => "last-resort",
            Self::Off => "off",
        }
    }
}

/// Limits of a call's phases, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connect and TLS handshake together. Default 5 s.
    pub connect_ms: u64,
    /// Until the upstream's response head; `None`: 60 s streamed, 300 s not.
    pub first_byte_ms: Option<u64>,
    /// Silence between two chunks. Default 90 s.
    pub idle_ms: u64,
    /// The whole call, all attempts together. Default 60 min.
    pub total_ms: u64,
    /// Silence after which a stream's client gets a sign of life. Default 15 s.
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

/// One way to serve a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Who serves it.
    pub provider: Arc<Provider>,
    /// The provider's own name for the model; `None`: the name asked.
    pub model: Option<Arc<str>>,
    /// How the name is made of the one that was asked, where that is not sent as it is.
    pub template: Option<Arc<Template>>,
    /// The name that says what the model takes, where its provider calls it otherwise; see [`profile`](crate::profile).
    pub profile: Option<Arc<str>>,
    /// Share of its tier, relative to the other weights there. 0: only where no other of its tier can serve. Default 1.
    pub weight: u32,
    /// Lower tiers are used first. Default 1.
    pub tier: u32,
    /// What the catalog says it costs.
    pub price: Option<Price>,
    /// Off: skipped.
    pub enabled: bool,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Limits of its attempts' phases: its own, else its provider's.
    pub timeouts: PhaseLimits,
    /// What is put up with: by its own word, else its provider's, else its model's.
    pub patience: Patience,
    /// Headers added to its requests, names in lower case; they stand in for its provider's.
    pub headers: Vec<(String, String)>,
    /// What it wants otherwise than a client writes it. `None`: nothing.
    pub adjustments: Option<Box<Adjustments>>,
}

/// What a target wants otherwise than a client writes it, at the top level of a JSON body in the provider's dialect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adjustments {
    /// Members and their values, whatever the client wrote.
    pub set: Vec<(String, serde_json::Value)>,
    /// Members and their values where the client wrote none.
    pub default: Vec<(String, serde_json::Value)>,
    /// Members that are left out.
    pub remove: Vec<String>,
}

/// What a target can do; what is not said it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Tool calls. Default true.
    pub tools: bool,
    /// Answers that follow a JSON schema. Default true.
    pub structured: bool,
    /// Images in the prompt. Default true.
    pub images: bool,
    /// Tokens of prompt and answer together; `None`: not known.
    pub context: Option<u64>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Capabilities { tools: true, structured: true, images: true, context: None }
    }
}

/// The name of the admin token's calls in records, which no key may have.
pub const ADMIN_NAME: &str = "admin";

/// A credential llmio issues to a client.
#[derive(Debug)]
pub struct Key {
    /// Unique name; what records call it.
    pub name: Arc<str>,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// Its old secret, if it was rotated.
    pub previous: Option<PreviousKey>,
    /// Names or patterns of models it may use, exact aliases replaced by their model's name; `None`: all.
    pub models: Option<Vec<String>>,
    /// Refused from then on, Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Off: refused.
    pub enabled: bool,
    /// Tags of providers its calls must not go to.
    pub avoid: Vec<String>,
    /// Networks it may be used from; `None`: anywhere.
    pub networks: Option<Vec<Network>>,
    /// What its calls may spend. Default: no limits.
    pub limits: Vec<Limit>,
    /// Whose limits count the calls of several keys together.
    pub team: Option<Arc<Team>>,
}

/// Keys that share limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Team {
    /// Unique name.
    pub name: Arc<str>,
    /// What the calls of all its keys may spend together.
    pub limits: Vec<Limit>,
}

/// The old secret of a key that was rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousKey {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Refused from then on, Unix milliseconds.
    pub until_ms: i64,
}
