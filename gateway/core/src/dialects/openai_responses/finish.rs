//! Why an answer ended: <https://platform.openai.com/docs/api-reference/responses/object>.

use serde_json::Value;

use crate::neutral::Finish;

/// What a response object says of its end, `None` where it went well or goes on.
pub(super) fn read(response: &Value) -> Option<Finish> {
    let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
    match (response.get("status").and_then(Value::as_str), reason) {
        (_, Some("content_filter")) => Some(Finish::Filtered),
        (Some("incomplete"), _) => Some(Finish::Length),
        _ => None,
    }
}

/// The `incomplete_details.reason` of an answer that ended so.
pub(super) fn write(finish: Option<&Finish>) -> Option<&'static str> {
    match finish {
        Some(Finish::Length) => Some("max_output_tokens"),
        Some(Finish::Filtered) => Some("content_filter"),
        _ => None,
    }
}
