//! Quotas of providers, pools and credentials, and limits of keys.

use std::sync::Arc;

use jiff::civil::time;
use jiff::tz::TimeZone;

use super::{SMALL, catalog, problems, refuses};
use crate::catalog::schema::format;
use crate::catalog::{Count, Day, Limit, Per, Quota, Window};

/// [`SMALL`] with another line in its provider.
fn provider_with(lines: &str) -> String {
    SMALL.replace("base_url", &format!("{lines}\nbase_url"))
}

fn quotas(lines: &str) -> Vec<Quota> {
    catalog(&provider_with(lines)).providers[0].quotas.clone()
}

fn calls(window: Window, most: u64) -> Limit {
    Limit { count: Count::Calls, window, most }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

#[test]
fn reads_every_kind_of_limit() {
    let found = quotas(
        r#"quota = { rpm = 1, tpm = 2, rpd = 3, tpd = 4, rolling = { calls = 5, hours = 6 },
        points = { per_day = 8, per_call = 7 }, concurrent = 9 }"#,
    );
    let day = Day { zone: TimeZone::UTC, reset: time(0, 0, 0, 0) };
    let tokens = |window, most| Limit { count: Count::Tokens, window, most };
    let limits = vec![
        calls(Window::Minute, 1),
        tokens(Window::Minute, 2),
        calls(Window::Day(day.clone()), 3),
        tokens(Window::Day(day.clone()), 4),
        calls(Window::Rolling { hours: 6 }, 5),
        Limit { count: Count::Points { per_call: 7 }, window: Window::Day(day), most: 8 },
        calls(Window::InFlight, 9),
    ];
    let names: Vec<String> = limits.iter().map(Limit::name).collect();
    assert_eq!(names, ["rpm", "tpm", "rpd", "tpd", "rolling-6h", "points", "concurrent"]);
    assert_eq!(found, [Quota { models: Arc::default(), per: Per::Credential, limits, is_free: false, source: None }]);
}

#[test]
fn several_windows_of_one_kind_hold_at_once_wherever_they_are_set() {
    let limits = "rpd = 1, rpweek = 2, rpmonth = 3, tpweek = 4, tpmonth = 5, \
        rolling = [{ calls = 6, tokens = 7, hours = 5 }, { tokens = 8, hours = 168 }], \
        budget = [\"1 USD/day\", \"5 USD/week\", \"9 USD/month\", \"2 USD/5h\", \"8 USD/30d\"]";
    let names = [
        "rpd",
        "rpweek",
        "tpweek",
        "rpmonth",
        "tpmonth",
        "rolling-5h",
        "rolling-tokens-5h",
        "rolling-tokens-168h",
        "budget-day",
        "budget-week",
        "budget-month",
        "budget-5h",
        "budget-720h",
    ];
    let hash = "0123456789abcdef".repeat(4);
    let own = format!("{{ variable = \"A\", quota = {{ {limits} }} }}");
    let toml = provider_with(&format!("quota = {{ per = \"provider\", {limits} }}")).replace("\"${A_KEY}\"", &own);
    let key = format!("[[keys]]\nname = \"k\"\nhash = \"sha256:{hash}\"\nlimits = {{ {limits} }}");
    let catalog = catalog(&format!("{toml}{key}"));
    let provider = &catalog.providers[0];
    let credential = provider.credentials[0].quota.as_ref().expect("its own");
    for limits in [&provider.quotas[0].limits, &credential.limits, &catalog.keys[0].limits] {
        assert_eq!(limits.iter().map(Limit::name).collect::<Vec<_>>(), names);
    }
    let twice = format!(
        "[[keys]]\nname = \"k\"\nhash = \"sha256:{hash}\"\nlimits = {{ budget = [\"1 USD/day\", \"2 USD/day\"] }}"
    );
    refuses(&format!("{SMALL}{twice}"), "keys[0].limits: limits budget-day a second time");
}

#[test]
fn takes_the_zone_of_a_day_from_the_entry_then_from_the_settings_then_utc() {
    let settings = "[settings]\nzone = \"Asia/Shanghai\"\n";
    let entry = provider_with("quota = { rpd = 1, zone = \"America/Los_Angeles\", reset = \"08:30\" }");
    let plain = provider_with("quota = { rpd = 1 }");
    for (toml, name, reset) in [
        (format!("{settings}{entry}"), "America/Los_Angeles", time(8, 30, 0, 0)),
        (format!("{settings}{plain}"), "Asia/Shanghai", time(0, 0, 0, 0)),
        (plain, "UTC", time(0, 0, 0, 0)),
    ] {
        let found = &catalog(&toml).providers[0].quotas[0].limits[0];
        assert_eq!(*found, calls(Window::Day(Day { zone: zone(name), reset }), 1), "{toml}");
    }
}

#[test]
fn reads_whose_spending_counts_together_and_for_which_models() {
    let found = quotas(
        "quota = { rpm = 1 }\nconcurrent = 256\n\
        quotas = [{ models = [\"b\", \"a-*\", \"b\"], per = \"pool\", rpm = 2 }, { per = \"provider\", rpm = 3 }]",
    );
    let shown: Vec<(Per, String, u64)> =
        found.iter().map(|quota| (quota.per, quota.group(), quota.limits[0].most)).collect();
    assert_eq!(
        shown,
        [
            (Per::Pool, "a-*,b".to_owned(), 2),
            (Per::Provider, "*".to_owned(), 3),
            (Per::Credential, "*".to_owned(), 1),
            (Per::Provider, "*".to_owned(), 256),
        ]
    );
    assert!(found[0].covers("a-1") && found[0].covers("b") && !found[0].covers("c") && found[1].covers("c"));
}

#[test]
fn reads_the_pool_and_quota_of_a_credential_and_the_limits_of_a_key() {
    let hash = "0123456789abcdef".repeat(4);
    let toml = SMALL.replace("\"${A_KEY}\"", "{ variable = \"A\", pool = \"team\", quota = { rpd = 5 } }");
    let key =
        format!("[[keys]]\nname = \"k\"\nhash = \"sha256:{hash}\"\nlimits = {{ rpm = 6, tpd = 7, concurrent = 8 }}");
    let catalog = catalog(&format!("[settings]\nzone = \"Asia/Shanghai\"\n{toml}{key}"));
    let credential = &catalog.providers[0].credentials[0];
    assert_eq!(credential.pool.as_deref(), Some("team"));
    assert_eq!(credential.quota.as_ref().unwrap().limits[0].most, 5);
    let limits = &catalog.keys[0].limits;
    let day = Day { zone: zone("Asia/Shanghai"), reset: time(0, 0, 0, 0) };
    assert_eq!(limits[0], calls(Window::Minute, 6));
    assert_eq!(limits[1], Limit { count: Count::Tokens, window: Window::Day(day), most: 7 });
    assert_eq!(limits[2], calls(Window::InFlight, 8));
}

#[test]
fn refuses_two_limits_of_the_same_thing() {
    let lines = "quota = { rpm = 1 }\nconcurrent = 2\nquotas = [{ models = [\"a\", \"b\"], rpd = 1 }, { rpm = 2 }, \
        { models = [\"b\", \"a\"], rpd = 3 }, { per = \"provider\", concurrent = 3, rpm = 3 }]";
    assert_eq!(
        problems(&provider_with(lines)),
        [
            "providers[0].quotas[2]: limits rpd a second time, after providers[0].quotas[0]",
            "providers[0].quota: limits rpm a second time, after providers[0].quotas[1]",
            "providers[0].concurrent: is a second limit of the same, after providers[0].quotas[3]",
        ]
    );
}

#[test]
fn refuses_what_could_not_hold_or_would_do_nothing() {
    for (lines, problem) in [
        (
            "quota = {}",
            ": limits nothing; give one of rpm, tpm, rpd, tpd, rpweek, tpweek, rpmonth, tpmonth, rolling, points, \
             budget, credit, concurrent",
        ),
        ("quota = { rpm = 0 }", ".rpm: must be a whole number from 1 to 1125899906842624"),
        (
            "quota = { rpm = 1, zone = \"UTC\" }",
            ".zone: says when a day begins; give it beside what counts by day, week or month",
        ),
        ("quota = { rpd = 1, zone = \"Mars\" }", ".zone: must be an IANA time zone like \"Asia/Shanghai\" or \"UTC\""),
        ("quota = { rpd = 1, reset = \"24:00\" }", ".reset: must be a time of day like \"08:00\""),
        (
            "quota = { points = { per_day = 1, per_call = 2 } }",
            ".points: has more points per call than per day, so no call could be made",
        ),
        ("quota = { rolling = { calls = 1 } }", ".rolling.hours: is missing"),
        (
            "quota = { rolling = [{ calls = 1, hours = 2 }, { hours = 1 }] }",
            ".rolling[1]: limits nothing; give calls, tokens or both",
        ),
        (
            "quota = { rolling = [{ calls = 1, hours = 2 }, { calls = 3, hours = 2 }] }",
            ": limits rolling-2h a second time",
        ),
        ("quota = { budget = [\"1 USD/day\", \"2 USD/day\"] }", ": limits budget-day a second time"),
        (
            "quota = { budget = [\"1 USD/year\"] }",
            ".budget[0]: must be a budget like \"5 USD/day\" (hour, day, week, month, total, or so many: 5h, 30d)",
        ),
        (
            "quota = { rpm = 1, cache_reads = false }",
            ".cache_reads: says what counts as a token; give it beside a limit of tokens",
        ),
        ("quota = { credit = 5 }", ".credit: must be a string, not a number"),
        ("quota = { credit = \"5\" }", ".credit: must be an amount with its currency, like \"10 USD\""),
        (
            "quota = { credit = \"5 EUR\" }",
            ".credit: there is no rate for EUR; add it to settings.rates (how many USD one EUR is)",
        ),
        ("quota = { credit = \"1000001 USD\" }", ".credit: must be from a billionth to 1000000 USD"),
    ] {
        refuses(&provider_with(lines), &format!("providers[0].quota{problem}"));
    }
}

#[test]
fn refuses_a_credentials_quota_for_others_and_a_pool_that_splits_ids() {
    let credential = |fields: &str| SMALL.replace("\"${A_KEY}\"", &format!("{{ variable = \"A\", {fields} }}"));
    refuses(
        &credential("quota = { per = \"pool\", rpm = 1 }"),
        "providers[0].credentials[0].quota: is this credential's own, so `per` can only be \"credential\"; leave it out",
    );
    refuses(
        &credential("pool = \"a/b\""),
        "providers[0].credentials[0].pool: must have no `/`: the ids of quotas split there",
    );
}

/// [`SMALL`] with a preset's provider that has these lines.
fn preset_with(preset: &str, lines: &str) -> String {
    SMALL.replace("base_url = \"https://a.example/v1\"", &format!("preset = \"{preset}\"\n{lines}"))
}

#[test]
fn a_presets_quotas_hold_only_where_they_are_asked_for() {
    let of = |lines: &str| catalog(&preset_with("openrouter", lines)).providers[0].quotas.clone();
    assert_eq!(of(""), []);
    assert_eq!(of("known_quotas = false"), []);
    let [free] = &of("known_quotas = true")[..] else { panic!("one quota") };
    let names: Vec<(String, u64)> = free.limits.iter().map(|limit| (limit.name(), limit.most)).collect();
    assert_eq!(names, [("rpm".to_owned(), 20), ("rpd".to_owned(), 50)]);
    assert_eq!((free.per, free.source.is_some()), (Per::Pool, true));
    assert!(free.covers("qwen/qwen3-coder:free") && !free.covers("qwen/qwen3-coder"));
}

#[test]
fn what_the_document_says_itself_wins_over_a_presets_quota() {
    let lines = "known_quotas = true\nquotas = [{ per = \"pool\", models = [\"*:free\"], rpd = 1000 }]";
    let quotas = catalog(&preset_with("openrouter", lines)).providers[0].quotas.clone();
    let limits: Vec<(String, u64)> =
        quotas.iter().flat_map(|quota| &quota.limits).map(|limit| (limit.name(), limit.most)).collect();
    assert_eq!(limits, [("rpd".to_owned(), 1000), ("rpm".to_owned(), 20)]);
}

#[test]
fn quotas_that_nobody_knows_cannot_be_asked_for() {
    refuses(
        &preset_with("gemini", "known_quotas = true"),
        "providers[0].known_quotas: no quotas are known of the preset \"gemini\"; write them into quotas",
    );
    refuses(
        &provider_with("known_quotas = true"),
        "providers[0].known_quotas: are those of a preset; name one, or write them into quotas",
    );
    refuses(
        &provider_with("quotas = [{ models = [\"*a*\"], rpm = 1 }]"),
        "providers[0].quotas[0].models[0]: may have one `*`, at its beginning or its end, and no spaces",
    );
}

#[test]
fn every_known_quota_can_hold_and_says_when_and_where_it_was_read() {
    for known in crate::providers::presets().filter(|known| !known.quotas.is_empty()) {
        for quota in known.quotas {
            assert!(quota.source.as_of.parse::<jiff::civil::Date>().is_ok(), "{}", known.name);
            assert_eq!(format::http_url(quota.source.url).map(|url| url.scheme), Ok("https"), "{}", known.name);
            assert!(format::zone(quota.zone).is_ok(), "{}", known.name);
            assert!(quota.models.iter().all(|model| format::model_pattern(model).is_ok()), "{}", known.name);
            assert!(quota.rpm.is_some() || quota.rpd.is_some(), "{}", known.name);
        }
    }
}
