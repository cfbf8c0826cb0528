//! Whatever is reserved, settled and refunded in whatever order: no limit is ever exceeded by what was let through.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The store's statements, as far as they matter here.
#[derive(Default)]
pub(super) struct Ledger(BTreeMap<(String, i64), u64>);

impl Ledger {
    pub(super) fn rows(&self) -> Vec<Row> {
        self.0.iter().map(|((id, bucket), spent)| Row { id: id.clone(), bucket: *bucket, spent: *spent }).collect()
    }

    pub(super) fn reserve(&mut self, charges: &[Charge], now_ms: i64) -> Result<(), Vec<ExceededLimit>> {
        let over = over(charges, &self.rows(), now_ms);
        if !over.is_empty() {
            return Err(over);
        }
        for charge in charges {
            *self.0.entry((charge.id.clone(), charge.bucket)).or_default() += charge.amount;
        }
        Ok(())
    }

    pub(super) fn adjust(&mut self, adjustments: &[Adjustment]) {
        for each in adjustments {
            let key = (each.id.clone(), each.bucket);
            if each.delta > 0 || self.0.contains_key(&key) {
                let spent = self.0.entry(key).or_default();
                *spent = spent.saturating_add_signed(each.delta);
            }
        }
    }
}

/// A call that was let through and what became of it.
struct Open {
    charges: Vec<Charge>,
    at_ms: i64,
}

#[derive(Debug, Clone)]
enum Step {
    /// Time passes.
    Wait(i64),
    /// A call of so many tokens.
    Call(u64),
    /// A call under way ends having used so much of its guess, in hundredths.
    End(usize, u64),
    /// A call under way fails before it costs anything.
    Fail(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..20_000i64).prop_map(Step::Wait),
        1 => (0..2 * HOUR).prop_map(Step::Wait),
        6 => (0..400u64).prop_map(Step::Call),
        3 => (any::<usize>(), 0..=100u64).prop_map(|(index, part)| Step::End(index, part)),
        2 => any::<usize>().prop_map(Step::Fail),
    ]
}

const LIMITS: &str = "quota = { rpm = 5, tpm = 900, rpd = 9, tpd = 1500, rolling = { calls = 6, hours = 1 }, \
    points = { per_day = 27, per_call = 3 }, concurrent = 3, zone = \"America/Los_Angeles\" }";

/// What the limits look back over, counted by the calls themselves: no more than a true minute, hour or day.
fn spent_by(calls: &[(i64, u64)], since_ms: i64) -> (u64, u64) {
    let recent = calls.iter().filter(|(at_ms, _)| *at_ms > since_ms);
    recent.fold((0, 0), |(calls, tokens), (_, each)| (calls + 1, tokens + each))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn never_lets_through_more_than_any_limit(start in 0..48 * HOUR, steps in prop::collection::vec(step(), 1..160)) {
        let catalog = catalog(LIMITS, "");
        let provider = &catalog.providers[0];
        let Window::Day(day) = provider.quotas[0].limits[2].window.clone() else { panic!("rpd") };
        // Around a day of 25 hours.
        let mut now_ms = 1_793_500_000_000 + start;
        let mut ledger = Ledger::default();
        let mut open: Vec<Open> = Vec::new();
        // Calls the provider has counted or may count: a call that failed is taken out again.
        let mut counted: Vec<(i64, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(ms) => now_ms += ms,
                Step::Call(tokens) => {
                    let charges = windows(provider, None, "m", Spend::tokens(tokens), at(now_ms));
                    match ledger.reserve(&charges, now_ms) {
                        Ok(()) => {
                            counted.push((now_ms, tokens));
                            open.push(Open { charges, at_ms: now_ms });
                        }
                        Err(over) => {
                            // What it says of the future is true: nothing fits before.
                            for each in over.iter().filter(|over| over.unit_is_sliding(&charges)) {
                                let until_ms = each.until_ms.unwrap();
                                prop_assert!(until_ms > now_ms);
                                let before: Vec<Charge> = windows(provider, None, "m", Spend::tokens(tokens), at(until_ms - 1));
                                let same = before.into_iter().filter(|charge| charge.id == each.id);
                                prop_assert!(!super::over(&same.collect::<Vec<_>>(), &ledger.rows(), now_ms).is_empty());
                                let then = windows(provider, None, "m", Spend::tokens(tokens), at(until_ms));
                                let same = then.into_iter().filter(|charge| charge.id == each.id);
                                prop_assert!(super::over(&same.collect::<Vec<_>>(), &ledger.rows(), now_ms).is_empty());
                            }
                        }
                    }
                }
                Step::End(index, part) if !open.is_empty() => {
                    let ended = open.swap_remove(index % open.len());
                    let guess = ended.charges.iter().find(|charge| charge.unit == Unit::Tokens).unwrap().amount;
                    let used = guess * part / 100;
                    ledger.adjust(&settle(&ended.charges, Spend::tokens(used)));
                    let call = counted.iter_mut().find(|(at_ms, tokens)| *at_ms == ended.at_ms && *tokens == guess);
                    if let Some((_, tokens)) = call {
                        *tokens = used;
                    }
                }
                Step::Fail(index) if !open.is_empty() => {
                    let failed = open.swap_remove(index % open.len());
                    let guess = failed.charges.iter().find(|charge| charge.unit == Unit::Tokens).unwrap().amount;
                    ledger.adjust(&refund(&failed.charges));
                    let call = counted.iter().position(|(at_ms, tokens)| *at_ms == failed.at_ms && *tokens == guess);
                    call.map(|position| counted.remove(position));
                }
                Step::End(..) | Step::Fail(_) => {}
            }
            let (calls, tokens) = spent_by(&counted, now_ms - MINUTE_MS);
            prop_assert!(calls <= 5 && tokens <= 900, "{calls} calls and {tokens} tokens in a minute");
            prop_assert!(spent_by(&counted, now_ms - HOUR).0 <= 6);
            let (calls, tokens) = spent_by(&counted, day::bounds(&day, now_ms).0 - 1);
            prop_assert!(calls <= 9 && 3 * calls <= 27 && tokens <= 1500, "{calls} calls and {tokens} tokens in a day");
            let total = i64::try_from(TOTAL_MS).unwrap();
            prop_assert!(open.iter().filter(|call| call.at_ms > now_ms - total).count() <= 3);
        }
        for left in &open {
            ledger.adjust(&refund(&left.charges));
        }
        let under_way = ledger.rows().into_iter().filter(|row| row.id.ends_with("/concurrent"));
        prop_assert_eq!(under_way.map(|row| row.spent).sum::<u64>(), 0, "all that was under way is given back");
    }
}

impl ExceededLimit {
    fn unit_is_sliding(&self, charges: &[Charge]) -> bool {
        charges.iter().any(|charge| charge.id == self.id && matches!(charge.ends, Ends::After(_)))
    }
}
