use super::*;
use crate::catalog::{Catalog, Document};
use crate::quota::{Moment, Spend, key_windows};

/// 2026-11-30T01:00:00Z.
const NOW_MS: i64 = 1_796_000_400_000;

fn catalog(zone: &str) -> Catalog {
    let text = format!(
        "[settings]\nzone = \"{zone}\"\n[[keys]]\nname = \"k\"\nhash = \"sha256:{}\"\nexpires = \
         \"2027-01-01T00:00:00Z\"\nmodels = [\"*\"]\nlimits = {{ rpd = 10, budget = \"2 USD/day\" }}",
        "1".repeat(64)
    );
    Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog")
}

fn period(zone: &str, query: &str) -> Result<(String, String), String> {
    let period = Period::parse(Some(query), &catalog(zone).settings, NOW_MS);
    period.map(|period| (period.from.to_string(), period.to.to_string())).map_err(|refusal| refusal.message)
}

#[test]
fn the_last_seven_days_are_shown_where_nobody_says_which() {
    for (zone, query, from, to) in [
        ("UTC", "", "2026-11-24", "2026-11-30"),
        ("America/Los_Angeles", "", "2026-11-23", "2026-11-29"),
        ("UTC", "key=sk-1", "2026-11-24", "2026-11-30"),
        ("UTC", "from=2026-11-30", "2026-11-30", "2026-11-30"),
        ("UTC", "to=2026-11-10", "2026-11-04", "2026-11-10"),
        ("UTC", "from=2026-11-29&to=2027-01-01", "2026-11-29", "2026-11-30"),
        ("UTC", "from=2026-08-31", "2026-08-31", "2026-11-30"),
    ] {
        assert_eq!(period(zone, query), Ok((from.to_owned(), to.to_owned())), "{zone} {query}");
    }
}

#[test]
fn what_is_no_period_is_refused_with_what_to_do() {
    for (query, message) in [
        ("from=2026-08-30", "92 days at most"),
        ("from=2026-12-01", "`from` must not be after `to`, which is 2026-11-30 here."),
        ("from=2026-11-02&to=2026-11-01", "`from` must not be after `to`"),
        ("from=yesterday", "`from` must be a date such as 2026-11-30, not \"yesterday\"."),
        ("to=", "`to` must be a date such as"),
        ("key_name=other", "GET /v1/usage takes `from` and `to`"),
    ] {
        let refused = period("UTC", query).expect_err(query);
        assert!(refused.starts_with(message), "{query}: {refused}");
    }
}

#[test]
fn a_day_is_as_long_as_it_is_there() {
    let hours = |zone: &str, day: &str| {
        let period = Period::parse(Some(&format!("from={day}&to={day}")), &catalog(zone).settings, NOW_MS);
        let days = period.expect("a period").days();
        (days[0].until_ms - days[0].from_ms) / 3_600_000
    };
    assert_eq!((hours("UTC", "2026-11-01"), hours("America/New_York", "2026-11-01")), (24, 25));
}

#[test]
fn a_holder_is_told_its_limits_and_its_use_by_day_and_model() {
    let catalog = catalog("UTC");
    let key = &catalog.keys[0];
    let at = Moment { now: Now::of_wall(NOW_MS), total_ms_max: 1, boot_ms: None, slot: None };
    let limits = key_windows(key, Spend::default(), at);
    let row = |index: usize, spent| Row { id: limits[index].id.clone(), bucket: limits[index].bucket, spent };
    let rows = [row(0, 4), row(1, 500_000_000)];
    let period = Period::parse(Some("from=2026-11-29"), &catalog.settings, NOW_MS).expect("a period");
    let used = |calls, cost_nano| Used { calls, input_tokens: calls * 10, cost_nano, ..Used::default() };
    let of = |day, model: Option<&str>, used| UsedOf { day, model: model.map(str::to_owned), used };
    let found = [of(1, Some("a"), used(2, 250_000_000)), of(1, Some("b"), used(1, 250_000_000))];
    let caller = Caller::Key("k".into());
    let view = SpendingView::of((&caller, Some(key)), (&limits, &rows), (&period, &found), Now::of_wall(NOW_MS));
    assert_eq!(
        serde_json::to_value(&view).expect("JSON"),
        serde_json::json!({
            "object": "usage", "key": "k", "models": ["*"], "expires_at": "2027-01-01T00:00:00Z",
            "limits": [
                { "name": "rpd", "unit": "calls", "limit": 10, "spent": 4, "remaining": 6,
                  "resets_at": "2026-12-01T00:00:00Z" },
                { "name": "budget-day", "unit": "usd", "limit": 2.0, "spent": 0.5, "remaining": 1.5,
                  "resets_at": "2026-12-01T00:00:00Z" },
            ],
            "from": "2026-11-29", "to": "2026-11-30", "zone": "UTC",
            "total": { "calls": 3, "input_tokens": 30, "cache_read_tokens": 0, "output_tokens": 0, "cost_usd": 0.5,
                       "unpriced_calls": 0 },
            "days": [{
                "date": "2026-11-30", "calls": 3, "input_tokens": 30, "cache_read_tokens": 0, "output_tokens": 0,
                "cost_usd": 0.5, "unpriced_calls": 0,
                "models": [
                    { "model": "a", "calls": 2, "input_tokens": 20, "cache_read_tokens": 0, "output_tokens": 0,
                      "cost_usd": 0.25, "unpriced_calls": 0 },
                    { "model": "b", "calls": 1, "input_tokens": 10, "cache_read_tokens": 0, "output_tokens": 0,
                      "cost_usd": 0.25, "unpriced_calls": 0 },
                ],
            }],
        })
    );
}

#[test]
fn the_models_of_a_day_are_bounded_and_its_sum_is_of_all() {
    let catalog = catalog("UTC");
    let period = Period::parse(Some("from=2026-11-30"), &catalog.settings, NOW_MS).expect("a period");
    let one = Used { calls: 1, ..Used::default() };
    let name = |index: usize| (index > 0).then(|| format!("m-{index}"));
    let found: Vec<UsedOf> = (0..500).map(|index| UsedOf { day: 0, model: name(index), used: one }).collect();
    let view = SpendingView::of((&Caller::Admin, None), (&[], &[]), (&period, &found), Now::of_wall(NOW_MS));
    assert_eq!((view.days[0].models.len(), view.days[0].used.calls, view.total.calls), (MODELS_MAX, 500, 500));
    assert_eq!(view.days[0].models[0].model, None, "calls that asked for no model there is");
}
