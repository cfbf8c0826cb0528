//! Reads a call out of a request's body: only what llmio acts on, by its place, and the rest unparsed.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{form, outline};
use crate::call::{Call, NameAt, NameForm, ROUTING_MEMBERS, UsageEdit};
use crate::dialect::Dialect;
use crate::operation::Operation;
use crate::pace::Pace;
use crate::refusal::Refusal;
use crate::scan::Name;
use crate::uri::has_path_steps;

/// A model's name is repeated in headers, messages and the record, so it must not be as large as a body may be. Names
/// in a catalog have 200 characters at most; the rest is for suffixes that clients add.
pub(super) const MODEL_CHARACTERS_MAX: usize = 256;

/// The longest text that names a session or a response.
const ID_BYTES_MAX: usize = 4 << 10;

/// Larger `stream_options` are left unchanged.
const STREAM_OPTIONS_BYTES_MAX: usize = 1024;

/// What the head of a request says of its call.
#[derive(Debug, Clone, Default)]
pub struct Head<'h> {
    /// The model, if the path names it.
    pub model: Option<String>,
    /// The model for requests that name none.
    pub default_model: Option<String>,
    /// The body's media type.
    pub content_type: &'h [u8],
    /// What follows `?` in the path.
    pub query: Option<&'h str>,
    /// Called now and then while a long body is read.
    pub pace: Pace<'h>,
}

/// Reads a call from a request, or refuses it in words for the person who wrote the request.
pub fn call(operation: Operation, head: Head<'_>, body: Vec<u8>) -> Result<Call, Refusal> {
    match form::boundary(head.content_type) {
        Some(boundary) => of_form(operation, head, body, &boundary),
        None => of_json(operation, head, body),
    }
}

fn of_json(operation: Operation, head: Head<'_>, body: Vec<u8>) -> Result<Call, Refusal> {
    let text = std::str::from_utf8(&body).map_err(|error| {
        Refusal::bad_request(format!(
            "The body is not valid UTF-8 (at byte {}). Send JSON in UTF-8.",
            error.valid_up_to()
        ))
    })?;
    head.pace.step(text.len());
    outline::check(operation, text.as_bytes(), head.pace)?;
    let members = Members::read(text)?;
    head.pace.step(text.len());
    let is_gemini = operation.dialect() == Dialect::Gemini;
    let (model, names) = match head.model {
        Some(model) if is_gemini => (model, names_in_gemini(text, &members)?),
        Some(model) => (model, vec![name_or_place(text, &members)]),
        None if members.model.is_none() && head.default_model.is_some() => {
            (head.default_model.unwrap_or_default(), vec![name_or_place(text, &members)])
        }
        None => {
            let raw = members.model.ok_or_else(model_missing)?;
            let model: String = serde_json::from_str(raw.get())
                .map_err(|_| Refusal::bad_request("`model` must be a string.").about("model"))?;
            (model, vec![NameAt { span: span_of(text, raw.get()), form: NameForm::Json }])
        }
    };
    check_name(&model)?;
    let session_span = members.session_name.zip(members.session_id);
    let session_span = session_span.map(|(name, value)| member_span(text, name, value.get()));
    let streamed = match members.stream.map(RawValue::get) {
        _ if is_gemini => operation == Operation::StreamGenerate,
        None | Some("false" | "null") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::bad_request("`stream` must be true or false.").about("stream")),
    };
    let include_usage = members
        .stream_options
        .and_then(|raw| serde_json::from_str::<StreamOptions>(raw.get()).ok())
        .is_some_and(|options| options.include_usage == Some(true));
    let wants_usage = streamed && !include_usage && operation == Operation::Chat;
    let usage_edit = if wants_usage { usage_edit(text, members.stream_options) } else { None };
    let session = session(&members);
    let tokens_max = tokens_max(&members);
    let previous_response = members.previous_response_id.and_then(as_text);
    let is_stored = operation == Operation::Responses && members.store.is_none_or(|raw| raw.get() != "false");
    let has_tools = is_filled(members.tools) || is_filled(members.functions);
    let forbids_reasoning = members.reasoning_effort.is_some_and(|raw| raw.get() == "\"none\"");
    let has_safeguards = is_filled(members.safeguards);
    let asks = |pair: &str| head.query.is_some_and(|query| query.split('&').any(|each| each == pair));
    Ok(Call {
        operation,
        model,
        streamed,
        as_array: streamed && is_gemini && !asks("alt=sse"),
        include_usage,
        names,
        usage_edit,
        session,
        session_span,
        tokens_max,
        previous_response,
        is_stored,
        query: (operation.dialect() == Dialect::Anthropic && asks("beta=true")).then_some("beta=true"),
        has_tools,
        forbids_reasoning,
        has_safeguards,
        has_routing: members.has_routing,
        body,
    })
}

fn of_form(operation: Operation, head: Head<'_>, body: Vec<u8>, boundary: &str) -> Result<Call, Refusal> {
    let message = "The body is not a complete multipart/form-data body with the boundary its content-type names.";
    let fields = form::fields(&body, boundary).ok_or_else(|| Refusal::bad_request(message))?;
    let text_of = |field: &form::Field| {
        let bytes = body.get(field.value.clone()).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let mut named = fields.iter().filter(|field| field.name == "model");
    let (model, names) = match (named.next(), named.next()) {
        (Some(field), None) => (text_of(field), vec![NameAt { span: field.value.clone(), form: NameForm::Plain }]),
        (None, _) => match head.model {
            Some(model) => (model, Vec::new()),
            None => return Err(model_missing()),
        },
        (Some(_), Some(_)) => {
            let message = "`model` stands in the form more than once. Send it once.";
            return Err(Refusal::bad_request(message).about("model"));
        }
    };
    check_name(&model)?;
    let streamed = fields.iter().any(|field| field.name == "stream" && text_of(field) == "true");
    Ok(Call {
        operation,
        model,
        streamed,
        as_array: false,
        include_usage: false,
        names,
        usage_edit: None,
        session: None,
        session_span: None,
        tokens_max: None,
        previous_response: None,
        is_stored: false,
        query: None,
        has_tools: false,
        forbids_reasoning: false,
        has_safeguards: false,
        has_routing: false,
        body,
    })
}

fn model_missing() -> Refusal {
    Refusal::bad_request("`model` is missing. Name one of the models of GET /v1/models.").about("model")
}

fn check_name(model: &str) -> Result<(), Refusal> {
    let is_short = (1..=MODEL_CHARACTERS_MAX).contains(&model.chars().count());
    if is_short && !model.chars().any(char::is_control) && !has_path_steps(model) {
        return Ok(());
    }
    let message = format!(
        "`model` must be a name of 1 to {MODEL_CHARACTERS_MAX} characters without control characters and without steps \
         of a path (`.`, `..` or nothing between two `/`); GET /v1/models lists them."
    );
    Err(Refusal::bad_request(message).about("model"))
}

/// Where the model's name stands in the body of an API that names the model in its path, or where it would have to
/// stand.
fn name_or_place(text: &str, members: &Members<'_>) -> NameAt {
    if let Some(raw) = members.model {
        return NameAt { span: span_of(text, raw.get()), form: NameForm::Json };
    }
    let start = text.find('{').map_or(0, |at| at + 1);
    let followed = !text.get(start..).unwrap_or_default().trim_start().starts_with('}');
    NameAt { span: start..start, form: NameForm::Member { followed } }
}

/// Where the model's name stands in Gemini's bodies: the path names the model, and some bodies repeat it.
fn names_in_gemini(text: &str, members: &Members<'_>) -> Result<Vec<NameAt>, Refusal> {
    let requests: Vec<&RawValue> =
        members.requests.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let mut names: Vec<&RawValue> = members.model.into_iter().collect();
    for raw in requests.into_iter().chain(members.generate_content_request) {
        let named: ModelMember<'_> = serde_json::from_str(raw.get()).map_err(|_| {
            let message = "Each of the body's requests must be an object that names a `model` once at most.";
            Refusal::bad_request(message).about("requests")
        })?;
        names.extend(named.model);
    }
    // These are slices of the body, so that their places are places in the body.
    let texts = names.into_iter().filter(|raw| raw.get().starts_with('"'));
    let mut spans: Vec<Range<usize>> = texts.map(|raw| span_of(text, raw.get())).collect();
    spans.sort_unstable_by_key(|span| span.start);
    Ok(spans.into_iter().map(|span| NameAt { span, form: NameForm::Gemini }).collect())
}

/// The member of an object that names a model.
#[derive(serde::Deserialize)]
struct ModelMember<'b> {
    #[serde(borrow, default)]
    model: Option<&'b RawValue>,
}

/// Whether a member says anything: neither `null` nor an empty list.
fn is_filled(raw: Option<&RawValue>) -> bool {
    let text = raw.map_or("null", RawValue::get);
    text != "null" && text.strip_prefix('[').is_none_or(|rest| !rest.trim_start().starts_with(']'))
}

fn as_text(raw: &RawValue) -> Option<String> {
    Some(raw.get()).filter(|raw| raw.len() <= ID_BYTES_MAX).and_then(|raw| serde_json::from_str::<String>(raw).ok())
}

fn session(members: &Members<'_>) -> Option<String> {
    let user_id = || {
        let Metadata { user_id } = serde_json::from_str(members.metadata?.get()).ok()?;
        Some(user_id).filter(|id| id.len() <= ID_BYTES_MAX)
    };
    members.session_id.and_then(as_text).or_else(|| members.prompt_cache_key.and_then(as_text)).or_else(user_id)
}

fn tokens_max(members: &Members<'_>) -> Option<u64> {
    let in_config = members.generation_config.and_then(|raw| {
        let config: GenerationConfig = serde_json::from_str(raw.get()).ok()?;
        config.max_output_tokens
    });
    let limits = [members.max_tokens, members.max_completion_tokens, members.max_output_tokens];
    limits.into_iter().flatten().filter_map(|raw| raw.get().parse().ok()).chain(in_config).max()
}

/// The edit that asks for usage: inside the client's own `stream_options`, or else a new member at the end, which
/// leaves the beginning of the body as it is, since providers cache it.
fn usage_edit(text: &str, options: Option<&RawValue>) -> Option<UsageEdit> {
    let Some(raw) = options else {
        let end = text.rfind('}')?;
        return Some(UsageEdit { span: end..end, options: "{\"include_usage\":true}".into(), is_new: true });
    };
    if raw.get().len() > STREAM_OPTIONS_BYTES_MAX {
        return None;
    }
    let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(raw.get()).unwrap_or_default();
    members.insert("include_usage".into(), true.into());
    let options = serde_json::Value::from(members).to_string();
    Some(UsageEdit { span: span_of(text, raw.get()), options, is_new: false })
}

/// Where `part`, a slice of `whole`, stands in it.
pub(crate) fn span_of(whole: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

/// Where a member of the object `text` stands, including the comma that must be removed with it.
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

/// The only member of `stream_options` that llmio acts on. It is a type and not a `Value`, because a client may send a
/// body full of it here, which would take many times its size as a tree of values.
#[derive(serde::Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// The only member of Gemini's `generationConfig` that llmio acts on.
#[derive(serde::Deserialize)]
struct GenerationConfig {
    #[serde(alias = "maxOutputTokens")]
    max_output_tokens: Option<u64>,
}

/// The only member of `metadata` that llmio acts on: Anthropic's clients put their session into it.
#[derive(serde::Deserialize)]
struct Metadata {
    user_id: String,
}

/// The top-level members that llmio acts on, as slices of the text.
#[derive(Default)]
struct Members<'b> {
    model: Option<&'b RawValue>,
    stream: Option<&'b RawValue>,
    max_tokens: Option<&'b RawValue>,
    max_completion_tokens: Option<&'b RawValue>,
    max_output_tokens: Option<&'b RawValue>,
    generation_config: Option<&'b RawValue>,
    previous_response_id: Option<&'b RawValue>,
    store: Option<&'b RawValue>,
    requests: Option<&'b RawValue>,
    generate_content_request: Option<&'b RawValue>,
    stream_options: Option<&'b RawValue>,
    /// The text as it is written, without its quotes.
    session_name: Option<&'b str>,
    session_id: Option<&'b RawValue>,
    prompt_cache_key: Option<&'b RawValue>,
    metadata: Option<&'b RawValue>,
    tools: Option<&'b RawValue>,
    functions: Option<&'b RawValue>,
    reasoning_effort: Option<&'b RawValue>,
    safeguards: Option<&'b RawValue>,
    has_routing: bool,
}

impl<'b> Members<'b> {
    fn read(text: &'b str) -> Result<Self, Refusal> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_map(MembersVisitor).and_then(|members| reader.end().map(|()| members));
        read.map_err(|error| Refusal::bad_request(explain(text, &error)))
    }
}

fn explain(text: &str, error: &serde_json::Error) -> String {
    if text.starts_with('\u{feff}') {
        return "The body begins with a byte order mark, which JSON must not have (RFC 8259 §8.1). Leave it out."
            .into();
    }
    match text.trim_start().bytes().next() {
        None => return "The body is empty. Send a JSON object with `model`.".into(),
        Some(b'{') => {}
        // The parser's message is not used, since it would repeat a body that is one long string.
        Some(_) => return "The body is not a JSON object. Send one with `model`, and encode it once.".into(),
    }
    let message = error.to_string();
    match message.strip_prefix("duplicate member ") {
        Some(rest) => {
            let name = rest.split(' ').next().unwrap_or(rest);
            format!("{name} stands in the body more than once. Send it once: providers disagree on which one counts.")
        }
        None => format!("The body is not a JSON object: {message}."),
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
                "max_output_tokens" => (&mut members.max_output_tokens, true),
                "generationConfig" | "generation_config" => (&mut members.generation_config, false),
                "previous_response_id" => (&mut members.previous_response_id, true),
                "store" => (&mut members.store, false),
                "requests" => (&mut members.requests, false),
                "generateContentRequest" | "generate_content_request" => (&mut members.generate_content_request, false),
                "stream_options" => (&mut members.stream_options, false),
                "session_id" => (&mut members.session_id, true),
                "prompt_cache_key" => (&mut members.prompt_cache_key, false),
                "metadata" => (&mut members.metadata, false),
                "tools" => (&mut members.tools, false),
                "functions" => (&mut members.functions, false),
                "reasoning_effort" => (&mut members.reasoning_effort, false),
                "safeguards" => (&mut members.safeguards, true),
                name => {
                    members.has_routing |= ROUTING_MEMBERS.contains(&name);
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
