//! Why an answer ended: <https://ai.google.dev/api/generate-content#FinishReason>.

use crate::neutral::Finish;

/// The neutral form of a reason.
pub(super) fn read(reason: &str, calls_tools: bool) -> Finish {
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

pub(super) fn write(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Paused => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
    }
}

/// Whether the model tried to call a tool and wrote something that is no call, or produced nothing that could be given.
/// Another attempt may help. <https://ai.google.dev/api/generate-content#FinishReason>
pub(super) fn is_failure(reason: &str) -> bool {
    const REASONS: [&str; 5] = [
        MALFORMED_CALL,
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
    ];
    REASONS.contains(&reason)
}

/// The reason if a call cannot be read.
const MALFORMED_CALL: &str = "MALFORMED_FUNCTION_CALL";

/// Whether an answer that ended for this reason is no answer: it has no call, and its text announces one at best.
/// Reasoning alone is no answer.
pub(super) fn is_none(reason: &str, has_words: bool, calls_tools: bool) -> bool {
    is_failure(reason) && !calls_tools && (!has_words || reason == MALFORMED_CALL)
}
