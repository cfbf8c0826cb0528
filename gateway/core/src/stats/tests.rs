use super::*;

fn attempt(provider: &str, model: &str, credential: Option<&str>) -> AttemptRecord {
    AttemptRecord {
        provider: provider.to_owned(),
        model: model.to_owned(),
        credential: credential.map(str::to_owned),
        translated_to: None,
        egress: None,
        status: Some(200),
        class: "ok".into(),
        error: None,
        start_ms: 0,
        end_ms: 1,
    }
}

fn facts(attempts: &[AttemptRecord]) -> Facts<'_> {
    Facts {
        key: "laptop",
        requested: "m",
        model: Some("m"),
        is_relayed: false,
        attempts,
        decided_by: attempts.len().checked_sub(1),
        user_agent: Some("curl/8"),
        state: State::Ok,
        status: 200,
        first_content_ms: Some(100),
        duration_ms: Some(200),
    }
}

#[test]
fn a_call_counts_with_those_of_the_same_names_and_quickness() {
    let attempts = [attempt("a", "x", None), attempt("b", "up", Some("main"))];
    let counted = Counted::by(&facts(&attempts));
    let expected = Series {
        key: "laptop",
        model: Some("m"),
        provider: Some("b"),
        upstream_model: Some("up"),
        credential: Some("main"),
        client: "curl",
    };
    assert_eq!(counted.series, expected);
    assert_eq!(parts_of(counted.cell), (expected.id(), bucket(Some(100))));
    let first = Counted::by(&Facts { decided_by: Some(0), ..facts(&attempts) });
    assert_eq!((first.series.provider, first.series.credential), (Some("a"), None));
    let slower = Counted::by(&Facts { first_content_ms: Some(5_000), ..facts(&attempts) });
    assert_eq!(parts_of(slower.cell), (expected.id(), bucket(Some(5_000))));
    let none = Counted::by(&Facts { model: None, first_content_ms: None, ..facts(&[]) });
    assert_eq!((none.series.model, none.series.provider, parts_of(none.cell).1), (None, None, 0));
}

#[test]
fn names_that_clients_make_up_make_no_series() {
    let passed_on = [attempt("a", "claude-opus-x", None)];
    let requested = Facts { requested: "claude-opus-x", model: Some("claude"), ..facts(&passed_on) };
    assert_eq!(Counted::by(&requested).series.upstream_model, Some("claude"));
    let relayed = [attempt("relay", "GET /any/path", None)];
    let requested = Facts { requested: "", model: None, is_relayed: true, ..facts(&relayed) };
    let series = Counted::by(&requested).series;
    assert_eq!((series.model, series.provider, series.upstream_model), (None, Some("relay"), None));
}

#[test]
fn no_two_series_have_one_id() {
    let base = Counted::by(&facts(&[])).series;
    let others = [
        Series { key: "laptopm", model: Some(""), ..base },
        Series { model: None, ..base },
        Series { model: Some(""), ..base },
        Series { provider: Some(""), ..base },
        Series { provider: Some("a"), upstream_model: Some("b"), ..base },
        Series { provider: Some("ab"), ..base },
        Series { client: OTHER, ..base },
    ];
    let ids: std::collections::BTreeSet<i64> = others.iter().chain([&base]).map(Series::id).collect();
    assert_eq!(ids.len(), others.len() + 1);
    assert!(ids.iter().all(|id| *id >= 0 && id.checked_mul(1 << BUCKET_BITS).is_some()), "a cell fits into 63 bits");
}

#[test]
fn a_call_is_marked_by_how_it_was_served() {
    let (one, two) = ([attempt("a", "x", None)], [attempt("a", "x", None), attempt("b", "x", None)]);
    let ended = |state, status| Facts { state, status, ..facts(&two) };
    for (facts, expected) in [
        (facts(&one), 0),
        (facts(&two), FAILED_OVER),
        (Facts { decided_by: Some(0), ..facts(&two) }, 0),
        (Facts { first_content_ms: Some(SLOW_MS), ..facts(&two) }, FAILED_OVER | SLOW),
        (Facts { first_content_ms: None, duration_ms: Some(SLOW_MS), ..facts(&one) }, SLOW),
        (Facts { duration_ms: Some(SLOW_MS), ..facts(&one) }, 0),
        (ended(State::Running, 0), 0),
        (ended(State::ClientClosed, 499), 0),
        (ended(State::UpstreamError, 500), NOT_SERVED),
        (ended(State::ClientError, 400), NOT_SERVED | MISTAKEN),
        (ended(State::NoTarget, 503), NOT_SERVED),
        (ended(State::NoTarget, 404), NOT_SERVED | MISTAKEN),
        (ended(State::QuotaSpent, 429), NOT_SERVED),
    ] {
        assert_eq!(Counted::by(&facts).marks, expected, "{facts:?}");
    }
}
