//! The headers in which providers tell their own limits, one row for each form. All rows are read of everybody: relays
//! hand on what whoever stands behind them tells.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::rows::PROVIDERS;

/// How some providers tell their limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitHeaders {
    /// What is told in them.
    pub form: LimitForm,
    /// The page that says so.
    pub source: &'static str,
}

/// What is told in headers of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitForm {
    /// These limits, each in up to three headers.
    Counted(&'static [Counted]),
    /// The window of a plan that refuses: `anthropic-ratelimit-unified-status: rejected` and `-reset`, Unix time.
    Plan,
    /// `RateLimit` and `RateLimit-Policy`.
    Draft,
}

/// A limit in headers whose names are made of three parts: `before`, one of `limit`, `remaining` and `reset`, and `behind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// What stands before the word.
    pub before: &'static str,
    /// What stands behind it.
    pub behind: &'static str,
    /// What is counted.
    pub what: &'static str,
    /// Within which time, where that is always the same.
    pub per: Option<Span>,
    /// It counts for the credential on all models and not on this one alone.
    pub of_account: bool,
    /// How its reset is told.
    pub reset: ResetForm,
}

/// How a limit's reset is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetForm {
    /// A wait or a time, when a bucket is full again that is refilled all the time.
    Bucket,
    /// The same as an RFC 3339 time.
    BucketTime,
    /// A wait or a time, the end of a window: a minute or a day, as its distance tells.
    Window,
    /// Not at all. It is midnight in this time zone.
    Midnight(&'static str),
}

/// The time a limit is counted within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// A minute.
    Minute,
    /// A day.
    Day,
}

const fn counted(before: &'static str, behind: &'static str, what: &'static str, reset: ResetForm) -> Counted {
    Counted { before, behind, what, per: None, of_account: false, reset }
}

const fn per(per: Span, counted: Counted) -> Counted {
    Counted { per: Some(per), ..counted }
}

/// `x-ratelimit-reset-requests: 6m0s`. Of requests Groq tells those of a day and others those of a minute, so neither is
/// taken for granted: <https://console.groq.com/docs/rate-limits>.
pub(super) const OPENAI: LimitHeaders = LimitHeaders {
    form: LimitForm::Counted(&[
        counted("x-ratelimit-", "-requests", "requests", ResetForm::Bucket),
        counted("x-ratelimit-", "-tokens", "tokens", ResetForm::Bucket),
    ]),
    source: "https://platform.openai.com/docs/guides/rate-limits",
};

const fn anthropic(before: &'static str, what: &'static str) -> Counted {
    per(Span::Minute, counted(before, "", what, ResetForm::BucketTime))
}

/// All are of a minute.
pub(super) const ANTHROPIC: LimitHeaders = LimitHeaders {
    form: LimitForm::Counted(&[
        anthropic("anthropic-ratelimit-requests-", "requests"),
        anthropic("anthropic-ratelimit-tokens-", "tokens"),
        anthropic("anthropic-ratelimit-input-tokens-", "input-tokens"),
        anthropic("anthropic-ratelimit-output-tokens-", "output-tokens"),
    ]),
    source: "https://docs.claude.com/en/api/rate-limits",
};

/// The plans of Claude, which are an account's: of several windows the one that refuses is told with its end, and says so
/// whatever `retry-after` stands beside it.
pub(super) const CLAUDE_PLAN: LimitHeaders =
    LimitHeaders { form: LimitForm::Plan, source: "https://github.com/router-for-me/CLIProxyAPI/pull/3148" };

/// One limit, with its reset as a time. Others tell it in seconds.
pub(super) const OPENROUTER: LimitHeaders = LimitHeaders {
    form: LimitForm::Counted(&[counted("x-ratelimit-", "", "requests", ResetForm::Window)]),
    source: "https://openrouter.ai/docs/api-reference/limits",
};

/// Calls of a day, of the account and of each model.
pub(super) const MODELSCOPE: LimitHeaders = LimitHeaders {
    form: LimitForm::Counted(&[
        Counted {
            of_account: true,
            ..per(Span::Day, counted("modelscope-ratelimit-requests-", "", "requests", SHANGHAI))
        },
        per(Span::Day, counted("modelscope-ratelimit-model-requests-", "", "requests", SHANGHAI)),
    ]),
    source: "https://modelscope.cn/docs/model-service/API-Inference/limits",
};

const SHANGHAI: ResetForm = ResetForm::Midnight("Asia/Shanghai");

/// What nobody known by name tells, but relays do.
const OF_RELAYS: [LimitHeaders; 2] = [
    LimitHeaders {
        form: LimitForm::Counted(&[counted("ratelimit-", "", "requests", ResetForm::Window)]),
        source: "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-03",
    },
    LimitHeaders {
        form: LimitForm::Draft,
        source: "https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/",
    },
];

/// What the names of all these headers begin with.
const PREFIXES: [&str; 4] = ["x-ratelimit-", "ratelimit", "anthropic-ratelimit-", "modelscope-ratelimit-"];

/// Whether a header of this name may tell of a limit. Most do not.
pub fn may_tell_limits(name: &str) -> bool {
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    PREFIXES.iter().any(begins)
}

/// All of them, each once.
pub fn limit_headers() -> &'static [LimitHeaders] {
    static ALL: LazyLock<Vec<LimitHeaders>> = LazyLock::new(|| {
        let mut all: Vec<LimitHeaders> = Vec::new();
        for each in PROVIDERS.iter().flat_map(|known| known.limits).chain(&OF_RELAYS) {
            if !all.contains(each) {
                all.push(*each);
            }
        }
        all
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_of_a_row_is_looked_for_and_every_form_is_read_once() {
        let mut names: Vec<String> = Vec::new();
        for LimitHeaders { form, source } in limit_headers() {
            assert!(source.starts_with("https://"), "{source}");
            match form {
                LimitForm::Counted(limits) => {
                    let of = |counted: &Counted| format!("{}limit{}", counted.before, counted.behind);
                    names.extend(limits.iter().map(of));
                }
                LimitForm::Plan => names.push("anthropic-ratelimit-unified-status".to_owned()),
                LimitForm::Draft => names.extend(["ratelimit", "ratelimit-policy"].map(str::to_owned)),
            }
        }
        assert!(names.iter().all(|name| may_tell_limits(name)), "{names:?}");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), count), (13, 13), "{names:?}");
        assert!(!may_tell_limits("content-type") && !may_tell_limits("x-rate"));
        assert!(may_tell_limits("X-RateLimit-Reset"));
    }
}
