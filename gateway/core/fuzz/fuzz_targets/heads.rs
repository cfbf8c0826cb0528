//! Whatever the head of an upstream's answer and the error behind it say, the call goes on from it: what is told is a wait
//! that may be believed, what is kept is short and holds no secret, and what goes to the client belongs to it.
#![no_main]

use gateway_core::clock::Now;
use gateway_core::dialect::Dialect;
use gateway_core::outcome::{JudgeContext, Outcome, SendError, UpstreamError, hint, limit_news, limits, lesson, error_message, verdict, words};
use gateway_core::redact::Secrets;
use gateway_core::{pass_through, rewrite};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 24] = [
    "retry-after",
    "retry-after-ms",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-unified-status",
    "anthropic-ratelimit-unified-reset",
    "content-type",
    "connection",
    "x-nominated",
    "set-cookie",
    "request-id",
    "x-llmio-relay",
];
const OF_ONE_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "transfer-encoding", "upgrade", "set-cookie", "strict-transport-security"];
const SECRET: &str = "sk-proj-0123456789abcdef";
const MONTH_MS: u64 = 32 * 86_400_000;
const REQUEST: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"Hello"}],"temperature":0.2}"#;

fuzz_target!(|input: (u16, u8, u32, Vec<(u8, Vec<u8>)>, Vec<u8>)| {
    let (status, dialect, seconds, headers, mut body) = input;
    let (dialect, now_ms) = (Dialect::ALL[usize::from(dialect) % 4], i64::from(seconds) * 1000);
    let named = headers.into_iter().map(|(name, value)| (NAMES[usize::from(name) % NAMES.len()].to_owned(), value));
    // The host lets no line end and no NUL pass in a head.
    let mut headers: Vec<_> =
        named.filter(|(_, value)| !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))).collect();
    let mut secrets = Secrets::default();
    secrets.add(SECRET);
    secrets.hide_in_headers(&mut headers);
    secrets.hide(&mut body);
    assert!(headers.iter().all(|(_, value)| !has_secret(value)) && !has_secret(&body));
    let _ = (pass_through::is_refusal(&headers), limits::tells(&headers));
    if SendError::of_status(status, true).is_some() {
        return;
    }
    let wait = hint::read(&headers, &body, now_ms);
    assert!(wait.is_none_or(|wait| (1..=MONTH_MS).contains(&wait.wait_ms)), "{wait:?}");
    let limits = limits::read(&headers, b"", Now::of_wall(now_ms));
    assert!(limits.iter().all(|limit| limit.limit != Some(0)));
    assert!(limits::used_up(&limits, now_ms).is_none_or(|wait| (1..=MONTH_MS).contains(&wait.wait_ms)));
    let _ = error_message(&body, &secrets);
    let passed = rewrite::downstream(headers.clone());
    assert!(passed.iter().all(|(name, _)| !OF_ONE_CONNECTION.contains(&name.as_str())), "{passed:?}");
    let error = UpstreamError { status: status.max(300), headers: passed, body, hint: wait, dialect };
    let kept = |outcome: &Outcome| {
        let context = JudgeContext { rules: &[], request: REQUEST, is_clients_model: false };
        let verdict = verdict(outcome, context);
        let Outcome::Answered(error) = outcome else { return };
        let words_kept = words(error, verdict, &secrets, REQUEST);
        assert!(words_kept.as_ref().is_none_or(|words_kept| words_kept.chars().count() <= 200 && !words_kept.contains(char::is_control)));
        assert!(words_kept.as_ref().is_none_or(|words_kept| !has_secret(words_kept.as_bytes())));
        let _ = lesson(outcome, verdict, words_kept.as_deref());
    };
    let outcome = Outcome::Answered(error);
    kept(&outcome);
    let _ = limit_news(&outcome, None, Now::of_wall(now_ms));
});

fn has_secret(text: &[u8]) -> bool {
    text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
}
