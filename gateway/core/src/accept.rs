//! Step 1: what a request asks for. [`find`] matches method and path against the one table of routes, which also
//! declares what each route needs; [`call`] reads from the body only what llmio acts on and leaves the rest unparsed.

mod body;
pub mod browser;
mod demand;
pub(crate) mod form;
pub mod host;
mod outline;
mod pieces;

use std::net::{IpAddr, SocketAddr};

use crate::catalog::{Network, Noun, Part};
use crate::dialect::Dialect;
use crate::endpoint::{Act, Admin, Endpoint, Kept, Needs, Stored, Verb};
use crate::headers;
use crate::operation::Operation;
use crate::refusal::Shape;

pub(crate) use body::span_of;
pub use body::{Head, call};
pub use demand::{demand, prompt_beginning};
/// The largest body of a request, in bytes. Larger ones are refused with 413.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// One row of the route table.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method, in capitals, or [`ANY`].
    pub method: &'static str,
    /// The path. Its `{}` matches any text that is not empty: the rest of the path if it stands at the end, and
    /// otherwise as much as lets the rest of the pattern match. Two of them match what has no slash in it, and what stands
    /// between them belongs to what they match.
    pub path: &'static str,
    /// What the caller must present.
    pub needs: Needs,
    /// The endpoint that it leads to.
    pub endpoint: Endpoint,
}

const fn row(method: &'static str, path: &'static str, needs: Needs, endpoint: Endpoint) -> Route {
    Route { method, path, needs, endpoint }
}

const fn calls(path: &'static str, operation: Operation) -> Route {
    row("POST", path, Needs::Key, Endpoint::Call(operation))
}

const fn noun(method: &'static str, path: &'static str, noun: Noun, verb: Verb) -> Route {
    row(method, path, Needs::Admin, Endpoint::Admin(Admin::Noun(noun, verb)))
}

const fn part(method: &'static str, path: &'static str, part: Part, verb: Verb) -> Route {
    row(method, path, Needs::Admin, Endpoint::Admin(Admin::Part(part, verb)))
}

const fn kept(method: &'static str, path: &'static str, kept: Kept, act: Act) -> Route {
    row(method, path, Needs::Key, Endpoint::Kept((kept, act)))
}

/// The word for every method.
pub const ANY: &str = "*";

/// All routes. Any other path is answered with 404, and a request without what its row needs is refused. [`find`] also
/// knows the prefixes under which the routes are served.
pub const ROUTES: &[Route] = &[
    calls("/v1/chat/completions", Operation::Chat),
    calls("/v1/responses", Operation::Responses),
    calls("/v1/responses/compact", Operation::Compact),
    calls("/v1/responses/input_tokens", Operation::InputTokens),
    calls("/v1/messages", Operation::Messages),
    calls("/v1beta/models/{}:generateContent", Operation::Generate),
    calls("/v1beta/models/{}:streamGenerateContent", Operation::StreamGenerate),
    calls("/v1/completions", Operation::Completions),
    calls("/v1/embeddings", Operation::Embeddings),
    calls("/v1/images/generations", Operation::Images),
    calls("/v1/images/edits", Operation::ImageEdits),
    calls("/v1/audio/speech", Operation::Speech),
    calls("/v1/audio/transcriptions", Operation::Transcriptions),
    calls("/v1/audio/translations", Operation::Translations),
    calls("/v1/moderations", Operation::Moderations),
    calls("/v1/rerank", Operation::Rerank),
    calls("/v1/messages/count_tokens", Operation::CountTokens),
    calls("/v1beta/models/{}:countTokens", Operation::GeminiCountTokens),
    calls("/v1beta/models/{}:embedContent", Operation::EmbedContent),
    calls("/v1beta/models/{}:batchEmbedContents", Operation::BatchEmbedContents),
    calls("/openai/deployments/{}/chat/completions", Operation::Chat),
    calls("/openai/deployments/{}/completions", Operation::Completions),
    calls("/openai/deployments/{}/embeddings", Operation::Embeddings),
    calls("/openai/deployments/{}/images/generations", Operation::Images),
    calls("/openai/deployments/{}/images/edits", Operation::ImageEdits),
    calls("/openai/deployments/{}/audio/speech", Operation::Speech),
    calls("/openai/deployments/{}/audio/transcriptions", Operation::Transcriptions),
    calls("/openai/deployments/{}/audio/translations", Operation::Translations),
    calls("/openai/responses", Operation::Responses),
    row("GET", "/openai/responses/{}/input_items", Needs::Key, Endpoint::Stored(Stored::InputItems)),
    row("POST", "/openai/responses/{}/cancel", Needs::Key, Endpoint::Stored(Stored::Cancel)),
    row("GET", "/openai/responses/{}", Needs::Key, Endpoint::Stored(Stored::Read)),
    row("DELETE", "/openai/responses/{}", Needs::Key, Endpoint::Stored(Stored::Delete)),
    row("GET", "/openai/models", Needs::Key, Endpoint::Models),
    row("GET", "/v1/responses", Needs::Nothing, Endpoint::WebSocket),
    row("GET", "/v1/responses/{}/input_items", Needs::Key, Endpoint::Stored(Stored::InputItems)),
    row("POST", "/v1/responses/{}/cancel", Needs::Key, Endpoint::Stored(Stored::Cancel)),
    row("GET", "/v1/responses/{}", Needs::Key, Endpoint::Stored(Stored::Read)),
    row("DELETE", "/v1/responses/{}", Needs::Key, Endpoint::Stored(Stored::Delete)),
    kept("POST", "/v1/files", Kept::File, Act::Create),
    kept("GET", "/v1/files", Kept::File, Act::List),
    kept("GET", "/v1/files/{}/content", Kept::File, Act::Content),
    kept("GET", "/v1/files/{}", Kept::File, Act::Read),
    kept("DELETE", "/v1/files/{}", Kept::File, Act::Delete),
    kept("POST", "/v1/batches", Kept::Batch, Act::Create),
    kept("GET", "/v1/batches", Kept::Batch, Act::List),
    kept("POST", "/v1/batches/{}/cancel", Kept::Batch, Act::Cancel),
    kept("GET", "/v1/batches/{}", Kept::Batch, Act::Read),
    kept("POST", "/v1/messages/batches", Kept::MessageBatch, Act::Create),
    kept("GET", "/v1/messages/batches", Kept::MessageBatch, Act::List),
    kept("POST", "/v1/messages/batches/{}/cancel", Kept::MessageBatch, Act::Cancel),
    kept("GET", "/v1/messages/batches/{}/results", Kept::MessageBatch, Act::Content),
    kept("GET", "/v1/messages/batches/{}", Kept::MessageBatch, Act::Read),
    kept("DELETE", "/v1/messages/batches/{}", Kept::MessageBatch, Act::Delete),
    row("GET", "/v1/models", Needs::Key, Endpoint::Models),
    row("GET", "/v1/models/{}", Needs::Key, Endpoint::Model),
    row("GET", "/v1/usage", Needs::Key, Endpoint::Usage),
    row("GET", "/v1/record_bodies", Needs::Key, Endpoint::RecordBodies(Verb::Read)),
    row("PUT", "/v1/record_bodies", Needs::Key, Endpoint::RecordBodies(Verb::Replace)),
    row("GET", "/v1beta/models", Needs::Key, Endpoint::Models),
    row("GET", "/v1beta/models/{}", Needs::Key, Endpoint::Model),
    row("POST", "/anthropic/api/event_logging/batch", Needs::Key, Endpoint::Telemetry),
    row("HEAD", "/anthropic/api/hello", Needs::Nothing, Endpoint::Probe),
    row(ANY, "/relay/{}", Needs::Relay, Endpoint::Relay),
    row(ANY, "/proxy/{}", Needs::Relay, Endpoint::Relay),
    row("HEAD", "/", Needs::Nothing, Endpoint::Probe),
    row("GET", "/", Needs::Nothing, Endpoint::Root),
    row("GET", "/console", Needs::Nothing, Endpoint::ConsoleSlash),
    row("GET", "/console/", Needs::Session, Endpoint::Console),
    row("GET", "/console/{}", Needs::Session, Endpoint::Console),
    row("POST", "/console/{}", Needs::Session, Endpoint::Console),
    row("HEAD", "/api/hello", Needs::Nothing, Endpoint::Probe),
    row("GET", "/healthz", Needs::Nothing, Endpoint::Alive),
    row("GET", "/readyz", Needs::Nothing, Endpoint::Ready),
    row("GET", "/api/catalog", Needs::Admin, Endpoint::Admin(Admin::CatalogRead)),
    row("PUT", "/api/catalog", Needs::Admin, Endpoint::Admin(Admin::CatalogUpdate)),
    row("PATCH", "/api/catalog", Needs::Admin, Endpoint::Admin(Admin::CatalogPatch)),
    row("POST", "/api/catalog/check", Needs::Admin, Endpoint::Admin(Admin::CatalogCheck)),
    row("POST", "/api/catalog/diff", Needs::Admin, Endpoint::Admin(Admin::CatalogDiff)),
    row("POST", "/api/catalog/draft", Needs::Admin, Endpoint::Admin(Admin::CatalogDraft)),
    row("GET", "/api/catalog/history", Needs::Admin, Endpoint::Admin(Admin::HistoryList)),
    row("POST", "/api/catalog/history/{}/restore", Needs::Admin, Endpoint::Admin(Admin::HistoryRestore)),
    row("GET", "/api/catalog/history/{}", Needs::Admin, Endpoint::Admin(Admin::HistoryRead)),
    row("GET", "/api/import", Needs::Admin, Endpoint::Admin(Admin::ImportList)),
    row("POST", "/api/import", Needs::Admin, Endpoint::Admin(Admin::Import)),
    row("GET", "/api/presets", Needs::Admin, Endpoint::Admin(Admin::PresetsList)),
    row("GET", "/api/prices", Needs::Admin, Endpoint::Admin(Admin::PricesRead)),
    row("POST", "/api/prices/refresh", Needs::Admin, Endpoint::Admin(Admin::PricesRefresh)),
    row("POST", "/api/prices/accept", Needs::Admin, Endpoint::Admin(Admin::PricesAccept)),
    row("GET", "/api/settings", Needs::Admin, Endpoint::Admin(Admin::Settings(Verb::Read))),
    row("PATCH", "/api/settings", Needs::Admin, Endpoint::Admin(Admin::Settings(Verb::Update))),
    noun("GET", "/api/providers", Noun::Provider, Verb::List),
    noun("POST", "/api/providers", Noun::Provider, Verb::Create),
    row("POST", "/api/providers/check", Needs::Admin, Endpoint::ProvidersCheck),
    row("GET", "/api/providers/{}/models", Needs::Admin, Endpoint::Admin(Admin::ProvidersModels)),
    part("GET", "/api/providers/{}/credentials", Part::Credential, Verb::List),
    part("POST", "/api/providers/{}/credentials", Part::Credential, Verb::Create),
    part("PATCH", "/api/providers/{}/credentials/{}", Part::Credential, Verb::Update),
    part("DELETE", "/api/providers/{}/credentials/{}", Part::Credential, Verb::Delete),
    noun("GET", "/api/providers/{}", Noun::Provider, Verb::Read),
    noun("PUT", "/api/providers/{}", Noun::Provider, Verb::Replace),
    noun("PATCH", "/api/providers/{}", Noun::Provider, Verb::Update),
    noun("DELETE", "/api/providers/{}", Noun::Provider, Verb::Delete),
    noun("GET", "/api/models", Noun::Model, Verb::List),
    noun("POST", "/api/models", Noun::Model, Verb::Create),
    row("POST", "/api/models/join/preview", Needs::Admin, Endpoint::Admin(Admin::JoinPreview)),
    row("POST", "/api/models/join", Needs::Admin, Endpoint::Admin(Admin::Join)),
    part("GET", "/api/models/{}/targets", Part::Target, Verb::List),
    part("POST", "/api/models/{}/targets", Part::Target, Verb::Create),
    part("PATCH", "/api/models/{}/targets/{}", Part::Target, Verb::Update),
    part("DELETE", "/api/models/{}/targets/{}", Part::Target, Verb::Delete),
    noun("GET", "/api/models/{}", Noun::Model, Verb::Read),
    noun("PUT", "/api/models/{}", Noun::Model, Verb::Replace),
    noun("PATCH", "/api/models/{}", Noun::Model, Verb::Update),
    noun("DELETE", "/api/models/{}", Noun::Model, Verb::Delete),
    noun("GET", "/api/relays", Noun::Relay, Verb::List),
    noun("POST", "/api/relays", Noun::Relay, Verb::Create),
    noun("GET", "/api/relays/{}", Noun::Relay, Verb::Read),
    noun("PUT", "/api/relays/{}", Noun::Relay, Verb::Replace),
    noun("PATCH", "/api/relays/{}", Noun::Relay, Verb::Update),
    noun("DELETE", "/api/relays/{}", Noun::Relay, Verb::Delete),
    row("GET", "/api/keys", Needs::Admin, Endpoint::Admin(Admin::KeysList)),
    row("POST", "/api/keys", Needs::Admin, Endpoint::Admin(Admin::KeysCreate)),
    row("POST", "/api/keys/{}/rotate", Needs::Admin, Endpoint::Admin(Admin::KeysRotate)),
    row("GET", "/api/keys/{}", Needs::Admin, Endpoint::Admin(Admin::KeysRead)),
    row("PATCH", "/api/keys/{}", Needs::Admin, Endpoint::Admin(Admin::KeysUpdate)),
    row("DELETE", "/api/keys/{}", Needs::Admin, Endpoint::Admin(Admin::KeysDelete)),
    row("GET", "/api/health", Needs::Admin, Endpoint::Admin(Admin::HealthList)),
    row("POST", "/api/health/reset", Needs::Admin, Endpoint::Admin(Admin::HealthReset)),
    row("POST", "/api/route", Needs::Admin, Endpoint::Admin(Admin::Route)),
    row("POST", "/api/targets/leave-out", Needs::Admin, Endpoint::Admin(Admin::TargetsLeaveOut)),
    row("POST", "/api/targets/test", Needs::Admin, Endpoint::Admin(Admin::TargetsTest)),
    row("GET", "/api/records", Needs::Admin, Endpoint::Admin(Admin::RecordsList)),
    row("POST", "/api/records/ended", Needs::Admin, Endpoint::Admin(Admin::RecordsEnded)),
    row("GET", "/api/records/sessions", Needs::Admin, Endpoint::Admin(Admin::RecordsSessions)),
    row("GET", "/api/records/export", Needs::Admin, Endpoint::Admin(Admin::RecordsExport)),
    row("GET", "/api/records/tail", Needs::Admin, Endpoint::Admin(Admin::RecordsTail)),
    row("GET", "/api/records/{}/bodies", Needs::Reader, Endpoint::Admin(Admin::RecordsBodies)),
    row("DELETE", "/api/records/{}/bodies", Needs::Admin, Endpoint::Admin(Admin::RecordsBodiesDelete)),
    row("DELETE", "/api/records/bodies", Needs::Admin, Endpoint::Admin(Admin::BodiesDelete)),
    row("GET", "/api/records/{}", Needs::Admin, Endpoint::Admin(Admin::RecordsRead)),
    row("GET", "/api/stats", Needs::Admin, Endpoint::Admin(Admin::Stats)),
    row("GET", "/api/quota", Needs::Admin, Endpoint::Admin(Admin::QuotaList)),
    row("PUT", "/api/quota/{}", Needs::Admin, Endpoint::Admin(Admin::QuotaUpdate)),
    row("GET", "/api/sessions", Needs::Admin, Endpoint::Admin(Admin::SessionsList)),
    row("POST", "/api/sessions", Needs::Admin, Endpoint::Admin(Admin::SessionsCreate)),
    row("DELETE", "/api/sessions/{}", Needs::Admin, Endpoint::Admin(Admin::SessionsDelete)),
    row("POST", "/api/maintain", Needs::Admin, Endpoint::Admin(Admin::Maintain)),
    row("GET", "/api/host", Needs::Admin, Endpoint::Admin(Admin::Host)),
];

/// The row that matches a method and a path, or why none does.
#[derive(Debug, PartialEq, Eq)]
pub enum RouteMatch<'p> {
    /// A route, and the text that its `{}` matched, still percent-encoded.
    Route(Needs, Endpoint, &'p str),
    /// A CORS preflight for a data route.
    Preflight,
    /// The path exists, but only with these methods.
    WrongMethod(String),
    /// There is no such path.
    Unknown,
}

/// Whether a path belongs to the admin API, whose errors are problem details.
pub fn is_admin(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Whether a path belongs to the admin API or the console, which answer only under host names of llmio, and only to pages of
/// its own origin.
pub fn is_own(path: &str) -> bool {
    is_admin(path) || path == "/console" || path.starts_with("/console/")
}

/// The prefix under which each dialect is served besides `/v1` and `/v1beta`, and what may follow it.
const PREFIXES: [(&str, &[&str]); 3] =
    [("/openai", &["/v1/"]), ("/anthropic", &["/v1/"]), ("/gemini", &["/v1beta/", "/v1/"])];

/// Whether a path belongs to the proxied APIs, which pages of any origin may call.
fn is_data(path: &str) -> bool {
    let is_versionless = |route: &&Route| versionless(route.path).is_some_and(|_| matches(route.path, path).is_some());
    ["/v1/", "/v1beta/", "/openai/"].iter().any(|prefix| path.starts_with(prefix))
        || ROUTES.iter().any(|route| is_versionless(&route))
}

/// Looks up a method and a path (without query) in [`ROUTES`]. Outside the admin API, paths that answer GET also answer
/// HEAD, with which monitors check that a service is there.
pub fn find<'p>(method: &str, path: &'p str) -> RouteMatch<'p> {
    let path = inner(path);
    let mut allowed: Vec<&str> = Vec::new();
    for route in ROUTES {
        let Some(rest) = matches(route.path, path) else { continue };
        let answers_head = route.method == "GET" && !is_admin(route.path);
        if route.method == method || route.method == ANY || (method == "HEAD" && answers_head) {
            return RouteMatch::Route(route.needs, route.endpoint, rest);
        }
        for method in [route.method].into_iter().chain(answers_head.then_some("HEAD")) {
            if !allowed.contains(&method) {
                allowed.push(method);
            }
        }
    }
    match allowed.as_slice() {
        [] => RouteMatch::Unknown,
        // Gemini's methods follow a colon, but names of models may contain a colon too.
        _ if method == "POST" && not_served(path).is_some() => RouteMatch::Unknown,
        _ if method == "OPTIONS" && is_data(path) => RouteMatch::Preflight,
        _ => RouteMatch::WrongMethod(allowed.join(", ")),
    }
}

/// The path without its dialect's prefix. A base URL that ends in `/v1` already makes Anthropic's SDKs ask for
/// `/v1/v1/messages`.
fn inner(path: &str) -> &str {
    let strip = |(prefix, allowed): &(&str, &[&str])| {
        path.strip_prefix(prefix).filter(|rest| allowed.iter().any(|start| rest.starts_with(start)))
    };
    let path = PREFIXES.iter().find_map(strip).unwrap_or(path);
    path.strip_prefix("/v1").filter(|rest| rest.starts_with("/v1/messages")).unwrap_or(path)
}

/// Gemini's newer SDKs ask under `/v1` for what the older ones ask for under `/v1beta`, and a client whose base URL lacks
/// the version asks without any.
fn matches<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let Some((prefix, suffix)) = pattern.split_once("{}") else {
        return (pattern == path || versionless(pattern) == Some(path)).then_some("");
    };
    if let Some(middle) = suffix.strip_suffix("{}") {
        let both = path.strip_prefix(prefix)?;
        let (first, second) = both.split_once(middle)?;
        let is_segment = |text: &str| !text.is_empty() && !text.contains('/');
        return (is_segment(first) && is_segment(second)).then_some(both);
    }
    let under_v1 = || {
        let shared = prefix.strip_prefix("/v1beta").filter(|_| suffix.starts_with(':'))?;
        path.strip_prefix("/v1")?.strip_prefix(shared)
    };
    let rest = path.strip_prefix(prefix).or_else(under_v1).or_else(|| path.strip_prefix(versionless(prefix)?));
    rest?.strip_suffix(suffix).filter(|rest| !rest.is_empty())
}

/// A path without its version.
fn versionless(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1"))?;
    Some(rest).filter(|rest| rest.starts_with('/'))
}

/// Endpoints that providers serve and llmio does not, by the first segments of their paths.
const NOT_SERVED: [(&str, &str); 26] = [
    ("files", "files"),
    ("uploads", "files"),
    ("batches", "batches"),
    ("messages/batches", "batches"),
    ("vector_stores", "vector stores"),
    ("fine_tuning", "fine-tuning"),
    ("fine-tunes", "fine-tuning"),
    ("tunedModels", "fine-tuning"),
    ("conversations", "conversations"),
    ("containers", "containers"),
    ("videos", "videos"),
    ("realtime", "realtime sessions"),
    ("assistants", "assistants"),
    ("threads", "assistants"),
    ("evals", "evals"),
    ("graders", "evals"),
    ("skills", "skills"),
    ("agents", "agents"),
    ("sessions", "agents"),
    ("environments", "agents"),
    ("chatkit", "ChatKit"),
    ("organizations", "administration of accounts"),
    ("organization", "administration of accounts"),
    ("cachedContents", "cached contents"),
    ("interactions", "interactions"),
    ("operations", "long-running operations"),
];

/// The endpoint that an unknown path asks for, if providers serve it.
pub fn not_served(path: &str) -> Option<&'static str> {
    let path = inner(path);
    let path = versionless(path).unwrap_or(path).strip_prefix('/')?;
    if let Some((_, method)) = path.strip_prefix("models/").and_then(|model| model.rsplit_once(':')) {
        return if method.to_ascii_lowercase().contains("batch") { Some("batches") } else { None };
    }
    let is_below =
        |family: &str| path.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']));
    NOT_SERVED.iter().find(|(family, _)| is_below(family)).map(|(_, name)| *name)
}

/// Whether a path under `models` ends in one of Gemini's methods, and not in a name of a model with a colon.
fn is_method(path: &str) -> bool {
    let method = path.rsplit_once(':').map(|(_, method)| method.to_ascii_lowercase()).unwrap_or_default();
    ["content", "contents", "tokens", "predict"].iter().any(|ending| method.ends_with(ending))
}

/// The shape of errors at this path; `None` if several dialects share the path.
fn shape_of_path(path: &str) -> Option<Shape> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    let dialect = match () {
        () if is_admin(path) => return Some(Shape::Problem),
        () if starts(&["/v1/messages", "/v1/v1/messages", "/messages", "/anthropic/"]) => Dialect::Anthropic,
        () if starts(&["/v1beta/", "/gemini/"]) => Dialect::Gemini,
        () if starts(&["/v1/models/", "/models/"]) && is_method(path) => Dialect::Gemini,
        () if starts(&["/openai/"]) => Dialect::OpenaiChat,
        () if starts(&["/v1/models"]) || !starts(&["/v1/"]) => return None,
        () => Dialect::OpenaiChat,
    };
    Some(Shape::Dialect(dialect))
}

/// The shape in which a request is answered if its route does not say: by its path, or else by headers that only one
/// dialect's clients send. A list of models in another dialect's shape would look empty to a client.
pub fn shape(path: &str, headers: &[(String, Vec<u8>)], query: Option<&str>) -> Shape {
    let has = |name: &str| headers::value(headers, name).is_some();
    let has_key = || query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("key=")));
    shape_of_path(path).unwrap_or_else(|| match () {
        () if has("x-goog-api-key") || has_key() => Shape::Dialect(Dialect::Gemini),
        () if has("anthropic-version") => Shape::Dialect(Dialect::Anthropic),
        () => Shape::Dialect(Dialect::OpenaiChat),
    })
}

/// The client's address: the peer's own, unless the peer is a trusted proxy. Then `x-forwarded-for` is read from the
/// right, past every trusted proxy, since only what those wrote can be believed.
pub fn client_address(peer: Option<IpAddr>, headers: &[(String, Vec<u8>)], trusted: &[Network]) -> Option<IpAddr> {
    let mut address = peer?;
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let forwarded = headers.iter().filter(|(name, _)| name == "x-forwarded-for");
    let text: Vec<&str> = forwarded.filter_map(|(_, value)| std::str::from_utf8(value).ok()).collect();
    for hop in text.iter().flat_map(|line| line.split(',')).rev() {
        if !is_trusted(address) {
            break;
        }
        match address_of(hop.trim()) {
            Some(next) => address = next,
            None => break,
        }
    }
    Some(address)
}

/// The address of one hop. Some load balancers add its port, such as Azure's `203.0.113.9:51234` and
/// `[2001:db8::1]:443` (<https://learn.microsoft.com/azure/application-gateway/how-application-gateway-works>).
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip())).ok()
}

/// Whether a request is the client's own retry of one that failed, which the official SDKs say in a header.
pub fn is_repeated(headers: &[(String, Vec<u8>)]) -> bool {
    let count = headers::text(headers, "x-stainless-retry-count").and_then(|count| count.parse::<u32>().ok());
    count.is_some_and(|count| count > 0)
}

/// Headers that may name a client's session, most specific first.
const SESSION_HEADERS: [&str; 4] = ["x-claude-code-session-id", "x-session-id", "session-id", "x-session-affinity"];

/// The client's session, if its headers name one.
pub fn session_in(headers: &[(String, Vec<u8>)]) -> Option<&str> {
    SESSION_HEADERS.iter().find_map(|name| headers::text(headers, name).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests;
