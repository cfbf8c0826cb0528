//! Step 7: what is stored of a call: one [`Record`] for every call that was accepted, with its true end state.

mod draft;
mod filter;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::candidate::{Candidates, Skipped};
use crate::catalog::{Affinity, Strategy};
use crate::clock::Now;
use crate::price::{self, Priced};
use crate::state::State;
use crate::usage::Usage;

pub use draft::{AttemptEnd, Draft, EndedCall, HeadDue, Opening, OriginResult, end_of_answer};
pub use filter::{FAILED_OVER, Filter, MISTAKEN, NOT_SERVED, NotFilter, PAGE_MAX, SLOW};

/// One attempt at one target, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptRecord {
    /// The provider's name.
    pub provider: String,
    /// The provider's own name for the model; method and path of a relayed request.
    pub model: String,
    /// The credential's label; never its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The dialect that the call was translated into, if the provider does not speak the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translated_to: Option<Cow<'static, str>>,
    /// The egress that was used: the host and port of a proxy, or the address of a relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
    /// The status that it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The class of the outcome: what it speaks about.
    pub class: Cow<'static, str>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it began, in milliseconds after the call was accepted.
    pub start_ms: u64,
    /// When its outcome was known, in milliseconds after the call was accepted.
    pub end_ms: u64,
}

/// Which targets could serve the call, and why others could not.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// The candidates in their order, as `provider/upstream-model`.
    pub candidates: Vec<String>,
    /// The tier of each candidate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<u32>,
    /// The weight of each candidate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<u32>,
    /// The strategy that ordered them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Cow<'static, str>>,
    /// The version of the catalog that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<u64>,
    /// The targets that were skipped, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// The random number that the order was drawn from. It is text, since it has 64 bits and JSON readers keep 53.
    pub draw: String,
    /// What moved the first candidate to the front.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Cow<'static, str>>,
    /// How long the call waited for a slot, in milliseconds, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
}

impl DecisionRecord {
    /// The part of a call's candidates that is stored, and by which strategy of which version of the catalog they were
    /// ordered.
    pub fn of(candidates: &Candidates, strategy: Strategy, version: u64, now: Now) -> Self {
        let targets = || candidates.list.iter().map(|candidate| &candidate.target);
        DecisionRecord {
            candidates: candidates.list.iter().map(|candidate| candidate.parts().name()).collect(),
            tiers: targets().map(|target| target.tier).collect(),
            weights: targets().map(|target| target.weight).collect(),
            strategy: Some(Cow::Borrowed(strategy.name())),
            catalog: Some(version),
            skipped: candidates.skipped.iter().map(|skipped| skipped.clone().shown(now)).collect(),
            draw: candidates.draw.to_string(),
            affinity: candidates.affinity.map(Affinity::name).map(Cow::Borrowed),
            waited_ms: None,
        }
    }
}

/// What is stored of a call. Times count in milliseconds from when the call was accepted, unless they are absolute.
#[derive(Debug)]
pub struct Record {
    /// A UUID of version 7, which sorts by time.
    pub id: String,
    /// When the call was accepted, in Unix milliseconds.
    pub at_ms: i64,
    /// The caller's name.
    pub key: String,
    /// The model that was asked for, as the client wrote it.
    pub model: String,
    /// The catalog's own name for that model, if it has such a model.
    pub catalog_model: Option<Arc<str>>,
    /// The dialect's name; empty if llmio does not read the request.
    pub dialect: &'static str,
    /// The endpoint's name, such as `chat/completions`.
    pub endpoint: &'static str,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// The client's session.
    pub session: Option<String>,
    /// The client's address.
    pub client: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// How the call ended.
    pub state: State,
    /// The status the client saw.
    pub status: u16,
    /// Why it did not end well.
    pub error: Option<String>,
    /// Which targets could serve the call, and why others could not.
    pub decision: DecisionRecord,
    /// Every attempt.
    pub attempts: Vec<AttemptRecord>,
    /// The position of the attempt that the client got its answer from, if that is not the last one.
    pub served_by: Option<usize>,
    /// When the response head came.
    pub first_byte_ms: Option<u64>,
    /// When the first text, reasoning or tool call came.
    pub first_content_ms: Option<u64>,
    /// How long the call took.
    pub duration_ms: Option<u64>,
    /// Bytes of the client's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body that the client got.
    pub bytes_out: u64,
    /// The usage that the provider reported. A missing number is unknown, not zero.
    pub usage: Usage,
    /// The price of the target that answered, or was tried last, and its source.
    pub priced: Option<Priced>,
    /// Warnings for the reader.
    pub warnings: Vec<String>,
    /// When its total time is over, on the steady clock. A call that has not ended by then never will.
    pub until_ms: i64,
}

impl Record {
    /// The attempt that the client got its answer from, or else the last one.
    pub fn deciding_attempt(&self) -> Option<&AttemptRecord> {
        self.served_by.map_or_else(|| self.attempts.last(), |position| self.attempts.get(position))
    }
}

/// The most characters that are stored of a client's text.
const CHARACTERS_MAX: usize = 256;

/// The most characters that are stored of an error, which may name every attempt.
const ERROR_CHARACTERS_MAX: usize = 2048;

/// A client's text as it is stored: shortened, and with control characters replaced.
pub fn kept_text(text: &str) -> String {
    kept(text, CHARACTERS_MAX)
}

/// An error's text as it is stored.
pub fn kept_error(text: &str) -> String {
    kept(text, ERROR_CHARACTERS_MAX)
}

fn kept(text: &str, characters_max: usize) -> String {
    text.chars().take(characters_max).map(|each| if each.is_control() { '\u{fffd}' } else { each }).collect()
}

impl Record {
    /// The cost of the call in nano-dollars; `None` if the price or the usage is unknown.
    pub fn cost_nano(&self) -> Option<i64> {
        price::cost(&self.priced.as_ref()?.price, &self.usage)
    }

    /// Tokens per second: from the first content to the end of a stream, or over the whole call if the answer came in
    /// one piece.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let from_ms = if self.streamed { self.first_content_ms? } else { 0 };
        let span_ms = self.duration_ms?.checked_sub(from_ms).filter(|span_ms| *span_ms > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "token counts and milliseconds are far below 2^53")]
        Some(self.usage.output_tokens? as f64 * 1000.0 / span_ms as f64)
    }
}

#[cfg(test)]
mod tests;
