//! Errors: <https://platform.openai.com/docs/guides/error-codes>.

use serde_json::{Value, json};

pub(crate) use crate::dialects::openai::{read_error as read, write_error as write, write_fault};

/// Codex reads a stream that ends without one of its last events as a lost connection, and `error` is none of them.
pub(crate) fn event(error: &Value, id: &str) -> Vec<u8> {
    let said = |name: &str| error.get("error").and_then(|error| error.get(name)).filter(|value| value.is_string());
    let (code, message) = (said("code").or_else(|| said("type")), said("message"));
    let failed = json!({
        "type": "response.failed",
        "response": {
            "id": format!("resp_{id}"),
            "object": "response",
            "status": "failed",
            "error": { "code": code, "message": message },
            "output": [],
        },
    });
    format!("event: response.failed\ndata: {failed}\n\n").into_bytes()
}
