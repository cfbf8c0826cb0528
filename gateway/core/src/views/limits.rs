//! Limits: those of the catalog with what is spent of them, and those that providers told in their answers.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::clock::Now;
use crate::health::Subject;
use crate::outcome::limits::Span;
use crate::quota::{Charge, Learnt, Row, Scope, Unit, status};

use super::ReportedLimitView;

/// The answer of `GET /api/quota`.
#[derive(Debug, Serialize)]
pub struct QuotaView {
    /// The limits of the catalog, in its order.
    pub quota: Vec<LimitView>,
    /// The limits that providers told in their answers. They are shown only; calls are not counted against them.
    pub learnt: Vec<LearntView>,
    /// What providers count themselves. It raises what is spent within its own window, and nothing lowers.
    #[serde(rename = "told")]
    pub reported: Vec<ReportedLimitView>,
}

/// A limit of the catalog, what is spent of it, and how long the rest will last.
#[derive(Debug, Serialize)]
pub struct LimitView {
    /// The limit's id, as `PUT /api/quota/{id}` takes it.
    pub id: String,
    /// Whose limit it is.
    pub scope: ScopeView,
    /// The models that it covers; all if the list is empty.
    pub models: Vec<String>,
    /// The limit's name, such as `rpd`.
    pub name: String,
    /// What it counts.
    pub unit: &'static str,
    /// The most that may be spent.
    pub limit: u64,
    /// What is spent within its window.
    pub spent: u64,
    /// When the first part of what is spent stops counting.
    pub resets_at_ms: Option<i64>,
    /// When the limit will be used up at the present rate.
    pub runs_dry_at_ms: Option<i64>,
    /// Whether what it grants is free.
    pub free: bool,
    /// Where it was published, if it is a limit that llmio knows and nobody configured.
    pub known: Option<KnownLimitView>,
}

/// Where a limit was published.
#[derive(Debug, Serialize)]
pub struct KnownLimitView {
    /// When it was read there.
    pub as_of: &'static str,
    /// The address of the publication.
    pub source: &'static str,
}

/// Whose limit it is, by the names in the catalog. It holds no secret, and nothing that is derived from one.
#[derive(Debug, Serialize)]
#[serde(tag = "per", rename_all = "lowercase")]
pub enum ScopeView {
    /// The limit of a credential.
    Credential {
        /// The provider's name.
        provider: String,
        /// The credential's label; absent if the provider is called without one.
        credential: Option<String>,
    },
    /// The limit of a pool of credentials.
    Pool {
        /// The provider's name.
        provider: String,
        /// The pool's name.
        pool: Option<String>,
    },
    /// The limit of a provider.
    Provider {
        /// The provider's name.
        provider: String,
    },
    /// The limit of a key of llmio.
    Key {
        /// The key's name.
        key: String,
    },
    /// That of the keys of a team together.
    Team {
        /// Its name.
        team: String,
    },
}

/// A limit that a provider told in its answers.
#[derive(Debug, Serialize)]
pub struct LearntView {
    /// The credential, or the credential on one model, as a subject of health.
    pub subject: Subject,
    /// The subject's name for people.
    pub name: String,
    /// What is counted, in the provider's word.
    pub what: String,
    /// The span of time that the limit covers.
    pub per: Option<Span>,
    /// The limit.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it is full again.
    pub resets_at_ms: Option<i64>,
    /// When the provider told it.
    pub as_of_ms: i64,
    /// Whether the limit has been reset since.
    pub over: bool,
}

impl LimitView {
    /// The view of a limit, given its rows in the ledger.
    pub fn of(limit: &Charge, rows: &[Row], now: Now) -> Self {
        let status = status(limit, rows, now.steady_ms);
        let shown_ms = |at_ms| now.shown_ms(at_ms);
        LimitView {
            id: limit.id.clone(),
            scope: ScopeView::of(&limit.scope),
            models: limit.models.to_vec(),
            name: limit.limit_name.clone(),
            unit: unit(limit.unit),
            limit: limit.limit,
            spent: status.spent,
            resets_at_ms: status.resets_at_ms.map(shown_ms),
            runs_dry_at_ms: status.runs_dry_at_ms.map(shown_ms),
            free: limit.is_free,
            known: limit.source.map(|source| KnownLimitView { as_of: source.as_of, source: source.url }),
        }
    }
}

impl ScopeView {
    fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Credential { provider, credential } => {
                ScopeView::Credential { provider: provider.to_string(), credential: credential.clone() }
            }
            Scope::Pool { provider, pool } => {
                ScopeView::Pool { provider: provider.to_string(), pool: pool.as_deref().map(str::to_owned) }
            }
            Scope::Provider { provider } => ScopeView::Provider { provider: provider.to_string() },
            Scope::Key { key } => ScopeView::Key { key: key.to_string() },
            Scope::Team { team } => ScopeView::Team { team: team.to_string() },
        }
    }
}

impl LearntView {
    /// The view of a limit that a provider told.
    pub fn of(learnt: &Learnt, catalog: &Catalog, now: Now) -> Self {
        let Learnt { subject, signal, as_of_ms } = learnt;
        LearntView {
            subject: subject.clone(),
            name: subject.name(catalog),
            what: signal.what.clone(),
            per: signal.per,
            limit: signal.limit,
            remaining: signal.remaining,
            resets_at_ms: signal.resets_at_ms.map(|at_ms| now.shown_ms(at_ms)),
            as_of_ms: now.shown_ms(*as_of_ms),
            over: signal.resets_at_ms.is_some_and(|at_ms| at_ms <= now.steady_ms),
        }
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Calls => "calls",
        Unit::Tokens => "tokens",
        Unit::FreshTokens => "tokens without cache reads",
        Unit::Points => "points",
        Unit::Money => "nano-dollars",
        Unit::InFlight => "calls under way",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;
    use crate::outcome::limits::LimitSignal;
    use crate::quota::{Moment, all};

    fn limits(text: &str) -> Vec<Charge> {
        let catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
        all(&catalog, Moment { now: Now::of_wall(0), total_ms_max: 1, boot_ms: None, slot: None })
    }

    fn json(limit: &Charge, rows: &[Row]) -> String {
        serde_json::to_string(&LimitView::of(limit, rows, Now::of_wall(0))).expect("JSON")
    }

    #[test]
    fn a_limit_says_whose_it_is_and_what_is_spent_of_it() {
        let hash = "0123456789abcdef".repeat(4);
        let text = format!(
            "[[providers]]\nname = \"p\"\nbase_url = \"https://p.example\"\n\
            credentials = [{{ id = \"c-1\", variable = \"A\", label = \"first\", pool = \"team\" }}]\n\
            quotas = [{{ models = [\"m\"], rpd = 5 }}, {{ per = \"pool\", tpm = 6 }}, {{ per = \"provider\", rpm = 7 }}]\n\
            [[keys]]\nname = \"k\"\nhash = \"sha256:{hash}\"\nlimits = {{ concurrent = 8 }}"
        );
        let limits = limits(&text);
        let shown: Vec<String> = limits.iter().map(|limit| json(limit, &[])).collect();
        let member = |scope: &str, models: &str, name: &str, unit: &str| {
            format!("\"scope\":{scope},\"models\":{models},\"name\":\"{name}\",\"unit\":\"{unit}\",")
        };
        for (shown, part) in shown.iter().zip([
            member(r#"{"per":"credential","provider":"p","credential":"first"}"#, r#"["m"]"#, "rpd", "calls"),
            member(r#"{"per":"pool","provider":"p","pool":"team"}"#, "[]", "tpm", "tokens"),
            member(r#"{"per":"provider","provider":"p"}"#, "[]", "rpm", "calls"),
            member(r#"{"per":"key","key":"k"}"#, "[]", "concurrent", "calls under way"),
        ]) {
            assert!(shown.contains(&part), "{shown}\n{part}");
        }
        let row = Row { id: limits[0].id.clone(), bucket: limits[0].bucket, spent: 3 };
        assert!(json(&limits[0], &[row]).contains(r#""limit":5,"spent":3,"#));
    }

    #[test]
    fn a_limit_that_was_told_is_over_when_it_has_reset() {
        let signal = LimitSignal {
            what: "requests".into(),
            per: Some(Span::Day),
            of_account: true,
            limit: Some(10),
            remaining: Some(0),
            resets_at_ms: Some(5),
            is_reset: true,
        };
        let learnt = Learnt { subject: Subject::parse("credential/c-1").expect("a subject"), signal, as_of_ms: 1 };
        let text = "providers = [{ name = \"p\", base_url = \"https://p.example\", credentials = \
                    [{ id = \"c-1\", variable = \"A\", label = \"first\" }] }]";
        let catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
        let json =
            |now_ms| serde_json::to_string(&LearntView::of(&learnt, &catalog, Now::of_wall(now_ms))).expect("JSON");
        assert_eq!(
            json(4),
            r#"{"subject":"credential/c-1","name":"p first","what":"requests","per":"day","limit":10,"remaining":0,"resets_at_ms":5,"as_of_ms":1,"over":false}"#
        );
        assert!(json(5).ends_with(r#""over":true}"#));
    }
}
