//! Step 1: what is asked for. [`find`] matches method and path against the one table of routes, which also declares
//! what each route needs; [`body`] reads from the JSON body only what llmio acts on and leaves the rest unparsed.

mod demand;

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::catalog::Network;
use crate::dialect::Dialect;
use crate::headers;
use crate::refusal::Refusal;

pub use demand::{Demand, demand, prompt_beginning};

/// A request body may have this many bytes. Larger ones are refused with 413.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// JSON may nest this deep, so that no parser behind us recurses into a stack overflow.
const DEPTH_MAX: usize = 128;

/// A model's name is repeated in headers, messages and the record, so it must not be as large as a body may be. Names
/// in a catalog have 200 characters at most; the rest is for suffixes that clients add.
const MODEL_CHARACTERS_MAX: usize = 256;

/// What a caller must present before a route is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: public by design.
    Nothing,
    /// A client key or the admin token.
    Key,
    /// The admin token.
    Admin,
}

/// Everything llmio answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// A call that is balanced over targets.
    Call(Operation),
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model,
    /// `HEAD /`: what clients probe with.
    Probe,
    /// `GET /healthz`
    Alive,
    /// `GET /readyz`
    Ready,
    /// The admin API.
    Admin(Admin),
}

/// Endpoints of the admin API, noun by noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admin {
    /// `GET /api/catalog`
    CatalogRead,
    /// `PUT /api/catalog`
    CatalogUpdate,
    /// `POST /api/catalog/check`
    CatalogCheck,
    /// `GET /api/keys`
    KeysList,
    /// `POST /api/keys`
    KeysCreate,
    /// `DELETE /api/keys/{name}`
    KeysDelete,
    /// `GET /api/health`
    HealthList,
    /// `POST /api/health/reset`
    HealthReset,
    /// `POST /api/route`
    Route,
    /// `GET /api/records`
    RecordsList,
    /// `GET /api/records/{id}`
    RecordsRead,
    /// `POST /api/records/ended`
    RecordsEnded,
    /// `GET /api/quota`
    QuotaList,
    /// `PUT /api/quota/{id}`
    QuotaUpdate,
    /// `POST /api/maintain`
    Maintain,
}

/// What a balanced call asks a provider to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Chat completions.
    Chat,
    /// Legacy text completions.
    Completions,
    /// Embeddings.
    Embeddings,
}

impl Operation {
    /// The path behind a provider's base URL.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
        }
    }

    /// What records call it: the path without its slash.
    pub fn name(self) -> &'static str {
        self.path().trim_start_matches('/')
    }

    /// The dialect it belongs to.
    pub fn dialect(self) -> Dialect {
        Dialect::OpenaiChat
    }
}

/// One row of the route table.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path; a trailing `{}` takes the rest, which must not be empty.
    pub path: &'static str,
    /// What the caller must present.
    pub needs: Needs,
    /// Where it leads.
    pub endpoint: Endpoint,
}

const fn row(method: &'static str, path: &'static str, needs: Needs, endpoint: Endpoint) -> Route {
    Route { method, path, needs, endpoint }
}

/// Every route there is. A path that is not here is answered with 404, and nothing is answered without what its row
/// needs. `/openai/v1/…` is the same as `/v1/…`.
pub const ROUTES: &[Route] = &[
    row("POST", "/v1/chat/completions", Needs::Key, Endpoint::Call(Operation::Chat)),
    row("POST", "/v1/completions", Needs::Key, Endpoint::Call(Operation::Completions)),
    row("POST", "/v1/embeddings", Needs::Key, Endpoint::Call(Operation::Embeddings)),
    row("GET", "/v1/models", Needs::Key, Endpoint::Models),
    row("GET", "/v1/models/{}", Needs::Key, Endpoint::Model),
    row("HEAD", "/", Needs::Nothing, Endpoint::Probe),
    row("HEAD", "/api/hello", Needs::Nothing, Endpoint::Probe),
    row("GET", "/healthz", Needs::Nothing, Endpoint::Alive),
    row("GET", "/readyz", Needs::Nothing, Endpoint::Ready),
    row("GET", "/api/catalog", Needs::Admin, Endpoint::Admin(Admin::CatalogRead)),
    row("PUT", "/api/catalog", Needs::Admin, Endpoint::Admin(Admin::CatalogUpdate)),
    row("POST", "/api/catalog/check", Needs::Admin, Endpoint::Admin(Admin::CatalogCheck)),
    row("GET", "/api/keys", Needs::Admin, Endpoint::Admin(Admin::KeysList)),
    row("POST", "/api/keys", Needs::Admin, Endpoint::Admin(Admin::KeysCreate)),
    row("DELETE", "/api/keys/{}", Needs::Admin, Endpoint::Admin(Admin::KeysDelete)),
    row("GET", "/api/health", Needs::Admin, Endpoint::Admin(Admin::HealthList)),
    row("POST", "/api/health/reset", Needs::Admin, Endpoint::Admin(Admin::HealthReset)),
    row("POST", "/api/route", Needs::Admin, Endpoint::Admin(Admin::Route)),
    row("GET", "/api/records", Needs::Admin, Endpoint::Admin(Admin::RecordsList)),
    row("POST", "/api/records/ended", Needs::Admin, Endpoint::Admin(Admin::RecordsEnded)),
    row("GET", "/api/records/{}", Needs::Admin, Endpoint::Admin(Admin::RecordsRead)),
    row("GET", "/api/quota", Needs::Admin, Endpoint::Admin(Admin::QuotaList)),
    row("PUT", "/api/quota/{}", Needs::Admin, Endpoint::Admin(Admin::QuotaUpdate)),
    row("POST", "/api/maintain", Needs::Admin, Endpoint::Admin(Admin::Maintain)),
];

/// What the route table says of a method and a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// A route, and what stood in the place of its `{}`, still percent-encoded.
    Route(Needs, Endpoint, &'p str),
    /// A CORS preflight for a data route.
    Preflight,
    /// The path exists, with these methods.
    WrongMethod(String),
    /// No such path.
    Unknown,
}

/// Whether a path belongs to the admin API, whose errors are problem details.
pub fn is_admin(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Looks up a method and a path (without query) in [`ROUTES`].
pub fn find<'p>(method: &str, path: &'p str) -> Found<'p> {
    let path = path.strip_prefix("/openai").filter(|rest| rest.starts_with("/v1/")).unwrap_or(path);
    let mut allowed: Vec<&str> = Vec::new();
    for route in ROUTES {
        let Some(rest) = matches(route.path, path) else { continue };
        if route.method == method {
            return Found::Route(route.needs, route.endpoint, rest);
        }
        allowed.push(route.method);
    }
    match allowed.as_slice() {
        [] => Found::Unknown,
        _ if method == "OPTIONS" && path.starts_with("/v1/") => Found::Preflight,
        _ => Found::WrongMethod(allowed.join(", ")),
    }
}

fn matches<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    match pattern.strip_suffix("{}") {
        None => (pattern == path).then_some(""),
        Some(prefix) => path.strip_prefix(prefix).filter(|rest| !rest.is_empty()),
    }
}

/// Decodes the percent-encoding of one path parameter; `None` when it is not UTF-8 or holds a control character.
pub fn decode_parameter(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { hex(rest.next()?)? << 4 | hex(rest.next()?)? } else { byte });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok())
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
        match hop.trim().parse() {
            Ok(next) => address = next,
            Err(_) => break,
        }
    }
    Some(address)
}

/// Headers a client's session may stand in, most specific first.
const SESSION_HEADERS: [&str; 4] = ["x-claude-code-session-id", "x-session-id", "session-id", "x-session-affinity"];

/// The client's session where its headers name one.
pub fn session_in(headers: &[(String, Vec<u8>)]) -> Option<&str> {
    SESSION_HEADERS.iter().find_map(|wanted| headers::text(headers, wanted).filter(|text| !text.is_empty()))
}

/// One client request that is to be balanced, as far as llmio reads it.
#[derive(Debug)]
pub struct Call {
    /// What is asked of a provider.
    pub operation: Operation,
    /// The model's public name as the client wrote it.
    pub model: String,
    /// Whether the answer is wanted as a stream.
    pub streamed: bool,
    /// Whether a streamed answer is wanted with a usage chunk.
    pub include_usage: bool,
    /// The body as it came.
    pub body: Vec<u8>,
    /// Where in `body` the value of `model` stands, quotes included.
    pub model_span: Range<usize>,
    /// The client's session, where the body names one.
    pub session: Option<String>,
    /// Where in `body` the member `session_id` stands, which is meant for llmio.
    pub session_span: Option<Range<usize>>,
    /// Tokens the client wants at most.
    pub tokens_max: Option<u64>,
}

/// Reads a call out of a body, or says what is wrong with it in words for whoever wrote it.
pub fn body(operation: Operation, body: Vec<u8>) -> Result<Call, Refusal> {
    let text = std::str::from_utf8(&body).map_err(|error| {
        Refusal::bad_request(format!(
            "The body is not valid UTF-8 (at byte {}). Send JSON in UTF-8.",
            error.valid_up_to()
        ))
    })?;
    if let Some(at) = too_deep(text.as_bytes()) {
        return Err(Refusal::bad_request(format!(
            "The JSON body nests deeper than {DEPTH_MAX} levels (at byte {at}). Flatten it."
        )));
    }
    let members = Members::read(text)?;
    let raw = members.model.ok_or_else(|| {
        Refusal::bad_request("`model` is missing. Name one of the models of GET /v1/models.").about("model")
    })?;
    let model: String = serde_json::from_str(raw.get())
        .map_err(|_| Refusal::bad_request("`model` must be a string.").about("model"))?;
    if !(1..=MODEL_CHARACTERS_MAX).contains(&model.chars().count()) || model.chars().any(char::is_control) {
        let said = format!(
            "`model` must be a name of 1 to {MODEL_CHARACTERS_MAX} characters without control characters; \
             GET /v1/models lists them."
        );
        return Err(Refusal::bad_request(said).about("model"));
    }
    let span = span_of(text, raw.get());
    let session_span = members.session_name.zip(members.session_id);
    let session_span = session_span.map(|(name, value)| member_span(text, name, value.get()));
    let streamed = match members.stream.map(RawValue::get) {
        None | Some("false" | "null") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::bad_request("`stream` must be true or false.").about("stream")),
    };
    let include_usage = members
        .stream_options
        .and_then(|raw| serde_json::from_str::<StreamOptions>(raw.get()).ok())
        .is_some_and(|options| options.include_usage == Some(true));
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
    let user_id = || Some(serde_json::from_str::<Metadata>(members.metadata?.get()).ok()?.user_id);
    let session =
        members.session_id.and_then(text).or_else(|| members.prompt_cache_key.and_then(text)).or_else(user_id);
    let tokens_max = [members.max_tokens, members.max_completion_tokens].into_iter().flatten();
    let tokens_max = tokens_max.filter_map(|raw| raw.get().parse().ok()).max();
    Ok(Call { operation, model, streamed, include_usage, model_span: span, session, session_span, tokens_max, body })
}

/// Where `part`, a slice of `whole`, stands in it.
fn span_of(whole: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

/// Where a member of the object `text` stands, with the comma that goes when it goes.
fn member_span(text: &str, name: &str, value: &str) -> Range<usize> {
    let (start, end) = (span_of(text, name).start.saturating_sub(1), span_of(text, value).end);
    let before = text.get(..start).unwrap_or_default().trim_end();
    let after = text.get(end..).unwrap_or_default();
    match (after.trim_start().strip_prefix(','), before.strip_suffix(',')) {
        (Some(rest), _) => start..text.len() - rest.len(),
        (None, Some(before)) => before.len()..end,
        (None, None) => start..end,
    }
}

/// The byte at which the nesting passes [`DEPTH_MAX`]. Brackets inside strings do not count.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The only member of `stream_options` llmio acts on. A type and no `Value`: what a client may send here is as large as
/// a body, and as a tree of values it would be many times that.
#[derive(serde::Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// The only member of `metadata` llmio acts on: Anthropic's clients put their session into it.
#[derive(serde::Deserialize)]
struct Metadata {
    user_id: String,
}

/// The top-level members llmio acts on, as they stand in the text.
#[derive(Default)]
struct Members<'b> {
    model: Option<&'b RawValue>,
    stream: Option<&'b RawValue>,
    max_tokens: Option<&'b RawValue>,
    max_completion_tokens: Option<&'b RawValue>,
    stream_options: Option<&'b RawValue>,
    /// As it is written, without its quotes.
    session_name: Option<&'b str>,
    session_id: Option<&'b RawValue>,
    prompt_cache_key: Option<&'b RawValue>,
    metadata: Option<&'b RawValue>,
}

impl<'b> Members<'b> {
    fn read(text: &'b str) -> Result<Self, Refusal> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_map(MembersVisitor).and_then(|members| reader.end().map(|()| members));
        read.map_err(|error| Refusal::bad_request(explain(text, &error)))
    }
}

fn explain(text: &str, error: &serde_json::Error) -> String {
    match text.trim_start().bytes().next() {
        None => return "The body is empty. Send a JSON object with `model`.".into(),
        Some(b'{') => {}
        // Not the parser's words: they would repeat a body that is one long string.
        Some(_) => return "The body is not a JSON object. Send one with `model`, and encode it once.".into(),
    }
    let said = error.to_string();
    match said.strip_prefix("duplicate member ") {
        Some(rest) => {
            let name = rest.split(' ').next().unwrap_or(rest);
            format!("{name} stands in the body more than once. Send it once: providers disagree on which one counts.")
        }
        None => format!("The body is not a JSON object: {said}."),
    }
}

struct MembersVisitor;

impl<'b> Visitor<'b> for MembersVisitor {
    type Value = Members<'b>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'b>>(self, mut map: M) -> Result<Members<'b>, M::Error> {
        let mut members = Members::default();
        while let Some(Name(name)) = map.next_key::<Name<'b>>()? {
            if let Cow::Borrowed(name @ "session_id") = name {
                members.session_name = Some(name);
            }
            let (place, unique) = match name.as_ref() {
                "model" => (&mut members.model, true),
                "stream" => (&mut members.stream, true),
                "max_tokens" => (&mut members.max_tokens, true),
                "max_completion_tokens" => (&mut members.max_completion_tokens, false),
                "stream_options" => (&mut members.stream_options, false),
                "session_id" => (&mut members.session_id, true),
                "prompt_cache_key" => (&mut members.prompt_cache_key, false),
                "metadata" => (&mut members.metadata, false),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if unique && place.is_some() {
                return Err(serde::de::Error::custom(format_args!("duplicate member `{name}`")));
            }
            *place = Some(map.next_value::<&'b RawValue>()?);
        }
        Ok(members)
    }
}

/// A member's name, decoded: `"mod\u0065l"` is `model` too. Borrowed where it has no escapes.
struct Name<'b>(Cow<'b, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'b> Visitor<'b> for NameVisitor {
            type Value = Name<'b>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_borrowed_str<E>(self, text: &'b str) -> Result<Name<'b>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'b>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests;
