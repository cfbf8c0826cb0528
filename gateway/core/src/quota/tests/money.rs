//! Budgets and credits: what they are guessed to take, when they reset, and that they hold.

use proptest::prelude::*;

use super::interleaving::Ledger;
use super::*;

const USD: u64 = 1_000_000_000;

fn spend(cost_nano: u64) -> Spend {
    Spend { cost_nano: Some(cost_nano), ..Spend::default() }
}

/// The charge of a call of the key `k` with this budget.
fn budget(text: &str, cost_nano: u64, now_ms: i64) -> Charge {
    let catalog = catalog("", &format!("budget = \"{text}\""));
    let mut charges = key_windows(&catalog.keys[0], spend(cost_nano), at(now_ms));
    assert_eq!(charges.len(), 1, "{charges:?}");
    charges.remove(0)
}

fn ms(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[test]
fn a_budget_is_charged_in_nano_dollars_and_has_the_name_of_its_period() {
    let hash = "0123456789abcdef".repeat(4);
    let text = format!(
        "settings = {{ rates = {{ CNY = 0.14 }} }}\n\
        [[keys]]\nname = \"k\"\nhash = \"sha256:{hash}\"\nlimits = {{ budget = \"2.5 CNY/day\" }}"
    );
    let yuan = Document::from_toml(&text).unwrap().validate().unwrap();
    let charge = key_windows(&yuan.keys[0], spend(7), at(0)).remove(0);
    assert_eq!((charge.id.as_str(), charge.amount, charge.limit), ("key/k/budget-day", 7, 350_000_000));
    assert_eq!(charge.unit, Unit::Money);
    let names = ["hour", "day", "week", "month", "total"].map(|period| budget(&format!("1 USD/{period}"), 0, 0).id);
    assert_eq!(
        names.map(|id| id.trim_start_matches("key/k/").to_owned()),
        ["budget-hour", "budget-day", "budget-week", "budget-month", "credit"]
    );
}

#[test]
fn weeks_begin_on_mondays_and_months_on_the_first_whatever_the_clock() {
    // A Wednesday; the clocks of Berlin went back on 25 October.
    let now_ms = ms("2026-10-28T12:00:00Z");
    let hash = "0123456789abcdef".repeat(4);
    let in_berlin = |period: &str, now_ms: i64| {
        let text = format!(
            "settings = {{ zone = \"Europe/Berlin\" }}\n\
            [[keys]]\nname = \"k\"\nhash = \"sha256:{hash}\"\nlimits = {{ budget = \"1 USD/{period}\" }}"
        );
        let catalog = Document::from_toml(&text).unwrap().validate().unwrap();
        let charge = key_windows(&catalog.keys[0], spend(0), at(now_ms)).remove(0);
        (charge.since, charge.ends)
    };
    let span = |from: &str, to: &str| (ms(from), Ends::At(ms(to)));
    assert_eq!(in_berlin("week", now_ms), span("2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z"));
    assert_eq!(in_berlin("month", now_ms), span("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"));
    let last_moment = ms("2026-10-31T22:59:59.999Z");
    assert_eq!(in_berlin("month", last_moment), span("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"));
    assert_eq!(in_berlin("month", last_moment + 1), span("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"));
}

#[test]
fn everything_spent_within_a_month_counts_until_it_ends() {
    let early = budget("10 USD/month", 0, ms("2026-11-01T00:00:00Z"));
    let late = budget("10 USD/month", USD, ms("2026-11-30T23:00:00Z"));
    let rows = [row(&early, early.bucket, 4 * USD), row(&late, late.bucket, 5 * USD + 1)];
    let over = over(std::slice::from_ref(&late), &rows, ms("2026-11-30T23:00:00Z"));
    assert_eq!((over[0].spent, over[0].until_ms), (9 * USD + 1, Some(ms("2026-12-01T00:00:00Z"))));
    assert_eq!(over[0].describe(), "key k: 9 of 10 USD/month spent, and this call may cost 1");
    let next = budget("10 USD/month", USD, ms("2026-12-01T00:00:00Z"));
    assert!(super::over(&[next], &rows, ms("2026-12-01T00:00:00Z")).is_empty());
}

#[test]
fn a_credit_never_resets_and_tells_when_it_runs_dry() {
    let (first_ms, now_ms) = (ms("2024-01-01T12:00:00Z"), ms("2026-11-24T12:00:00Z"));
    let credit = |cost_nano: u64, now_ms: i64| {
        let catalog = catalog("quota = { credit = \"10 USD\" }", "");
        windows(&catalog.providers[0], None, "m", spend(cost_nano), at(now_ms)).remove(0)
    };
    let (then, now) = (credit(0, first_ms), credit(2 * USD, now_ms));
    assert_eq!((then.id.as_str(), now.ends), ("without/p/*/credit", Ends::Never));
    let mut rows = vec![row(&then, then.bucket, 9 * USD)];
    let refused = over(std::slice::from_ref(&now), &rows, now_ms);
    assert_eq!((refused[0].until_ms, refused[0].is_for_good), (None, true));
    assert_eq!(refused[0].describe(), "p: 9 of 10 USD spent, and this call may cost 2");
    assert_eq!(status(&now, &rows, now_ms), Status { spent: 9 * USD, resets_at_ms: None, runs_dry_at_ms: None });
    // Half a dollar in six and a half days: the other half is gone in as many.
    rows.push(row(&now, now.bucket, USD / 2));
    assert_eq!(status(&now, &rows, now_ms).runs_dry_at_ms, Some(now_ms + 13 * 12 * HOUR));
}

#[test]
fn a_credit_that_is_spent_is_remembered_without_a_time() {
    let catalog = catalog("quota = { credit = \"1 USD\" }", "");
    let charges = windows(&catalog.providers[0], None, "m", spend(5), at(0));
    let mut spent = Spent::default();
    spent.learn(&over(&charges, &[row(&charges[0], 0, USD)], 1), 1);
    let found = spent.is_spent(&charges, 2).map(|(charge, until_ms)| (charge.describe_spent(), until_ms));
    assert_eq!(found, Some(("p: 1 USD spent".to_owned(), None)));
    assert_eq!(spent.is_spent(&charges, 10_001), None, "the ledger is asked again");
}

#[test]
fn money_is_settled_with_the_cost_of_a_call_and_kept_where_it_is_unknown() {
    let charges = [budget("1 USD/day", 100, 0)];
    let delta = |adjustments: Vec<Adjustment>| adjustments.first().map_or(0, |each| each.delta);
    assert_eq!(delta(settle(&charges, spend(170))), 70);
    assert_eq!(delta(settle(&charges, spend(0))), -100);
    assert_eq!(delta(settle(&charges, Spend::tokens(9))), 0);
    assert_eq!(delta(refund(&charges)), -100);
    assert_eq!(delta(charge_late(&charges, spend(170))), 170);
    assert_eq!(delta(charge_late(&charges, Spend::default())), 100);
    let estimate = |cost_nano: u64| Spend { is_estimate: true, ..spend(cost_nano) };
    assert_eq!(delta(settle(&charges, estimate(170))), 70);
    assert_eq!(delta(settle(&charges, estimate(30))), 0, "what may be more gives nothing back");
    assert_eq!(delta(charge_late(&charges, estimate(30))), 100);
}

#[test]
fn dollars_are_written_as_people_write_them() {
    let written = [0, 138_000, 12_500_000_000, 5 * USD, 999_999_999_600, 1].map(human);
    assert_eq!(written, ["0", "0.000138", "12.5", "5", "1000", "0"]);
}

proptest! {
    /// Calls begin and end in any order and cost something else than was guessed.
    #[test]
    fn a_budget_holds_but_for_what_was_guessed_too_low(
        calls in prop::collection::vec((1..400u64, 0..600u64, any::<bool>(), 0..6usize), 1..120)
    ) {
        const LIMIT: u64 = 2_000;
        let budget = |guess: u64| Charge { limit: LIMIT, ..budget("1 USD/day", guess, 0) };
        let mut ledger = Ledger::default();
        let mut open: Vec<(Vec<Charge>, u64, u64, bool)> = Vec::new();
        let (mut cost_of_ended, mut guessed_too_low) = (0, 0);
        let end = |ledger: &mut Ledger, (charges, guess, cost, is_refused): (Vec<Charge>, u64, u64, bool)| {
            ledger.adjust(&if is_refused { refund(&charges) } else { settle(&charges, spend(cost)) });
            if is_refused { (0, 0) } else { (cost, cost.saturating_sub(guess)) }
        };
        for (guess, cost, is_refused, under_way_max) in calls {
            let charges = vec![budget(guess)];
            let spent: u64 = ledger.rows().iter().map(|row| row.spent).sum();
            let fits = spent + guess <= LIMIT;
            prop_assert_eq!(ledger.reserve(&charges, 0).is_ok(), fits);
            if fits {
                open.push((charges, guess, cost, is_refused));
            }
            while open.len() > under_way_max {
                let (cost, too_low) = end(&mut ledger, open.remove(0));
                (cost_of_ended, guessed_too_low) = (cost_of_ended + cost, guessed_too_low + too_low);
            }
            let spent: u64 = ledger.rows().iter().map(|row| row.spent).sum();
            let under_way: u64 = open.iter().map(|(_, guess, ..)| guess).sum();
            prop_assert_eq!(spent, cost_of_ended + under_way, "what is spent is what was paid and what is under way");
            prop_assert!(spent <= LIMIT + guessed_too_low);
        }
    }

    /// One call after the other: the last one alone may cost more than was left.
    #[test]
    fn calls_in_a_row_exceed_a_budget_by_the_error_of_one_guess_at_most(
        calls in prop::collection::vec((1..400u64, 0..600u64), 1..120)
    ) {
        const LIMIT: u64 = 2_000;
        let (mut ledger, mut paid, mut error_max) = (Ledger::default(), 0, 0);
        for (guess, cost) in calls {
            let charges = [Charge { limit: LIMIT, ..budget("1 USD/day", guess, 0) }];
            if ledger.reserve(&charges, 0).is_ok() {
                ledger.adjust(&settle(&charges, spend(cost)));
                (paid, error_max) = (paid + cost, error_max.max(cost.saturating_sub(guess)));
            }
            prop_assert!(paid <= LIMIT + error_max, "{} paid, guessed {} too low at most", paid, error_max);
        }
    }
}
