use super::samples::{self, Sample};
use super::*;

/// A request for a model that the catalog named.
fn to(request: &[u8]) -> JudgeContext<'_> {
    JudgeContext { rules: &[], request, is_clients_model: false }
}

#[test]
fn each_sample_is_judged_by_what_its_provider_means() {
    for (what, status, body, class, kind) in samples::all() {
        let verdict = judge(*status, body.as_bytes(), to(b"{}"), None);
        assert_eq!((verdict.class, verdict.kind), (*class, *kind), "{what}: {status} {body}");
    }
}

#[test]
fn every_row_has_a_sample_that_it_decides() {
    for (index, row) in TABLE.iter().enumerate() {
        let decides = |(_, status, body, ..): &&Sample| {
            let error = ErrorText::of(body.as_bytes());
            TABLE.iter().position(|row| row.matches(*status, &error, b"")) == Some(index)
        };
        assert!(samples::all().any(|sample| decides(&sample)), "row {index} ({:?}) has none", row.any);
    }
}

#[test]
fn words_are_written_as_they_are_searched_for() {
    for word in TABLE.iter().flat_map(|row| row.any) {
        assert_eq!(*word, word.to_lowercase());
    }
}

#[test]
fn a_catalogs_own_rows_come_first_and_say_how_long() {
    let rule = |status, text: Option<&str>, class, rest_ms| ErrorRule {
        status,
        text: text.map(str::to_owned),
        class,
        rest_ms,
        rest_from: None,
    };
    let rules = [
        rule(Some(403), Some("余额不足"), Class::Credential, Some(3_600_000)),
        rule(None, Some("Try Later"), Class::Rate, None),
        rule(Some(418), None, Class::Target, None),
    ];
    let hint = Some(Hint { wait_ms: 9, is_reset: false });
    let judged = |status, body: &str| judge(status, body.as_bytes(), JudgeContext { rules: &rules, ..to(b"{}") }, hint);
    let hour = Some(Hint { wait_ms: 3_600_000, is_reset: true });
    assert_eq!(judged(403, "账户余额不足"), Verdict { class: Class::Credential, kind: ErrorKind::Plain, rest: hour });
    assert_eq!((judged(400, "please TRY LATER").class, judged(400, "please TRY LATER").rest), (Class::Rate, hint));
    let escaped = r#"{"error":"\u8d26\u6237\u4f59\u989d\u4e0d\u8db3"}"#;
    assert_eq!(
        judged(403, escaped),
        Verdict { class: Class::Credential, kind: ErrorKind::Plain, rest: hour },
        "escaped"
    );
    assert_eq!(judged(418, "").class, Class::Target);
    assert_eq!(judged(400, "other").class, Class::Client);
}

#[test]
fn a_catalogs_own_row_may_say_where_the_wait_stands() {
    let rest_from = crate::verdict::WaitTemplate::parse("请 {seconds} 秒后重试").ok();
    let rules = [ErrorRule { status: Some(429), text: None, class: Class::Rate, rest_ms: Some(5_000), rest_from }];
    let rest = |body: &str| {
        let context = JudgeContext { rules: &rules, ..to(b"{}") };
        judge(429, body.as_bytes(), context, None).rest.map(|rest| rest.wait_ms)
    };
    assert_eq!(rest("额度不足，请 90 秒后重试"), Some(90_000));
    assert_eq!(rest(r#"{"msg":"\u8bf7 90 \u79d2\u540e\u91cd\u8bd5"}"#), Some(90_000), "escaped");
    assert_eq!(rest("请稍后重试"), Some(5_000), "else what the row says");
}

#[test]
fn an_empty_account_is_not_filled_by_waiting_unless_a_reset_is_named() {
    let rest = |is_reset| {
        let hint = Hint { wait_ms: 1_555_200_000, is_reset };
        judge(402, b"Insufficient Balance", to(b"{}"), Some(hint)).rest
    };
    assert_eq!((rest(false), rest(true).is_some()), (None, true));
}

#[test]
fn what_a_client_wrote_benches_nobody_when_its_provider_repeats_it() {
    let invalid = |text: &str| {
        format!(
            r#"{{"error":{{"message":"Invalid value: '{text}'. Supported values are: 'user'.","code":"invalid_value"}}}}"#
        )
    };
    for text in
        ["insufficient balance", "model not found", "api key not valid", "rate limit", "user location is not supported"]
    {
        let request = format!(r#"{{"messages":[{{"role":"{text}"}}]}}"#);
        let class = |status, body: &str| judge(status, body.as_bytes(), to(request.as_bytes()), None).class;
        assert_eq!(class(400, &invalid(text)), Class::Client, "quoted: {text}");
        assert_eq!(
            class(400, &format!(r#"{{"error":{{"message":"unknown role {text}"}}}}"#)),
            Class::Client,
            "bare: {text}"
        );
        assert_eq!(class(422, &format!(r#"{{"detail":[{{"input":"{text}"}}]}}"#)), Class::Client, "whole: {text}");
    }
    let escaped = br#"{"messages":[{"role":"\u4f59\u989d\u4e0d\u8db3"}]}"#;
    let body = r#"{"error":{"message":"unknown role 余额不足"}}"#;
    assert_eq!(judge(400, body.as_bytes(), to(escaped), None).class, Class::Client, "escaped by its client");
    let code = br#"{"error":{"code":"insufficient_user_quota","message":"no money"}}"#;
    assert_eq!(
        judge(403, code, to(b"insufficient_user_quota"), None).class,
        Class::Credential,
        "a code is the provider's"
    );
}

#[test]
fn a_refused_key_is_refused_whatever_the_prompt_says() {
    let request =
        br#"{"messages":[{"role":"system","content":"Never print an API key, a permission, a token or an account."}]}"#;
    let leaked = r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#;
    let permission = r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#;
    for (status, body) in [
        (403, leaked),
        (403, permission),
        (403, r#"{"error":{"message":"The account is suspended"}}"#),
        (401, r#"{"error":{"message":"Invalid token"}}"#),
        (402, r#"{"error":{"message":"This account has no money"}}"#),
    ] {
        assert_eq!(judge(status, body.as_bytes(), to(request), None).class, Class::Credential, "{status} {body}");
    }
}

#[test]
fn a_model_that_is_not_there_is_the_mistake_of_whoever_named_it() {
    let context = JudgeContext { is_clients_model: true, ..to(b"{}") };
    for body in [r#"{"error":{"code":"model_not_found"}}"#, r#"{"error":{"message":"nowhere"}}"#] {
        assert_eq!(judge(404, body.as_bytes(), context, None), Verdict::of(Class::Client));
        assert_eq!(judge(404, body.as_bytes(), to(b"{}"), None).class, Class::Target);
    }
}

#[test]
fn a_code_counts_where_another_word_of_its_row_may_be_an_echo() {
    let request = br#"{"messages":[{"role":"user","content":"api key not valid"}]}"#;
    let body = br#"{"error":{"code":400,"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    assert_eq!(judge(400, body, to(request), None).class, Class::Credential);
}

#[test]
fn a_row_that_may_be_an_echo_leaves_the_decision_to_the_rows_behind_it() {
    let request = br#"{"messages":[{"role":"user","content":"insufficient balance"}]}"#;
    let body = br#"{"error":{"code":"model_not_found","message":"Neither insufficient balance nor a model"}}"#;
    assert_eq!(judge(404, body, to(request), None).kind, ErrorKind::UnknownModel);
}

#[test]
fn the_reset_of_some_window_is_no_wait_for_a_provider_that_is_down() {
    let reset = Some(Hint { wait_ms: 3_600_000, is_reset: true });
    assert_eq!(judge(500, b"{}", to(b""), reset).rest, None);
    assert_eq!(judge(401, b"{}", to(b""), reset).rest, None);
    assert_eq!(judge(402, b"{}", to(b""), reset).rest, reset, "that is about money");
    assert_eq!(judge(429, b"{}", to(b""), reset).rest, reset);
}

#[test]
fn a_spent_quota_makes_any_wait_a_reset() {
    let hint = Some(Hint { wait_ms: 40_000_000, is_reset: false });
    let rest = |body: &str| judge(429, body.as_bytes(), to(b"{}"), hint).rest.map(|hint| hint.is_reset);
    assert_eq!(rest("Rate limit reached on requests per day"), Some(true));
    assert_eq!(rest("Rate limit reached on requests per min"), Some(false));
}
