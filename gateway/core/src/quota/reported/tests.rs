use super::*;
use crate::catalog::{Catalog, Document};
use crate::clock::Now;

/// A Wednesday.
const NOW_MS: i64 = 1_795_608_000_000;

const OPENROUTER: &str = r#"{"data":{"label":"sk-or-v1-au7...890","limit":100,"limit_remaining":74.5,
    "limit_reset":"monthly","usage":25.5,"usage_daily":0.25,"usage_weekly":3.5,"usage_monthly":25.5,
    "free_model_daily_requests":{"limit":50,"remaining":38,"used":12}}}"#;
const DEEPSEEK: &str = r#"{"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"7.00",
    "granted_balance":"2.00","topped_up_balance":"5.00"}]}"#;

fn catalog(preset: &str, fields: &str, rates: &str) -> Catalog {
    let text = format!(
        "settings = {{ rates = {{ {rates} }} }}\n[[providers]]\npreset = \"{preset}\"\n\
         credentials = [{{ id = \"c-1\", variable = \"A\", label = \"one\" }}]\n{fields}"
    );
    Document::from_toml(&text).and_then(|document| document.validate()).unwrap_or_else(|message| panic!("{message}"))
}

fn read_body(catalog: &Catalog, body: &str) -> Vec<ReportedLimit> {
    let provider = &catalog.providers[0];
    read(provider.counter.expect("a counter"), &provider.credentials[0], body.as_bytes(), NOW_MS)
}

/// The limits that are raised, each by name and models, and to what.
fn raised(catalog: &Catalog, body: &str) -> Vec<(String, u64)> {
    let provider = &catalog.providers[0];
    let at = Moment { now: Now::of_wall(NOW_MS), total_ms_max: 1, boot_ms: None, slot: None };
    let raises = raises(provider, &provider.credentials[0], &read_body(catalog, body), &catalog.settings.rates, at);
    raises
        .into_iter()
        .map(|(charge, spent)| (format!("{}{}", charge.limit_name, charge.models.join(",")), spent))
        .collect()
}

#[test]
fn an_answer_is_read_as_far_as_it_is_understood() {
    let reported = read_body(&catalog("openrouter", "", ""), OPENROUTER);
    let shown: Vec<_> = reported
        .iter()
        .map(|reported| (reported.what.as_str(), reported.per, reported.spent, reported.limit, reported.remaining))
        .collect();
    let nano = |usd: f64| Some((usd * 1e9) as u64);
    assert_eq!(
        shown,
        [
            ("key", Some(CounterPer::Day), nano(0.25), None, None),
            ("key", Some(CounterPer::Week), nano(3.5), None, None),
            ("key", Some(CounterPer::Month), nano(25.5), None, None),
            ("limit of the key", None, None, nano(100.0), nano(74.5)),
            ("free calls", Some(CounterPer::Day), Some(12), Some(50), Some(38)),
        ]
    );
    assert_eq!(reported[4].models, ["*:free"]);
    for body in ["", "null", "[1]", "<html>", r#"{"data":{"usage_daily":true,"limit":null}}"#, r#"{"data":"x"}"#] {
        assert_eq!(super::tests::read_body(&catalog("openrouter", "", ""), body), [], "{body}");
    }
}

#[test]
fn numbers_are_bounded_and_currencies_are_codes() {
    let catalog = catalog("deepseek", "", "");
    let money = |currency: &str, balance: &str| {
        let body = format!(r#"{{"balance_infos":[{{"currency":"{currency}","total_balance":{balance}}}]}}"#);
        super::tests::read_body(&catalog, &body).first().map(|reported| (reported.currency.clone(), reported.remaining))
    };
    assert_eq!(money("CNY", r#""110.00""#), Some((Some("CNY".into()), Some(110_000_000_000))));
    assert_eq!(money("CNY", "-3.5").and_then(|reported| reported.1), Some(0), "a debt is nothing that is left");
    assert_eq!(money("CNY", r#""1e200""#).and_then(|reported| reported.1), Some(SPENT_MAX));
    for (currency, balance) in
        [("CNY", r#""NaN""#), ("CNY", r#""inf""#), ("renminbi", "1"), ("cny", "1"), ("CNY", "{}")]
    {
        assert_eq!(money(currency, balance), None, "{currency} {balance}");
    }
}

#[test]
fn a_told_number_raises_the_limits_of_its_window_alone() {
    for (fields, raises) in [
        ("quota = { rpd = 100 }", vec![("rpd", 12)]),
        ("quota = { rpd = 100, models = [\"*:free\"] }", vec![("rpd*:free", 12)]),
        ("quota = { rpd = 100, models = [\"x:free\"] }", vec![]),
        ("quota = { rpd = 100, zone = \"Asia/Shanghai\" }", vec![]),
        ("quota = { rpd = 100, reset = \"08:00\" }", vec![]),
        ("quota = { rpm = 100, tpd = 100, rolling = { calls = 9, hours = 24 } }", vec![]),
        ("quotas = [{ rpd = 100, per = \"provider\" }, { rpd = 9, per = \"pool\" }]", vec![("rpd", 12), ("rpd", 12)]),
        ("known_quotas = true", vec![("rpd*:free", 12)]),
        // What is left of the key's own limit is none of a credit's.
        ("quota = { credit = \"10 USD\" }", vec![]),
    ] {
        let expected: Vec<(String, u64)> = raises.into_iter().map(|(name, spent)| (name.to_owned(), spent)).collect();
        assert_eq!(raised(&catalog("openrouter", fields, ""), OPENROUTER), expected, "{fields}");
    }
}

#[test]
fn what_is_left_of_a_balance_tells_what_is_spent_of_a_credit() {
    let credit = |amount: &str, rates: &str| {
        let fields = format!("quota = {{ credit = \"{amount}\" }}");
        raised(&catalog("deepseek", &fields, rates), DEEPSEEK)
    };
    assert_eq!(credit("10 CNY", "CNY = 0.125"), [("credit".to_owned(), 375_000_000)], "3 CNY");
    assert_eq!(credit("1 USD", "CNY = 0.125"), [("credit".to_owned(), 125_000_000)]);
    assert_eq!(credit("1 USD", ""), [], "nobody knows what a yuan is worth");
    assert_eq!(credit("5 CNY", "CNY = 0.125"), [], "there is more than the catalog says");
    let two = "quotas = [{ credit = \"10 CNY\", per = \"provider\" }]\n";
    let shared = format!("{two}concurrent = 3");
    assert_eq!(raised(&catalog("deepseek", &shared, "CNY = 0.125"), DEEPSEEK).len(), 1);
}

#[test]
fn the_newest_word_on_each_number_is_kept() {
    let catalog = catalog("openrouter", "", "");
    let mut known = ReportedLimits::default();
    let first = read_body(&catalog, OPENROUTER);
    known.merge(first.clone(), NOW_MS);
    let newer = ReportedLimit { spent: Some(13), as_of_ms: NOW_MS + 1, ..first[4].clone() };
    let older = ReportedLimit { spent: Some(11), as_of_ms: NOW_MS - 1, ..first[4].clone() };
    let of_tomorrow = ReportedLimit { spent: Some(99), as_of_ms: NOW_MS + 2 * AHEAD_MS, ..first[4].clone() };
    known.merge(vec![newer, older, of_tomorrow], NOW_MS + 1);
    let free = known.all().find(|reported| reported.what == "free calls").and_then(|reported| reported.spent);
    assert_eq!((free, known.all().count()), (Some(13), 5));
    known.merge(Vec::new(), NOW_MS + KNOWN_MS + 1);
    assert_eq!(known.all().count(), 0);
}
