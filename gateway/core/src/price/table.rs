//! The bundled prices, by provider and model.
//!
//! Static tables, generated from the crate genai-prices into `table/data.rs` and checked in. Not the crate itself: it
//! takes tens of milliseconds to decode its 782 KB, in every instance. Not a build script: the crate's API gives
//! neither its rules nor its prices, and a price that changes should change in a diff that somebody reads.
//! `table/generate.rs` is a test that makes the file anew and fails when it is stale.
//!
//! A provider is found by its host, and by its name only if the host is unknown: a relay sets its own prices, and no
//! price is better than a wrong one.

#[rustfmt::skip]
mod data;
#[cfg(test)]
mod generate;

use std::borrow::Cow;

use super::Price;

pub(super) use data::NAME;

/// The prices of one provider.
struct Provider {
    id: &'static str,
    /// Providers whose models it serves at their prices.
    fallbacks: &'static [&'static str],
    /// Names in lower case, sorted.
    exact: &'static [(&'static str, Cell)],
    /// Patterns for other names; the first that matches decides.
    rules: &'static [(Rule, Cell)],
}

/// Input, cache reads, cache writes and output, in micro-dollars for a million tokens. `None`: known, but not paid by
/// these tokens alone, so that its cost stays unknown.
type Cell = Option<&'static [u32; 4]>;

/// A pattern of names in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Prefix(&'static str),
    Suffix(&'static str),
    Part(&'static str),
    /// The name begins with this text and ends with a date: `20260930` or `2026-09-30`.
    Dated(&'static str),
    /// The name begins with this text and continues with a digit.
    Numbered(&'static str),
    /// The name begins with this text and is no audio model, which would cost more.
    SilentPrefix(&'static str),
}

impl Rule {
    fn matches(self, name: &str) -> bool {
        match self {
            Rule::Prefix(prefix) => name.starts_with(prefix),
            Rule::Suffix(suffix) => name.ends_with(suffix),
            Rule::Part(part) => name.contains(part),
            Rule::Dated(prefix) => name.strip_prefix(prefix).is_some_and(is_date),
            Rule::Numbered(prefix) => {
                name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
            }
            Rule::SilentPrefix(prefix) => name.starts_with(prefix) && !name.contains("-tts"),
        }
    }
}

pub(super) fn is_date(text: &str) -> bool {
    let dash = |index: usize| text.len() == 10 && (index == 4 || index == 7);
    matches!(text.len(), 8 | 10)
        && text.bytes().enumerate().all(|(index, byte)| if dash(index) { byte == b'-' } else { byte.is_ascii_digit() })
}

/// The price of a model in the list with this name.
pub(super) fn find(list: &str, model: &str) -> Option<Price> {
    let own = provider(list)?;
    let model = known_name(model);
    let others = own.fallbacks.iter().filter_map(|id| provider(id));
    std::iter::once(own).chain(others).find_map(|provider| provider.cell(&model))?.map(price)
}

/// A model's name as lists of prices have it: in lower case, without Gemini's own way to write it.
pub(super) fn known_name(model: &str) -> Cow<'_, str> {
    let name = model.strip_prefix("models/").unwrap_or(model);
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

fn provider(id: &str) -> Option<&'static Provider> {
    let index = data::PROVIDERS.binary_search_by(|provider| provider.id.cmp(id)).ok()?;
    data::PROVIDERS.get(index)
}

impl Provider {
    fn cell(&self, model: &str) -> Option<Cell> {
        if let Ok(index) = self.exact.binary_search_by(|(name, _)| (*name).cmp(model)) {
            return self.exact.get(index).map(|(_, cell)| *cell);
        }
        self.rules.iter().find(|(rule, _)| rule.matches(model)).map(|(_, cell)| *cell)
    }
}

fn price([input, cache_read, cache_write, output]: &[u32; 4]) -> Price {
    let nano = |micro: u32| u64::from(micro) * 1000;
    Price {
        input: nano(*input),
        cache_read: nano(*cache_read),
        cache_write: nano(*cache_write),
        output: nano(*output),
        call: 0,
    }
}

#[cfg(test)]
mod tests;
