use super::*;
use crate::catalog::Document;

mod allowances;
mod charged;
mod days;
mod interleaving;
mod learnt;
mod money;
mod set_clock;
mod slots;

const HOUR: i64 = HOUR_MS;
const TOTAL_MS: u64 = 3_600_000;

fn at(now_ms: i64) -> Moment {
    Moment { now: Now::of_wall(now_ms), total_ms_max: TOTAL_MS, boot_ms: None, slot: None }
}

/// A catalog with one provider `p` that has these lines, and one key `k` with these limits.
fn catalog(lines: &str, limits: &str) -> Catalog {
    let hash = "0123456789abcdef".repeat(4);
    let text = format!(
        "[[providers]]\nname = \"p\"\nbase_url = \"https://p.example\"\n{lines}\n\
        [[keys]]\nname = \"k\"\nhash = \"sha256:{hash}\"\nlimits = {{ {limits} }}"
    );
    Document::from_toml(&text).unwrap().validate().unwrap_or_else(|problems| panic!("{problems}"))
}

/// The charges of an attempt at `p` for 100 tokens.
fn charges(lines: &str, now_ms: i64) -> Vec<Charge> {
    let catalog = catalog(lines, "");
    let provider = &catalog.providers[0];
    windows(provider, provider.credentials.first().map(Arc::as_ref), "m", Spend::tokens(100), at(now_ms))
}

fn one(quota: &str, now_ms: i64) -> Charge {
    let mut charges = charges(&format!("quota = {{ {quota} }}"), now_ms);
    assert_eq!(charges.len(), 1, "{charges:?}");
    charges.remove(0)
}

fn row(charge: &Charge, bucket: i64, spent: u64) -> Row {
    Row { id: charge.id.clone(), bucket, spent }
}

fn ids(charges: &[Charge]) -> Vec<&str> {
    charges.iter().map(|charge| charge.id.as_str()).collect()
}

#[test]
fn a_call_of_a_teams_key_is_charged_to_both_and_the_team_is_listed_once() {
    let hash = |digit: &str| digit.repeat(64);
    let text = format!(
        "teams = [{{ name = \"t\", limits = {{ rpd = 5 }} }}, {{ name = \"unused\", limits = {{ rpd = 6 }} }}]\n\
        keys = [{{ name = \"j\", hash = \"sha256:{}\", team = \"t\", limits = {{ rpd = 1 }} }}, \
        {{ name = \"k\", hash = \"sha256:{}\", team = \"t\" }}]",
        hash("1"),
        hash("2")
    );
    let catalog = Document::from_toml(&text).unwrap().validate().unwrap();
    let of = |key: usize| key_windows(&catalog.keys[key], Spend::tokens(1), at(0));
    assert_eq!(ids(&of(0)), ["key/j/rpd", "team/t/rpd"]);
    assert_eq!(ids(&of(1)), ["team/t/rpd"]);
    assert_eq!(ids(&all(&catalog, at(0))), ["key/j/rpd", "team/t/rpd", "team/unused/rpd"]);
    let spent = [row(&of(1)[0], of(1)[0].bucket, 5)];
    let refused = over(&of(0), &spent, 0);
    assert!(refused.len() == 1 && refused[0].is_key(), "{refused:?}");
    assert_eq!(refused[0].describe(), "team t: 5 of 5 rpd spent");
}

#[test]
fn what_was_read_from_a_cache_is_left_out_where_a_limit_says_so() {
    let seen = Spend { cached_tokens: 80, ..Spend::tokens(120) };
    for (quota, spent) in [
        ("tpm = 1000", 120),
        ("tpm = 1000, cache_reads = true", 120),
        ("tpm = 1000, cache_reads = false", 40),
        ("tpmonth = 1000, cache_reads = false", 40),
        ("rolling = { tokens = 1000, hours = 5 }, cache_reads = false", 40),
    ] {
        let charges = [one(quota, 0)];
        assert_eq!(charges[0].amount, 100, "nobody knows before what the cache holds");
        let delta = settle(&charges, seen)[0].delta;
        assert_eq!(charges[0].amount.checked_add_signed(delta), Some(spent), "{quota}");
    }
}

#[test]
fn an_attempt_is_charged_to_everything_that_covers_it() {
    let lines = r#"
        credentials = [{ id = "c-1", variable = "A", label = "first", pool = "team" }]
        quota = { rpm = 1, tpd = 2000 }
        concurrent = 8
        quotas = [
            { models = ["m", "n"], rpd = 5 },
            { models = ["other"], rpd = 5 },
            { per = "pool", rolling = { calls = 50, hours = 5 } },
            { per = "provider", points = { per_day = 10, per_call = 3 } },
        ]"#;
    let charges = charges(lines, 1_000_000);
    assert_eq!(
        ids(&charges),
        [
            "credential/c-1/m,n/rpd",
            "credential/c-1/*/rpm",
            "credential/c-1/*/tpd",
            "pool/p/team/*/rolling-5h",
            "provider/p/*/points",
            "provider/p/*/concurrent",
        ]
    );
    let taken: Vec<(u64, u64, Unit)> = charges.iter().map(|each| (each.amount, each.limit, each.unit)).collect();
    assert_eq!(
        taken,
        [
            (1, 5, Unit::Calls),
            (1, 1, Unit::Calls),
            (100, 2000, Unit::Tokens),
            (1, 50, Unit::Calls),
            (3, 10, Unit::Points),
            (1, 8, Unit::InFlight),
        ]
    );
    let scopes: Vec<String> = charges.iter().map(|charge| charge.scope.describe()).collect();
    let first = "p (credential first)";
    assert_eq!(scopes, [first, first, first, "p (pool team)", "p", "p"]);
}

#[test]
fn a_credentials_own_limit_replaces_the_providers_and_leaves_the_others() {
    let lines = r#"
        credentials = [{ id = "c-1", variable = "A", quota = { rpd = 9 } }]
        quota = { rpd = 1, rpm = 2 }"#;
    let limits: Vec<(String, u64)> = charges(lines, 0).into_iter().map(|each| (each.limit_name, each.limit)).collect();
    assert_eq!(limits, [("rpd".to_owned(), 9), ("rpm".to_owned(), 2)]);
}

#[test]
fn spending_follows_the_credential_and_not_its_position() {
    let first = charges("credentials = [\"sk-1\", \"sk-2\"]\nquota = { rpd = 1 }", 0);
    let moved = catalog("credentials = [\"sk-2\", \"sk-1\"]\nquota = { rpd = 1 }", "");
    let again = windows(
        &moved.providers[0],
        moved.providers[0].credentials.get(1).map(Arc::as_ref),
        "m",
        Spend::tokens(1),
        at(0),
    );
    assert_eq!(ids(&first), ids(&again));
    assert!(!first[0].id.contains("sk-1"));
}

#[test]
fn spending_follows_the_secret_and_not_the_way_it_is_written() {
    let ids_of = |provider: &str| {
        let text = format!("[[providers]]\n{provider}\nquota = {{ rpd = 1 }}");
        let mut catalog = Document::from_toml(&text).unwrap().validate().unwrap();
        catalog.resolve(None, &|name| name.starts_with("KEY").then(|| "sk-1\n".to_owned()));
        all(&catalog, at(0)).into_iter().map(|charge| charge.id).collect::<Vec<_>>()
    };
    let written = ids_of("name = \"p\"\nbase_url = \"https://p.example\"\ncredentials = [\"sk-1\"]");
    for (same, provider) in [
        (true, "name = \"p\"\nbase_url = \"https://p.example\"\ncredentials = [\"${KEY_A}\"]"),
        (true, "name = \"p\"\nbase_url = \"https://p.example\"\ncredentials = [{ variable = \"KEY_B\" }]"),
        (true, "name = \"p\"\nbase_url = \"https://p.example\"\ncredentials = [{ id = \"c-1\", value = \"sk-1\" }]"),
        (true, "name = \"q\"\nbase_url = \"https://p.example/v2\"\ncredentials = [\"sk-1\"]"),
        (false, "name = \"p\"\nbase_url = \"https://p.example\"\ncredentials = [\"sk-2\"]"),
        (false, "name = \"p\"\nbase_url = \"https://other.example\"\ncredentials = [\"sk-1\"]"),
    ] {
        assert_eq!(ids_of(provider) == written, same, "{provider}");
    }
    assert!(!written[0].contains("sk-1"));
}

#[test]
fn credentials_without_a_pool_are_one_and_so_is_a_provider_without_any() {
    let lines = "credentials = [\"sk-1\", \"sk-2\"]\nquota = { per = \"pool\", rpd = 1 }";
    let catalog = catalog(lines, "");
    let provider = &catalog.providers[0];
    let of = |index: usize| {
        windows(provider, provider.credentials.get(index).map(Arc::as_ref), "m", Spend::tokens(1), at(0))
    };
    assert_eq!((ids(&of(0)), ids(&of(1))), (vec!["pool/p//*/rpd"], vec!["pool/p//*/rpd"]));
    assert_eq!(ids(&charges("quota = { rpd = 1 }", 0)), ["without/p/*/rpd"]);
}

#[test]
fn a_keys_limits_have_its_name_and_no_models() {
    let catalog = catalog("", "rpm = 120, tpd = 500, concurrent = 8");
    let charges = key_windows(&catalog.keys[0], Spend::tokens(600), at(0));
    assert_eq!(ids(&charges), ["key/k/rpm", "key/k/tpd", "key/k/concurrent"]);
    assert_eq!(charges[1].amount, 500, "a guess beyond the limit takes the whole limit");
}

#[test]
fn every_limit_is_listed_once_and_takes_nothing() {
    let lines = r#"
        credentials = [
            { id = "c-1", variable = "A", pool = "x", quota = { rpd = 9 } },
            { id = "c-2", variable = "B", pool = "x" },
        ]
        quotas = [{ rpd = 1 }, { per = "pool", tpm = 5 }, { per = "provider", models = ["m"], rpm = 5 }]"#;
    let all = all(&catalog(lines, "rpm = 1"), at(0));
    assert_eq!(
        ids(&all),
        ["credential/c-1/*/rpd", "credential/c-2/*/rpd", "pool/p/x/*/tpm", "provider/p/m/rpm", "key/k/rpm"]
    );
    assert!(all.iter().all(|charge| charge.amount == 0) && all[0].limit == 9 && all[1].limit == 1);
}

#[test]
fn estimates_a_quarter_of_the_bytes_and_a_short_answer() {
    for (bytes, max, tokens) in [(0, None, 1024), (400, Some(10), 110), (400, Some(100_000), 1124), (7, Some(0), 1)] {
        assert_eq!(estimate(bytes, max), tokens);
    }
    assert_eq!(estimate(u64::MAX, Some(u64::MAX)), u64::MAX / 4 + 1024);
}

#[test]
fn a_sliding_minute_counts_for_sixty_to_sixty_five_seconds() {
    for (spent_at, now_ms, counts) in [
        (100_000, 100_000, true),
        (100_000, 164_999, true),
        (100_000, 165_000, false),
        (104_999, 164_999, true),
        (104_999, 165_000, false),
        (105_000, 165_000, true),
    ] {
        let bucket = one("rpm = 1", spent_at).bucket;
        let now = one("rpm = 1", now_ms);
        assert_eq!(bucket >= now.since, counts, "spent at {spent_at}, asked at {now_ms}");
        let over = over(std::slice::from_ref(&now), &[row(&now, bucket, 1)], now_ms);
        assert_eq!(over.first().map(|over| over.until_ms), counts.then_some(Some(bucket + 65_000)));
    }
}

#[test]
fn rolling_hours_count_in_sixty_buckets() {
    let now = one("rolling = { calls = 2, hours = 5 }", 10 * HOUR + 7);
    let width_ms = 5 * HOUR / 60;
    assert_eq!((now.bucket, now.since), (10 * HOUR, 5 * HOUR));
    let rows = [row(&now, 5 * HOUR, 1), row(&now, 6 * HOUR, 1), row(&now, 5 * HOUR - width_ms, 9)];
    let over = over(std::slice::from_ref(&now), &rows, now.bucket);
    assert_eq!((over[0].spent, over[0].until_ms), (2, Some(5 * HOUR + 61 * width_ms)));
    let later = one("rolling = { calls = 2, hours = 5 }", 5 * HOUR + 61 * width_ms);
    assert_eq!(super::over(std::slice::from_ref(&later), &rows, later.bucket), []);
}

#[test]
fn says_which_limit_is_spent_and_when_enough_leaves() {
    let charges = charges("quota = { rpm = 3, tpm = 500 }", 200_000);
    let [rpm, tpm] = charges.as_slice() else { panic!("two charges") };
    let rows = [row(tpm, 180_000, 100), row(tpm, 140_000, 90), row(tpm, 150_000, 260), row(rpm, 150_000, 2)];
    let over = over(&charges, &rows, 200_000);
    // 450 are spent: the 90 that leave first are enough for 100 more, the limit being 500.
    assert_eq!(over.len(), 1);
    assert_eq!((over[0].limit_name.as_str(), over[0].spent, over[0].until_ms), ("tpm", 450, Some(205_000)));
    assert_eq!(over[0].describe(), "p: 450 of 500 tpm spent");
}

#[test]
fn settles_tokens_and_gives_back_what_is_under_way() {
    let charges = charges("quota = { rpm = 3, tpm = 500, concurrent = 2 }", 0);
    let deltas = |adjustments: Vec<Adjustment>| -> Vec<(String, i64)> {
        let name = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
        adjustments.into_iter().map(|each| (name(&each.id), each.delta)).collect()
    };
    let named = |pairs: &[(&str, i64)]| -> Vec<(String, i64)> {
        pairs.iter().map(|(name, delta)| ((*name).to_owned(), *delta)).collect()
    };
    assert_eq!(deltas(settle(&charges, Spend::tokens(350))), named(&[("tpm", 250), ("concurrent", -1)]));
    assert_eq!(deltas(settle(&charges, Spend::tokens(0))), named(&[("tpm", -100), ("concurrent", -1)]));
    assert_eq!(deltas(settle(&charges, Spend::tokens(100))), named(&[("concurrent", -1)]));
    assert_eq!(deltas(settle(&charges, Spend::default())), named(&[("concurrent", -1)]));
    assert_eq!(deltas(refund(&charges)), named(&[("rpm", -1), ("tpm", -100), ("concurrent", -1)]));
    assert_eq!(deltas(charge_late(&charges, Spend::tokens(7))), named(&[("rpm", 1), ("tpm", 7)]));
    assert_eq!(deltas(charge_late(&charges, Spend::default())), named(&[("rpm", 1), ("tpm", 100)]));
    assert!(
        settle(&charges, Spend::tokens(u64::MAX)).iter().all(|each| each.delta <= 1 << 50),
        "a row never overflows"
    );
}

#[test]
fn corrections_of_several_attempts_become_one_for_each_row() {
    let charges = charges("quota = { rpm = 3, concurrent = 2 }", 0);
    let both = settle(&charges, Spend::default())
        .into_iter()
        .chain(refund(&charges))
        .chain(charge_late(&charges, Spend::default()));
    let merged = merge(both);
    let under_way = Adjustment { id: charges[1].id.clone(), bucket: charges[1].bucket, delta: -2 };
    assert_eq!(merged, [under_way], "what is taken and given back is nothing");
}

#[test]
fn tells_when_a_day_runs_dry_at_the_rate_of_the_last_hours() {
    let now_ms = 12 * HOUR + HOUR / 2;
    let day = one("rpd = 100", now_ms);
    let rows = [row(&day, 0, 10), row(&day, 11 * HOUR, 20), row(&day, 12 * HOUR, 10)];
    // 30 in an hour and a half, 60 are left: three hours.
    let found = status(&day, &rows, now_ms);
    assert_eq!((found.spent, found.resets_at_ms), (40, Some(24 * HOUR)));
    assert_eq!(found.runs_dry_at_ms, Some(now_ms + 3 * HOUR));
    let slow = status(&day, &[row(&day, 0, 40), row(&day, 12 * HOUR, 1)], now_ms);
    assert_eq!((slow.spent, slow.runs_dry_at_ms), (41, None), "not before it resets");
    assert_eq!(status(&day, &[row(&day, 0, 40)], now_ms).runs_dry_at_ms, None, "nothing was spent lately");
    assert_eq!(status(&day, &[row(&day, 0, 100)], now_ms).runs_dry_at_ms, Some(now_ms));
    assert_eq!(status(&day, &[], now_ms), Status { spent: 0, resets_at_ms: Some(24 * HOUR), runs_dry_at_ms: None });
}

#[test]
fn tells_when_a_sliding_window_runs_dry_while_old_buckets_leave() {
    let now_ms = 100_000;
    let minute = one("rpm = 100", now_ms);
    // 3 a second for 15 s: 55 more take 18.3 s, and nothing has left by then.
    let fast = [row(&minute, 85_000, 15), row(&minute, 90_000, 15), row(&minute, 95_000, 15)];
    let found = status(&minute, &fast, now_ms);
    assert_eq!((found.spent, found.resets_at_ms), (45, Some(150_000)));
    assert_eq!(found.runs_dry_at_ms, Some(now_ms + 18_333));
    // At 1 a second the minute never fills, however long it lasts.
    let steady: Vec<Row> = (8..20).map(|step| row(&minute, step * 5_000, 5)).collect();
    assert_eq!(status(&minute, &steady, now_ms).runs_dry_at_ms, None);
}

#[test]
fn remembers_what_was_refused_until_it_may_have_changed() {
    let now_ms = 100_000;
    let charges = charges("quota = { rpm = 1, tpm = 500 }", now_ms);
    let rows = [row(&charges[0], 60_000, 1)];
    let mut spent = Spent::default();
    spent.learn(&over(&charges, &rows, now_ms), now_ms);
    let found =
        spent.is_spent(&charges, now_ms + 9_999).map(|(charge, until_ms)| (charge.limit_name.as_str(), until_ms));
    assert_eq!(found, Some(("rpm", Some(125_000))));
    assert_eq!(spent.is_spent(&charges, now_ms + 10_000), None, "the ledger is asked again");
    let raised = one("rpm = 2", now_ms);
    assert_eq!(spent.is_spent(&[raised], now_ms), None, "another limit is another question");
    spent.forget(&charges[0].id);
    assert_eq!(spent.is_spent(&charges, now_ms), None);
}

#[test]
fn remembers_that_less_was_refused_and_lets_less_than_that_ask() {
    let now_ms = 100_000;
    let tokens = |amount: u64| Charge { amount, ..one("tpm = 500", now_ms) };
    let rows = [row(&tokens(0), 60_000, 450)];
    let mut spent = Spent::default();
    for amount in [60, 400] {
        spent.learn(&over(&[tokens(amount)], &rows, now_ms), now_ms);
    }
    assert!(spent.is_spent(&[tokens(60)], now_ms).is_some());
    assert!(spent.is_spent(&[tokens(59)], now_ms).is_none());
}

#[test]
fn remembers_no_more_than_its_bound() {
    let mut spent = Spent::default();
    let charge = one("rpm = 1", 0);
    for index in 0..5_000 {
        let charge = Charge { id: format!("credential/{index}/*/rpm"), ..charge.clone() };
        let rows = [row(&charge, 0, 1)];
        spent.learn(&over(&[charge], &rows, index), index);
    }
    assert!(format!("{spent:?}").matches("until_ms").count() <= 1024);
}

#[test]
fn what_was_spent_elsewhere_is_no_rate_but_counts_as_long_as_it_may() {
    let day = one("rpd = 1", 30 * HOUR);
    assert_eq!((day.bucket, day.elsewhere_bucket()), (30 * HOUR, 24 * HOUR));
    let minute = one("rpm = 1", 30 * HOUR);
    assert_eq!(minute.elsewhere_bucket(), minute.bucket);
}

#[test]
fn what_is_spent_at_a_time_to_come_counts_only_where_nothing_resets() {
    for (quota, counts) in [("rpm = 1", false), ("rolling = { calls = 1, hours = 5 }", false), ("rpd = 1", false)] {
        let charge = one(quota, 30 * HOUR);
        let rows = [row(&charge, charge.bucket + 24 * HOUR, 1)];
        assert_eq!(over(&[charge], &rows, 30 * HOUR).len(), usize::from(counts), "{quota}");
    }
    let charge = Charge { amount: 1, ..one("credit = \"1 USD\"", 30 * HOUR) };
    let rows = [row(&charge, charge.bucket + 24 * HOUR, charge.limit)];
    assert_eq!(over(&[charge], &rows, 30 * HOUR).len(), 1, "money is spent, whatever the clock said");
}

#[test]
fn what_was_refused_before_the_clock_was_set_back_is_asked_again() {
    let (mut spent, charge) = (Spent::default(), one("rpm = 1", 30 * HOUR));
    let rows = [row(&charge, charge.bucket, 1)];
    spent.learn(&over(std::slice::from_ref(&charge), &rows, 30 * HOUR), 30 * HOUR);
    assert!(spent.is_spent(std::slice::from_ref(&charge), 30 * HOUR + 1).is_some());
    assert!(spent.is_calm(22 * HOUR) && spent.is_spent(&[charge], 22 * HOUR).is_none());
}

#[test]
fn writes_charges_for_the_store() {
    let charge = one("rpm = 1", 100_000);
    assert_eq!(charges_json(std::slice::from_ref(&charge)), r#"[["without/p/*/rpm",100000,40000,1,1,105000,105000]]"#);
    assert_eq!(adjustments_json(&refund(&[charge])), r#"[["without/p/*/rpm",100000,-1]]"#);
}
