//! Money in the ledger: whole nano-dollars, estimated before a call from its price.

use crate::price::{self, Price};

use super::ANSWER_TOKENS;

const NANO_PER_USD: u64 = 1_000_000_000;

/// The estimated cost of a call whose prompt has this many tokens, in nano-dollars. It expects nothing from a cache,
/// and an answer as long as [`super::estimate`] expects.
pub fn estimate_cost(price: &Price, prompt_tokens: u64, tokens_max: Option<u64>) -> u64 {
    let answer_tokens = tokens_max.map_or(ANSWER_TOKENS, |max| max.min(ANSWER_TOKENS));
    u64::try_from(price::estimate(price, prompt_tokens, answer_tokens)).unwrap_or(0)
}

/// Nano-dollars as dollars, to a millionth: `0.000138`, `5`, `12.5`.
pub fn human(nano: u64) -> String {
    let micro = nano.saturating_add(500) / 1000;
    let (whole, part) = (micro / (NANO_PER_USD / 1000), micro % (NANO_PER_USD / 1000));
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The words after the amount of a limit of this name.
pub(super) fn period(limit_name: &str) -> String {
    limit_name.strip_prefix("budget-").map_or_else(String::new, |period| format!("/{period}"))
}
