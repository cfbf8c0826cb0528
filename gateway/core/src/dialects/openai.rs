//! What OpenAI's two dialects write alike: errors, functions and who the user is.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::neutral::json::text;
use crate::neutral::schema;
use crate::neutral::{Fault, Object, Tool, Warnings};
use crate::refusal::Refusal;

pub(crate) fn write_error(refusal: &Refusal, _id: &str) -> Value {
    let Refusal { message, kind, param, code, .. } = refusal;
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

/// An error of this dialect. `None`: it is none. Providers write it as an object, as text, or without the member
/// `error`, as vLLM and FastAPI do.
pub(crate) fn read_error(body: &Value) -> Option<Fault> {
    let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
    let message = text(error, "message").or_else(|| error.as_str()).or_else(|| text(error, "detail"))?;
    let word = |name: &str| text(error, name).filter(|word| !word.is_empty()).map(str::to_owned);
    let number = ["code", "status"].iter().find_map(|name| match error.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    Some(Fault {
        message: message.to_owned(),
        status: number.and_then(|number| u16::try_from(number).ok()).filter(|status| (400..600).contains(status)),
        kind: word("type"),
        code: word("code"),
    })
}

/// An error in this dialect: the body of an error answer, and the data of an event inside a stream.
/// <https://platform.openai.com/docs/guides/error-codes>
pub(crate) fn write_fault(fault: &Fault) -> Value {
    let kind = match fault.status {
        Some(401) => "authentication_error",
        Some(403) => "permission_error",
        Some(429) => "rate_limit_error",
        Some(400..=499) => "invalid_request_error",
        Some(_) => "server_error",
        None => fault.kind.as_deref().unwrap_or("server_error"),
    };
    json!({ "error": { "message": fault.message, "type": kind, "param": null, "code": fault.code } })
}

/// The characters OpenAI takes to say who the user is:
/// <https://platform.openai.com/docs/guides/safety-best-practices#safety-identifiers>.
const USER_BYTES_MAX: usize = 64;

/// Who the user is, in both of OpenAI's dialects. Claude Code says it in more characters than OpenAI takes, and the hash
/// that OpenAI recommends anyway tells users apart as well.
pub(crate) fn write_user(user: String, warnings: &mut Warnings) -> String {
    if user.len() <= USER_BYTES_MAX {
        return user;
    }
    warnings.changed("user, which is too long, to its hash");
    Sha256::digest(user.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A function in both of OpenAI's dialects. A schema that OpenAI does not take as strict is not marked as such: in other
/// dialects one with optional properties may be.
pub(crate) fn write_function(tool: Tool, warnings: &mut Warnings) -> Object {
    let mut parameters = tool.parameters.unwrap_or_default();
    schema::complete_parameters(&mut parameters);
    let strict = tool.strict.map(|strict| strict && schema::is_strict(&parameters));
    if strict != tool.strict {
        warnings.changed("a tool that OpenAI does not take as strict to one that is not");
    }
    let mut function = Object::new();
    function.insert("name".to_owned(), tool.name.into());
    function.extend(tool.description.map(|text| ("description".to_owned(), text.into())));
    function.insert("parameters".to_owned(), parameters);
    function.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
    function
}
