//! One client request that is to be balanced: what llmio reads of it, and what it needs of a target.

use std::ops::Range;

use crate::operation::Operation;
use crate::price::Pieces;

/// One client request that is to be balanced, as far as llmio reads it.
#[derive(Debug)]
pub struct Call {
    /// What is asked of a provider.
    pub operation: Operation,
    /// The model's public name as the client wrote it.
    pub model: String,
    /// Whether the answer is wanted as a stream.
    pub streamed: bool,
    /// Gemini: the stream is wanted as a JSON array instead of events.
    pub as_array: bool,
    /// Whether a streamed answer is wanted with a usage chunk.
    pub include_usage: bool,
    /// The body as it came.
    pub body: Vec<u8>,
    /// Where in `body` the model's name stands, or belongs.
    pub names: Vec<NameAt>,
    /// What to do to `body` for a usage chunk that the client did not ask for.
    pub usage_edit: Option<UsageEdit>,
    /// The client's session, where the body names one.
    pub session: Option<String>,
    /// Where in `body` the member `session_id` stands, which is meant for llmio.
    pub session_span: Option<Range<usize>>,
    /// Tokens the client wants at most.
    pub tokens_max: Option<u64>,
    /// Responses: the answer this call goes on from, which its provider keeps.
    pub previous_response: Option<String>,
    /// Responses: its provider keeps the answer, so that later calls can go on from it.
    pub is_stored: bool,
    /// What of the query travels on.
    pub query: Option<&'static str>,
    /// The body has members by which a provider may be made to serve something else ([`ROUTING_MEMBERS`]).
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

/// What gives a chat stream a usage chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEdit {
    /// Where `stream_options` have their value, or where a member belongs.
    pub span: Range<usize>,
    /// The value of `stream_options`.
    pub options: String,
    /// There are none yet.
    pub is_new: bool,
}

impl UsageEdit {
    /// What stands in the place of the bytes of `span`.
    pub fn spliced(&self) -> Vec<u8> {
        let before = if self.is_new { ",\"stream_options\":" } else { "" };
        format!("{before}{}", self.options).into_bytes()
    }
}

/// A place in a body where the model's name stands, or belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAt {
    /// The bytes that are replaced: a whole JSON value, quotes included, or a form field's value.
    pub span: Range<usize>,
    /// How it is written there.
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
        /// Other members follow.
        followed: bool,
    },
}

/// What a call needs of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// It brings tools.
    pub tools: bool,
    /// It wants an answer that follows a JSON schema.
    pub structured: bool,
    /// It brings images.
    pub images: bool,
    /// What it takes of a context window, estimated: four bytes to a token, without the escapes of JSON.
    pub tokens: u64,
    /// What it makes or hears that is not words.
    pub pieces: Pieces,
}
