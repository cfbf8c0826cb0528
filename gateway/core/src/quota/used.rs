//! What an answer used, if its provider did not report all of it: a client that leaves a stream before its last event
//! has still used tokens.

use super::Spend;
use crate::observation::Observation;
use crate::price::{self, Price};
use crate::usage::Usage;

/// How many bytes of text count as a token, as in [`super::estimate`].
const BYTES_PER_TOKEN: u64 = 4;

/// What was seen of an answer by its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnswerSummary {
    /// The usage that the provider reported.
    pub usage: Usage,
    /// The bytes of content that passed.
    pub content_bytes: u64,
    /// Whether it reached its own end, so that what was reported is final.
    pub is_whole: bool,
}

/// What is known about a call besides its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The estimated tokens of the prompt.
    pub tokens: u64,
    /// Whether its answer is paid by the token.
    pub in_words: bool,
    /// Whether it is paid by images, seconds or the like, about which an answer may say nothing.
    pub in_pieces: bool,
}

impl From<&Observation> for AnswerSummary {
    fn from(observation: &Observation) -> Self {
        let Observation { usage, content_bytes, unfinished, .. } = *observation;
        AnswerSummary { usage, content_bytes, is_whole: !unfinished }
    }
}

impl AnswerSummary {
    /// What is charged for it at this price. What was not reported is estimated: the prompt by its size, the answer by
    /// what passed of it.
    pub fn spend(&self, prompt: Prompt, price: Option<&Price>) -> Spend {
        let usage = self.completed(prompt);
        let tokens = usage.input_tokens.zip(usage.output_tokens).map(|(input, output)| input.saturating_add(output));
        let cost_nano = price.and_then(|price| price::cost(price, &usage));
        // If no tokens were reported, the estimate stays charged, since the call was not free.
        let is_unsaid = prompt.in_pieces && self.usage.is_unknown();
        let is_known = price.is_none_or(|price| price.call > 0 || price.is_free());
        let cost_nano = cost_nano.filter(|_| !is_unsaid || is_known);
        Spend {
            tokens,
            cached_tokens: self.usage.cache_read_tokens.unwrap_or(0),
            cost_nano: cost_nano.and_then(|nano| u64::try_from(nano).ok()),
            is_estimate: self.is_estimated(prompt),
        }
    }

    /// Whether part of the charge is estimated.
    pub fn is_estimated(&self, prompt: Prompt) -> bool {
        self.usage.input_tokens.is_none() || (prompt.in_words && self.reported_output().is_none())
    }

    fn completed(&self, prompt: Prompt) -> Usage {
        let seen = if prompt.in_words { self.seen_tokens() } else { 0 };
        let output_tokens = self.reported_output().unwrap_or_else(|| self.usage.output_tokens.unwrap_or(0).max(seen));
        let input_tokens = self.usage.input_tokens.unwrap_or(prompt.tokens);
        Usage { input_tokens: Some(input_tokens), output_tokens: Some(output_tokens), ..self.usage }
    }

    /// The reported output, if it can be all of it. Gemini reports what there was so far with each event, and Anthropic
    /// a small number with the first.
    fn reported_output(&self) -> Option<u64> {
        self.usage.output_tokens.filter(|reported| self.is_whole || *reported >= self.seen_tokens())
    }

    fn seen_tokens(&self) -> u64 {
        self.content_bytes.div_ceil(BYTES_PER_TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: Prompt = Prompt { tokens: 30, in_words: true, in_pieces: false };
    const PRICE: Price =
        Price { input: 1_000_000, cache_read: 1_000_000, cache_write: 1_000_000, output: 10_000_000, call: 0 };

    fn usage(input_tokens: Option<u64>, output_tokens: Option<u64>) -> Usage {
        Usage { input_tokens, output_tokens, ..Usage::default() }
    }

    fn spend(usage: Usage, content_bytes: u64, is_whole: bool) -> (Option<u64>, Option<u64>, bool) {
        let Spend { tokens, cost_nano, is_estimate, .. } =
            AnswerSummary { usage, content_bytes, is_whole }.spend(PROMPT, Some(&PRICE));
        (tokens, cost_nano, is_estimate)
    }

    #[test]
    fn what_was_said_to_the_end_is_charged_as_it_was_said() {
        assert_eq!(spend(usage(Some(11), Some(7)), 4_000, true), (Some(18), Some(81), false));
        assert_eq!(spend(usage(Some(11), Some(1_000)), 4_000, false), (Some(1_011), Some(10_011), false));
    }

    #[test]
    fn a_stream_that_was_left_is_charged_by_what_passed_of_it() {
        assert_eq!(spend(usage(None, None), 4_000, false), (Some(1_030), Some(10_030), true));
        assert_eq!(spend(usage(Some(11), Some(1)), 4_000, false), (Some(1_011), Some(10_011), true));
        assert_eq!(spend(usage(None, None), 0, false), (Some(30), Some(30), true));
    }

    #[test]
    fn an_answer_whose_provider_never_tells_usage_is_charged_by_its_size() {
        assert_eq!(spend(usage(None, None), 4_000, true), (Some(1_030), Some(10_030), true));
        assert_eq!(spend(usage(Some(11), None), 4_000, true), (Some(1_011), Some(10_011), true));
    }

    #[test]
    fn vectors_and_images_are_not_paid_by_their_size() {
        let prompt = Prompt { in_words: false, ..PROMPT };
        let vectors = AnswerSummary { usage: usage(Some(11), None), content_bytes: 4_000, is_whole: true };
        assert_eq!(vectors.spend(prompt, Some(&PRICE)), Spend { cost_nano: Some(11), ..Spend::tokens(11) });
        let unsaid = AnswerSummary { usage: usage(None, None), ..vectors };
        assert_eq!(unsaid.spend(prompt, None), Spend { is_estimate: true, ..Spend::tokens(30) });
    }

    #[test]
    fn images_without_usage_cost_what_was_guessed_or_what_is_published() {
        let prompt = Prompt { in_words: false, in_pieces: true, ..PROMPT };
        let cost = |usage: Usage, price: Price| {
            AnswerSummary { usage, content_bytes: 4_000, is_whole: true }.spend(prompt, Some(&price)).cost_nano
        };
        let published = Price { call: 40_000_000, ..Price::default() };
        assert_eq!(cost(usage(None, None), PRICE), None, "the guess stays");
        assert_eq!(cost(usage(Some(10), Some(1_000)), PRICE), Some(10_010));
        assert_eq!(cost(usage(None, None), published), Some(40_000_000));
        assert_eq!(cost(usage(None, None), Price::default()), Some(0), "free is free");
    }
}
