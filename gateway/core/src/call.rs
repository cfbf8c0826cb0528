//! A client's request that is balanced over targets: what llmio reads of it, and what it needs of a target.

use std::ops::Range;

use crate::operation::Operation;
use crate::price::Pieces;

/// A client's request that is balanced over targets, as far as llmio reads it.
#[derive(Debug)]
pub struct Call {
    /// The operation that is asked for.
    pub operation: Operation,
    /// The model's public name as the client wrote it.
    pub model: String,
    /// Whether the client wants a stream.
    pub streamed: bool,
    /// Gemini: whether the client wants the stream as a JSON array instead of events.
    pub as_array: bool,
    /// Whether the client wants a usage chunk at the end of the stream.
    pub include_usage: bool,
    /// The body as the client sent it.
    pub body: Vec<u8>,
    /// Where in `body` the model's name stands, or would have to stand.
    pub names: Vec<NameAt>,
    /// The edit of `body` that asks for a usage chunk if the client did not.
    pub usage_edit: Option<UsageEdit>,
    /// The client's session, if the body names one.
    pub session: Option<String>,
    /// Where in `body` the member `session_id` stands, which is meant for llmio and not for the provider.
    pub session_span: Option<Range<usize>>,
    /// The most tokens that the client wants.
    pub tokens_max: Option<u64>,
    /// Responses: the stored response that this call continues.
    pub previous_response: Option<String>,
    /// Responses: whether the provider stores the answer, so that later calls can continue it.
    pub is_stored: bool,
    /// The part of the query that is sent to the provider.
    pub query: Option<&'static str>,
    /// Whether the body has tools.
    pub has_tools: bool,
    /// OpenAI chat: whether the model is told not to reason.
    pub forbids_reasoning: bool,
    /// Whether the client asks for its provider's review of tool calls, Claude Code's `safeguards`, and may rely on it.
    pub has_safeguards: bool,
    /// Whether the body has members that make some providers serve another model ([`ROUTING_MEMBERS`]).
    pub has_routing: bool,
}

/// Members of a body's top level by which a client has its provider choose another model, another provider behind it, or
/// what else is billed; no dialect has them itself.
///
/// OpenRouter: `models`, `route`, `provider`, `preset`, `plugins`, `fallbacks`
/// (<https://openrouter.ai/docs/api-reference/overview>, <https://openrouter.ai/docs/features/model-routing>). LiteLLM:
/// `fallbacks`, `context_window_fallback_dict`, `extra_body`, `api_base`, `api_key`, `base_url`, `deployment_id`,
/// `custom_llm_provider` (<https://docs.litellm.ai/docs/proxy/reliability>, <https://docs.litellm.ai/docs/completion/input>).
/// Vercel: `providerOptions` (<https://vercel.com/docs/ai-gateway/provider-options>).
pub const ROUTING_MEMBERS: [&str; 17] = [
    "models",
    "route",
    "provider",
    "preset",
    "plugins",
    "fallbacks",
    "fallback_models",
    "context_window_fallback_dict",
    "content_policy_fallback_dict",
    "extra_body",
    "api_base",
    "base_url",
    "api_key",
    "deployment_id",
    "custom_llm_provider",
    "providerOptions",
    "provider_options",
];

/// The edit that asks for a usage chunk in a chat stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEdit {
    /// Where the value of `stream_options` stands, or where the member would have to stand.
    pub span: Range<usize>,
    /// The value of `stream_options`.
    pub options: String,
    /// Whether the body has no `stream_options` yet.
    pub is_new: bool,
}

impl UsageEdit {
    /// The bytes that replace those of `span`.
    pub fn spliced(&self) -> Vec<u8> {
        let before = if self.is_new { ",\"stream_options\":" } else { "" };
        format!("{before}{}", self.options).into_bytes()
    }
}

/// A place in a body where the model's name stands, or would have to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAt {
    /// The bytes that are replaced: a whole JSON value, quotes included, or a form field's value.
    pub span: Range<usize>,
    /// How the name is written there.
    pub form: NameForm,
}

/// How a model's name is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameForm {
    /// `"name"`
    Json,
    /// `"models/name"`
    Gemini,
    /// `name`, in a form.
    Plain,
    /// `"model":"name",` before the first member of an object that names none.
    Member {
        /// Whether other members follow.
        followed: bool,
    },
}

/// What a call needs of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// The call has tools.
    pub tools: bool,
    /// The call wants an answer that follows a JSON schema.
    pub structured: bool,
    /// The call has images.
    pub images: bool,
    /// How many tokens of a context window it takes, estimated: four bytes for a token, without JSON's escapes.
    pub tokens: u64,
    /// What it generates or transcribes apart from text.
    pub pieces: Pieces,
}
