//! Step 4: the request for one target. If its provider speaks the caller's dialect, the body is the client's bytes with
//! edits; otherwise it is translated. The headers are an allow-list, so that a client's credential or cookie can never
//! be passed on.

mod adjust;
mod body;
mod egress;
mod headers;

use body::STREAM_OPTIONS;
pub use body::body_for;
pub(crate) use body::{Edit, splice};
pub use egress::EgressRoute;
pub use headers::{downstream, upstream};

use std::sync::Arc;

use crate::call::{Call, ROUTING_MEMBERS};
use crate::candidate::{Account, AttemptParts, Skip, SkipReason};
use crate::catalog::{Adjustments, Endpoint, PriceAddress, Provider, ProviderKind, Value};
use crate::dialect::{Auth, Dialect};
use crate::endpoint::{Act, Kept, Stored};
use crate::operation::Operation;
use crate::pace::Pace;
use crate::profile::{Effort, Profile};
use crate::reasoning_seals::{Makers, Readable, SealMaker};
use crate::redact::Secrets;
use crate::transform::{RequestedAnswer, ResponseTransform, Translation, UsageChunk};
use crate::translate::{self, AnswerContext};
use crate::uri::push_encoded;

/// A request to a provider.
#[derive(Debug)]
pub struct Outgoing {
    /// The method in capitals.
    pub method: &'static str,
    /// `true` for `https`.
    pub tls: bool,
    /// The host, with a port if there is one.
    pub authority: String,
    /// The path and query.
    pub path: String,
    /// The headers, their names in lower case, with `content-length`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the address may be private.
    pub local: bool,
    /// A file of CA certificates that the provider's own may come from besides.
    pub ca: Option<Arc<str>>,
    /// The egress, if there is one.
    pub egress: Option<EgressRoute>,
    /// The dialect of the answer.
    pub dialect: Dialect,
    /// Whether a stream is wanted as a JSON array.
    pub as_array: bool,
    /// How the answer is transformed for the client.
    pub transform: ResponseTransform,
    /// What the caller asked for, if it is a conversation in the provider's own dialect.
    pub requested: Option<RequestedAnswer>,
    /// What a translation had to leave out.
    pub warnings: Vec<String>,
    /// The secrets in the request, which no answer may contain.
    pub secrets: Arc<Secrets>,
}

/// Where an attempt goes.
#[derive(Debug)]
pub enum Destination {
    /// Over HTTP.
    Http(Box<Outgoing>),
    /// To the built-in provider, under this model name.
    Echo(String),
}

/// What a request and its answer need to know about the call besides what it says, and the pace of writing the request.
#[derive(Debug, Clone, Copy)]
pub struct ResponseIdentity<'a> {
    /// The id of the call.
    pub id: &'a str,
    /// When the call was made, in Unix seconds.
    pub created_s: i64,
    /// Called now and then while a long request is written.
    pub pace: Pace<'a>,
    /// Who sealed the reasoning in the call, if it holds any.
    pub makers: Option<&'a Makers>,
    /// Whether a model may be asked in another dialect than the caller's although its provider speaks that too.
    pub translates: bool,
}

/// Writes the request of `call` for one target, in the dialect of its provider. `Err` says why this target cannot serve
/// the call; others may. `is_limited` says that the caller must not choose what a provider serves.
pub fn request(
    call: &Call,
    client_headers: &[(String, Vec<u8>)],
    to: AttemptParts<'_>,
    identity: ResponseIdentity<'_>,
    is_limited: bool,
) -> Result<Destination, Skip> {
    if matches!(to.provider.kind, ProviderKind::Echo) {
        return Ok(Destination::Echo(to.upstream_model.to_owned()));
    }
    let spoken = call.operation.dialect();
    let endpoint = endpoint(call, to, identity.translates).ok_or_else(|| Skip::new(SkipReason::Dialect, None))?;
    let reader = identity.makers.and_then(|_| SealMaker::of(to, call.operation));
    let readable = identity.makers.zip(reader.as_ref());
    let readable = readable.map(|(makers, reader)| Readable::by(makers, reader, endpoint.dialect)).unwrap_or_default();
    let WrittenBody { body, operation, transform, warnings } = if endpoint.dialect == spoken {
        native(call, to, readable, is_limited)
    } else {
        translated(call, to, (endpoint.dialect, readable), identity)?
    };
    let mut headers = upstream(client_headers, to.provider, spoken, endpoint.dialect, body.len());
    headers::put(&mut headers, to.target.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut model = String::new();
    push_encoded(&mut model, to.upstream_model, b"/");
    let mut path = format!("{}{}", endpoint.path, operation.path(&model));
    // Only a client that gets the provider's own bytes can want the stream as an array.
    let alt_sse = operation == Operation::StreamGenerate && !(call.as_array && endpoint.dialect == spoken);
    let of_call = call.query.filter(|_| endpoint.dialect == spoken).into_iter().chain(alt_sse.then_some("alt=sse"));
    push_query(&mut path, endpoint, to.provider, of_call);
    present(to.account(), endpoint, &mut headers, &mut path);
    let Endpoint { tls, authority, .. } = endpoint;
    let (tls, authority, local) = (*tls, authority.clone(), to.provider.local);
    let (dialect, as_array) = (endpoint.dialect, call.as_array && endpoint.dialect == spoken);
    let secrets = Arc::clone(to.secrets());
    let is_native = endpoint.dialect == spoken && call.operation.is_chat();
    let outgoing = Outgoing {
        method: "POST",
        tls,
        authority,
        path,
        headers,
        body,
        local,
        ca: to.provider.ca.clone(),
        egress: None,
        dialect,
        as_array,
        transform,
        requested: is_native.then(|| requested_answer(call, identity)),
        warnings,
        secrets,
    };
    egress::take(outgoing, to.account()).map(|outgoing| Destination::Http(Box::new(outgoing)))
}

/// The dialect that the request of `call` for this target has to be written in, if it is not the caller's. `translates`
/// is that of [`ResponseIdentity`].
pub fn translated_to(call: &Call, to: AttemptParts<'_>, translates: bool) -> Option<Dialect> {
    let dialect = endpoint(call, to, translates)?.dialect;
    (dialect != call.operation.dialect()).then_some(dialect)
}

/// Where the request goes. A model that reasons and refuses tools in OpenAI chat is asked in Responses, if its provider
/// speaks both: <https://developers.openai.com/api/docs/guides/latest-model>.
fn endpoint<'c>(call: &Call, to: AttemptParts<'c>, translates: bool) -> Option<&'c Endpoint> {
    let usual = to.provider.serving(call.operation)?;
    if usual.dialect != Dialect::OpenaiChat || !(translates && call.has_tools && call.operation.is_chat()) {
        return Some(usual);
    }
    let profile = Profile::of(to.profile(), Dialect::OpenaiChat);
    let reasons = !(call.forbids_reasoning && profile.efforts.contains(&Effort::None));
    let is_refused = reasons && !profile.effort_beside_tools && !profile.efforts.is_empty();
    to.provider.endpoint(Dialect::OpenaiResponses).filter(|_| is_refused).or(Some(usual))
}

/// The request about the response `id` that `provider` stores, with the credential that made it. `None` if the provider
/// no longer speaks Responses, or its egress is unknown.
pub fn stored(
    what: Stored,
    (id, query): (&str, Option<&str>),
    client_headers: &[(String, Vec<u8>)],
    to: Account<'_>,
) -> Option<Outgoing> {
    let endpoint = to.provider.endpoint(Dialect::OpenaiResponses)?;
    let (method, suffix) = what.method_and_suffix();
    let mut path = format!("{}/responses/", endpoint.path);
    push_encoded(&mut path, id, b"");
    path.push_str(suffix);
    let passes = |pair: &&str| !pair.is_empty() && !pair.starts_with("key=");
    let of_call = query.into_iter().flat_map(|query| query.split('&')).filter(passes);
    push_query(&mut path, endpoint, to.provider, of_call);
    without_body(method, path, endpoint, client_headers, to)
}

/// The request that does this with a file or a batch; `id` is empty if there is none yet. `None` if the provider does not
/// speak that dialect, or its egress is unknown.
pub fn kept(
    (kept, act, id): (Kept, Act, &str),
    dialect: Dialect,
    client_headers: &[(String, Vec<u8>)],
    body: Vec<u8>,
    to: Account<'_>,
) -> Option<Outgoing> {
    let endpoint = to.provider.endpoint(dialect)?;
    let (family, suffix) = kept.family_and_suffix(act);
    let mut path = format!("{}{family}", endpoint.path);
    if !id.is_empty() {
        path.push('/');
        push_encoded(&mut path, id, b"");
        path.push_str(suffix);
    }
    push_query(&mut path, endpoint, to.provider, std::iter::empty());
    plain((act.method(), path, body), endpoint, client_headers, to)
}

/// The body of a call that stands in a batch, for a target whose provider speaks its dialect. `None` if it does not.
/// `is_limited` says that the caller must not choose what a provider serves.
pub fn in_batch(call: &Call, to: AttemptParts<'_>, is_limited: bool) -> Option<Vec<u8>> {
    to.provider.endpoint(call.operation.dialect())?;
    Some(native(call, to, Readable::default(), is_limited).body)
}

/// The request for a provider's list of models. `None` if the provider answers inside the gateway, or its egress is
/// unknown.
pub fn models(to: Account<'_>) -> Option<Outgoing> {
    let endpoint = Dialect::ALL.into_iter().find_map(|dialect| to.provider.endpoint(dialect))?;
    // Otherwise pages have 20 or 50 models.
    let page = match endpoint.dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => None,
        Dialect::Anthropic => Some("limit=1000"),
        Dialect::Gemini => Some("pageSize=1000"),
    };
    let mut path = format!("{}/models", endpoint.path);
    push_query(&mut path, endpoint, to.provider, page.into_iter());
    without_body("GET", path, endpoint, &[], to)
}

/// The question what is spent and left of a credential's account. `None`: nobody knows how to ask it, there is no
/// credential, or the way to it is not known.
pub fn counter(to: Account<'_>) -> Option<Outgoing> {
    let (counter, ProviderKind::Http(endpoints)) = (to.provider.counter?, &to.provider.kind) else { return None };
    to.credential.filter(|credential| matches!(credential.value, Value::Plain(_)))?;
    without_body("GET", counter.path.to_owned(), endpoints.first()?, &[], to)
}

/// The request for the operator's prices, without any credential.
pub fn prices(from: &PriceAddress) -> Outgoing {
    Outgoing {
        method: "GET",
        tls: true,
        authority: from.authority.clone(),
        path: from.path.clone(),
        headers: vec![("accept".to_owned(), b"application/json".to_vec())],
        body: Vec::new(),
        local: from.local,
        ca: None,
        egress: None,
        dialect: Dialect::OpenaiChat,
        as_array: false,
        transform: ResponseTransform::AsIs,
        requested: None,
        warnings: Vec::new(),
        secrets: Arc::default(),
    }
}

fn without_body(
    method: &'static str,
    path: String,
    endpoint: &Endpoint,
    client_headers: &[(String, Vec<u8>)],
    to: Account<'_>,
) -> Option<Outgoing> {
    plain((method, path, Vec::new()), endpoint, client_headers, to)
}

/// A request that is no call, with this method, path and body.
fn plain(
    (method, mut path, body): (&'static str, String, Vec<u8>),
    endpoint: &Endpoint,
    client_headers: &[(String, Vec<u8>)],
    to: Account<'_>,
) -> Option<Outgoing> {
    let dialect = endpoint.dialect;
    let mut headers = upstream(client_headers, to.provider, dialect, dialect, body.len());
    present(to, endpoint, &mut headers, &mut path);
    let outgoing = Outgoing {
        method,
        tls: endpoint.tls,
        authority: endpoint.authority.clone(),
        path,
        headers,
        body,
        local: to.provider.local,
        ca: to.provider.ca.clone(),
        egress: None,
        dialect,
        as_array: false,
        transform: ResponseTransform::AsIs,
        requested: None,
        warnings: Vec::new(),
        secrets: Arc::clone(to.secrets()),
    };
    egress::take(outgoing, to).ok()
}

/// What the client gets if the provider answers in another form. The model keeps the name that the provider gives it.
fn requested_answer(call: &Call, identity: ResponseIdentity<'_>) -> RequestedAnswer {
    let context = AnswerContext {
        id: identity.id.to_owned(),
        created_s: identity.created_s,
        include_usage: call.include_usage,
        as_array: call.as_array,
        ..AnswerContext::default()
    };
    RequestedAnswer { streamed: call.streamed, context }
}

/// A body to be sent, and how its answer is transformed.
struct WrittenBody {
    body: Vec<u8>,
    operation: Operation,
    transform: ResponseTransform,
    warnings: Vec<String>,
}

/// Why a member of [`ROUTING_MEMBERS`] is not passed on.
const HELD_BACK: &str = "a key with a list of models or a budget may not choose what a provider serves";

/// The body for a provider that speaks the caller's dialect: the caller's bytes, except for what must change.
fn native(call: &Call, to: AttemptParts<'_>, readable: Readable<'_>, is_limited: bool) -> WrittenBody {
    let holds_back = is_limited && call.has_routing && !to.provider.forward_routing;
    let mut held_back: Vec<&str> = if holds_back { ROUTING_MEMBERS.to_vec() } else { Vec::new() };
    held_back.extend(to.provider.refuses_stream_options.then_some(STREAM_OPTIONS));
    let (mut body, removed) = body::body_without(call, to.upstream_model, to.target.adjustments.as_deref(), &held_back);
    let removed = removed.iter().filter(|name| *name != STREAM_OPTIONS);
    let mut warnings: Vec<String> = removed.map(|name| format!("`{name}` was left out: {HELD_BACK}")).collect();
    let is_conversation = call.operation.holds_conversation();
    let cleaned =
        is_conversation.then(|| translate::native(call.operation.dialect(), to.profile(), &body, readable)).flatten();
    if let Some((cleaned, warning)) = cleaned {
        body = cleaned;
        warnings.extend(warning);
    }
    let transform = match call.usage_edit {
        Some(_) if !to.provider.refuses_stream_options => ResponseTransform::WithoutUsage(UsageChunk::default()),
        None if call.operation == Operation::Embeddings => ResponseTransform::embeddings(&call.body),
        None | Some(_) => ResponseTransform::AsIs,
    };
    WrittenBody { body, operation: call.operation, transform, warnings }
}

/// The body for a provider of another dialect.
fn translated(
    call: &Call,
    to: AttemptParts<'_>,
    (dialect, readable): (Dialect, Readable<'_>),
    identity: ResponseIdentity<'_>,
) -> Result<WrittenBody, Skip> {
    let spoken = call.operation.dialect();
    let direction = translate::Direction {
        from: spoken,
        to: dialect,
        model: to.upstream_model,
        profile: to.profile(),
        streamed: call.streamed,
        readable,
    };
    let translated = translate::request_paced(direction, &call.body, identity.pace).map_err(|cannot| Skip {
        reason: SkipReason::Untranslatable,
        until_ms: None,
        message: Some(if cannot.param.is_empty() {
            cannot.message
        } else {
            format!("`{}`: {}", cannot.param, cannot.message)
        }),
    })?;
    let context = AnswerContext {
        model: call.model.clone(),
        id: identity.id.to_owned(),
        created_s: identity.created_s,
        include_usage: call.include_usage,
        legacy_functions: translated.legacy_functions,
        aliases: translated.aliases,
        hides_reasoning: translated.hides_reasoning,
        as_array: call.as_array,
        call_ids: translated.call_ids,
        renamed_keys: translated.renamed_keys,
    };
    // Anthropic's dialect requires a number where the others do not, so the translation writes one.
    let is_unasked = |name: &str| name == "max_tokens" && call.tokens_max.is_none();
    let body = match to.provider.refuses_stream_options {
        true => body::adjusted(translated.body, Some(&without(STREAM_OPTIONS)), |_| false),
        false => translated.body,
    };
    let body = body::adjusted(body, to.target.adjustments.as_deref(), is_unasked);
    Ok(WrittenBody {
        body,
        operation: Operation::chat_in(dialect, call.streamed),
        transform: ResponseTransform::Translated(Box::new(Translation::new(dialect, spoken, context, call.streamed))),
        warnings: translated.warnings,
    })
}

/// The removal of this member.
fn without(member: &str) -> Adjustments {
    Adjustments { remove: vec![member.to_owned()], ..Adjustments::default() }
}

/// The query: what the provider always wants, and of the call's what that says nothing of.
fn push_query<'q>(path: &mut String, at: &Endpoint, provider: &Provider, of_call: impl Iterator<Item = &'q str>) {
    let of_provider = provider.query.iter().filter_map(|(name, value)| {
        let mut pair = format!("{name}=");
        push_encoded(&mut pair, value.known()?.expose(), b"");
        Some(pair)
    });
    let of_address = at.query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned);
    let mut fixed: Vec<String> = of_provider.collect();
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    for pair in of_address.chain(of_call.map(str::to_owned)) {
        if !fixed.iter().any(|known| name(known) == name(&pair)) {
            fixed.push(pair);
        }
    }
    fixed.iter().for_each(|pair| push_pair(path, pair));
}

fn push_pair(path: &mut String, pair: &str) {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(pair);
}

/// Adds the credential in the way that its provider wants it.
fn present(to: Account<'_>, at: &Endpoint, headers: &mut Vec<(String, Vec<u8>)>, path: &mut String) {
    let Some(Value::Plain(secret)) = to.credential.map(|credential| &credential.value) else { return };
    let secret = secret.expose();
    let (name, value) = match to.provider.auth.unwrap_or(at.dialect.auth()) {
        Auth::Bearer => ("authorization", format!("Bearer {secret}")),
        Auth::XApiKey => ("x-api-key", secret.to_owned()),
        Auth::ApiKey => ("api-key", secret.to_owned()),
        Auth::XGoogApiKey => ("x-goog-api-key", secret.to_owned()),
        Auth::Query => {
            push_pair(path, "key=");
            push_encoded(path, secret, b"");
            return;
        }
    };
    headers.push((name.to_owned(), value.into_bytes()));
}

#[cfg(test)]
mod tests;
