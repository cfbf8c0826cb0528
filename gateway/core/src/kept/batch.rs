//! The calls in a batch: each is checked like a call of its own, and its model called as its provider calls it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ids::{FILE_IDS_MAX, file_ids};
use crate::accept::form::{self, Field};
use crate::accept::{self, RouteMatch, span_of};
use crate::authenticate::{Caller, check_model};
use crate::candidate::AttemptParts;
use crate::catalog::{Catalog, Key, Provider};
use crate::dialect::Dialect;
use crate::endpoint::{Endpoint, Kept};
use crate::models;
use crate::operation::Operation;
use crate::pace::Pace;
use crate::refusal::Refusal;
use crate::rewrite::{self, Edit};

/// What OpenAI takes at most: <https://developers.openai.com/api/docs/guides/batch>.
const CALLS_MAX: usize = 50_000;

/// The largest call in a batch, in bytes.
const CALL_BYTES_MAX: usize = 4 << 20;

/// The same with what stands around it in its line.
const LINE_BYTES_MAX: usize = CALL_BYTES_MAX + (64 << 10);

/// The purpose of a file that holds the calls of a batch.
const BATCH: &str = "batch";

/// The other parts of such an upload: <https://developers.openai.com/api/docs/api-reference/files/create>.
const PARTS: [&str; 3] = ["purpose", "expires_after[anchor]", "expires_after[seconds]"];

/// For whom and for whose provider a file or a batch is prepared.
#[derive(Debug, Clone, Copy)]
pub struct Preparing<'a> {
    /// The catalog.
    pub catalog: &'a Catalog,
    /// Who asks.
    pub caller: &'a Caller,
    /// The provider that is to keep it.
    pub provider: &'a Provider,
    /// Called now and then while a long body is read.
    pub pace: Pace<'a>,
}

/// What is sent to the provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The body.
    pub body: Vec<u8>,
    /// Whether its calls were checked, so that a batch may be made of it.
    pub is_input: bool,
    /// The files that its calls name.
    pub files: Vec<String>,
}

/// A line of a batch's file.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    url: Cow<'l, str>,
    #[serde(borrow)]
    body: &'l RawValue,
}

/// Anthropic's batch of messages.
#[derive(Deserialize)]
struct MessageBatch<'b> {
    #[serde(borrow, deserialize_with = "few")]
    requests: Vec<MessageRequest<'b>>,
}

#[derive(Deserialize)]
struct MessageRequest<'b> {
    #[serde(borrow)]
    params: &'b RawValue,
}

/// Reads a list of calls that is not longer than a batch may be, since every call takes memory however short it is.
fn few<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<MessageRequest<'de>>, D::Error> {
    struct Calls;

    impl<'de> Visitor<'de> for Calls {
        type Value = Vec<MessageRequest<'de>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {CALLS_MAX} calls")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut calls: A) -> Result<Self::Value, A::Error> {
            let mut read = Vec::new();
            while let Some(call) = calls.next_element()? {
                if read.len() == CALLS_MAX {
                    return Err(de::Error::invalid_length(CALLS_MAX + 1, &self));
                }
                read.push(call);
            }
            Ok(read)
        }
    }

    deserializer.deserialize_seq(Calls)
}

/// OpenAI's batch. A member that is not known may choose what is billed, so that there are no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'b> {
    #[serde(borrow)]
    input_file_id: Cow<'b, str>,
    #[serde(borrow)]
    endpoint: Cow<'b, str>,
    #[serde(rename = "completion_window")]
    _completion_window: Option<&'b RawValue>,
    #[serde(rename = "metadata")]
    _metadata: Option<&'b RawValue>,
    #[serde(rename = "output_expires_after")]
    _output_expires_after: Option<&'b RawValue>,
}

/// The id of the file that a new batch takes its calls from.
pub fn input_file(body: &[u8]) -> Result<String, Refusal> {
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!(
            "The body is no batch: {error}. Send `input_file_id`, `endpoint`, `completion_window` and, if you like, \
             `metadata` and `output_expires_after`."
        ))
    })?;
    operation_at(&batch.endpoint).ok_or_else(|| {
        Refusal::bad_request(format!("llmio serves no batches of {:?}.", crate::record::kept_text(&batch.endpoint)))
            .about("endpoint")
    })?;
    Ok(batch.input_file_id.into_owned())
}

/// The operation of a call in OpenAI's batches.
fn operation_at(url: &str) -> Option<Operation> {
    match accept::find("POST", url) {
        RouteMatch::Route(_, Endpoint::Call(operation), "") if url.starts_with("/v1/") => {
            Some(operation).filter(|operation| {
                matches!(operation.dialect(), Dialect::OpenaiChat | Dialect::OpenaiResponses)
                    && !matches!(operation, Operation::Transcriptions | Operation::Translations | Operation::ImageEdits)
            })
        }
        _ => None,
    }
}

impl Preparing<'_> {
    /// What is sent to make a file or a batch. `Err` is for the person who wrote the request.
    pub fn prepare(&self, kept: Kept, dialect: Dialect, content_type: &[u8], body: &[u8]) -> Result<Prepared, Refusal> {
        match kept {
            Kept::File => self.upload(dialect, content_type, body),
            Kept::Batch => Ok(Prepared { body: body.to_vec(), is_input: false, files: Vec::new() }),
            Kept::MessageBatch => self.message_batch(body),
        }
    }

    fn upload(&self, dialect: Dialect, content_type: &[u8], body: &[u8]) -> Result<Prepared, Refusal> {
        let message = "Send the file as a complete multipart/form-data body with the boundary its content-type names.";
        let incomplete = || Refusal::bad_request(message);
        let boundary = form::boundary(content_type).ok_or_else(incomplete)?;
        let parts = form::parts(body, &boundary).ok_or_else(incomplete)?;
        let only = |name: &str| {
            let mut named = parts.iter().filter(|part| part.name == name);
            match (named.next(), named.next()) {
                (_, Some(_)) => {
                    let message = format!("`{name}` stands in the form more than once. Send it once.");
                    Err(Refusal::bad_request(message))
                }
                (found, None) => Ok(found),
            }
        };
        let bytes = |part: &Field| body.get(part.value.clone()).unwrap_or_default();
        let file = only("file")?.ok_or_else(|| Refusal::bad_request("The form has no `file`.").about("file"))?;
        let purpose = only("purpose")?.map(bytes).unwrap_or_default();
        if dialect == Dialect::Anthropic || purpose.trim_ascii() != BATCH.as_bytes() {
            return Ok(Prepared { body: body.to_vec(), is_input: false, files: Vec::new() });
        }
        let mut files = Vec::new();
        let edits = self.lines(bytes(file), &mut files)?;
        // Written anew, so that no reader of forms finds another file in it than the one that was checked.
        let mut form = Vec::new();
        for part in parts.iter().filter(|part| PARTS.contains(&part.name.as_str())) {
            write_part(&mut form, &boundary, &part.name, None, bytes(part));
        }
        let name = file.file_name.as_deref().unwrap_or("batch.jsonl");
        write_part(&mut form, &boundary, "file", Some(name), &rewrite::splice(bytes(file), edits));
        form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(Prepared { body: form, is_input: true, files })
    }

    /// The calls of a file as they are written for the provider.
    fn lines(&self, file: &[u8], files: &mut Vec<String>) -> Result<Vec<Edit>, Refusal> {
        let (mut edits, mut start) = (Vec::new(), 0);
        for (number, bytes) in file.split(|byte| *byte == b'\n').enumerate() {
            let line_start = start;
            start += bytes.len() + 1;
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let place = || format!("Line {} of the batch", number + 1);
            if edits.len() == CALLS_MAX {
                return Err(Refusal::bad_request(format!("The batch has more than {CALLS_MAX} calls. Split it.")));
            }
            if bytes.len() > LINE_BYTES_MAX {
                return Err(at_place(&place(), Refusal::too_large(CALL_BYTES_MAX)));
            }
            let line = std::str::from_utf8(bytes).map_err(|_| refused(&place(), "is not valid UTF-8."))?;
            let read: Line<'_> = serde_json::from_str(line).map_err(|error| {
                refused(&place(), &format!("is no call: {error}. It needs `custom_id`, `method`, `url` and `body`."))
            })?;
            let operation = operation_at(&read.url).ok_or_else(|| {
                let url = crate::record::kept_text(&read.url);
                refused(&place(), &format!("asks for {url:?}, which llmio serves no batches of."))
            })?;
            let written =
                self.call(operation, read.body.get(), files).map_err(|refusal| at_place(&place(), refusal))?;
            let Range { start: from, end: to } = span_of(line, read.body.get());
            edits.push((line_start + from..line_start + to, written));
        }
        if edits.is_empty() {
            return Err(Refusal::bad_request("The batch has no calls: `file` holds no lines.").about("file"));
        }
        Ok(edits)
    }

    fn message_batch(&self, body: &[u8]) -> Result<Prepared, Refusal> {
        let text = std::str::from_utf8(body)
            .map_err(|_| Refusal::bad_request("The body is not valid UTF-8. Send JSON in UTF-8."))?;
        let batch: MessageBatch<'_> = serde_json::from_str(text).map_err(|error| {
            Refusal::bad_request(format!(
                "The body is no batch: {error}. Send `requests` with `custom_id` and `params`."
            ))
        })?;
        let (mut edits, mut files) = (Vec::with_capacity(batch.requests.len()), Vec::new());
        for (number, request) in batch.requests.iter().enumerate() {
            let params = request.params.get();
            let written = self
                .call(Operation::Messages, params, &mut files)
                .map_err(|refusal| at_place(&format!("requests[{number}].params"), refusal))?;
            edits.push((span_of(text, params), written));
        }
        Ok(Prepared { body: rewrite::splice(body, edits), is_input: true, files })
    }

    /// One call as it is written for the provider. Its models are those that the caller may use.
    fn call(&self, operation: Operation, body: &str, files: &mut Vec<String>) -> Result<Vec<u8>, Refusal> {
        if body.len() > CALL_BYTES_MAX {
            return Err(Refusal::too_large(CALL_BYTES_MAX));
        }
        self.pace.step(body.len());
        let head = accept::Head { content_type: b"application/json", pace: self.pace, ..accept::Head::default() };
        let call = accept::call(operation, head, body.as_bytes().to_vec())?;
        let model = self.catalog.model(&call.model).ok_or_else(|| models::unknown(&call.model))?;
        check_model(self.caller, &model.name, &call.model, self.catalog)?;
        if call.previous_response.is_some() {
            let message =
                "`previous_response_id` cannot be used in a batch through llmio: send the conversation itself.";
            return Err(Refusal::bad_request(message).about("previous_response_id"));
        }
        for id in file_ids(&call.body)? {
            if !files.contains(&id) {
                files.push(id);
            }
        }
        if files.len() > FILE_IDS_MAX {
            return Err(Refusal::bad_request(format!("The batch names more than {FILE_IDS_MAX} files. Split it.")));
        }
        let requested = call.model.as_str().into();
        let is_limited = self.caller.key().and_then(|key| self.catalog.key_named(key)).is_some_and(Key::is_limited);
        let targets = model
            .targets
            .iter()
            .filter(|target| model.enabled && target.enabled && target.provider.name == self.provider.name);
        for target in targets {
            let upstream_model = target.upstream_model(&requested);
            let to =
                AttemptParts { target, provider: &target.provider, upstream_model: &upstream_model, credential: None };
            if call.has_safeguards && !to.gives_safeguards(operation) {
                continue;
            }
            if let Some(body) = rewrite::in_batch(&call, to, is_limited) {
                return Ok(body);
            }
        }
        let message = format!(
            "Model {:?} has no target at provider {:?} that can serve this call. Choose another provider by the header \
             `{}`, or add a target.",
            &*model.name,
            &*self.provider.name,
            super::PROVIDER_HEADER
        );
        Err(Refusal::bad_request(message).about("model"))
    }
}

/// Appends a part of a form. What a name of a file may not hold is left out of it.
fn write_part(form: &mut Vec<u8>, boundary: &str, name: &str, file_name: Option<&str>, value: &[u8]) {
    let file_name = file_name.map(|file_name| {
        let plain: String =
            file_name.chars().filter(|each| !each.is_control() && !['"', '\\'].contains(each)).collect();
        format!("; filename=\"{plain}\"\r\nContent-Type: application/jsonl")
    });
    let file_name = file_name.unwrap_or_default();
    let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n");
    form.reserve_exact(head.len() + value.len() + 128);
    form.extend_from_slice(head.as_bytes());
    form.extend_from_slice(value);
    form.extend_from_slice(b"\r\n");
}

fn refused(place: &str, what: &str) -> Refusal {
    Refusal::bad_request(format!("{place} {what}"))
}

/// A refusal that says where its reason stands.
fn at_place(place: &str, mut refusal: Refusal) -> Refusal {
    refusal.message = format!("{place}: {}", refusal.message);
    refusal
}
