//! What a model takes and refuses. Models of one dialect differ in what they answer 400 to, and nothing but their names
//! says so.
//!
//! A name is parsed in one place ([`ModelName`]), and what follows from it is in one table (`rows`), each fact beside
//! the page it was read on. Not a capability query to the provider: few have one, none tells what is told here, and a
//! request cannot wait for it. What the table does not know is taken for what most models of the dialect are.

mod effort;
mod known;
mod name;
mod rows;

pub use effort::Effort;
pub use known::NAMES;
pub use name::{Family, ModelName, Place, Version};

use crate::dialect::Dialect;

/// What a model takes where it is spoken to in one dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// How hard it can be told to reason, from least to most; nothing where it refuses to be told in words.
    pub efforts: &'static [Effort],
    /// OpenAI chat: it can be told so beside tools.
    pub effort_beside_tools: bool,
    /// It reasons whether it is told to or not, unless it is told not to.
    pub reasons: bool,
    /// Anthropic and Gemini: how it is told to think.
    pub thinking: Thinking,
    /// Anthropic: how it is told not to.
    pub thinking_off: ThinkingOff,
    /// OpenAI chat: `thinking: {"type": "disabled"}` keeps it from thinking.
    pub thinking_switch: bool,
    /// `temperature`, `top_p` and the like.
    pub sampling: Sampling,
    /// `presence_penalty` and `frequency_penalty`.
    pub penalties: bool,
    /// Sequences that end the answer.
    pub stop: bool,
    /// OpenAI chat: `max_tokens`, not `max_completion_tokens`.
    pub max_tokens: bool,
    /// OpenAI chat: system messages inside the conversation.
    pub system_inside: bool,
    /// OpenAI Responses: `instructions` stand before the conversation, where a system prompt belongs.
    pub instructions: bool,
    /// It can be made to call a tool.
    pub forced_tools: bool,
    /// Members that only OpenAI knows, such as `service_tier` and the detail of an image.
    pub openais_members: bool,
    /// A last message of the assistant that it goes on with.
    pub prefill: bool,
    /// Anthropic: a schema for its answer.
    pub format: bool,
    /// Gemini: JSON as its answer's form beside tools.
    pub format_beside_tools: bool,
    /// It reads its own reasoning again, which no provider sealed.
    pub reads_reasoning: bool,
    /// It refuses a turn that called tools and does not say what led to them.
    pub needs_reasoning: bool,
    /// Who can read the reasoning that it seals.
    pub seals: Seals,
    /// Reasoning that it sealed is refused where anything before it has changed.
    pub bound_to_prefix: bool,
    /// OpenAI chat: whose seals on reasoning its relay hands back, by the dialect of the provider that made them.
    pub relayed_seals: Option<Dialect>,
    /// It wants seals on calls, Gemini's `thoughtSignature`.
    pub call_seals: bool,
    /// Ids of calls.
    pub call_ids: CallIds,
    /// Marks for what the provider shall keep.
    pub cache_marks: CacheMarks,
}

/// How a model is told to think, where its dialect has more than a word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It does not think and refuses to be told.
    Never,
    /// By a number of tokens.
    Budget {
        /// The smallest; 0 where thinking can be switched off so.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// By one of [`Profile::efforts`].
    Effort,
}

/// How a model is told not to think, where its dialect has more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingOff {
    /// `{"type": "disabled"}`
    Disabled,
    /// `{"type": "between_tools"}`: it thinks no more than it must between calls of tools.
    BetweenTools,
    /// It always thinks; the least of [`Profile::efforts`] comes nearest.
    Never,
}

/// When a model takes parameters of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Always.
    Taken,
    /// Where it is told not to reason.
    WithoutReasoning,
    /// Never.
    Refused,
}

/// Who can read reasoning that a model has sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seals {
    /// It seals none, or any model of its maker's can.
    OfMaker,
    /// It alone, and some models that its maker names.
    OfModel,
    /// It alone, and only for the account that asked.
    OfModelAndAccount,
    /// Any model of its maker's, and only for the account that asked.
    OfAccount,
}

/// Which ids of calls a provider takes from other providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallIds {
    /// Those of its dialect.
    OfDialect,
    /// Any.
    Any,
    /// Nine letters and digits.
    NineLetters,
}

/// What becomes of marks for what the provider shall keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMarks {
    /// It reads none.
    No,
    /// It reads the caller's.
    Read,
    /// It keeps nothing without.
    Needed,
}

/// What stands for reasoning that a client did not give back, where a model needs some. DeepSeek and Kimi refuse an empty
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

/// What is said of a model nobody knows.
impl Default for Profile {
    fn default() -> Self {
        rows::COMMON
    }
}

impl Profile {
    /// What the model of this name takes in this dialect.
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

    /// The word for how hard to reason that is nearest to `asked`, the next harder one where it is between two.
    pub fn effort_from(&self, asked: Effort) -> Option<Effort> {
        self.efforts.iter().find(|known| **known >= asked).or(self.efforts.last()).copied()
    }

    /// The same with the next lesser one, where the harder costs out of proportion.
    pub fn effort_up_to(&self, asked: Effort) -> Option<Effort> {
        self.efforts.iter().rfind(|known| **known <= asked).or(self.efforts.first()).copied()
    }
}

#[cfg(test)]
mod tests;
