//! Numbers that providers count themselves.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::clock::Now;
use crate::providers::CounterPer;
use crate::quota::ReportedLimit;

/// A number that a provider told. Amounts of money are billionths of the currency.
#[derive(Debug, Serialize)]
pub struct ReportedLimitView {
    /// The provider's name.
    pub provider: String,
    /// The label of the credential it was asked with.
    pub credential: String,
    /// Its name for people.
    pub what: String,
    /// The currency, if money is counted.
    pub currency: Option<String>,
    /// The window in which it is counted. Days begin at midnight UTC.
    pub per: Option<CounterPer>,
    /// The models whose use is counted; empty for all.
    pub models: Vec<String>,
    /// What is spent of it.
    pub spent: Option<u64>,
    /// The most of it.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it was told, Unix milliseconds.
    pub as_of_ms: i64,
    /// The page that documents it.
    pub source: &'static str,
}

impl ReportedLimitView {
    /// The view of a number; `None` if the catalog no longer has its credential.
    pub fn of(reported: &ReportedLimit, catalog: &Catalog, now: Now) -> Option<Self> {
        let found = catalog.providers.iter().find_map(|provider| {
            let credential = provider.credentials.iter().find(|credential| *credential.id == *reported.credential)?;
            Some((provider.name.to_string(), credential.label.clone(), provider.counter?.source))
        });
        let (provider, credential, source) = found?;
        let ReportedLimit { what, currency, per, models, spent, limit, remaining, as_of_ms, .. } = reported.clone();
        Some(ReportedLimitView {
            provider,
            credential,
            what,
            currency,
            per,
            models,
            spent,
            limit,
            remaining,
            as_of_ms: now.shown_ms(as_of_ms),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    #[test]
    fn a_told_number_is_shown_by_the_names_people_gave() {
        let text = "[[providers]]\npreset = \"deepseek\"\nname = \"ds\"\n\
                    credentials = [{ id = \"c-1\", variable = \"A\", label = \"first\" }]";
        let catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
        let reported = |credential: &str| ReportedLimit {
            credential: credential.into(),
            what: "balance".into(),
            currency: Some("CNY".into()),
            per: Some(CounterPer::Ever),
            models: Vec::new(),
            spent: None,
            limit: None,
            remaining: Some(7_000_000_000),
            as_of_ms: 5,
        };
        assert_eq!(
            serde_json::to_string(&ReportedLimitView::of(&reported("c-1"), &catalog, Now::of_wall(9))).expect("JSON"),
            r#"{"provider":"ds","credential":"first","what":"balance","currency":"CNY","per":"ever","models":[],"spent":null,"limit":null,"remaining":7000000000,"as_of_ms":5,"source":"https://api-docs.deepseek.com/api/get-user-balance"}"#
        );
        assert!(
            ReportedLimitView::of(&reported("c-2"), &catalog, Now::of_wall(9)).is_none(),
            "of a credential that is gone nothing is shown"
        );
    }
}
