//! The headers in which providers tell their own limits, one row for each form. All rows are tried on every answer,
//! because relays pass on the headers of the providers behind them.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::rows::PROVIDERS;

/// A form in which some providers tell their limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitHeaders {
    /// The form.
    pub form: LimitForm,
    /// The page that describes it.
    pub source: &'static str,
}

/// The form of headers that tell limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitForm {
    /// Limits with up to three headers each.
    Counted(&'static [Counted]),
    /// The window of a plan that is used up: `anthropic-ratelimit-unified-status: rejected`, and `-reset` as Unix time.
    Plan,
    /// `RateLimit` and `RateLimit-Policy`.
    Draft,
}

/// A limit whose headers are named by three parts: `before`, one of `limit`, `remaining` and `reset`, and `behind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// What precedes the word.
    pub before: &'static str,
    /// What follows the word.
    pub behind: &'static str,
    /// What is counted.
    pub what: &'static str,
    /// The span of time that it covers, if that is always the same.
    pub per: Option<Span>,
    /// Whether it covers all models of the credential, and not only this one.
    pub of_account: bool,
    /// The form of its reset.
    pub reset: ResetForm,
}

/// The form of a limit's reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetForm {
    /// A wait or a time: when a bucket is full again that is refilled all the time.
    Bucket,
    /// The same as a time of RFC 3339.
    BucketTime,
    /// A wait or a time: the end of a window, which is a minute or a day, as its distance tells.
    Window,
    /// Not told. It is midnight in this time zone.
    Midnight(&'static str),
}

/// The span of time that a limit covers.
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

/// `x-ratelimit-reset-requests: 6m0s`. Groq tells the requests of a day and others those of a minute, so the span is
/// left open: <https://console.groq.com/docs/rate-limits>.
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

/// All of these cover a minute.
pub(super) const ANTHROPIC: LimitHeaders = LimitHeaders {
    form: LimitForm::Counted(&[
        anthropic("anthropic-ratelimit-requests-", "requests"),
        anthropic("anthropic-ratelimit-tokens-", "tokens"),
        anthropic("anthropic-ratelimit-input-tokens-", "input-tokens"),
        anthropic("anthropic-ratelimit-output-tokens-", "output-tokens"),
    ]),
    source: "https://docs.claude.com/en/api/rate-limits",
};

/// The plans of Claude, which belong to an account. Of several windows, the one that is used up is told with its end,
/// which counts more than a `retry-after`.
pub(super) const CLAUDE_PLAN: LimitHeaders =
    LimitHeaders { form: LimitForm::Plan, source: "https://github.com/router-for-me/CLIProxyAPI/pull/3148" };

/// One limit, with its reset as a time. Other providers tell the reset in seconds.
pub(super) const OPENROUTER: LimitHeaders = LimitHeaders {
    form: LimitForm::Counted(&[counted("x-ratelimit-", "", "requests", ResetForm::Window)]),
    source: "https://openrouter.ai/docs/api-reference/limits",
};

/// The calls of a day, of the account and of each model.
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

/// Forms that relays use and no provider in the table does.
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

/// The prefixes of all these headers.
const PREFIXES: [&str; 4] = ["x-ratelimit-", "ratelimit", "anthropic-ratelimit-", "modelscope-ratelimit-"];

/// Whether a header of this name may tell a limit. Most do not.
pub fn may_tell_limits(name: &str) -> bool {
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    PREFIXES.iter().any(begins)
}

/// All forms, each once.
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
