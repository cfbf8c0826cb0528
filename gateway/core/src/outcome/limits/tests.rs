use super::*;

/// 2026-11-24 12:00:00 UTC, 04:00 in Los Angeles, 20:00 in Shanghai.
const NOW_MS: i64 = 1_795_521_600_000;
const HOUR_MS: i64 = 3_600_000;

fn of(headers: &[(&str, &str)]) -> Vec<LimitSignal> {
    let headers: Vec<(String, Vec<u8>)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    read(&headers, b"", Now::of_wall(NOW_MS))
}

fn requests(per: Option<Span>, limit: u64, remaining: u64, in_ms: Option<i64>) -> LimitSignal {
    LimitSignal {
        what: "requests".to_owned(),
        per,
        of_account: false,
        limit: Some(limit),
        remaining: Some(remaining),
        resets_at_ms: in_ms.map(|in_ms| NOW_MS + in_ms),
        is_reset: false,
    }
}

#[test]
fn times_are_those_of_the_steady_clock() {
    let told = [("x-ratelimit-limit-requests", "60"), ("x-ratelimit-reset-requests", "30s")];
    let headers = told.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let signals = read(&headers, b"", Now { wall_ms: NOW_MS, steady_ms: 7_000 });
    assert_eq!(signals.first().and_then(|signal| signal.resets_at_ms), Some(37_000));
}

#[test]
fn each_providers_headers_are_read() {
    let openai = of(&[
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ]);
    assert_eq!(openai[0], requests(None, 60, 59, Some(1000)));
    assert_eq!((openai[1].what.as_str(), openai[1].limit, openai.len()), ("tokens", Some(150_000), 2));
    let anthropic = of(&[
        ("anthropic-ratelimit-output-tokens-limit", "8000"),
        ("anthropic-ratelimit-output-tokens-remaining", "0"),
        ("anthropic-ratelimit-output-tokens-reset", "2026-11-24T12:00:30Z"),
    ]);
    let output =
        LimitSignal { what: "output-tokens".to_owned(), ..requests(Some(Span::Minute), 8000, 0, Some(30_000)) };
    assert_eq!(anthropic, [output]);
    let at = (NOW_MS + HOUR_MS).to_string();
    let openrouter =
        of(&[("x-ratelimit-limit", "50"), ("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", at.as_str())]);
    assert_eq!(openrouter, [LimitSignal { is_reset: true, ..requests(Some(Span::Day), 50, 3, Some(HOUR_MS)) }]);
    let modelscope = of(&[
        ("modelscope-ratelimit-requests-limit", "2000"),
        ("modelscope-ratelimit-requests-remaining", "1500"),
        ("modelscope-ratelimit-model-requests-limit", "500"),
        ("modelscope-ratelimit-model-requests-remaining", "0"),
    ]);
    let of_day = |limit, remaining| requests(Some(Span::Day), limit, remaining, Some(4 * HOUR_MS));
    assert_eq!(
        modelscope,
        [
            LimitSignal { of_account: true, is_reset: true, ..of_day(2000, 1500) },
            LimitSignal { is_reset: true, ..of_day(500, 0) },
        ]
    );
}

#[test]
fn what_is_no_number_or_in_the_past_is_not_told() {
    assert_eq!(of(&[("x-ratelimit-limit-requests", "many"), ("x-ratelimit-remaining-requests", "-1")]), []);
    assert_eq!(of(&[("content-type", "application/json"), ("x-ratelimit", "1")]), []);
    let past = of(&[
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-reset", "2020-01-01T00:00:00Z"),
    ]);
    assert_eq!((past[0].limit, past[0].remaining, past[0].resets_at_ms), (Some(50), None, None));
    let strange = of(&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "soon")]);
    assert_eq!(used_up(&strange, NOW_MS), None, "without a time there is nothing to wait for");
}

#[test]
fn an_error_of_google_tells_which_quotas_are_used_up_and_their_size() {
    let body = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
            {"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests",
             "quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier",
             "quotaDimensions":{"location":"global","model":"gemini-2.5-flash"},"quotaValue":"20"},
            {"quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier","quotaValue":"250000"},
            {"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"},
            {"quotaId":"SomethingElse"}]},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#;
    let signals = in_error(body.as_bytes(), NOW_MS);
    let day = LimitSignal { is_reset: true, ..requests(Some(Span::Day), 20, 0, Some(20 * HOUR_MS)) };
    let tokens =
        LimitSignal { what: "input-tokens".to_owned(), ..requests(Some(Span::Minute), 250_000, 0, Some(34_000)) };
    let minute = LimitSignal { limit: None, ..requests(Some(Span::Minute), 0, 0, Some(34_000)) };
    assert_eq!(signals, [day, tokens, minute]);
    assert_eq!(in_error(b"<html>", NOW_MS), []);
    assert_eq!(in_error(br#"{"error":{"message":"no"}}"#, NOW_MS), []);
}

#[test]
fn of_what_is_used_up_the_last_to_come_back_decides() {
    let signals = [
        requests(None, 9, 0, Some(2000)),
        LimitSignal { is_reset: true, ..requests(Some(Span::Day), 9, 0, Some(HOUR_MS)) },
        requests(None, 9, 1, Some(5 * HOUR_MS)),
    ];
    assert_eq!(used_up(&signals, NOW_MS), Some(Hint { wait_ms: 3_600_000, is_reset: true }));
    assert_eq!(used_up(&signals[2..], NOW_MS), None);
    let absurd = [requests(None, 9, 0, Some(400 * 24 * HOUR_MS)), requests(None, 9, 0, Some(-1))];
    assert_eq!(used_up(&absurd, NOW_MS), None, "nobody waits for a year, nor for the past");
}

#[test]
fn a_limit_of_zero_is_no_limit() {
    for headers in [
        [("x-ratelimit-limit-requests", "0"), ("x-ratelimit-remaining-requests", "0")],
        [("x-ratelimit-limit-tokens", "0"), ("x-ratelimit-remaining-tokens", "0")],
        [("x-ratelimit-limit", "0"), ("x-ratelimit-remaining", "0")],
        [("x-ratelimit-limit-requests", "-1"), ("x-ratelimit-remaining-requests", "-1")],
        [("anthropic-ratelimit-tokens-limit", "0"), ("anthropic-ratelimit-tokens-remaining", "0")],
    ] {
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(read(&headers, b"", Now::of_wall(NOW_MS)), [], "{headers:?}");
    }
}

#[test]
fn a_plan_that_refuses_is_told_of_its_account_until_its_window_ends() {
    let headers = |status: &str| {
        let reset = (NOW_MS / 1000 + 124_633).to_string();
        let headers = [("anthropic-ratelimit-unified-status", status), ("anthropic-ratelimit-unified-reset", &reset)];
        headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    };
    assert_eq!(read(&headers("allowed"), b"", Now::of_wall(NOW_MS)), []);
    let signals = read(&headers("rejected"), b"", Now::of_wall(NOW_MS));
    assert_eq!(
        signals.iter().map(|signals| (signals.of_account, signals.remaining)).collect::<Vec<_>>(),
        [(true, Some(0))]
    );
    assert_eq!(used_up(&signals, NOW_MS), Some(Hint { wait_ms: 124_633_000, is_reset: true }));
}
