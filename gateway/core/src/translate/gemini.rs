//! Google Gemini ⇄ neutral form. <https://ai.google.dev/api/generate-content>
//!
//! The model and whether to stream stand in the path, not in the body. Members are read in camel case and snake case,
//! since Google's SDKs send both, and written in camel case.

mod answer;
mod contents;
mod names;
mod read;
mod schema;
mod stream_reader;
mod stream_writer;
mod write;
mod write_contents;

pub(super) use answer::{read_answer, write_answer};
pub(super) use read::read_request;
pub(super) use stream_reader::StreamReader;
pub(super) use stream_writer::StreamWriter;
pub(super) use write::write_request;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use serde_json::{Value, json};

use crate::dialect::gemini::{BOTCHED_CALL, is_botched};
use crate::observe::Usage;

use super::neutral::{Fault, Finish, SEAL_PREFIX, Untranslatable};
use super::sealed::{self, Sealed};
use crate::dialect::Dialect;

/// An error of this dialect. `None`: it is none. Streams that are no event streams answer with a list of one.
pub(super) fn read_fault(body: &Value) -> Option<Fault> {
    let error = body.get(0).unwrap_or(body).get("error")?;
    let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    Some(Fault {
        message: error.get("message")?.as_str()?.to_owned(),
        status,
        kind: error.get("status").and_then(Value::as_str).map(str::to_owned),
        code: None,
    })
}

/// An error in this dialect: the body of an error answer. The words are those of
/// <https://cloud.google.com/apis/design/errors#handling_errors>.
pub(super) fn write_fault(fault: &Fault) -> Value {
    // 529 is Anthropic's own; Google's clients know 503 for it.
    let code = match fault.status {
        Some(529) => 503,
        Some(status) => status,
        None => status_of(fault),
    };
    let status = match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        400..=499 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        504 => "DEADLINE_EXCEEDED",
        502 | 503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    json!({ "error": { "code": code, "message": fault.message, "status": status } })
}

/// Errors inside a stream of OpenAI's dialects say by word what their status would have been.
fn status_of(fault: &Fault) -> u16 {
    let words = [fault.kind.as_deref(), fault.code.as_deref()];
    let says = |wanted: &str| words.iter().flatten().any(|word| word.contains(wanted));
    match () {
        () if says("rate_limit") || says("quota") => 429,
        () if says("authentication") => 401,
        () if says("permission") => 403,
        () if says("not_found") => 404,
        () if says("invalid") || says("context_length") => 400,
        () if says("overloaded") => 503,
        () => 500,
    }
}

fn refuse<T>(param: impl Into<String>, message: &str) -> Result<T, Untranslatable> {
    Err(Untranslatable::new(param, message))
}

fn write_usage(usage: &Usage) -> Value {
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let reasoning = usage.reasoning_tokens.unwrap_or(0);
    let mut written = json!({
        "promptTokenCount": input,
        "candidatesTokenCount": output.saturating_sub(reasoning),
        "totalTokenCount": input.saturating_add(output),
    });
    let known = [("cachedContentTokenCount", usage.cache_read_tokens), ("thoughtsTokenCount", usage.reasoning_tokens)];
    if let Some(members) = written.as_object_mut() {
        for (name, count) in known {
            members.extend(count.filter(|count| *count > 0).map(|count| (name.to_owned(), count.into())));
        }
    }
    written
}

/// <https://ai.google.dev/api/generate-content#FinishReason>
fn read_finish(reason: &str, calls_tools: bool) -> Finish {
    match reason {
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => Finish::Filtered,
        _ if calls_tools => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

fn write_finish(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Paused => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
    }
}

/// Whether an answer that ended for this reason is none: it has no call, and its words, if it has any, announce one at
/// best. Thoughts alone are no answer.
fn is_none(reason: &str, has_words: bool, calls_tools: bool) -> bool {
    is_botched(reason) && !calls_tools && (!has_words || reason == BOTCHED_CALL)
}

/// What Google's documentation gives for calls that another model made and that so have no seal, the one written first;
/// Gemini 3 refuses calls without any. <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>
const NO_SEAL: [&str; 2] = ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// Reads both alphabets of base64: Google's Python SDK decodes one and encodes the other.
const EITHER: [GeneralPurpose; 2] = {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [GeneralPurpose::new(&alphabet::STANDARD, CONFIG), GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG)]
};

/// What stands in a `thoughtSignature`.
fn read_seal(signature: String) -> Option<Sealed> {
    if NO_SEAL.contains(&signature.as_str()) {
        return None;
    }
    let written = EITHER.iter().find_map(|engine| String::from_utf8(engine.decode(&signature).ok()?).ok());
    match written.and_then(|written| sealed::read(written, Dialect::Gemini)) {
        None | Some(Sealed::Own(_)) => sealed::read(signature, Dialect::Gemini),
        foreign => foreign,
    }
}

/// The field is of bytes: SDKs refuse what is not base64, as other providers' seals are not.
fn write_seal(seal: String) -> String {
    if seal.starts_with(SEAL_PREFIX) { general_purpose::STANDARD.encode(seal) } else { seal }
}
