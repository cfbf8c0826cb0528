//! `RateLimit` and `RateLimit-Policy` of the IETF drafts:
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>. The newer drafts have a list of policies
//! with names, `"day";r=0;t=1800`; the older ones have named members, `limit=100, remaining=0, reset=1800`.

use super::{Headers, LimitSignal, Span, signal};

/// The most policies that are read, more than any provider has.
const POLICIES_MAX: usize = 16;

const DAY_S: f64 = 86_400.0;

/// The longest reset that is believed, longer than any window.
const RESET_S_MAX: f64 = 32.0 * DAY_S;

pub(super) fn read(headers: &Headers<'_>, now_ms: i64) -> Vec<LimitSignal> {
    let Some(limits) = headers.text("ratelimit") else { return Vec::new() };
    let policies = headers.text("ratelimit-policy").unwrap_or_default();
    let told_of = |item: &str| of_policy(item, policies, now_ms);
    match members(limits) {
        Some(draft) => vec![finished(draft, now_ms)],
        None => limits.split(',').take(POLICIES_MAX).filter_map(told_of).collect(),
    }
}

/// A limit, and in how many seconds it resets.
type InSeconds = (LimitSignal, Option<f64>);

fn finished((signal, reset_s): InSeconds, now_ms: i64) -> LimitSignal {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within a month")]
    let reset_ms =
        reset_s.filter(|reset_s| (0.0..=RESET_S_MAX).contains(reset_s)).map(|reset_s| (reset_s * 1e3) as i64);
    LimitSignal { resets_at_ms: reset_ms.map(|reset_ms| now_ms.saturating_add(reset_ms)), is_reset: true, ..signal }
}

/// Reads `limit=100, remaining=0, reset=1800`.
fn members(text: &str) -> Option<InSeconds> {
    let number = |name: &str| {
        let mut pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).and_then(|(_, value)| value.trim().parse().ok())
    };
    let signal = signal("requests", None, number("limit"), Some(number("remaining")?))?;
    Some((signal, number("reset")))
}

/// Reads `"day";r=0;t=1800`, with the policy of that name, `"day";q=100;w=86400`.
fn of_policy(item: &str, policies: &str, now_ms: i64) -> Option<LimitSignal> {
    let name = item.split(';').next()?.trim();
    let policy = policies.split(',').find(|policy| policy.split(';').next().is_some_and(|other| other.trim() == name));
    let of = |name: &str| policy.and_then(|policy| parameter(policy, name));
    let per = match of("w") {
        Some(60.0) => Some(Span::Minute),
        Some(DAY_S) => Some(Span::Day),
        _ => None,
    };
    let signal = signal("requests", per, of("q"), Some(parameter(item, "r")?))?;
    Some(finished((signal, parameter(item, "t")), now_ms))
}

fn parameter(item: &str, name: &str) -> Option<f64> {
    let mut pairs = item.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim() == name)?;
    value.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A limit's window, its size, what is left, and when it resets.
    type Expected = (Option<Span>, Option<u64>, Option<u64>, Option<i64>);

    fn of(limits: &str, policies: &str) -> Vec<Expected> {
        let headers = [("RateLimit", limits), ("RateLimit-Policy", policies)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let signals = read(&Headers(&headers), 0);
        signals
            .into_iter()
            .map(|signals| (signals.per, signals.limit, signals.remaining, signals.resets_at_ms))
            .collect()
    }

    #[test]
    fn each_policy_is_told_with_its_size_and_its_end() {
        assert_eq!(of(r#""default";r=0;t=1800"#, ""), [(None, None, Some(0), Some(1_800_000))]);
        assert_eq!(
            of(r#""burst";r=5;t=7, "day";r=0;t=3600"#, r#""burst";q=60;w=60, "day";q=1000;w=86400"#),
            [
                (Some(Span::Minute), Some(60), Some(5), Some(7_000)),
                (Some(Span::Day), Some(1000), Some(0), Some(3_600_000))
            ]
        );
    }

    #[test]
    fn the_form_before_it_is_read_too() {
        assert_eq!(of("limit=100, remaining=0, reset=50", ""), [(None, Some(100), Some(0), Some(50_000))]);
    }

    #[test]
    fn what_is_no_such_thing_tells_nothing() {
        for nothing in ["", "soon", "\"default\";t=5", "limit=100", "\"default\";r=no;t=5"] {
            assert_eq!(of(nothing, ""), [], "{nothing}");
        }
        assert_eq!(of(r#""default";r=0;t=1e99"#, ""), [(None, None, Some(0), None)]);
    }
}
