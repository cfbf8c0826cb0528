//! Errors: <https://platform.claude.com/docs/en/api/errors>.

use serde_json::{Value, json};

use crate::neutral::Fault;
use crate::neutral::json::text;
use crate::refusal::Refusal;

pub(crate) fn write(refusal: &Refusal, id: &str) -> Value {
    let error = json!({ "type": kind(refusal), "message": refusal.message });
    json!({ "type": "error", "error": error, "request_id": id })
}

/// <https://platform.claude.com/docs/en/api/errors>. A spent budget is a matter of billing only where it is the key's
/// own: a provider's spent quota must not make Claude Code say that its user has to pay.
fn kind(refusal: &Refusal) -> &'static str {
    match refusal.status {
        401 => "authentication_error",
        402 => "billing_error",
        429 if refusal.is_budget => "billing_error",
        403 => "permission_error",
        404 | 405 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 | 503 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// <https://platform.claude.com/docs/en/api/errors>
const ERRORS: [(u16, &str); 11] = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (409, "conflict_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (500, "api_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];

/// An error of this dialect. `None`: it is none.
pub(crate) fn read(body: &Value) -> Option<Fault> {
    let error = body.get("error")?;
    let message = text(error, "message").or_else(|| error.as_str())?;
    let kind = text(error, "type");
    let row = ERRORS.iter().find(|(_, name)| Some(*name) == kind);
    Some(Fault {
        message: message.to_owned(),
        status: row.map(|(status, _)| *status),
        kind: kind.map(str::to_owned),
        code: None,
    })
}

/// An error in this dialect: the body of an error answer, and the data of an event inside a stream. `id` is the call's.
pub(crate) fn write_fault(fault: &Fault, id: &str) -> Value {
    let by_status = |status: u16| ERRORS.iter().find(|(number, _)| *number == status).map(|(_, name)| *name);
    let by_kind = |kind: &str| ERRORS.iter().find(|(_, name)| *name == kind).map(|(_, name)| *name);
    let kind = fault.status.and_then(by_status).or_else(|| fault.kind.as_deref().and_then(by_kind));
    let kind = kind.unwrap_or(match fault.status {
        Some(400..=499) => "invalid_request_error",
        _ => "api_error",
    });
    json!({ "type": "error", "error": { "type": kind, "message": fault.message }, "request_id": id })
}

/// The official SDKs read over events without a name.
pub(crate) fn event(error: &Value, _id: &str) -> Vec<u8> {
    format!("event: error\ndata: {error}\n\n").into_bytes()
}
