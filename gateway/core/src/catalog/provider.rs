//! `[[providers]]`: an upstream service and its credentials.

use std::sync::Arc;

use super::{Egress, Patience, PhaseLimits, Quota, Value};
use crate::dialect::{Auth, Dialect};
use crate::price::PriceList;
use crate::providers::Counter;
use crate::redact::Secrets;
use crate::verdict::ErrorRule;

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
    /// Whether keys may keep files and batches at it.
    pub forward_files: bool,
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
    /// Where the prices of its models are found.
    pub(crate) prices: ProviderPrices,
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

/// Where the prices of a provider's models are found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProviderPrices {
    /// What lists of prices call it. It is looked up once, by the host and the name.
    pub(crate) list: Arc<str>,
    /// The operator's own list, if there is one. It comes before the bundled one.
    pub(crate) own: Option<Arc<PriceList>>,
}

impl ProviderPrices {
    /// The prices of the provider that lists call so.
    pub(crate) fn listed_as(list: &str) -> Self {
        ProviderPrices { list: list.into(), own: None }
    }
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
    /// ([`Catalog::resolve`](super::Catalog::resolve)), so that it survives a new name of the provider and another way
    /// of writing the secret.
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
    /// All secrets in a request with this credential, once they are resolved
    /// ([`Catalog::resolve`](super::Catalog::resolve)). No answer may contain them.
    pub secrets: Arc<Secrets>,
}
