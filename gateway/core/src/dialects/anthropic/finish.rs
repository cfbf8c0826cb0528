//! Why an answer ended: <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>.

use crate::neutral::Finish;

/// The neutral form of a reason and the text that ended the answer.
pub(super) fn read(reason: &str, sequence: Option<&str>) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopSequence(sequence.map(str::to_owned)),
        "tool_use" => Finish::ToolCalls,
        "pause_turn" => Finish::Paused,
        "refusal" => Finish::Filtered,
        _ => Finish::Stop,
    }
}

/// The reason and the stop sequence. `refused` says that the answer contains the model's refusal.
pub(super) fn write(finish: Finish, refused: bool) -> (&'static str, Option<String>) {
    match finish {
        _ if refused => ("refusal", None),
        // It is not known which sequence it was, and Anthropic always names it.
        Finish::Stop | Finish::StopSequence(None) => ("end_turn", None),
        Finish::StopSequence(sequence) => ("stop_sequence", sequence),
        Finish::Length => ("max_tokens", None),
        Finish::ToolCalls => ("tool_use", None),
        Finish::Filtered => ("refusal", None),
        Finish::Paused => ("pause_turn", None),
    }
}
