//! What a caller is told when no target can be tried now: why each of them cannot, when the first can again, and
//! whether waiting is worthwhile. SDKs follow the status, `retry-after` and `x-should-retry`; people read the text.

use jiff::Timestamp;

use crate::candidate::{SkipReason, Skipped};
use crate::clock::Now;
use crate::refusal::{RETRY_AFTER_MAX_S, Refusal, Reply, UNTIL, until};
use crate::state::State;

/// The refusal of a call of `model` that no target can serve; `record` is the call's id, if it is recorded.
pub fn exhausted(model: &str, skipped: &[Skipped], record: Option<&str>, now: Now) -> Refusal {
    let each: Vec<String> = skipped.iter().map(|skipped| describe(skipped, now)).collect();
    let reasons = if each.is_empty() { "it has no target".to_owned() } else { each.join("; ") };
    let is = |reason: SkipReason| skipped.iter().any(|skipped| skipped.reason == reason);
    let Some(until_ms) = first_back_ms(skipped) else {
        let refusal = for_good(model, &reasons, record, is);
        // Its time says when llmio itself will try again what was refused.
        let until_ms = skipped.iter().filter_map(|skipped| skipped.until_ms).min();
        return Refusal { until_ms: until_ms.map(|until_ms| now.shown_ms(until_ms)), ..refusal };
    };
    let wait_s = wait_s(until_ms, now);
    let message = format!(
        "No provider can serve model {model:?} now: {reasons}. The first is back in {}. More credentials or targets in \
         the catalog help{}.",
        human(wait_s),
        record.map(|record| format!("; `llmio records show {record}` tells more")).unwrap_or_default()
    );
    let refusal = if is(SkipReason::QuotaSpent) {
        Refusal::rate_limited(message, wait_s > RETRY_AFTER_MAX_S).ended(State::QuotaSpent)
    } else if is(SkipReason::Cooling) {
        Refusal::rate_limited(message, wait_s > RETRY_AFTER_MAX_S).ended(State::RateLimitedUpstream)
    } else {
        Refusal::unavailable("no_target", message).ended(State::NoTarget)
    };
    refusal.back_at(now.shown_ms(until_ms), wait_s)
}

/// Adds to an answer of a call that met nothing but rate limits when the first of all targets can be used again, which
/// need not be the target that answered.
pub fn come_back(reply: &mut Reply, skipped: &[Skipped], now: Now) {
    let Some(until_ms) = first_back_ms(skipped) else { return };
    reply.headers.retain(|(name, _)| !name.starts_with("retry-after") && name != "x-should-retry" && name != UNTIL);
    match wait_s(until_ms, now) {
        wait_s @ ..=RETRY_AFTER_MAX_S => {
            reply.headers.push(("retry-after".to_owned(), wait_s.to_string().into_bytes()));
        }
        _ => {
            reply.headers.extend(until(now.shown_ms(until_ms)).map(|until| (UNTIL.to_owned(), until.into_bytes())));
            reply.headers.push(("x-should-retry".to_owned(), b"false".to_vec()));
        }
    }
}

/// When the first of these can be used again, on the steady clock; `None` if none can without an operator. What an
/// operator must repair is tried again now and then, but no caller is told to wait for that.
fn first_back_ms(skipped: &[Skipped]) -> Option<i64> {
    skipped.iter().filter(|skipped| !needs_operator(skipped.reason)).filter_map(|skipped| skipped.until_ms).min()
}

/// Whether only the operator, or the person who pays for the account, can repair it.
pub(super) fn needs_operator(reason: SkipReason) -> bool {
    matches!(reason, SkipReason::CredentialsResting | SkipReason::UnknownModel | SkipReason::NoCredential)
}

/// The refusal if none of them recovers by itself. If the request is the obstacle, its caller can do something: an
/// agent that is told that its prompt is too long shortens it. Everything else is for the operator.
fn for_good(model: &str, reasons: &str, record: Option<&str>, is: impl Fn(SkipReason) -> bool) -> Refusal {
    let end = record.map(|record| format!(" Record {record}.")).unwrap_or_default();
    let unfit = |help: &str| format!("No target of model {model:?} can take this request: {reasons}. {help}{end}");
    let mend = || {
        let message =
            format!("No target of model {model:?} can be used: {reasons}. Mend the catalog or the account.{end}");
        Refusal::needs_operator(message)
    };
    let refusal = if [SkipReason::CredentialsResting, SkipReason::UnknownModel, SkipReason::NoCredential]
        .into_iter()
        .any(&is)
    {
        mend()
    } else if is(SkipReason::QuotaSpent) {
        // This is about money, and agents report it as such by OpenAI's code for it.
        let message = format!("No target of model {model:?} can be used: {reasons}. Mend the catalog.{end}");
        return Refusal::rate_limited(message, true).without_retry().ended(State::QuotaSpent);
    } else if is(SkipReason::Context) {
        // The text begins as Anthropic's does and has OpenAI's code, since clients recognise the error by these.
        let message = format!("prompt is too long for model {model:?}: {reasons}. Make it shorter.{end}");
        Refusal::bad_request(message).coded("context_length_exceeded")
    } else if is(SkipReason::Untranslatable) {
        let help = "Leave it out, or use a model with a provider of your own dialect.";
        return Refusal::bad_request(unfit(help)).coded("untranslatable").without_retry().ended(State::Untranslatable);
    } else if is(SkipReason::Safeguards) {
        // Claude Code knows this sentence of Anthropic's API: it then has tool calls reviewed in another way, and lets
        // none pass unreviewed. More words might keep it from recognising the sentence.
        Refusal::bad_request("safeguards: Extra inputs are not permitted").about("safeguards")
    } else if is(SkipReason::Capability) {
        let help = "Leave out what it needs (tools, images or a schema), or use another model.";
        Refusal::bad_request(unfit(help)).coded("unsupported_capability")
    } else if is(SkipReason::Dialect) {
        Refusal::bad_request(unfit("Use another endpoint or another model.")).coded("unsupported_endpoint")
    } else if is(SkipReason::OtherOwner) {
        let help = "Send the whole conversation without `previous_response_id`.";
        Refusal::bad_request(unfit(help)).coded("previous_response_not_found").about("previous_response_id")
    } else if is(SkipReason::Tag) {
        Refusal::forbidden("tag_avoided", unfit("Use another model, or another key."))
    } else {
        mend()
    };
    refusal.without_retry().ended(State::NoTarget)
}

fn describe(skipped: &Skipped, now: Now) -> String {
    let why = match skipped.reason {
        SkipReason::TargetDisabled => "is disabled",
        SkipReason::ProviderDisabled => "has a disabled provider",
        SkipReason::Dialect => "does not speak this dialect",
        SkipReason::EgressUnsupported => {
            "is reached through an egress proxy, which only llmio's own runner can use and not this host"
        }
        SkipReason::EgressResting => "cannot be used through its egress",
        SkipReason::Unreachable => "has an address that cannot be reached",
        SkipReason::NoCredential => "has no credential that can be used",
        SkipReason::Capability => "cannot do what the request needs",
        SkipReason::Context => "has too small a context window",
        SkipReason::Tag => "has a tag the key avoids",
        SkipReason::CredentialsResting => "has refused every credential",
        SkipReason::Cooling => "is over its rate limit",
        SkipReason::Open => "keeps failing",
        SkipReason::UnknownModel => "does not know the model's name",
        SkipReason::Probing => "is being tried by another call",
        SkipReason::QuotaSpent => "has used up its quota",
        SkipReason::OtherOwner => "did not make the response this call goes on from",
        SkipReason::Untranslatable => "speaks another dialect, which cannot carry this request",
        SkipReason::Safeguards => "does not give the safeguards that are asked for",
        SkipReason::Unpriced => "has no known price, which the budget of the key needs",
    };
    let until = skipped.until_ms.and_then(|until_ms| Some(format!(" until {}", moment(until_ms, now)?)));
    let message = skipped.message.as_ref().map(|message| format!(" ({message})"));
    format!("{} {why}{}{}", skipped.target, message.unwrap_or_default(), until.unwrap_or_default())
}

/// A time in the future for people, by their clock: `2026-11-24 14:00:01 UTC (in 3 h)`.
pub(super) fn moment(until_ms: i64, now: Now) -> Option<String> {
    let at = Timestamp::from_millisecond(now.shown_ms(until_ms)).ok()?.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    Some(format!("{at} (in {})", human(wait_s(until_ms, now))))
}

/// Whole seconds to wait, at least one.
pub(super) fn wait_s(until_ms: i64, now: Now) -> u64 {
    u64::try_from(until_ms.saturating_sub(now.steady_ms)).unwrap_or(0).div_ceil(1000).max(1)
}

fn human(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::refusal::Shape;

    const NOW_MS: i64 = 1_795_521_600_000;

    fn skipped(target: &str, reason: SkipReason, in_s: Option<i64>) -> Skipped {
        Skipped { target: target.to_owned(), reason, until_ms: in_s.map(|in_s| NOW_MS + in_s * 1000), message: None }
    }

    fn refusal(skipped: &[Skipped]) -> Refusal {
        exhausted("m", skipped, Some("r-1"), Now::of_wall(NOW_MS))
    }

    #[test]
    fn a_short_wait_is_429_with_the_seconds_to_the_first_that_is_back() {
        let refusal = refusal(&[
            skipped("a/x", SkipReason::Cooling, Some(30)),
            skipped("b/y", SkipReason::Open, Some(4)),
            skipped("c/z", SkipReason::TargetDisabled, None),
        ]);
        assert_eq!((refusal.status, refusal.retry_after_s, refusal.should_retry), (429, Some(4), None));
        assert_eq!(refusal.state, State::RateLimitedUpstream);
        assert_eq!(
            refusal.message,
            "No provider can serve model \"m\" now: a/x is over its rate limit until 2026-11-24 12:00:30 UTC (in 30 s); \
             b/y keeps failing until 2026-11-24 12:00:04 UTC (in 4 s); c/z is disabled. The first is back in 4 s. More \
             credentials or targets in the catalog help; `llmio records show r-1` tells more."
        );
    }

    #[test]
    fn a_long_wait_is_an_insufficient_quota_that_is_not_to_be_tried_again() {
        let message = Some("a (credential first): 5 of 5 rpd spent".to_owned());
        let refusal = refusal(&[Skipped { message, ..skipped("a/x", SkipReason::QuotaSpent, Some(7201)) }]);
        assert_eq!((refusal.status, refusal.state), (429, State::QuotaSpent));
        let reply = refusal.reply(Shape::Dialect(Dialect::OpenaiChat), "r-1");
        let header =
            |name: &str| reply.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.clone());
        assert_eq!((header("retry-after"), header(UNTIL)), (None, Some(b"2026-11-24T14:00:01Z".to_vec())));
        assert_eq!(header("x-should-retry"), Some(b"false".to_vec()));
        let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(
            (&body["error"]["code"], &body["error"]["type"]),
            (&"insufficient_quota".into(), &"insufficient_quota".into())
        );
        let expected =
            "a/x has used up its quota (a (credential first): 5 of 5 rpd spent) until 2026-11-24 14:00:01 UTC (in 3 h)";
        assert!(refusal.message.contains(expected), "{}", refusal.message);
    }

    #[test]
    fn a_quota_that_is_over_later_is_final_for_agents_of_gemini() {
        let body = |in_s| {
            let refusal = refusal(&[skipped("a/x", SkipReason::Cooling, Some(in_s))]);
            let reply = refusal.reply(Shape::Dialect(Dialect::Gemini), "r-1");
            assert_eq!(reply.status, 429);
            String::from_utf8(reply.body).expect("JSON")
        };
        let (later, soon) = (body(7201), body(30));
        assert!(later.contains(r#""quotaId":"LlmioQuotaPerDay""#) && !later.contains("RetryInfo"), "{later}");
        assert!(soon.contains(r#""retryDelay":"30s""#) && !soon.contains("QuotaFailure"), "{soon}");
    }

    #[test]
    fn failing_providers_are_503_and_a_catalog_without_usable_targets_says_so() {
        let failing = refusal(&[skipped("a/x", SkipReason::Open, Some(2))]);
        assert_eq!((failing.status, failing.retry_after_s, failing.code), (503, Some(2), Some("no_target")));
        let wrong = refusal(&[skipped("a/x", SkipReason::TargetDisabled, None)]);
        assert_eq!((wrong.status, wrong.retry_after_s, wrong.should_retry), (400, None, Some(false)));
        assert!(wrong.message.contains("a/x is disabled. Mend the catalog"), "{}", wrong.message);
    }

    #[test]
    fn what_only_the_operator_can_mend_is_final_and_says_when_to_look_again() {
        for reason in [SkipReason::CredentialsResting, SkipReason::UnknownModel, SkipReason::NoCredential] {
            let in_s = Some(300).filter(|_| reason != SkipReason::NoCredential);
            let refusal = refusal(&[skipped("a/x", reason, in_s), skipped("b/y", SkipReason::Capability, None)]);
            for dialect in Dialect::ALL {
                let reply = refusal.reply(Shape::Dialect(dialect), "r-1");
                let header = |name: &str| {
                    reply.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.clone())
                };
                assert_eq!((reply.status, header("retry-after")), (400, None), "{reason:?}");
                assert_eq!(header("x-should-retry"), Some(b"false".to_vec()));
                assert_eq!(header(UNTIL), in_s.map(|_| b"2026-11-24T12:05:00Z".to_vec()));
                assert!(!String::from_utf8_lossy(&reply.body).contains("RetryInfo"));
            }
        }
        let beside =
            [skipped("a/x", SkipReason::CredentialsResting, Some(4)), skipped("b/y", SkipReason::Cooling, Some(30))];
        assert_eq!(
            (refusal(&beside).status, refusal(&beside).retry_after_s),
            (429, Some(30)),
            "who is back by itself is waited for"
        );
    }

    #[test]
    fn a_relayed_rate_limit_says_when_the_first_of_all_targets_is_back() {
        let headers = |until_s| {
            let headers = [("retry-after", "200"), ("retry-after-ms", "200000"), ("x-should-retry", "false")];
            let mut reply = headers
                .into_iter()
                .fold(Reply::new(429, "application/json", "{}"), |reply, (name, value)| reply.with(name, value));
            let skipped =
                [skipped("a/x", SkipReason::Cooling, Some(200)), skipped("b/y", SkipReason::Cooling, until_s)];
            come_back(&mut reply, &skipped, Now::of_wall(NOW_MS));
            let others = reply.headers.into_iter().filter(|(name, _)| name != "content-type");
            others.map(|(name, value)| (name, String::from_utf8(value).expect("text"))).collect::<Vec<_>>()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(headers(Some(2)), [pair("retry-after", "2")]);
        assert_eq!(headers(None), [pair(UNTIL, "2026-11-24T12:03:20Z"), pair("x-should-retry", "false")]);
    }

    #[test]
    fn what_only_the_caller_can_change_is_not_to_be_tried_again() {
        for (reason, status, code, says) in [
            (SkipReason::Capability, 400, "unsupported_capability", "Leave out"),
            (SkipReason::Dialect, 400, "unsupported_endpoint", "another endpoint"),
            (SkipReason::OtherOwner, 400, "previous_response_not_found", "whole conversation"),
            (SkipReason::Tag, 403, "tag_avoided", "another key"),
        ] {
            let refusal = refusal(&[skipped("a/x", reason, None), skipped("b/y", SkipReason::TargetDisabled, None)]);
            assert_eq!((refusal.status, refusal.code, refusal.should_retry), (status, Some(code), Some(false)));
            assert!(refusal.message.contains("a/x ") && refusal.message.contains(says), "{}", refusal.message);
        }
    }

    #[test]
    fn a_prompt_too_long_for_all_is_told_so_that_agents_shorten_it() {
        let none_fits = [skipped("a/x", SkipReason::Context, None), skipped("b/y", SkipReason::Capability, None)];
        let refusal = refusal(&none_fits);
        assert_eq!((refusal.status, refusal.code), (400, Some("context_length_exceeded")));
        assert!(refusal.message.starts_with("prompt is too long"), "{}", refusal.message);
        let reply = refusal.reply(Shape::Dialect(Dialect::Anthropic), "r-1");
        let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }

    #[test]
    fn a_large_enough_target_that_will_be_back_is_waited_for() {
        let will_fit = [skipped("a/x", SkipReason::Context, None), skipped("b/y", SkipReason::Cooling, Some(3))];
        assert_eq!((refusal(&will_fit).status, refusal(&will_fit).retry_after_s), (429, Some(3)));
    }

    #[test]
    fn what_is_spent_for_good_is_an_insufficient_quota_without_an_end() {
        let message = Some("a: 10 of 10 USD spent".to_owned());
        let refusal = refusal(&[Skipped { message, ..skipped("a/x", SkipReason::QuotaSpent, None) }]);
        assert_eq!((refusal.status, refusal.code), (429, Some("insufficient_quota")));
        assert_eq!((refusal.retry_after_s, refusal.should_retry), (None, Some(false)));
        assert!(
            refusal.message.contains("a/x has used up its quota (a: 10 of 10 USD spent). Mend"),
            "{}",
            refusal.message
        );
    }

    #[test]
    fn a_price_that_a_budget_needs_is_asked_for_and_not_tried_for_again() {
        let refusal = refusal(&[skipped("a/x", SkipReason::Unpriced, None)]);
        assert_eq!((refusal.status, refusal.should_retry), (400, Some(false)));
        let message = "a/x has no known price, which the budget of the key needs. Mend the catalog";
        assert!(refusal.message.contains(message), "{}", refusal.message);
    }

    #[test]
    fn a_review_that_nobody_gives_is_refused_in_the_clients_own_words() {
        let only = |reason| refusal(&[skipped("a/x", SkipReason::Safeguards, None), skipped("b/y", reason, None)]);
        let refused = only(SkipReason::TargetDisabled);
        let reply = refused.reply(Shape::Dialect(Dialect::Anthropic), "r-1");
        let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!((reply.status, &body["error"]["type"]), (400, &"invalid_request_error".into()));
        assert_eq!(body["error"]["message"], "safeguards: Extra inputs are not permitted");
        // Where another target would give it, what keeps that from serving is said.
        assert!(only(SkipReason::CredentialsResting).message.contains("has refused every credential"));
        let waits = refusal(&[skipped("a/x", SkipReason::Safeguards, None), skipped("b/y", SkipReason::Open, Some(4))]);
        assert_eq!((waits.status, waits.retry_after_s), (503, Some(4)));
    }
}
