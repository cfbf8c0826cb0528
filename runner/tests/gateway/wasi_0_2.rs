//! The rules that hold on every host but those of WASI 0.2, and why: an instance serves one request there and then ends. Users
//! find the same in `gateway/docs/host.md`, "What holds where".

use std::fs;
use std::path::Path;

use crate::common::Host;

/// Each by the file that it stands in, with its reason.
const LEFT_OUT: [(&str, &str, &str); 2] = [
    (
        "budgets",
        "a_credit_that_is_spent_is_known_to_be_and_not_asked_for_again",
        "what is spent is asked for with each reservation, since no instance lives to know it: the record says so of the \
         target that was passed over, and not of one that was skipped",
    ),
    (
        "large_bodies",
        "unfinished_events_trap_nobody",
        "no call has neighbours in its instance, and that a client has left is noticed with the next keep-alive",
    ),
];

/// Runs a rule, unless it is left out.
pub(crate) fn run(module: &str, rule: &str, check: fn(Host)) {
    let file = module.split("::").nth(1).unwrap_or_default();
    if !LEFT_OUT.iter().any(|(of, name, _)| (*of, *name) == (file, rule)) {
        check(Host::Wasi02);
    }
}

#[test]
fn each_rule_that_is_left_out_is_one_of_every_host() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway");
    for (file, rule, reason) in LEFT_OUT {
        let text = fs::read_to_string(folder.join(format!("{file}.rs"))).expect(file);
        let (_, rules) = text.split_once("both_hosts!").expect(file);
        let (rules, _) = rules.split_once(';').unwrap_or((rules, ""));
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        assert!(rules.split(|letter| !is_name(letter)).any(|each| each == rule), "{file}::{rule}");
        assert!(!reason.is_empty());
    }
}
