//! Step 7: what is kept of a call: one [`Record`] for every call that was accepted, with its true end state.

mod draft;
mod filter;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::candidate::{Candidates, Skipped};
use crate::catalog::Affinity;
use crate::price::{self, Priced};
use crate::state::State;
use crate::usage::Usage;

pub use draft::{AttemptEnd, Draft, EndedCall, HeadDue, Opening, OriginResult, end_of_answer};
pub use filter::{Filter, PAGE_MAX};

/// One try at one target, as it is kept.
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
    /// The dialect the call was translated into, where the provider does not speak the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translated_to: Option<Cow<'static, str>>,
    /// The egress proxy's host and port or the egress relay's address, where it went through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
    /// The status it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Who the outcome speaks of.
    pub class: Cow<'static, str>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it began, since the call was accepted.
    pub start_ms: u64,
    /// When its outcome was known, since the call was accepted.
    pub end_ms: u64,
}

/// Why the call went where it went.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// The candidates in the order drawn, as `provider/upstream-model`.
    pub candidates: Vec<String>,
    /// Targets that were not considered, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// The number the order was drawn from, as text: it has 64 bits and JSON readers keep 53.
    pub draw: String,
    /// What moved the first candidate to the front.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Cow<'static, str>>,
    /// How long it waited for a slot, in milliseconds, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
}

impl DecisionRecord {
    /// What is kept of the candidates of a call.
    pub fn of(candidates: &Candidates) -> Self {
        DecisionRecord {
            candidates: candidates.list.iter().map(|candidate| candidate.parts().name()).collect(),
            skipped: candidates.skipped.clone(),
            draw: candidates.draw.to_string(),
            affinity: candidates.affinity.map(Affinity::name).map(Cow::Borrowed),
            waited_ms: None,
        }
    }
}

/// What is kept of a call. Times are milliseconds since the call was accepted, unless they are absolute.
#[derive(Debug)]
pub struct Record {
    /// UUID v7; sorts by time.
    pub id: String,
    /// When the call was accepted, Unix milliseconds.
    pub at_ms: i64,
    /// The caller's name.
    pub key: String,
    /// The model asked for, as the client wrote it.
    pub model: String,
    /// The dialect's name.
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
    /// How it ended.
    pub state: State,
    /// The status the client saw.
    pub status: u16,
    /// Why it did not end well.
    pub error: Option<String>,
    /// Why it went where it went.
    pub decision: DecisionRecord,
    /// Every try.
    pub attempts: Vec<AttemptRecord>,
    /// When the response head came.
    pub first_byte_ms: Option<u64>,
    /// When the first text, reasoning or tool call came.
    pub first_content_ms: Option<u64>,
    /// When it ended.
    pub duration_ms: Option<u64>,
    /// Bytes of the client's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body that were handed over.
    pub bytes_out: u64,
    /// What the provider says it used; absent numbers are unknown, not zero.
    pub usage: Usage,
    /// The price of the target of the last attempt, and who says so.
    pub priced: Option<Priced>,
    /// What the reader should know.
    pub warnings: Vec<String>,
    /// When its total time is over, Unix milliseconds: a call that has not ended by then never will.
    pub until_ms: i64,
}

/// Texts that come from clients are kept up to this many characters.
const CHARACTERS_MAX: usize = 256;

/// Errors, which name every attempt, up to this many.
const ERROR_CHARACTERS_MAX: usize = 2048;

/// A client's text as it is kept: capped, control characters replaced.
pub fn kept_text(text: &str) -> String {
    kept(text, CHARACTERS_MAX)
}

/// An error's text as it is kept.
pub fn kept_error(text: &str) -> String {
    kept(text, ERROR_CHARACTERS_MAX)
}

fn kept(text: &str, characters_max: usize) -> String {
    text.chars().take(characters_max).map(|each| if each.is_control() { '\u{fffd}' } else { each }).collect()
}

impl Record {
    /// What the call cost, in nano-dollars; `None`: price or usage are not known.
    pub fn cost_nano(&self) -> Option<i64> {
        price::cost(&self.priced?.price, &self.usage)
    }

    /// Tokens per second of the generation: from the first content to the end of a stream, over the whole call of an
    /// answer that came in one piece.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let from_ms = if self.streamed { self.first_content_ms? } else { 0 };
        let span_ms = self.duration_ms?.checked_sub(from_ms).filter(|span_ms| *span_ms > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "token counts and milliseconds are far below 2^53")]
        Some(self.usage.output_tokens? as f64 * 1000.0 / span_ms as f64)
    }
}

#[cfg(test)]
mod tests;
