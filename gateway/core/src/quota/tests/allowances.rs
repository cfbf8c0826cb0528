//! Which allowance expires first, as far as an instance knows.

use super::*;

const LINES: &str = r#"quotas = [
    { rpm = 5, rpd = 10, zone = "Asia/Tokyo" },
    { per = "provider", tpd = 5000, zone = "UTC" },
    { per = "pool", credit = "1 USD" },
]"#;

/// 2026-11-24 12:00 UTC: three hours before Tokyo's midnight, twelve before that of UTC.
const NOW_MS: i64 = 1_795_521_600_000;

#[test]
fn the_first_end_of_a_day_counts_but_no_minutes_nor_what_never_resets() {
    let of = |lines: &str| Allowances::default().expires_ms(&charges(lines, NOW_MS), NOW_MS);
    assert_eq!(of(LINES), NOW_MS + 3 * HOUR);
    assert_eq!(of("quota = { rpd = 10, zone = \"UTC\" }"), NOW_MS + 12 * HOUR);
    assert_eq!(of("quota = { rolling = { calls = 5, hours = 5 } }"), NOW_MS + 61 * 5 * MINUTE_MS);
    let never = of("quota = { rpm = 1, credit = \"1 USD\" }\nconcurrent = 2");
    assert!(never > NOW_MS + 100_000 * HOUR && never == of(""), "what is never lost comes last");
}

#[test]
fn one_that_is_spent_comes_after_all_others_until_its_day_is_over() {
    let today = charges(LINES, NOW_MS);
    let mut allowances = Allowances::default();
    allowances.replace(&today, [(today[0].id.clone(), 3), (today[1].id.clone(), 10)]);
    assert_eq!(ids(&today)[1], "without/p/*/rpd");
    assert!(allowances.expires_ms(&today, NOW_MS) > allowances.expires_ms(&charges("", NOW_MS), NOW_MS));
    let later_ms = NOW_MS + 3 * HOUR;
    assert_eq!(allowances.expires_ms(&charges(LINES, later_ms), later_ms), NOW_MS + 12 * HOUR, "a new day in Tokyo");
}

#[test]
fn what_an_instance_reserves_and_settles_itself_is_known_at_once() {
    let charges = charges("quota = { tpd = 150, zone = \"UTC\" }", NOW_MS);
    let mut allowances = Allowances::default();
    let is_spent = |allowances: &Allowances| allowances.expires_ms(&charges, NOW_MS) != NOW_MS + 12 * HOUR;
    allowances.reserved(&charges, allowances.reads());
    assert!(!is_spent(&allowances), "what was never read is not known");
    allowances.replace(&charges, []);
    assert!(!is_spent(&allowances));
    allowances.reserved(&charges, allowances.reads());
    assert!(is_spent(&allowances), "100 of 150 are taken, and 100 more do not fit");
    allowances.corrected(&settle(&charges, Spend::tokens(50)));
    assert!(!is_spent(&allowances));
    allowances.corrected(&settle(&charges, Spend::tokens(9000)));
    allowances.corrected(&refund(&charges));
    assert!(is_spent(&allowances));
    let yesterday = [Charge { bucket: charges[0].since - HOUR, ..charges[0].clone() }];
    allowances.corrected(&refund(&yesterday));
    allowances.replace(&charges, []);
    allowances.reserved(&yesterday, allowances.reads());
    assert!(!is_spent(&allowances), "what was spent yesterday is not spent today");
}

#[test]
fn a_reservation_that_a_look_may_have_seen_is_not_counted_twice() {
    let charges = charges("quota = { rpd = 2, zone = \"UTC\" }", NOW_MS);
    let mut allowances = Allowances::default();
    let reads_before = allowances.reads();
    allowances.replace(&charges, [(charges[0].id.clone(), 1)]);
    allowances.reserved(&charges, reads_before);
    assert_eq!(allowances.expires_ms(&charges, NOW_MS), NOW_MS + 12 * HOUR, "one of two is left");
    allowances.reserved(&charges, allowances.reads());
    assert!(allowances.expires_ms(&charges, NOW_MS) > NOW_MS + 12 * HOUR, "both are taken");
}

#[test]
fn a_keys_limits_are_no_allowance_of_a_provider() {
    let catalog = catalog("", "rpd = 5");
    assert!(!is_allowance(&key_windows(&catalog.keys[0], Spend::default(), at(0))[0]));
}
