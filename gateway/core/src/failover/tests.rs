use super::*;

fn candidates(pools: &[usize]) -> Vec<Candidate> {
    let candidate = |(target, pool): (usize, &usize)| Candidate { target, credentials: (0..*pool).collect() };
    pools.iter().enumerate().map(candidate).collect()
}

fn answered(status: u16) -> Outcome {
    let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
    Outcome::Answered(UpstreamError { status, headers, body: format!("{{\"error\":{status}}}").into_bytes() })
}

fn failed(error: SendError) -> Outcome {
    Outcome::Failed(error)
}

fn refused_connection() -> Outcome {
    failed(SendError::Connect("connection refused".into()))
}

/// Feeds outcomes until the machine ends, and returns who was tried and how it ended.
fn run(pools: &[usize], attempts: u32, outcomes: Vec<Outcome>) -> (Vec<(usize, Option<usize>)>, Decision) {
    let mut failover = Failover::new(candidates(pools), attempts);
    let mut attempt = failover.first().expect("a candidate");
    let mut tried = vec![(attempt.target, attempt.credential)];
    for outcome in outcomes {
        match failover.judge("p/m", outcome, true) {
            Decision::Try(next) => {
                attempt = next;
                tried.push((attempt.target, attempt.credential));
            }
            end => return (tried, end),
        }
    }
    panic!("the machine wants another outcome after {tried:?}");
}

fn status_of(decision: &Decision) -> u16 {
    match decision {
        Decision::Answer(_, reply) => reply.status,
        Decision::Refuse(refusal) => refusal.status,
        Decision::Relay | Decision::Try(_) => 200,
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
        let (tried, end) = run(&[0, 0], 3, vec![outcome.clone(), Outcome::Head(200)]);
        assert_eq!(tried, [(0, None), (1, None)], "{outcome:?}");
        assert_eq!(end, Decision::Relay);
    }
}

#[test]
fn the_clients_own_error_is_returned_as_it_is_and_never_retried() {
    for status in [400, 404, 405, 413, 422] {
        let (tried, end) = run(&[0, 0], 3, vec![answered(status)]);
        assert_eq!(tried.len(), 1);
        let Decision::Answer(State::ClientError, reply) = end else { panic!("{end:?}") };
        assert_eq!((reply.status, reply.body), (status, format!("{{\"error\":{status}}}").into_bytes()));
        assert!(!reply.headers.iter().any(|(name, _)| name == "x-should-retry"), "the upstream's answer is untouched");
    }
}

#[test]
fn a_refused_credential_is_followed_by_the_next_one_of_the_same_target_and_then_by_the_next_target() {
    let outcomes = vec![answered(401), answered(403), answered(401), Outcome::Head(200)];
    let (tried, end) = run(&[2, 2], 9, outcomes);
    assert_eq!(tried, [(0, Some(0)), (0, Some(1)), (1, Some(0)), (1, Some(1))]);
    assert_eq!(end, Decision::Relay);
}

#[test]
fn a_failing_target_is_left_whatever_credentials_it_still_has() {
    let (tried, _) = run(&[3, 1], 9, vec![answered(500), Outcome::Head(200)]);
    assert_eq!(tried, [(0, Some(0)), (1, Some(0))]);
}

#[test]
fn no_more_than_the_allowed_attempts_are_made() {
    let (tried, end) = run(&[0, 0, 0, 0], 3, vec![answered(500), answered(500), answered(502)]);
    assert_eq!(tried.len(), 3);
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
fn a_refused_credential_never_reaches_the_client() {
    let (_, end) = run(&[1], 3, vec![answered(401)]);
    let Decision::Refuse(refusal) = end else { panic!("{end:?}") };
    assert_eq!((refusal.status, refusal.state), (502, State::UpstreamAuth));
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
    let (tried, end) = run(&[0, 0], 3, vec![failed(SendError::ClientClosed)]);
    assert_eq!(tried.len(), 1);
    assert!(matches!(end, Decision::Refuse(refusal) if refusal.state == State::ClientClosed));
}

#[test]
fn nothing_is_tried_once_the_total_time_is_used_up() {
    let mut failover = Failover::new(candidates(&[0, 0]), 3);
    failover.first();
    let Decision::Refuse(refusal) = failover.judge("p/m", answered(500), false) else { panic!("it went on") };
    assert_eq!((refusal.status, refusal.state), (504, State::TotalTimeout));
}

#[test]
fn without_candidates_there_is_no_first_attempt() {
    assert_eq!(Failover::new(Vec::new(), 3).first(), None);
    assert_eq!(Failover::new(candidates(&[0]), 0).first(), None);
}

#[test]
fn an_html_error_gets_the_shape_clients_expect_and_keeps_its_retry_after() {
    let html = b"<html><style>p{}</style><h1>502 Bad Gateway</h1>\n<hr>nginx</html>".to_vec();
    let headers = vec![("content-type".to_owned(), b"text/html".to_vec()), ("retry-after".to_owned(), b"7".to_vec())];
    let outcome = Outcome::Answered(UpstreamError { status: 502, headers, body: html });
    let (_, end) = run(&[0], 1, vec![outcome]);
    let Decision::Answer(_, reply) = end else { panic!("{end:?}") };
    assert_eq!(reply.status, 502);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(body["error"]["message"], "The provider answered 502: p{} 502 Bad Gateway nginx");
    assert!(reply.headers.contains(&("retry-after".to_owned(), b"7".to_vec())));
    assert!(reply.headers.contains(&("content-type".to_owned(), b"application/json".to_vec())));
}
