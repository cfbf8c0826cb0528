//! Why an answer ended: <https://platform.openai.com/docs/api-reference/chat/object#chat-object-choices>.

use crate::neutral::{ApiError, Finish};

/// Reads the finish reason. Some providers write an empty one into every chunk, which is none. The words that OpenAI
/// does not have are DeepSeek's (<https://api-docs.deepseek.com/api/create-chat-completion>), GLM's
/// (<https://docs.z.ai/api-reference/llm/chat-completion>) and Mistral's (<https://docs.mistral.ai/api/endpoint/chat>).
/// `Err` if the provider broke the answer off, so that it is not whole.
pub(super) fn read(reason: &str) -> Result<Option<Finish>, ApiError> {
    Ok(Some(match reason {
        "" => return Ok(None),
        "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" | "sensitive" => Finish::Filtered,
        reason if is_broken_off(reason) => {
            let message = format!("The provider broke the answer off ({reason}).");
            return Err(ApiError { message, status: Some(503), ..ApiError::default() });
        }
        _ => Finish::Stop,
    }))
}

/// The reason of a provider that broke the answer off: DeepSeek's
/// (<https://api-docs.deepseek.com/api/create-chat-completion>), GLM's
/// (<https://docs.z.ai/api-reference/llm/chat-completion>) and Mistral's (<https://docs.mistral.ai/api/endpoint/chat>).
pub(super) fn is_broken_off(reason: &str) -> bool {
    matches!(reason, "insufficient_system_resource" | "network_error" | "error")
}

pub(super) fn write(finish: &Finish, legacy_functions: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Paused => "stop",
        Finish::Length => "length",
        Finish::ToolCalls if legacy_functions => "function_call",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}
