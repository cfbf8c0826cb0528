//! The neutral form: what the four dialects have in common, in a form of its own. Every reader fills it and every
//! writer reads it, so that four readers and four writers make sixteen pairs.
//!
//! It holds what changes the meaning of an answer. What only one dialect has is dropped by its reader with a warning,
//! or refused if dropping it would change the request.

mod answer;
pub(crate) mod cache;
mod error;
pub(crate) mod events;
pub(crate) mod gathered;
pub(crate) mod halves;
pub(crate) mod json;
pub(crate) mod lenient;
pub(crate) mod media;
pub(crate) mod members;
pub(crate) mod orphans;
#[cfg(test)]
mod samples;
pub(crate) mod schema;
pub(crate) mod sealed;
pub(crate) mod sequence;
pub(crate) mod turns;

pub use crate::profile::Effort;
use crate::profile::Profile;
pub use answer::{Answer, Choice, Event, Finish, PartKind};
pub use error::{ApiError, OwnError};
pub use schema::RenamedKeys;

use serde_json::{Map, Number, Value};

use crate::dialect::Dialect;

/// A request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The provider's own name for the model.
    pub model: String,
    /// The profile of the model.
    pub profile: Profile,
    /// Whether the answer is wanted as a stream.
    pub streamed: bool,
    /// The instructions before the conversation: OpenAI's leading system and developer messages, `instructions`,
    /// Anthropic's `system`, Gemini's `systemInstruction`.
    pub system: Vec<Part>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether the model must call a tool.
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools at once; absent for the dialect's default, which is yes everywhere.
    pub parallel_tools: Option<bool>,
    /// The form of the answer's text.
    pub format: Option<Format>,
    /// Whether and how hard to reason.
    pub reasoning: Option<Reasoning>,
    /// Whether reasoning is left out of the answer; see [`AnswerContext`].
    pub hides_reasoning: bool,
    /// Sampling parameters, as the numbers were written.
    pub sampling: Sampling,
    /// The most tokens to generate.
    pub tokens_max: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How many answers are wanted; absent for one.
    pub choices: Option<u64>,
    /// The end user, as named by the client.
    pub user: Option<String>,
    /// OpenAI's `verbosity`: how long the text of the answer should be.
    pub verbosity: Option<String>,
    /// Whether the answer may contain pictures.
    pub pictures: bool,
    /// OpenAI's `prompt_cache_key`, for requests that begin alike.
    pub cache_key: Option<String>,
    /// OpenAI's `service_tier`: the speed and its price.
    pub service_tier: Option<String>,
    /// OpenAI chat: whether the tools came as `functions`.
    pub legacy_functions: bool,
    /// Tools that the caller has under another name or in another form than in `tools`.
    pub aliases: Vec<Alias>,
}

impl Request {
    /// Tells the model in the prompt that JSON is asked for, unless the prompt does so. OpenAI refuses to answer in
    /// JSON otherwise, which other dialects do not. Only the beginning is searched, so that what is added stays the
    /// same at every later turn.
    pub(crate) fn speak_of_json(&mut self) {
        let first = self.messages.first().into_iter().flat_map(|message| &message.parts);
        let speaks = |part: &Part| matches!(part, Part::Text(text) if text.to_ascii_lowercase().contains("json"));
        if self.format == Some(Format::JsonObject) && !self.system.iter().chain(first).any(speaks) {
            self.system.push(Format::JsonObject.into_instruction());
        }
    }
}

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An instruction in the middle of a conversation.
    System,
    /// The user, or the results of tools.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The author.
    pub role: Role,
    /// The parts of its content, in order.
    pub parts: Vec<Part>,
}

/// A part of a message or of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture.
    Image {
        /// The picture.
        media: Media,
        /// OpenAI's `detail`: how closely to look at it.
        detail: Option<String>,
    },
    /// A document such as a PDF.
    File {
        /// The document.
        media: Media,
        /// Its name.
        name: Option<String>,
    },
    /// A recording.
    Audio(Media),
    /// A call of a tool.
    ToolCall(ToolCall),
    /// What a tool returned.
    ToolResult(ToolResult),
    /// What the model reasoned before it answered.
    Reasoning(ReasoningPart),
    /// The model's refusal to answer.
    Refusal(String),
    /// A mark: what precedes it should be cached for the next request. It only occurs in requests to providers that
    /// read it.
    CacheMark(CacheFor),
}

/// How long what precedes a mark is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheFor {
    /// Five minutes, which is the default.
    FiveMinutes,
    /// An hour, at twice the price of reading it anew.
    OneHour,
}

/// The bytes of a picture, document or recording, or their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// The bytes.
    Base64 {
        /// Such as `image/png`.
        media_type: String,
        /// The bytes in base64.
        data: String,
    },
    /// An address that the provider fetches itself.
    Url {
        /// The address.
        url: String,
        /// The media type, if it is known.
        media_type: Option<String>,
    },
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolCall {
    /// The id that its result refers to. A reader of requests makes one from the call's place if there is none; in
    /// answers it may stay empty, and [`translate`](crate::translate) fills it from the id of the request.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them.
    pub arguments: String,
    /// A provider's seal on the reasoning that led to the call (Gemini's `thoughtSignature`).
    pub signature: Option<Seal>,
}

/// Something that only the provider that made it can read: the seal on reasoning, or reasoning that is shown to nobody.
/// Clients send seals back with the next request. In the body of another dialect a seal has a prefix that says whose it
/// is, so that it comes back to its provider and never reaches one that would refuse it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The dialect of the provider that made it.
    pub by: Dialect,
    /// The text that the provider wrote.
    pub text: String,
}

/// The prefix of every seal in the body of another dialect.
pub(crate) const SEAL_PREFIX: &str = "llmio:";

/// The prefix in base64, for Gemini's clients, which expect seals in base64.
pub(crate) const SEAL_PREFIX_BASE64: &str = "bGxtaW86";

/// The mark of reasoning without a seal in the dialects of Anthropic and Responses, which require one.
pub(crate) const UNSIGNED: &str = "llmio:unsigned";

impl Seal {
    /// A seal in a body of the dialect `own`. Empty ones and [`UNSIGNED`] are none.
    pub(crate) fn read(own: Dialect, text: impl Into<String>) -> Option<Seal> {
        let mut text = text.into();
        for by in Dialect::ALL {
            let prefix = Seal::prefix(by);
            if text.starts_with(&prefix) {
                return Some(Seal { by, text: text.split_off(prefix.len()) });
            }
        }
        (!text.is_empty() && !text.starts_with(SEAL_PREFIX)).then_some(Seal { by: own, text })
    }

    /// The seal in a request to a provider of the dialect `own`; absent if another provider made it.
    pub(crate) fn for_provider(self, own: Dialect) -> Option<String> {
        (self.by == own).then_some(self.text)
    }

    /// The seal in an answer to a client of the dialect `own`.
    pub(crate) fn for_client(self, own: Dialect) -> String {
        if self.by == own { self.text } else { Seal::prefix(self.by) + &self.text }
    }

    fn prefix(by: Dialect) -> String {
        format!("{SEAL_PREFIX}{}:", by.name())
    }
}

/// What a tool returned.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// The id of the call that it answers.
    pub id: String,
    /// The tool's name, if the dialect has it or the call is in the conversation.
    pub name: Option<String>,
    /// Text, images and files.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// What the model reasoned before it answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReasoningPart {
    /// The text of the reasoning, or a summary of it.
    pub text: String,
    /// A provider's seal on it: Anthropic's `signature`, Gemini's `thoughtSignature`. Only that provider can read it.
    pub signature: Option<Seal>,
    /// The reasoning in a form that only its provider can read: Anthropic's `redacted_thinking`, OpenAI's
    /// `encrypted_content`.
    pub sealed: Option<Seal>,
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub parameters: Option<Value>,
    /// Whether arguments must follow the schema exactly.
    pub strict: Option<bool>,
    /// Whether the tools up to this one should be cached for the next request, and how long; see [`Part::CacheMark`].
    pub cache: Option<CacheFor>,
}

/// A tool whose name the provider would refuse, or, in OpenAI Responses, whose form no other dialect has. Its calls are
/// translated back for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alias {
    /// The name that the provider gets.
    pub shown: String,
    /// The caller's own name.
    pub name: String,
    /// The namespace that the tool belongs to.
    pub namespace: Option<String>,
    /// Whether its input is plain text and not JSON.
    pub freeform: bool,
}

/// Whether the model must call a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// No tool.
    None,
    /// At least one tool.
    Any,
    /// This tool.
    Tool(String),
}

/// The form of an answer's text.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Any JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema {
        /// Its name.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether it must be followed exactly.
        strict: Option<bool>,
    },
}

impl Format {
    /// The format as an instruction in words, for providers that have no other way to say it.
    pub(crate) fn into_instruction(self) -> Part {
        Part::Text(match self {
            Format::JsonObject => "Answer with one JSON object and nothing else.".to_owned(),
            Format::JsonSchema { schema, .. } => {
                format!(
                    "Answer with JSON that follows this JSON Schema and nothing else, without a code block:\n{schema}"
                )
            }
        })
    }
}

/// Whether and how hard to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasoning {
    /// The effort.
    pub effort: Option<Effort>,
    /// The most tokens to spend on reasoning.
    pub tokens_max: Option<u64>,
    /// Whether the answer should contain it, or a summary of it; absent if the request does not say.
    pub shown: Option<bool>,
}

impl Reasoning {
    /// The effort, also if the request gives a number of tokens. `None` if the model may choose.
    pub(crate) fn explicit_effort(self) -> Option<Effort> {
        let by_tokens = |tokens| match tokens {
            0..=2048 => Effort::Low,
            2049..=8192 => Effort::Medium,
            _ => Effort::High,
        };
        self.effort.or_else(|| self.tokens_max.map(by_tokens))
    }

    /// The budget in tokens, also if the request gives an effort. The numbers are llmio's own, since no dialect says
    /// what its efforts cost.
    pub(crate) fn budget(self) -> u64 {
        self.tokens_max.unwrap_or(match self.effort {
            Some(Effort::None) => 0,
            Some(Effort::Minimal) => 1024,
            Some(Effort::Low) => 2048,
            None | Some(Effort::Medium) => 8192,
            Some(Effort::High) => 16_384,
            Some(Effort::ExtraHigh | Effort::Max) => 24_576,
        })
    }
}

/// Sampling parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    /// `temperature`
    pub temperature: Option<Number>,
    /// `top_p`
    pub top_p: Option<Number>,
    /// `top_k`
    pub top_k: Option<Number>,
    /// `presence_penalty`
    pub presence_penalty: Option<Number>,
    /// `frequency_penalty`
    pub frequency_penalty: Option<Number>,
    /// `seed`
    pub seed: Option<Number>,
}

/// A request that a dialect cannot carry without changing its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untranslatable {
    /// The member of the caller's body that it is about.
    pub param: String,
    /// What to do about it.
    pub message: String,
}

impl Untranslatable {
    /// The error that the member `param` cannot be expressed; `message` says what to do.
    pub fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Untranslatable { param: param.into(), message: message.into() }
    }

    /// The same with the caller's name for the member: writers know the neutral form's alone, which are OpenAI chat's.
    /// `members` are those that the caller's dialect calls otherwise.
    pub(crate) fn named_by(mut self, members: &[(&str, &str)]) -> Self {
        if let Some((_, own)) = members.iter().find(|(name, _)| *name == self.param) {
            (*own).clone_into(&mut self.param);
        }
        self
    }
}

/// What writing an answer in the caller's dialect takes from the call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnswerContext {
    /// The model as the caller named it.
    pub model: String,
    /// The call's id, for answers whose provider gives them none, and the root of ids of tool calls that have none.
    pub id: String,
    /// When it was made, Unix seconds.
    pub created_s: i64,
    /// OpenAI chat: the caller asked for a usage chunk at the end of the stream.
    pub include_usage: bool,
    /// OpenAI chat: the caller named its tools `functions`, so it reads `function_call` and not `tool_calls`.
    pub legacy_functions: bool,
    /// Tools whose calls go back under another name or in another form; from
    /// [`Translated`](crate::translate::Translated), in the order of the provider's names.
    pub aliases: Vec<Alias>,
    /// Anthropic and Gemini: the caller asked for no reasoning and can do without; from
    /// [`Translated`](crate::translate::Translated).
    pub hides_reasoning: bool,
    /// Gemini: the caller asked for a JSON array instead of an event stream.
    pub as_array: bool,
    /// Ids of calls that the conversation has already, as the caller knows them; from
    /// [`Translated`](crate::translate::Translated).
    pub call_ids: Vec<String>,
    /// Properties of tools that the provider knows under other names; from
    /// [`Translated`](crate::translate::Translated), in the order of the tools' names.
    pub renamed_keys: Vec<RenamedKeys>,
}

impl AnswerContext {
    /// The aliases of the tool that the provider knows as `shown`. An answer may have thousands of calls, and a request as
    /// many tools.
    pub(crate) fn aliases_of(&self, shown: &str) -> &[Alias] {
        let begins = self.aliases.partition_point(|alias| alias.shown.as_str() < shown);
        let ends = self.aliases.partition_point(|alias| alias.shown.as_str() <= shown);
        self.aliases.get(begins..ends).unwrap_or_default()
    }
}

/// Refuses a request for its member `param`.
pub(crate) fn refuse<T>(param: impl Into<String>, message: &str) -> Result<T, Untranslatable> {
    Err(Untranslatable::new(param, message))
}

/// A request has this many warnings at most: names of members come from the caller.
const WARNINGS_MAX: usize = 32;

/// What was left out of a request or changed in it, for the record: words such as `dropped: logit_bias`, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Warnings(Vec<String>);

impl Warnings {
    /// Notes that the member `name` was left out.
    pub fn dropped(&mut self, name: &str) {
        self.push(format!("dropped: {name}"));
    }

    /// Notes that something was carried in another way than it was written, such as `temperature to 1`.
    pub fn changed(&mut self, what: &str) {
        self.push(format!("changed: {what}"));
    }

    fn push(&mut self, warning: String) {
        let warning: String = warning.chars().filter(|character| !character.is_control()).take(100).collect();
        if self.0.len() < WARNINGS_MAX && !self.0.contains(&warning) {
            self.0.push(warning);
        }
    }

    /// What was noted, in order.
    pub fn into_list(self) -> Vec<String> {
        self.0
    }
}

/// A JSON object, as readers and writers pass it on.
pub type Object = Map<String, Value>;
