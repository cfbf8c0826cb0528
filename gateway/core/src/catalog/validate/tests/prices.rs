//! Prices of targets and the rates of their currencies.

use super::{catalog, problems, refuses, targets};
use crate::price::{Pieces, Price};

/// The price of a target that has this table, with these rates.
fn price(rates: &str, price: &str) -> Option<Price> {
    catalog(&with(rates, price)).models[0].targets[0].price
}

fn with(rates: &str, price: &str) -> String {
    let model = targets(&format!("[{{ provider = \"a\", price = {price} }}]"));
    format!("[settings]\nrates = {rates}\n{model}")
}

#[test]
fn a_price_is_of_a_million_tokens_in_dollars_unless_told() {
    let all = Price { input: 37_500_000, cache_read: 9_375_000, cache_write: 46_875_000, output: 150_000_000, call: 0 };
    let written = "{ input = 0.0375, cache_read = 0.009375, cache_write = 0.046875, output = 0.15 }";
    assert_eq!(price("{}", written), Some(all));
    assert_eq!(price("{}", &written.replace(" }", ", currency = \"USD\" }")), Some(all));
    assert_eq!(catalog(&targets("[\"a/x\"]")).models[0].targets[0].price, None);
}

/// Monday, 30 November 2026, 00:00 UTC.
const MONDAY_MS: i64 = 1_795_996_800_000;
const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_price_may_be_another_in_some_hours() {
    let written = r#"{ input = 0.15, cache_read = 0.003, output = 0.6, hours = [
        { utc = ["01:00-04:00", "06:00-10:00"], days = ["mon", "tue"], input = 0.3, cache_read = 0.006, output = 1.2 },
        { utc = ["20:00-22:00"], input = 0, output = 0 },
    ] }"#;
    let catalog = catalog(&with("{}", written));
    let target = &catalog.models[0].targets[0];
    let output = |at_ms| target.priced("x", Pieces::None, at_ms).map(|priced| priced.price.output / 1_000_000);
    for (day, hour, expected) in
        [(0, 0, 600), (0, 1, 1200), (0, 4, 600), (1, 9, 1200), (2, 9, 600), (2, 21, 0), (6, 20, 0)]
    {
        assert_eq!(output(MONDAY_MS + (day * 24 + hour) * HOUR_MS), Some(expected), "{day} {hour}");
    }
    assert_eq!(target.hours[0].1.cache_read, 6_000_000);
    for (hours, problem) in [
        ("[{ utc = [\"1-4\"], input = 1, output = 1 }]", "hours[0].utc[0]: must be two times of a day in UTC"),
        ("[{ input = 1, output = 1 }]", "hours[0].utc: is missing"),
        ("[{ utc = [\"01:00-04:00\"], input = 1 }]", "hours[0].output: is missing"),
        ("[{ utc = [\"01:00-04:00\"], days = [\"monday\"], input = 1, output = 1 }]", "hours[0].days[0]: must be"),
    ] {
        let price = format!("{{ input = 1, output = 1, hours = {hours} }}");
        let found = problems(&with("{}", &price));
        assert!(found[0].starts_with(&format!("models[0].targets[0].price.{problem}")), "{found:?}");
    }
}

#[test]
fn a_price_in_another_currency_is_converted_once() {
    let expected =
        Price { input: 280_000_000, cache_read: 280_000_000, cache_write: 280_000_000, output: 1_120_000_000, call: 0 };
    assert_eq!(price("{ CNY = 0.14 }", "{ input = 2, output = 8.0, currency = \"CNY\" }"), Some(expected));
}

#[test]
fn cached_tokens_cost_what_others_do_unless_told() {
    let free_reads = Price { input: 1_000_000_000, cache_read: 0, cache_write: 1_000_000_000, output: 0, call: 0 };
    assert_eq!(price("{}", "{ input = 1, cache_read = 0, output = 0 }"), Some(free_reads));
}

#[test]
fn refuses_half_a_price_one_without_a_rate_and_one_of_a_million() {
    refuses(&with("{}", "{ input = 1 }"), "models[0].targets[0].price.output: is missing");
    refuses(&with("{}", "{ output = 1 }"), "models[0].targets[0].price.input: is missing");
    refuses(
        &with("{}", "{ input = 1, output = -1 }"),
        "models[0].targets[0].price.output: must be a number of at least 0",
    );
    refuses(
        &with("{}", "{ input = 1, output = 1, currency = \"CNY\" }"),
        "models[0].targets[0].price.currency: there is no rate for CNY; \
         add it to settings.rates (how many USD one CNY is)",
    );
    refuses(
        &with("{ CNY = 0.14 }", "{ input = 1, output = 8000000, currency = \"CNY\" }"),
        "models[0].targets[0].price.output: must be at most 1000000 USD; a price is that of a million tokens",
    );
    refuses(
        &with("{ CNY = 0 }", "{ input = 1, output = 1, currency = \"CNY\" }"),
        "settings.rates.CNY: must be more than 0",
    );
}
