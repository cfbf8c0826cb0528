//! What a model accepts and refuses. Models that share a dialect answer 400 to different things, and only their names
//! tell which.
//!
//! A name is parsed in one place ([`ModelName`]), and its facts are in one table (`rows`), each with the page it was
//! read on. The provider is not asked, because few have such an endpoint, none of these tells what is needed here, and
//! a request cannot wait for it. A model that the table does not know counts as most models of its dialect.

mod effort;
mod known;
mod name;
mod rows;

pub use effort::Effort;
pub use known::NAMES;
pub use name::{Family, ModelName, Place, Version};

use crate::dialect::Dialect;

/// What a model accepts in one dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The efforts of reasoning that it accepts, from least to most; empty if it accepts none.
    pub efforts: &'static [Effort],
    /// OpenAI chat: whether it accepts an effort together with tools.
    pub effort_beside_tools: bool,
    /// Whether it reasons unless it is told not to.
    pub reasons: bool,
    /// Anthropic and Gemini: how reasoning is requested.
    pub reasoning_mode: ReasoningMode,
    /// Anthropic: how reasoning is switched off.
    pub reasoning_off: ReasoningOff,
    /// OpenAI chat: whether `thinking: {"type": "disabled"}` switches reasoning off.
    pub thinking_switch: bool,
    /// When it accepts `temperature`, `top_p` and the like.
    pub sampling: Sampling,
    /// Whether it accepts `presence_penalty` and `frequency_penalty`.
    pub penalties: bool,
    /// Whether it accepts sequences that end the answer.
    pub stop: bool,
    /// OpenAI chat: whether it wants `max_tokens` and not `max_completion_tokens`.
    pub max_tokens: bool,
    /// OpenAI chat: whether it accepts system messages inside the conversation.
    pub system_inside: bool,
    /// OpenAI Responses: whether `instructions` precede the conversation, as a system prompt must.
    pub instructions: bool,
    /// Whether it can be made to call a tool.
    pub forced_tools: bool,
    /// Whether it accepts members that only OpenAI has, such as `service_tier` and the detail of an image.
    pub openais_members: bool,
    /// Whether it continues a last message of the assistant.
    pub prefill: bool,
    /// Anthropic: whether it accepts a schema for its answer.
    pub format: bool,
    /// Gemini: whether it accepts JSON as the form of its answer together with tools.
    pub format_beside_tools: bool,
    /// Whether it reads its own reasoning again if no provider sealed it.
    pub reads_reasoning: bool,
    /// Whether it refuses a turn that called tools without the reasoning for the calls.
    pub needs_reasoning: bool,
    /// Who can read the reasoning that it seals.
    pub seals: Seals,
    /// Whether it refuses sealed reasoning if anything before that has changed.
    pub bound_to_prefix: bool,
    /// OpenAI chat: the dialect of the provider whose seals on reasoning its relay hands back.
    pub relayed_seals: Option<Dialect>,
    /// Whether it requires seals on calls, Gemini's `thoughtSignature`.
    pub call_seals: bool,
    /// The ids of calls that it accepts.
    pub call_ids: CallIds,
    /// What it does with marks for caching.
    pub cache_marks: CacheMarks,
}

/// How reasoning is requested if the dialect has more than an effort for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningMode {
    /// It never reasons, and refuses such a request.
    Never,
    /// By a number of tokens.
    Budget {
        /// The smallest number; 0 if that switches reasoning off.
        least: u64,
        /// The largest number.
        most: u64,
    },
    /// By one of [`Profile::efforts`].
    Effort,
}

/// How reasoning is switched off if the dialect has more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningOff {
    /// `{"type": "disabled"}`
    Disabled,
    /// `{"type": "between_tools"}`: it reasons only as much as it must between calls of tools.
    BetweenTools,
    /// It always reasons; the least of [`Profile::efforts`] comes closest.
    Never,
}

/// When a model accepts sampling parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Always.
    Taken,
    /// If it is told not to reason.
    WithoutReasoning,
    /// Never.
    Refused,
}

/// Who can read reasoning that a model has sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seals {
    /// Any model of its maker, or the model seals nothing.
    OfMaker,
    /// Only this model, and some that its maker names.
    OfModel,
    /// Only this model, for the account that asked.
    OfModelAndAccount,
    /// Any model of its maker, for the account that asked.
    OfAccount,
}

/// Which ids of calls a provider accepts from other providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallIds {
    /// Those that its dialect allows.
    OfDialect,
    /// Any.
    Any,
    /// Nine letters and digits.
    NineLetters,
}

/// What a model does with marks for caching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMarks {
    /// It does not read them.
    No,
    /// It reads those of the caller.
    Read,
    /// It only caches with marks.
    Needed,
}

/// Stands for reasoning that a client did not send back, if a model requires some. DeepSeek and Kimi refuse an empty
/// one: <https://github.com/NousResearch/hermes-agent/pull/18263>.
pub const NO_REASONING: &str = " ";

/// Where a fact was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// When it was last looked at, as a date.
    pub as_of: &'static str,
    /// The page.
    pub url: &'static str,
}

/// The profile of an unknown model.
impl Default for Profile {
    fn default() -> Self {
        rows::COMMON
    }
}

impl Profile {
    /// The profile of the model of this name in this dialect.
    pub fn of(model: &str, spoken: Dialect) -> Profile {
        let lower = model.to_ascii_lowercase();
        let name = ModelName::read(&lower);
        let mut profile = rows::COMMON;
        for row in rows::all().filter(|row| row.is_of(&name, spoken)) {
            for (fact, _) in row.facts {
                fact.apply(&mut profile);
            }
        }
        profile
    }

    /// The accepted effort that is nearest to `effort`; the next higher one if it is between two.
    pub fn effort_from(&self, effort: Effort) -> Option<Effort> {
        self.efforts.iter().find(|known| **known >= effort).or(self.efforts.last()).copied()
    }

    /// The same with the next lower one, for when a higher effort would cost too much.
    pub fn effort_up_to(&self, effort: Effort) -> Option<Effort> {
        self.efforts.iter().rfind(|known| **known <= effort).or(self.efforts.first()).copied()
    }
}

#[cfg(test)]
mod tests;
