//! Prices that the operator's file or address names (`settings.prices`), in force before those of the bundled table.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::table::{is_date, known_name};
use super::{Hours, Price};

/// What is said of each model of a provider: names in lower case, a `*` at the end of some. `None`: its price is unknown,
/// whatever the bundled table says.
pub type Rows = BTreeMap<String, Option<Row>>;

/// Input, cache reads, cache writes and output, in nano-dollars for a million tokens.
pub type Amounts = [u64; 4];

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The usual prices.
    pub usual: Amounts,
    /// What is paid instead in some hours; the first that fits holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<RowHours>,
}

/// Hours and what is paid in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowHours {
    /// The hours.
    pub hours: Hours,
    /// The prices.
    pub amounts: Amounts,
}

impl Row {
    fn price(&self, at_ms: i64) -> Price {
        let dearer = self.hours.iter().find(|each| each.hours.hold(at_ms));
        price(&dearer.map_or(self.usual, |each| each.amounts))
    }
}

pub(super) fn price(&[input, cache_read, cache_write, output]: &Amounts) -> Price {
    Price { input, cache_read, cache_write, output, call: 0 }
}

pub(super) fn amounts(price: Price) -> Amounts {
    [price.input, price.cache_read, price.cache_write, price.output]
}

/// The rows of one provider, ready to be looked up.
#[derive(Debug, PartialEq, Eq)]
pub struct PriceList {
    /// The version of the file, as records name it.
    pub version: Arc<str>,
    rows: Rows,
    /// The beginnings of names that end with `*`, the longest first.
    beginnings: Vec<(String, Option<Row>)>,
}

/// What a list says of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// It costs this.
    At(Price),
    /// Nobody is to say what it costs.
    Unknown,
}

impl PriceList {
    /// A list of these rows.
    pub fn new(version: Arc<str>, mut rows: Rows) -> PriceList {
        let patterns: Vec<String> = rows.keys().filter(|name| name.ends_with('*')).cloned().collect();
        let taken = patterns.into_iter().filter_map(|name| {
            let row = rows.remove(&name)?;
            Some((name.trim_end_matches('*').to_owned(), row))
        });
        let mut beginnings: Vec<_> = taken.collect();
        beginnings.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
        PriceList { version, rows, beginnings }
    }

    /// What it says of a model at this time, in Unix milliseconds: the row of its name, of its name without the date at the
    /// end, or of the longest beginning. `None`: nothing.
    pub fn find(&self, model: &str, at_ms: i64) -> Option<Listed> {
        let name = known_name(model);
        let dated = || self.rows.get(undated(&name)?);
        let begins = || self.beginnings.iter().find(|(beginning, _)| name.starts_with(beginning.as_str()));
        let row = self.rows.get(&*name).or_else(dated).or_else(|| begins().map(|(_, row)| row))?;
        Some(row.as_ref().map_or(Listed::Unknown, |row| Listed::At(row.price(at_ms))))
    }
}

/// The name before a date at its end: `gpt-6-2026-09-30`, `claude-x-20260930`.
fn undated(name: &str) -> Option<&str> {
    [10, 8].into_iter().find_map(|length| {
        let (before, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        before.strip_suffix('-').filter(|before| !before.is_empty() && is_date(date))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(input: u64) -> Option<Row> {
        Some(Row { usual: [input, 0, 0, 0], hours: Vec::new() })
    }

    #[test]
    fn a_row_is_found_by_name_then_without_its_date_then_by_the_longest_beginning() {
        let rows = [
            ("gpt-6", row(1)),
            ("gpt-6-mini", row(2)),
            ("gpt-6*", row(3)),
            ("gpt-6-pro*", row(4)),
            ("gpt-6-pro-max", None),
        ];
        let list = PriceList::new("v".into(), rows.into_iter().map(|(name, row)| (name.to_owned(), row)).collect());
        for (model, expected) in [
            ("gpt-6", Some(Some(1))),
            ("GPT-6", Some(Some(1))),
            ("models/gpt-6", Some(Some(1))),
            ("gpt-6-2026-09-30", Some(Some(1))),
            ("gpt-6-mini-20260930", Some(Some(2))),
            ("gpt-6-nano", Some(Some(3))),
            ("gpt-6-pro-x", Some(Some(4))),
            ("gpt-6-pro-max", Some(None)),
            ("gpt-5", None),
            ("-20260930", None),
            ("", None),
            ("日本語日本語日", None),
        ] {
            let found = list.find(model, 0).map(|listed| match listed {
                Listed::At(price) => Some(price.input),
                Listed::Unknown => None,
            });
            assert_eq!(found, expected, "{model}");
        }
    }

    #[test]
    fn in_its_hours_a_row_costs_what_they_say() {
        let hours = RowHours { hours: Hours { spans: vec![(60, 120)], days: [true; 7] }, amounts: [9, 9, 9, 9] };
        let rows = Rows::from([("m".to_owned(), Some(Row { usual: [1, 1, 1, 1], hours: vec![hours] }))]);
        let list = PriceList::new("v".into(), rows);
        let input = |minutes: i64| match list.find("m", minutes * 60_000) {
            Some(Listed::At(price)) => price.input,
            other => panic!("{other:?}"),
        };
        assert_eq!([59, 60, 119, 120].map(input), [1, 9, 9, 1]);
    }
}
