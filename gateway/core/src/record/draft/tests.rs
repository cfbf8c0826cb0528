use super::*;
use crate::candidate::{Skip, SkipReason};
use crate::catalog::{Catalog, Document};
use crate::observation::StreamError;
use crate::operation::Operation;
use crate::outcome::UpstreamError;

fn catalog() -> Catalog {
    let text = "models = [{ name = \"m\", targets = [\"p/upstream\"], head_after = \"3s\" }]\n[[providers]]\n\
                name = \"p\"\nbase_url = \"https://p.example/v1\"\ncredentials = [{ label = \"first\", variable = \"A\" }]";
    Document::from_toml(text).and_then(|document| document.validate()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn draft() -> Draft {
    Draft::begin(&Opening {
        id: "id",
        at: Now::of_wall(1_000_000),
        start_ms: 100,
        key: "k",
        dialect: "openai-chat",
        endpoint: "chat/completions",
        session: None,
        client: None,
        user_agent: Some("a\nb"),
    })
}

fn streamed(as_array: bool) -> Call {
    Call {
        operation: Operation::Chat,
        model: "m".into(),
        streamed: true,
        as_array,
        include_usage: false,
        body: b"{}".to_vec(),
        names: Vec::new(),
        usage_edit: None,
        session: Some("s".into()),
        session_span: None,
        tokens_max: None,
        previous_response: None,
        is_stored: false,
        query: None,
        has_tools: false,
        forbids_reasoning: false,
        has_safeguards: false,
        has_routing: false,
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: Vec::new(), body: body.into() }
}

#[test]
fn what_clients_write_is_kept_as_text_that_cannot_forge_lines() {
    let mut draft = draft();
    assert_eq!(draft.record().user_agent.as_deref(), Some("a\u{fffd}b"));
    draft.set_call(&streamed(false));
    let record = draft.record();
    assert_eq!((record.model.as_str(), record.session.as_deref(), record.bytes_in), ("m", Some("s"), 2));
}

#[test]
fn only_a_stream_of_events_gets_its_head_early() {
    let catalog = catalog();
    let due = |call: Option<Call>| {
        let mut draft = draft();
        call.iter().for_each(|call| draft.set_call(call));
        draft.decided(&catalog.models[0], DecisionRecord::default()).map(|due| due.at_ms)
    };
    assert_eq!(due(Some(streamed(false))), Some(3_100));
    assert_eq!(due(Some(streamed(true))), None);
    assert_eq!(due(None), None);
}

#[test]
fn a_call_has_its_models_total_time_and_a_minute_to_say_that_it_is_over() {
    let catalog = catalog();
    let mut draft = draft();
    assert_eq!(draft.record().until_ms, 1_000_000 + TOTAL_MS_DEFAULT);
    draft.decided(&catalog.models[0], DecisionRecord::default());
    let total_ms = i64::try_from(catalog.models[0].timeouts.total_ms).expect("a span");
    assert_eq!(draft.record().until_ms, 1_000_000 + total_ms + GRACE_MS);
}

#[test]
fn an_attempt_is_kept_with_its_outcome_unless_it_was_not_sent() {
    let catalog = catalog();
    let target = &catalog.models[0].targets[0];
    let credential = target.provider.credentials.first().map(|credential| &**credential);
    let to = AttemptParts { target, provider: &target.provider, upstream_model: "upstream", credential };
    let refused =
        UpstreamError { status: 503, headers: Vec::new(), body: Vec::new(), hint: None, dialect: Dialect::OpenaiChat };
    let timeout = SendError::FirstByteTimeout;
    let mut draft = draft();
    for (outcome, words) in [
        (Outcome::NotSent(Skip::new(SkipReason::QuotaSpent, None)), None),
        (Outcome::Answered(refused), Some("busy")),
        (Outcome::Failed(timeout.clone()), None),
        (Outcome::Head(200), None),
    ] {
        let class = Class::Target;
        draft.attempted(
            to,
            &AttemptEnd { translated_to: None, outcome: &outcome, class, words, started_ms: 110, pieces: Pieces::None },
            130,
        );
    }
    let attempts = &draft.record().attempts;
    let kept: Vec<_> = attempts.iter().map(|each| (each.status, each.error.clone())).collect();
    assert_eq!(kept, [(Some(503), Some("busy".into())), (None, Some(timeout.describe())), (Some(200), None)]);
    let first = &attempts[0];
    assert_eq!((first.provider.as_str(), first.model.as_str()), ("p", "upstream"));
    assert_eq!((first.credential.as_deref(), first.start_ms, first.end_ms), (Some("first"), 10, 30));
}

#[test]
fn warnings_and_skipped_targets_are_kept_once() {
    let mut draft = draft();
    let skipped = || Skip::new(SkipReason::QuotaSpent, None).of("p/m".into());
    for _ in 0..2 {
        draft.warn("estimated");
        draft.skipped(skipped());
    }
    assert_eq!(draft.record().warnings, ["estimated"]);
    assert_eq!(draft.record().decision.skipped, [skipped()]);
}

#[test]
fn a_client_that_left_before_its_head_got_nothing() {
    let mut draft = draft();
    draft.answered(State::ClientClosed, &reply(502, "{}"));
    assert_eq!((draft.record().status, draft.record().bytes_out), (499, 0));
}

#[test]
fn a_head_that_the_client_has_is_the_status_it_saw() {
    let mut draft = draft();
    draft.head(200, 150);
    draft.head(200, 170);
    draft.answered(State::UpstreamError, &reply(502, "{}"));
    let record = draft.record();
    assert_eq!((record.status, record.bytes_out, record.first_byte_ms), (200, 2, Some(50)));
    let mut draft = self::draft();
    draft.answered(State::UpstreamError, &reply(502, "{}"));
    assert_eq!(draft.record().status, 502);
}

#[test]
fn content_reaches_nobody_before_the_head() {
    let mut draft = draft();
    draft.head(200, 150);
    let observation = Observation { bytes: 9, first_content_ms: Some(20), unfinished: true, ..Observation::default() };
    let seen = draft.observed(&observation);
    assert!(!seen.is_whole);
    let record = draft.record();
    assert_eq!((record.first_content_ms, record.bytes_out), (Some(50), 9));
    assert_eq!(record.warnings, [WITHOUT_FINISH]);
}

#[test]
fn a_key_is_charged_by_the_farthest_that_its_call_came() {
    for (progresses, is_sent, progress) in [
        (&[][..], false, Progress::Unsent),
        (&[Progress::TurnedAway], false, Progress::Failed),
        (&[Progress::Failed, Progress::Unsent], false, Progress::Failed),
        (&[Progress::WorkedOn, Progress::TurnedAway], false, Progress::WorkedOn),
        // Nothing was heard any more of an attempt that was under way.
        (&[Progress::Unsent], true, Progress::WorkedOn),
    ] {
        let mut draft = draft();
        for progress in progresses {
            draft.sent();
            draft.reached(*progress);
        }
        if is_sent {
            draft.sent();
        }
        assert_eq!(draft.end(State::Ok, None, 400).progress, progress, "{progresses:?}");
    }
}

#[test]
fn its_end_is_kept_with_how_long_it_took() {
    let ended = draft().end(State::NoTarget, Some("none\nat all"), 350);
    let Record { state, error, duration_ms, .. } = ended.record;
    assert_eq!((state, error.as_deref(), duration_ms), (State::NoTarget, Some("none\u{fffd}at all"), Some(250)));
}

#[test]
fn an_answer_that_broke_off_ends_with_what_broke_it() {
    let error = StreamError { message: "overloaded".into(), status: Some(529), data: Vec::new() };
    let reported = Observation { error: Some(error), ..Observation::default() };
    let cut = SendError::Truncated;
    assert_eq!(end_of_answer(&Observation::default(), None), (State::Ok, None));
    assert_eq!(end_of_answer(&reported, None), (State::UpstreamError, Some("overloaded".into())));
    assert_eq!(end_of_answer(&reported, Some(&cut)), (State::UpstreamTruncated, Some(cut.describe())));
}
