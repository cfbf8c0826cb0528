//! What a call and its attempts are charged, from the guess to the correction.

use std::cell::Cell;

use super::*;
use crate::call::{Call, Demand};
use crate::candidate::{AttemptParts, SkipReason};
use crate::operation::Operation;
use crate::outcome::Progress;
use crate::price::Price;
use crate::usage::Usage;

const PRICE: Price = Price { input: 1_000, cache_read: 0, cache_write: 0, output: 2_000, call: 0 };

fn call(operation: Operation) -> Call {
    Call {
        operation,
        model: "m".into(),
        streamed: false,
        as_array: false,
        include_usage: false,
        body: vec![b'x'; 400],
        names: Vec::new(),
        usage_edit: None,
        session: None,
        session_span: None,
        tokens_max: Some(50),
        previous_response: None,
        is_stored: false,
        query: None,
        has_tools: false,
        forbids_reasoning: false,
        has_safeguards: false,
        has_routing: false,
    }
}

fn look(_: &Call) -> Demand {
    Demand { tokens: 1_000, ..Demand::default() }
}

/// A catalog whose provider has these lines, and one model that it serves.
fn served(lines: &str) -> Catalog {
    catalog(lines, "rpm = 1\nbudget = \"1 USD/day\"".replace('\n', ", ").as_str())
}

fn to(catalog: &Catalog) -> AttemptParts<'_> {
    let target = &catalog.models[0].targets[0];
    let credential = target.provider.credentials.first().map(|credential| &**credential);
    AttemptParts { target, provider: &target.provider, upstream_model: "u", credential }
}

fn with_target(lines: &str) -> Catalog {
    let text = format!(
        "models = [{{ name = \"m\", targets = [\"p/u\"] }}]\n[[providers]]\nname = \"p\"\n\
        base_url = \"https://p.example\"\ncredentials = [{{ id = \"c-1\", variable = \"A\" }}]\n{lines}"
    );
    Document::from_toml(&text).unwrap().validate().unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn an_attempt_without_limits_is_charged_nothing_and_asks_nobody() {
    let catalog = with_target("");
    let demand = |_: &Call| -> Demand { panic!("nobody counts money") };
    let call = call(Operation::Chat);
    assert_eq!(Estimate::of(&call, &demand).of_attempt(to(&catalog), at(0)), Charges::default());
}

#[test]
fn tokens_are_guessed_from_the_size_of_the_body_and_the_wanted_maximum() {
    let catalog = with_target("quota = { tpd = 5000 }");
    let call = call(Operation::Chat);
    let estimate = Estimate::of(&call, &look);
    let amounts = |charges: &[Charge]| charges.iter().map(|charge| charge.amount).collect::<Vec<_>>();
    assert_eq!(amounts(&estimate.of_attempt(to(&catalog), at(0)).list), [150], "100 of the body and 50 of the answer");
    assert_eq!(amounts(&estimate.draws_on(to(&catalog), at(0))), [150]);
}

#[test]
fn the_body_is_looked_at_once_for_all_attempts() {
    thread_local! { static LOOKS: Cell<u32> = const { Cell::new(0) }; }
    let counted = |_: &Call| {
        LOOKS.set(LOOKS.get() + 1);
        Demand { tokens: 7, ..Demand::default() }
    };
    let call = call(Operation::Chat);
    let estimate = Estimate::of(&call, &counted);
    assert_eq!((estimate.demand().tokens, estimate.demand().tokens, LOOKS.get()), (7, 7, 1));
}

#[test]
fn a_budget_is_charged_the_dearest_and_counting_tokens_is_free() {
    let catalog = served("");
    let money = |operation| {
        let call = call(operation);
        let charges = Estimate::of(&call, &look).of_key(&catalog.keys[0], |guess| guess(&PRICE), at(0));
        charges.list.iter().find(|charge| charge.unit == Unit::Money).expect("a budget").amount
    };
    // 1,000 tokens of the prompt as its demand says, and 50 of the answer.
    assert_eq!(money(Operation::Chat), estimate_cost(&PRICE, 1_000, Some(50)));
    assert_eq!(money(Operation::Embeddings), estimate_cost(&PRICE, 1_000, Some(0)), "no words are written");
    assert_eq!(money(Operation::CountTokens), 0);
}

fn charged(is_late: bool) -> UnsettledCharges {
    let catalog = with_target("quota = { rpm = 10, tpd = 5000 }\nconcurrent = 2");
    let call = call(Operation::Chat);
    Estimate::of(&call, &look).of_attempt(to(&catalog), at(0)).made(is_late)
}

/// The corrections by what is counted: calls, tokens, calls under way.
fn deltas(adjustments: &[Adjustment]) -> [i64; 3] {
    ["rpm", "tpd", "concurrent"]
        .map(|name| adjustments.iter().filter(|each| each.id.ends_with(name)).map(|each| each.delta).sum())
}

#[test]
fn how_far_an_attempt_came_decides_what_it_stays_charged() {
    for (progress, in_time, late) in [
        (Progress::Unsent, [-1, -150, -1], [0, 0, 0]),
        (Progress::TurnedAway, [-1, -150, -1], [0, 0, 0]),
        (Progress::Failed, [0, -150, -1], [1, 0, 0]),
        (Progress::WorkedOn, [0, 0, -1], [1, 150, 0]),
    ] {
        assert_eq!(deltas(&charged(false).end(progress)), in_time, "{progress:?}");
        assert_eq!(deltas(&charged(true).end(progress)), late, "{progress:?}, without a reservation");
    }
}

#[test]
fn what_was_used_replaces_what_was_guessed_and_only_once() {
    let usage = Usage { input_tokens: Some(100), output_tokens: Some(20), ..Usage::default() };
    let seen = AnswerSummary { usage, content_bytes: 80, is_whole: true };
    let mut made = charged(false);
    assert!(!made.is_estimated(&seen));
    assert!(made.is_estimated(&AnswerSummary::default()));
    assert_eq!(deltas(&made.settle(&seen)), [0, -30, -1]);
    assert_eq!(made.settle(&seen), []);
    assert_eq!(made.end(Progress::WorkedOn), [], "a call that is dropped afterwards corrects nothing");
    assert_eq!(deltas(&charged(true).settle(&seen)), [1, 120, 0]);
}

#[test]
fn a_credit_in_money_lacks_the_price_of_what_has_none() {
    let catalog = with_target("quota = { credit = \"5 USD\" }");
    let call = call(Operation::Chat);
    let made = Estimate::of(&call, &look).of_attempt(to(&catalog), at(0)).made(false);
    assert!(made.lacks_price());
    assert!(!charged(false).lacks_price());
}

#[test]
fn what_is_known_to_be_spent_is_not_asked_for_again() {
    let catalog = with_target("quota = { rpd = 5 }");
    let call = call(Operation::Chat);
    let estimate = Estimate::of(&call, &look);
    let charges = estimate.of_attempt(to(&catalog), at(0));
    let mut spent = Spent::default();
    assert_eq!(charges.known_spent(&spent, 0), None);
    let rows = [row(&charges.list[0], charges.list[0].bucket, 5)];
    spent.learn(&over(&charges.list, &rows, 0), 0);
    let skip = charges.known_spent(&spent, 0).expect("it is spent");
    assert_eq!(skip.reason, SkipReason::QuotaSpent);
    assert!(skip.until_ms.is_some() && skip.message.is_some_and(|message| message.contains("rpd")));
}

#[test]
fn a_refusal_says_which_limit_and_when_the_last_of_them_is_free_again() {
    let catalog = with_target("quota = { rpd = 5, rpm = 1 }");
    let call = call(Operation::Chat);
    let charges = Estimate::of(&call, &look).of_attempt(to(&catalog), at(0)).list;
    let rows: Vec<Row> = charges.iter().map(|charge| row(charge, charge.bucket, charge.limit)).collect();
    let over = over(&charges, &rows, 0);
    let skip = refused(&over, 0, 500);
    assert_eq!(skip.until_ms, over.iter().filter_map(|over| over.until_ms).max());
    assert!(skip.message.is_some_and(|message| message.contains("rpd") && message.contains("rpm")));
    let silent = refused(&[], 1_000, 500);
    assert_eq!((silent.until_ms, silent.message), (Some(1_500), None), "it is looked for again soon");
    let for_good: Vec<ExceededLimit> =
        over.into_iter().map(|each| ExceededLimit { is_for_good: true, ..each }).collect();
    assert_eq!(refused(&for_good, 0, 500).until_ms, None);
}
