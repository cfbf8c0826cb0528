//! Limits: those of the catalog with what is spent of them, and those that providers told.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::health::Subject;
use crate::outcome::limits::Span;
use crate::quota::{Charge, Learnt, Row, Scope, Unit, status};

/// Every limit.
#[derive(Debug, Serialize)]
pub struct QuotaView {
    /// In the order of the catalog.
    pub quota: Vec<LimitView>,
    /// What providers told themselves. Nothing is counted by it.
    pub learnt: Vec<LearntView>,
}

/// A limit of the catalog, what is spent of it, and how long the rest will last.
#[derive(Debug, Serialize)]
pub struct LimitView {
    /// What it is set by.
    pub id: String,
    /// Whose it is.
    pub scope: ScopeView,
    /// The models it covers; all where there are none.
    pub models: Vec<String>,
    /// Such as `rpd`.
    pub name: String,
    /// What it counts.
    pub unit: &'static str,
    /// The most that may be spent.
    pub limit: u64,
    /// What is spent within its window.
    pub spent: u64,
    /// When the first of what is spent stops counting.
    pub resets_at_ms: Option<i64>,
    /// When it will be spent whole at the present rate.
    pub runs_dry_at_ms: Option<i64>,
    /// Where it was published, where llmio knows it and nobody wrote it down.
    pub known: Option<KnownLimitView>,
}

/// Where a limit was published.
#[derive(Debug, Serialize)]
pub struct KnownLimitView {
    /// When it was read there.
    pub as_of: &'static str,
    /// Its address.
    pub source: &'static str,
}

/// Whose limit, by the names people gave: never a secret, nor what is derived from one.
#[derive(Debug, Serialize)]
#[serde(tag = "per", rename_all = "lowercase")]
pub enum ScopeView {
    /// A credential's, by its label.
    Credential {
        /// Its provider.
        provider: String,
        /// Its label; absent where the provider is called without one.
        credential: Option<String>,
    },
    /// That of a pool of credentials.
    Pool {
        /// Its provider.
        provider: String,
        /// Its name.
        pool: Option<String>,
    },
    /// A provider's.
    Provider {
        /// Its name.
        provider: String,
    },
    /// That of a key of llmio's.
    Key {
        /// Its name.
        key: String,
    },
}

/// A limit that a provider told itself.
#[derive(Debug, Serialize)]
pub struct LearntView {
    /// The credential, or the credential on one model, as health calls it.
    pub subject: Subject,
    /// The same for people.
    pub name: String,
    /// What is counted, by the provider's word.
    pub what: String,
    /// Within which time.
    pub per: Option<Span>,
    /// The most of it.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When there is more again.
    pub resets_at_ms: Option<i64>,
    /// When it was told.
    pub as_of_ms: i64,
    /// That time is over.
    pub over: bool,
}

impl LimitView {
    /// A limit, given the rows of the ledger that it still counts.
    pub fn of(limit: &Charge, rows: &[Row], now_ms: i64) -> Self {
        let status = status(limit, rows, now_ms);
        LimitView {
            id: limit.id.clone(),
            scope: ScopeView::of(&limit.scope),
            models: limit.models.to_vec(),
            name: limit.limit_name.clone(),
            unit: unit(limit.unit),
            limit: limit.limit,
            spent: status.spent,
            resets_at_ms: status.resets_at_ms,
            runs_dry_at_ms: status.runs_dry_at_ms,
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
        }
    }
}

impl LearntView {
    /// A limit that was told.
    pub fn of(learnt: &Learnt, catalog: &Catalog, now_ms: i64) -> Self {
        let Learnt { subject, signal, as_of_ms } = learnt;
        LearntView {
            subject: subject.clone(),
            name: subject.name(catalog),
            what: signal.what.clone(),
            per: signal.per,
            limit: signal.limit,
            remaining: signal.remaining,
            resets_at_ms: signal.resets_at_ms,
            as_of_ms: *as_of_ms,
            over: signal.resets_at_ms.is_some_and(|at_ms| at_ms <= now_ms),
        }
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Calls => "calls",
        Unit::Tokens => "tokens",
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
        all(&catalog, Moment { now_ms: 0, total_ms_max: 1, boot_ms: None, slot: None })
    }

    fn json(limit: &Charge, rows: &[Row]) -> String {
        serde_json::to_string(&LimitView::of(limit, rows, 0)).expect("JSON")
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
        let json = |now_ms| serde_json::to_string(&LearntView::of(&learnt, &catalog, now_ms)).expect("JSON");
        assert_eq!(
            json(4),
            r#"{"subject":"credential/c-1","name":"p first","what":"requests","per":"day","limit":10,"remaining":0,"resets_at_ms":5,"as_of_ms":1,"over":false}"#
        );
        assert!(json(5).ends_with(r#""over":true}"#));
    }
}
