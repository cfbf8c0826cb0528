//! Requests by which providers tell what a credential's account has spent and has left: one row for each, with the places of
//! the numbers in its answer. They are only sent to the provider's own host, since no other host may see the credential.
//!
//! ModelScope has none here: what is left of its allowance is told by another host than the one that serves
//! (<https://modelscope.cn/openapi/v1/magicubes/balance>, in the API's description at
//! <https://github.com/modelscope/modelscope_hub>).

use serde::{Deserialize, Serialize};

use super::is_host;
use super::rows::PROVIDERS;
use crate::uri::host_of;

/// A request for the numbers of an account.
#[derive(Debug, PartialEq, Eq)]
pub struct Counter {
    /// The path, from the root of the provider's host.
    pub path: &'static str,
    /// The hosts that answer it.
    pub hosts: &'static [&'static str],
    /// The numbers in the answer.
    pub readings: &'static [CounterReading],
    /// The page that documents it.
    pub source: &'static str,
}

/// The numbers of one thing that is counted, by their places in the answer (JSON pointers, RFC 6901).
#[derive(Debug, PartialEq, Eq)]
pub struct CounterReading {
    /// Its name for people.
    pub what: &'static str,
    /// What is counted.
    pub unit: CounterUnit,
    /// The window in which it is counted; `None` if it may differ.
    pub per: Option<CounterPer>,
    /// The models whose use is counted, as quotas name them; empty for all.
    pub models: &'static [&'static str],
    /// What is spent of it.
    pub spent: Option<&'static str>,
    /// The most of it.
    pub limit: Option<&'static str>,
    /// What is left of it.
    pub remaining: Option<&'static str>,
}

/// What a reading counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterUnit {
    /// Calls.
    Calls,
    /// Money of this currency.
    Money(&'static str),
    /// Money of the currency that stands at this place of the answer.
    MoneyOf(&'static str),
}

/// The window in which something is counted. Days begin at midnight UTC, weeks on a Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterPer {
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
    /// All there ever was.
    Ever,
}

const NOTHING: CounterReading = CounterReading {
    what: "",
    unit: CounterUnit::Calls,
    per: None,
    models: &[],
    spent: None,
    limit: None,
    remaining: None,
};

const fn spent_usd(what: &'static str, per: CounterPer, spent: &'static str) -> CounterReading {
    CounterReading { what, unit: CounterUnit::Money("USD"), per: Some(per), spent: Some(spent), ..NOTHING }
}

const fn left(unit: CounterUnit, remaining: &'static str) -> CounterReading {
    CounterReading { what: "balance", unit, per: Some(CounterPer::Ever), remaining: Some(remaining), ..NOTHING }
}

/// What a key has spent, its own limit, and the free calls of its account. The limit may be one of a day, a week, a month or
/// none, so its window is not known.
pub(super) const OPENROUTER: Counter = Counter {
    path: "/api/v1/key",
    hosts: &["openrouter.ai"],
    readings: &[
        spent_usd("key", CounterPer::Day, "/data/usage_daily"),
        spent_usd("key", CounterPer::Week, "/data/usage_weekly"),
        spent_usd("key", CounterPer::Month, "/data/usage_monthly"),
        CounterReading {
            what: "limit of the key",
            unit: CounterUnit::Money("USD"),
            limit: Some("/data/limit"),
            remaining: Some("/data/limit_remaining"),
            ..NOTHING
        },
        CounterReading {
            what: "free calls",
            per: Some(CounterPer::Day),
            models: &["*:free"],
            spent: Some("/data/free_model_daily_requests/used"),
            limit: Some("/data/free_model_daily_requests/limit"),
            remaining: Some("/data/free_model_daily_requests/remaining"),
            ..NOTHING
        },
    ],
    source: "https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key",
};

/// An account has a balance for each currency it has ever paid in, two at most.
pub(super) const DEEPSEEK: Counter = Counter {
    path: "/user/balance",
    hosts: &["api.deepseek.com"],
    readings: &[
        left(CounterUnit::MoneyOf("/balance_infos/0/currency"), "/balance_infos/0/total_balance"),
        left(CounterUnit::MoneyOf("/balance_infos/1/currency"), "/balance_infos/1/total_balance"),
    ],
    source: "https://api-docs.deepseek.com/api/get-user-balance",
};

/// The granted and the paid balance together. CodexBar's documentation says that the host in China has not answered this
/// since August 2026; a host that does not know the path is only asked once a day.
pub(super) const SILICONFLOW: Counter = Counter {
    path: "/v1/user/info",
    hosts: &["api.siliconflow.cn"],
    readings: &[left(CounterUnit::Money("CNY"), "/data/totalBalance")],
    source: "https://docs.siliconflow.cn/cn/api-reference/userinfo/get-user-info",
};

/// The same for accounts outside of China.
pub(super) const SILICONFLOW_INTL: Counter = Counter {
    hosts: &["api.siliconflow.com"],
    readings: &[left(CounterUnit::Money("USD"), "/data/totalBalance")],
    ..SILICONFLOW
};

/// The counter of the provider at this address. A provider with a preset and an address of its own, such as a proxy, has the
/// counter of the preset.
pub fn counter(authority: &str, preset: Option<&str>) -> Option<&'static Counter> {
    let host = host_of(authority).trim_end_matches('.');
    let counters = || PROVIDERS.iter().filter_map(|known| Some((known.name, known.counter?)));
    let by_host = counters().find(|(_, counter)| counter.hosts.iter().any(|known| is_host(host, known)));
    let found = by_host.or_else(|| counters().find(|(name, _)| Some(*name) == preset));
    found.map(|(_, counter)| counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_hosts_and_the_places_in_its_answer() {
        let mut seen = 0;
        for known in PROVIDERS {
            let Some(counter) = known.counter else { continue };
            seen += 1;
            assert!(counter.path.starts_with('/') && counter.source.starts_with("https://"), "{counter:?}");
            for (_, url) in known.endpoints {
                let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
                assert!(counter.hosts.contains(&host), "{}: {host}", known.name);
            }
            for reading in counter.readings {
                let places = [reading.spent, reading.limit, reading.remaining];
                assert!(places.iter().any(Option::is_some) && !reading.what.is_empty(), "{reading:?}");
                assert!(places.into_iter().flatten().all(|place| place.starts_with('/')), "{reading:?}");
            }
        }
        assert_eq!(seen, 4);
    }

    #[test]
    fn a_counter_is_found_by_host_or_else_by_the_preset_that_is_named() {
        for (authority, preset, path) in [
            ("openrouter.ai", None, Some("/api/v1/key")),
            ("OpenRouter.ai:443", Some("openrouter"), Some("/api/v1/key")),
            ("127.0.0.1:8080", Some("deepseek"), Some("/user/balance")),
            ("127.0.0.1:8080", Some("groq"), None),
            ("relay.example", None, None),
            ("api.deepseek.com.relay.example", None, None),
            ("api.siliconflow.com", None, Some("/v1/user/info")),
        ] {
            assert_eq!(counter(authority, preset).map(|counter| counter.path), path, "{authority} {preset:?}");
        }
    }
}
