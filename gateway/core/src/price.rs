//! What a call costs: prices, and usage times price.
//!
//! Whole numbers of nano-dollars, not floats: costs are summed, compared with budgets and shown for years, and a sum
//! of floats depends on its order. A price is per million tokens, which is how providers publish it, and not per
//! token, where 0.0375 USD per million would already be 37.5 nano-dollars: only the finished sum is divided.
//!
//! Where a provider charges more in some hours, the price is that of the time when the attempt began ([`Hours`]).
//!
//! The operator's own file or address of prices ([`PriceFile`]) comes before the bundled table.
//!
//! Known limits: one price for the whole call, so no tiers by length of the prompt, no batch or priority rates, no
//! hour-long cache writes, no fees for searches; audio and images that are reported as tokens count as those of text.

mod file;
mod hours;
mod list;
mod pieces;
mod renewal;
mod state;
mod table;

use std::fmt;
use std::sync::Arc;

use crate::usage::Usage;

pub use file::{BYTES_MAX as FILE_BYTES_MAX, PriceFile};
pub use hours::{DAYS, Hours};
pub use list::{Amounts, Listed, PriceList, Row, Rows};
pub use pieces::{Pieces, Quality};
pub use renewal::Waiting;
pub use state::{Changed, PriceState};

/// Prices of a million tokens, in nano-dollars (10⁻⁹ USD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Tokens of the prompt that were neither read from nor written to a cache.
    pub input: u64,
    /// Tokens of the prompt read from a cache.
    pub cache_read: u64,
    /// Tokens of the prompt written to a cache.
    pub cache_write: u64,
    /// Tokens generated, reasoning included.
    pub output: u64,
    /// The call as a whole, in nano-dollars: what its [`Pieces`] cost.
    pub call: u64,
}

impl Price {
    /// Whether it is zero.
    pub fn is_free(&self) -> bool {
        *self == Price::default()
    }

    /// Every part, multiplied.
    fn times(self, times: u64) -> Price {
        let Price { input, cache_read, cache_write, output, call } = self;
        let [input, cache_read, cache_write, output] =
            [input, cache_read, cache_write, output].map(|part| part.saturating_mul(times));
        Price { input, cache_read, cache_write, output, call }
    }
}

/// A price and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The price.
    pub price: Price,
    /// Where it stands.
    pub source: PriceSource,
}

/// Where a price stands, as records name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceSource {
    /// `catalog`.
    Catalog,
    /// The name of the bundled table, which holds its date.
    Bundled,
    /// `prices` and the version of the operator's file.
    File(Arc<str>),
}

impl fmt::Display for PriceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PriceSource::Catalog => f.write_str("catalog"),
            PriceSource::Bundled => f.write_str(table::NAME),
            PriceSource::File(version) => write!(f, "prices {version}"),
        }
    }
}

/// The price of a model in this list of the bundled table ([`price_list`](crate::providers::price_list)) at this time, in
/// Unix milliseconds. `None`: unknown, which does not mean free.
pub fn bundled(price_list: &str, upstream_model: &str, at_ms: i64) -> Option<Priced> {
    let price = table::find(price_list, upstream_model)?;
    let price = hours::published(price_list, upstream_model, price, at_ms);
    Some(Priced { price, source: PriceSource::Bundled })
}

/// The price of the pieces of a call there, if the table knows it.
pub fn of_pieces(authority: Option<&str>, provider: &str, upstream_model: &str, pieces: Pieces) -> Option<Priced> {
    let call = pieces::cost(authority, provider, upstream_model, pieces)?;
    Some(Priced { price: Price { call, ..Price::default() }, source: PriceSource::Bundled })
}

/// The highest price of a million tokens, in USD. A larger one is a mistake, such as the price of a single token.
pub const USD_MAX: f64 = 1_000_000.0;

const NANO_PER_USD: f64 = 1e9;

/// A price in USD as nano-dollars; `None`: it is negative, no number or above [`USD_MAX`]. The float is not kept: to the
/// nearest nano-dollar all published prices are exact.
pub fn nano(usd: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10^15")]
    (0.0..=USD_MAX).contains(&usd).then(|| (usd * NANO_PER_USD).round() as u64)
}

const TOKENS_PER_PRICE: u128 = 1_000_000;

/// A call that seems to cost more than a million dollars counts as a million: a mistake somewhere must trip a budget,
/// but not overflow the sum over thousands of records, which SQLite answers with an error.
pub const COST_NANO_MAX: i64 = 1_000_000_000_000_000;

/// The cost of a call in nano-dollars, rounded. `None`: unknown, since a count that the price needs is missing. Parts
/// that are free need no count, so the cost of an embedding is known without output tokens.
///
/// [`Usage::input_tokens`] includes cached tokens, which are paid at their own price instead. If a provider reports no
/// cached tokens, none were used. If it counts them apart by mistake, both are paid; the cost is never negative.
pub fn cost(price: &Price, usage: &Usage) -> Option<i64> {
    let cache_read_tokens = usage.cache_read_tokens.unwrap_or(0);
    let cache_write_tokens = usage.cache_write_tokens.unwrap_or(0);
    let input_tokens =
        usage.input_tokens.map(|all| all.saturating_sub(cache_read_tokens).saturating_sub(cache_write_tokens));
    let parts = [
        part(price.input, input_tokens)?,
        part(price.cache_read, Some(cache_read_tokens))?,
        part(price.cache_write, Some(cache_write_tokens))?,
        part(price.output, usage.output_tokens)?,
        whole(price),
    ];
    Some(total(parts))
}

/// The cost of a call without any cache, in nano-dollars: for comparing targets before anything is sent.
pub fn estimate(price: &Price, input_tokens: u64, output_tokens: u64) -> i64 {
    let (input, output) = (u128::from(price.input), u128::from(price.output));
    total([u128::from(input_tokens) * input, u128::from(output_tokens) * output, whole(price)])
}

fn whole(price: &Price) -> u128 {
    u128::from(price.call) * TOKENS_PER_PRICE
}

fn part(price: u64, tokens: Option<u64>) -> Option<u128> {
    if price == 0 {
        return Some(0);
    }
    Some(u128::from(tokens?) * u128::from(price))
}

fn total(parts: impl IntoIterator<Item = u128>) -> i64 {
    let sum = parts.into_iter().fold(0_u128, u128::saturating_add);
    let rounded = sum.saturating_add(TOKENS_PER_PRICE / 2) / TOKENS_PER_PRICE;
    i64::try_from(rounded).unwrap_or(COST_NANO_MAX).min(COST_NANO_MAX)
}

#[cfg(test)]
mod tests;
