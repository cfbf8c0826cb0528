//! What follows when the way out fails.

use super::*;

/// One target with four credentials, of which the first two and the last two share a way out, and another target.
fn two_ways() -> Vec<Candidate> {
    let mut candidates = candidates(&[4, 1]);
    candidates[0].egress_groups = vec![0, 0, 1, 1];
    candidates
}

fn no_proxy() -> Outcome {
    failed(SendError::Egress("proxy proxy.example:80 refused the connection".into()))
}

fn location() -> Outcome {
    error_answer(
        400,
        r#"{"error":{"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
    )
}

#[test]
fn a_failing_way_out_is_left_for_the_next_credential_with_another_one() {
    for outcome in [no_proxy(), failed(SendError::Tunnel("proxy proxy.example:80 unsuccessful".into())), location()] {
        let outcomes = vec![outcome.clone(), outcome, Outcome::Head(200)];
        let (attempted, end) = walk(two_ways(), 5, outcomes, &mut RetryBudget::default(), &|_| true);
        let attempted: Vec<_> =
            attempted.iter().map(|(attempt, _)| (target_of(attempt), credential_of(attempt))).collect();
        assert_eq!(attempted, [(0, Some(0)), (0, Some(2)), (1, Some(0))]);
        assert_eq!(end, Decision::Relay);
    }
}

#[test]
fn credentials_that_share_a_way_out_are_not_asked_in_turn_about_it() {
    let (attempted, end) = run(&[3], 5, vec![location()]);
    assert_eq!((attempted, status_of(&end)), (vec![(0, Some(0))], 502));
}

#[test]
fn a_free_key_refused_in_its_country_is_followed_by_a_paid_one() {
    let message = "Gemini API free tier is not available in your country. Please enable billing on your project.";
    let free = error_answer(400, &format!(r#"{{"error":{{"message":"{message}","status":"FAILED_PRECONDITION"}}}}"#));
    let (attempted, end) = run(&[2], 5, vec![free, Outcome::Head(200)]);
    assert_eq!((attempted, end), (vec![(0, Some(0)), (0, Some(1))], Decision::Relay));
}

#[test]
fn a_proxy_that_failed_in_passing_is_tried_once_more_after_a_pause() {
    let outcomes = vec![no_proxy(), Outcome::Head(200)];
    let (attempted, end) = walk(candidates(&[2]), 5, outcomes, &mut RetryBudget::default(), &|_| true);
    assert_eq!(attempted.iter().map(|(attempt, _)| credential_of(attempt)).collect::<Vec<_>>(), [Some(0), Some(0)]);
    assert!(attempted[1].1 > 0);
    assert_eq!(end, Decision::Relay);
}

#[test]
fn a_dead_proxy_is_told_from_a_dead_provider() {
    let (_, end) = run(&[1], 1, vec![no_proxy()]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert_eq!((refusal.status, refusal.state), (502, State::UpstreamConnect));
    assert_eq!(
        refusal.message,
        "No provider answered: p/m was not reached: the egress proxy proxy.example:80 refused the connection."
    );
}

#[test]
fn a_way_out_found_closed_meanwhile_costs_no_attempt() {
    for reason in [SkipReason::EgressResting, SkipReason::Unreachable] {
        let outcomes = vec![Outcome::NotSent(Skip::new(reason, Some(9))), Outcome::Head(200)];
        let (attempted, end) = walk(two_ways(), 1, outcomes, &mut RetryBudget::default(), &|_| false);
        assert_eq!(attempted.iter().map(|(attempt, _)| credential_of(attempt)).collect::<Vec<_>>(), [Some(0), Some(2)]);
        assert_eq!(end, Decision::Relay, "{reason:?}");
    }
}
