mod egress;

use std::sync::Arc;

use super::*;
use crate::catalog::{Document, Target};
use crate::outcome::{JudgeContext, verdict};

const ASKED: JudgeContext<'_> = JudgeContext { rules: &[], request: b"{}", is_clients_model: false };

/// A target for each pool, at a provider of its own that has so many credentials.
fn candidates(pools: &[usize]) -> Vec<Candidate> {
    let provider = |(index, pool): (usize, &usize)| {
        let credentials = (0..*pool).map(|key| format!("\"key-{index}-{key}\"")).collect::<Vec<_>>().join(", ");
        format!("{{ name = \"p{index}\", base_url = \"https://p{index}.example\", credentials = [{credentials}] }}")
    };
    let providers = pools.iter().enumerate().map(provider).collect::<Vec<_>>().join(", ");
    let targets = (0..pools.len()).map(|index| format!("\"p{index}/m\"")).collect::<Vec<_>>().join(", ");
    let text = format!("providers = [{providers}]\nmodels = [{{ name = \"m\", targets = [{targets}] }}]");
    let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    let candidate = |target: &Arc<Target>| Candidate {
        target: Arc::clone(target),
        upstream_model: "m".into(),
        credentials: target.provider.credentials.clone(),
        egress_groups: Vec::new(),
        failing: false,
        context: None,
    };
    catalog.models[0].targets.iter().map(candidate).collect()
}

/// The place of an attempt's target among the candidates.
fn target_of(attempt: &Attempt) -> usize {
    attempt.target.provider.name[1..].parse().expect("a number")
}

/// The place of an attempt's credential in its pool.
fn credential_of(attempt: &Attempt) -> Option<usize> {
    let pool = &attempt.target.provider.credentials;
    attempt.credential.as_ref().and_then(|used| pool.iter().position(|each| Arc::ptr_eq(each, used)))
}

fn answered(status: u16) -> Outcome {
    let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
    answered_with(status, headers, &format!("{{\"error\":{status}}}"))
}

fn answered_with(status: u16, headers: Vec<(String, Vec<u8>)>, body: &str) -> Outcome {
    Outcome::Answered(UpstreamError {
        status,
        headers,
        body: body.as_bytes().to_vec(),
        hint: None,
        dialect: Dialect::OpenaiChat,
    })
}

fn error_answer(status: u16, body: &str) -> Outcome {
    answered_with(status, Vec::new(), body)
}

fn failed(error: SendError) -> Outcome {
    Outcome::Failed(error)
}

fn refused_connection() -> Outcome {
    failed(SendError::Connect("connection refused".into()))
}

fn most(attempts: u32) -> AttemptLimits {
    AttemptLimits { attempts, turned_away: 8 }
}

/// Feeds outcomes until the machine ends, and returns who was tried and how it ended. Nothing may be repeated.
fn run(pools: &[usize], attempts: u32, outcomes: Vec<Outcome>) -> (Vec<(usize, Option<usize>)>, Decision) {
    let (attempted, end) = walk(candidates(pools), attempts, outcomes, &mut RetryBudget::default(), &|_| false);
    (attempted.iter().map(|(attempt, _)| (target_of(attempt), credential_of(attempt))).collect(), end)
}

#[test]
fn a_short_outage_of_the_only_target_is_waited_out_unless_the_client_does() {
    let outage = || vec![answered(503), refused_connection(), answered(503), answered(503)];
    let pauses = |candidates, is_repeated| {
        let (attempted, end) = walk_as(candidates, 4, outage(), is_repeated);
        let retry = match end {
            Decision::Answer(_, reply) => reply.headers.iter().any(|(name, _)| name == "x-should-retry"),
            Decision::Refuse(refusal) => refusal.should_retry.is_some(),
            _ => panic!("{end:?}"),
        };
        (attempted.into_iter().map(|(_, after_ms)| after_ms).collect::<Vec<_>>(), retry)
    };
    let (alone, forbids) = pauses(candidates(&[0]), false);
    assert_eq!(alone, [0, 700, 1700, 100]);
    assert!(!forbids, "its client's own repetition may help");
    assert_eq!(pauses(candidates(&[0]), true).0, [0, 250, 500, 1000]);
    let (beside, forbids) = pauses(candidates(&[0, 0]), false);
    assert_eq!(beside, [0, 0, 250, 500]);
    assert!(forbids, "everybody was asked");
}

/// The same, with what each attempt waited for.
fn walk(
    candidates: Vec<Candidate>,
    attempts: u32,
    outcomes: Vec<Outcome>,
    budget: &mut RetryBudget,
    able: &dyn Fn(&Attempt) -> bool,
) -> (Vec<(Attempt, u64)>, Decision) {
    walk_on(candidates, attempts, outcomes, (budget, able, false))
}

/// The same for a call that its client may have repeated.
fn walk_as(
    candidates: Vec<Candidate>,
    attempts: u32,
    outcomes: Vec<Outcome>,
    is_repeated: bool,
) -> (Vec<(Attempt, u64)>, Decision) {
    walk_on(candidates, attempts, outcomes, (&mut RetryBudget::default(), &|_| true, is_repeated))
}

/// Which attempts can be made.
type Able<'a> = &'a dyn Fn(&Attempt) -> bool;

fn walk_on(
    candidates: Vec<Candidate>,
    attempts: u32,
    outcomes: Vec<Outcome>,
    (budget, able, is_repeated): (&mut RetryBudget, Able<'_>, bool),
) -> (Vec<(Attempt, u64)>, Decision) {
    let mut failover = Failover::new(candidates, most(attempts), Dialect::OpenaiChat, String::new());
    let mut attempted = vec![(failover.first().expect("a candidate"), 0)];
    for outcome in outcomes {
        let verdict = verdict(&outcome, ASKED);
        let retry = RetryContext {
            time_left: true,
            now: Now::of_wall(0),
            jitter: 0.5,
            budget: &mut *budget,
            able,
            is_repeated,
        };
        match failover.judge("p/m", outcome, verdict, retry) {
            Decision::Try(next, after_ms) => attempted.push((next, after_ms)),
            end => return (attempted, end),
        }
    }
    panic!("the machine wants another outcome after {attempted:?}");
}

fn status_of(decision: &Decision) -> u16 {
    match decision {
        Decision::Answer(_, reply) => reply.status,
        Decision::Refuse(refusal) => refusal.status,
        Decision::Relay | Decision::RelayContentless | Decision::Try(..) | Decision::Exhausted(_) => 200,
    }
}

#[test]
fn a_failing_target_is_left_for_the_next_one() {
    for outcome in [
        refused_connection(),
        failed(SendError::ConnectTimeout),
        failed(SendError::FirstByteTimeout),
        failed(SendError::Reset(String::new())),
        failed(SendError::Tls(String::new())),
        failed(SendError::Denied),
        answered(429),
        answered(500),
        answered(503),
        answered(529),
        answered(302),
    ] {
        let (attempted, end) = run(&[0, 0], 3, vec![outcome.clone(), Outcome::Head(200)]);
        assert_eq!(attempted, [(0, None), (1, None)], "{outcome:?}");
        assert_eq!(end, Decision::Relay);
    }
}

#[test]
fn a_contentless_answer_is_kept_for_when_nobody_has_more_to_say() {
    let nothing = || Outcome::Contentless(200);
    for (candidates, outcomes, tries, expected) in [
        (2, vec![nothing(), Outcome::Head(200)], 2, Decision::Relay),
        (1, vec![nothing()], 1, Decision::RelayContentless),
        (2, vec![nothing(), nothing()], 2, Decision::RelayContentless),
        (2, vec![nothing(), answered(429)], 2, Decision::RelayContentless),
        (2, vec![nothing(), answered(401)], 2, Decision::RelayContentless),
        (2, vec![failed(SendError::Denied), nothing()], 2, Decision::RelayContentless),
    ] {
        let (attempted, end) = run(&vec![0; candidates], 3, outcomes.clone());
        assert_eq!((attempted.len(), end), (tries, expected), "{outcomes:?}");
    }
    let (_, end) = run(&[0, 0], 3, vec![nothing(), answered(400)]);
    assert!(matches!(end, Decision::Answer(State::ClientError, _)), "the client's own mistake is told: {end:?}");
}

#[test]
fn the_clients_own_error_is_returned_as_it_is_and_never_retried() {
    for status in [400, 413, 422] {
        let (attempted, end) = run(&[0, 0], 3, vec![answered(status)]);
        assert_eq!(attempted.len(), 1);
        let Decision::Answer(State::ClientError, reply) = end else { panic!("{end:?}") };
        assert_eq!((reply.status, reply.body), (status, format!("{{\"error\":{status}}}").into_bytes()));
        assert!(!reply.headers.iter().any(|(name, _)| name == "x-should-retry"), "the upstream's answer is untouched");
    }
}

#[test]
fn a_404_that_names_no_model_goes_on_and_is_returned_at_last() {
    let unknown = || error_answer(404, r#"{"error":{"message":"Vector store with id 'vs_1' not found."}}"#);
    let (attempted, end) = run(&[0, 0], 3, vec![unknown(), Outcome::Head(200)]);
    assert_eq!((attempted, end), (vec![(0, None), (1, None)], Decision::Relay));
    let (_, end) = run(&[0, 0], 3, vec![unknown(), unknown()]);
    let Decision::Answer(_, reply) = end else { panic!("{end:?}") };
    assert_eq!(reply.status, 404);
    assert!(String::from_utf8_lossy(&reply.body).contains("vs_1"), "its own words");
}

#[test]
fn a_refused_credential_is_followed_by_its_next_then_by_the_next_target() {
    let outcomes = vec![answered(401), answered(402), answered(401), Outcome::Head(200)];
    let (attempted, end) = run(&[2, 2], 9, outcomes);
    assert_eq!(attempted, [(0, Some(0)), (0, Some(1)), (1, Some(0)), (1, Some(1))]);
    assert_eq!(end, Decision::Relay);
}

#[test]
fn credentials_that_are_turned_away_use_up_no_attempts_up_to_a_limit() {
    for status in [401, 402, 429] {
        let dead = |count| vec![answered(status); count];
        let (attempted, end) = run(&[6], 3, [dead(5), vec![Outcome::Head(200)]].concat());
        assert_eq!((attempted.len(), end), (6, Decision::Relay), "the last one of the pool is good: {status}");
        let (attempted, end) = run(&[40], 3, dead(11));
        assert_eq!((attempted.len(), status_of(&end) >= 400), (11, true), "{status}");
        let (attempted, _) = run(&[1, 1, 1, 1], 3, dead(3));
        assert_eq!(attempted.len(), 3, "targets with one credential each are attempts like any: {status}");
    }
    let (attempted, _) = run(&[6], 3, vec![answered(529); 3]);
    assert_eq!(attempted.len(), 3, "an overload is the provider's as a whole");
}

#[test]
fn no_other_credential_is_asked_where_the_words_are_about_the_asker() {
    for (status, body) in [
        (429, r#"{"error":{"message":"Too many requests from your IP"}}"#),
        (401, r#"{"error":{"message":"Disabled after unusual activity"}}"#),
        (403, r#"{"error":{"message":"Your API key was blocked for abuse"}}"#),
        (429, "<html>error code: 1015</html>"),
        (401, r#"{"error":{"message":"检测到滥用，令牌已禁用"}}"#),
    ] {
        let (attempted, end) = run(&[3, 1], 3, vec![error_answer(status, body), Outcome::Head(200)]);
        assert_eq!((attempted, end), (vec![(0, Some(0)), (1, Some(0))], Decision::Relay), "{body}");
    }
    let (attempted, _) =
        run(&[3], 3, vec![error_answer(401, r#"{"error":{"message":"Incorrect API key"}}"#), Outcome::Head(200)]);
    assert_eq!(attempted, [(0, Some(0)), (0, Some(1))]);
}

#[test]
fn what_many_credentials_were_told_is_said_once() {
    let (_, end) = run(&[40], 3, vec![answered(401); 11]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert!(refusal.message.contains("(11 times)") && refusal.message.len() < 200, "{}", refusal.message);
}

#[test]
fn a_failing_target_is_left_whatever_credentials_it_still_has() {
    let (attempted, _) = run(&[3, 1], 9, vec![answered(500), Outcome::Head(200)]);
    assert_eq!(attempted, [(0, Some(0)), (1, Some(0))]);
}

#[test]
fn no_more_than_the_allowed_attempts_are_made() {
    let (attempted, end) = run(&[0, 0, 0, 0], 3, vec![answered(500), answered(500), answered(502)]);
    assert_eq!(attempted.len(), 3);
    assert_eq!(status_of(&end), 502);
}

#[test]
fn the_last_answer_a_caller_can_act_on_is_what_it_gets() {
    let (_, end) = run(&[0, 0], 3, vec![answered(429), refused_connection()]);
    let Decision::Answer(State::RateLimitedUpstream, reply) = end else { panic!("{end:?}") };
    assert_eq!(reply.status, 429);
    assert!(reply.headers.contains(&("x-should-retry".to_owned(), b"false".to_vec())), "the attempts are used up");
}

#[test]
fn no_wait_that_nobody_sits_out_is_sent_as_one() {
    let relayed = |status, name: &str, value: &str, hint_ms: Option<u64>| {
        let headers = vec![(name.to_owned(), value.as_bytes().to_vec())];
        let Outcome::Answered(error) = answered_with(status, headers, "{}") else { panic!("it is an answer") };
        let hint = hint_ms.map(|wait_ms| crate::verdict::Hint { wait_ms, is_reset: false });
        let (_, end) = run(&[0], 1, vec![Outcome::Answered(UpstreamError { hint, ..error })]);
        let Decision::Answer(_, reply) = end else { panic!("{end:?}") };
        let others =
            reply.headers.into_iter().filter(|(name, _)| name.starts_with("retry-after") || name == "x-llmio-until");
        others.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(&value))).collect::<Vec<_>>()
    };
    for status in [429, 503, 400] {
        assert_eq!(relayed(status, "retry-after", "60", None), ["retry-after: 60"]);
        assert_eq!(relayed(status, "retry-after", "61", None), ["x-llmio-until: 1970-01-01T00:01:01Z"]);
        assert_eq!(relayed(status, "retry-after-ms", "61000", None), ["x-llmio-until: 1970-01-01T00:01:01Z"]);
        let date = "Mon, 30 Nov 2026 09:00:00 GMT";
        assert_eq!(relayed(status, "retry-after", date, Some(90_000)), ["x-llmio-until: 1970-01-01T00:01:30Z"]);
        assert_eq!(relayed(status, "retry-after", date, Some(9_000)), [format!("retry-after: {date}")]);
    }
}

#[test]
fn a_refused_credential_never_reaches_the_client() {
    let (_, end) = run(&[1], 3, vec![answered(401)]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert_eq!((refusal.status, refusal.state), (400, State::UpstreamAuth));
    assert!(refusal.message.contains("p/m refused llmio's credential (401)"), "{}", refusal.message);
}

#[test]
fn with_no_answer_at_all_the_refusal_names_every_attempt() {
    let (_, end) = run(&[0, 0], 3, vec![refused_connection(), failed(SendError::FirstByteTimeout)]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert_eq!((refusal.status, refusal.state), (504, State::FirstByteTimeout));
    assert_eq!(
        refusal.message,
        "No provider answered: p/m could not be reached (connection refused); p/m did not answer in time."
    );
    let (_, end) = run(&[0], 3, vec![refused_connection()]);
    assert_eq!(status_of(&end), 502);
}

#[test]
fn nothing_is_tried_for_a_client_that_left() {
    let (attempted, end) = run(&[0, 0], 3, vec![failed(SendError::ClientClosed)]);
    assert_eq!(attempted.len(), 1);
    assert!(matches!(end, Decision::Refuse(refusal) if refusal.state == State::ClientClosed));
}

#[test]
fn nothing_is_tried_once_the_total_time_is_used_up() {
    let mut failover = Failover::new(candidates(&[0, 0]), most(3), Dialect::OpenaiChat, String::new());
    failover.first();
    let retry = RetryContext {
        time_left: false,
        now: Now::of_wall(0),
        jitter: 0.5,
        budget: &mut RetryBudget::default(),
        able: &|_| true,
        is_repeated: false,
    };
    let verdict = verdict(&answered(500), ASKED);
    let Decision::Refuse(refusal) = failover.judge("p/m", answered(500), verdict, retry) else { panic!("it went on") };
    assert_eq!((refusal.status, refusal.state), (504, State::TotalTimeout));
}

#[test]
fn without_candidates_there_is_no_first_attempt() {
    assert_eq!(Failover::new(Vec::new(), most(3), Dialect::OpenaiChat, String::new()).first(), None);
    assert_eq!(Failover::new(candidates(&[0]), most(0), Dialect::OpenaiChat, String::new()).first(), None);
}

#[test]
fn an_html_error_gets_the_shape_clients_expect_and_keeps_its_retry_after() {
    let html = b"<html><style>p{}</style><h1>502 Bad Gateway</h1>\n<hr>nginx</html>".to_vec();
    let headers = vec![("content-type".to_owned(), b"text/html".to_vec()), ("retry-after".to_owned(), b"7".to_vec())];
    let outcome = answered_with(502, headers, &String::from_utf8(html).expect("text"));
    let (_, end) = run(&[0], 1, vec![outcome]);
    let Decision::Answer(_, reply) = end else { panic!("{end:?}") };
    assert_eq!(reply.status, 502);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(body["error"]["message"], "The provider answered 502: p{} 502 Bad Gateway nginx");
    assert!(reply.headers.contains(&("retry-after".to_owned(), b"7".to_vec())));
    assert!(reply.headers.contains(&("content-type".to_owned(), b"application/json".to_vec())));
}

#[test]
fn a_rate_limit_leaves_the_target_to_its_other_credentials() {
    let (attempted, end) = run(&[2, 1], 9, vec![answered(429), answered(429), Outcome::Head(200)]);
    assert_eq!(attempted, [(0, Some(0)), (0, Some(1)), (1, Some(0))]);
    assert_eq!(end, Decision::Relay);
}

#[test]
fn a_target_that_failed_in_passing_is_tried_once_more_after_a_pause() {
    let outcomes = vec![refused_connection(), answered(503), answered(500), Outcome::Head(200)];
    let (attempted, end) = walk(candidates(&[0, 0]), 9, outcomes, &mut RetryBudget::default(), &|_| true);
    let attempted: Vec<(usize, u64)> =
        attempted.iter().map(|(attempt, after_ms)| (target_of(attempt), *after_ms)).collect();
    assert_eq!((attempted, end), (vec![(0, 0), (1, 0), (0, 250), (1, 500)], Decision::Relay));
}

#[test]
fn what_does_not_pass_by_itself_is_not_tried_again() {
    for outcome in [
        failed(SendError::ConnectTimeout),
        failed(SendError::LookUpTimeout),
        failed(SendError::FirstByteTimeout),
        failed(SendError::Denied),
        failed(SendError::Tls(String::new())),
        answered(302),
        answered(401),
        answered(429),
        error_answer(404, r#"{"error":{"code":"model_not_found"}}"#),
    ] {
        let (attempted, _) = walk(candidates(&[0]), 9, vec![outcome.clone()], &mut RetryBudget::default(), &|_| true);
        assert_eq!(attempted.len(), 1, "{outcome:?}");
    }
}

#[test]
fn nothing_is_tried_again_without_a_budget_or_where_health_forbids_it() {
    let mut empty = RetryBudget::default();
    while empty.spend(0) {}
    let outcomes = || vec![answered(500)];
    assert_eq!(walk(candidates(&[0]), 9, outcomes(), &mut empty, &|_| true).0.len(), 1);
    assert_eq!(walk(candidates(&[0]), 9, outcomes(), &mut RetryBudget::default(), &|_| false).0.len(), 1);
}

#[test]
fn a_move_to_a_failing_target_is_paid_for_and_to_a_working_one_is_free() {
    let mut empty = RetryBudget::default();
    while empty.spend(0) {}
    let mut three = candidates(&[0, 0, 0]);
    three[1].failing = true;
    let (attempted, end) = walk(three, 9, vec![answered(500), Outcome::Head(200)], &mut empty, &|_| true);
    assert_eq!(attempted.iter().map(|(attempt, _)| target_of(attempt)).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(end, Decision::Relay);
}

/// A 400 that a provider of Anthropic's dialect answers to a call of OpenAI's.
fn translated_400() -> Outcome {
    let body = br#"{"type":"error","error":{"type":"invalid_request_error","message":"odd"}}"#.to_vec();
    let dialect = Dialect::Anthropic;
    Outcome::Answered(UpstreamError { status: 400, headers: Vec::new(), body, hint: None, dialect })
}

#[test]
fn a_translated_request_that_is_refused_goes_once_to_the_next_target() {
    let (attempted, end) = run(&[0, 0, 0], 3, vec![translated_400(), Outcome::Head(200)]);
    assert_eq!((attempted, end), (vec![(0, None), (1, None)], Decision::Relay));
    for second in [error_answer(400, "{\"error\":{\"message\":\"other\"}}"), translated_400()] {
        let (attempted, end) = run(&[0, 0, 0], 3, vec![translated_400(), second]);
        let Decision::Answer(State::ClientError, reply) = end else { panic!("{end:?}") };
        assert_eq!((attempted.len(), reply.status), (2, 400));
        assert!(String::from_utf8_lossy(&reply.body).contains("odd"), "the first one's words");
    }
    let (attempted, _) = run(&[0], 3, vec![translated_400()]);
    assert_eq!(attempted.len(), 1);
}

#[test]
fn a_prompt_that_is_too_long_goes_once_to_a_larger_context() {
    let too_long = || error_answer(400, r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#);
    let with = |contexts: &[Option<u64>]| {
        let mut list = candidates(&vec![0; contexts.len()]);
        list.iter_mut().zip(contexts).for_each(|(candidate, context)| candidate.context = *context);
        let outcomes = vec![too_long(), too_long()];
        let (attempted, end) = walk(list, 9, outcomes, &mut RetryBudget::default(), &|_| true);
        assert!(matches!(end, Decision::Answer(State::ClientError, _)), "{end:?}");
        attempted.iter().map(|(attempt, _)| target_of(attempt)).collect::<Vec<_>>()
    };
    assert_eq!(with(&[Some(8000), Some(4000), Some(128_000), Some(1_000_000)]), [0, 2]);
    assert_eq!(with(&[Some(8000), None]), [0]);
    assert_eq!(with(&[None, Some(8000)]), [0, 1]);
}

#[test]
fn a_prompt_no_larger_context_took_is_still_the_clients_to_shorten() {
    let mut two = candidates(&[0, 0]);
    two[1].context = Some(1_000_000);
    let outcomes = vec![error_answer(400, r#"{"error":{"code":"context_length_exceeded"}}"#), refused_connection()];
    let (_, end) = walk(two, 9, outcomes, &mut RetryBudget::default(), &|_| false);
    assert!(matches!(&end, Decision::Answer(State::ClientError, reply) if reply.status == 400), "{end:?}");
}

#[test]
fn a_rate_limit_is_429_whatever_status_it_came_under() {
    let (_, end) = run(&[1], 1, vec![error_answer(500, r#"{"error":{"message":"上游负载已饱和"}}"#)]);
    assert!(matches!(&end, Decision::Answer(State::RateLimitedUpstream, reply) if reply.status == 429), "{end:?}");
}

#[test]
fn an_attempt_not_made_costs_none_and_a_spent_quota_leaves_others() {
    let not_sent = |reason, until_ms| Outcome::NotSent(Skip { reason, until_ms, message: None });
    let spent = || not_sent(SkipReason::QuotaSpent, Some(9));
    let (attempted, end) = run(&[2, 1], 1, vec![spent(), spent(), Outcome::Head(200)]);
    assert_eq!(attempted, [(0, Some(0)), (0, Some(1)), (1, Some(0))]);
    assert_eq!(end, Decision::Relay);
    let (_, end) = run(&[1, 0], 3, vec![spent(), not_sent(SkipReason::Probing, Some(5))]);
    let Decision::Exhausted(skipped) = end else { panic!("{end:?}") };
    assert_eq!(
        skipped.iter().map(|each| (each.reason, each.until_ms)).collect::<Vec<_>>(),
        [(SkipReason::QuotaSpent, Some(9)), (SkipReason::Probing, Some(5)),]
    );
}

#[test]
fn an_error_about_llmios_own_choice_is_explained_and_not_passed_on() {
    let (_, end) = run(&[1], 3, vec![error_answer(404, r#"{"error":{"code":"model_not_found","message":"gpt-9"}}"#)]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert_eq!(refusal.status, 400);
    assert!(refusal.message.contains("does not serve a model of that name (404)"), "{}", refusal.message);
    let (_, end) = run(&[1], 3, vec![error_answer(403, r#"{"error":{"message":"No access to model: o9"}}"#)]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert_eq!((refusal.status, refusal.state), (400, State::UpstreamAuth));
    assert!(refusal.message.contains("does not let llmio's credential use this model (403)"), "{}", refusal.message);
    let (_, end) = run(&[1], 3, vec![error_answer(429, r#"{"error":{"code":"insufficient_quota"}}"#)]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert_eq!((refusal.status, refusal.state), (400, State::UpstreamAuth));
    assert!(refusal.message.contains("nothing left (429)"), "{}", refusal.message);
}
