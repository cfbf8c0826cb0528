//! The keys that clients call with. None of them is shown: llmio has their hashes only.

use askama::Template;
use gateway_core::catalog::{Catalog, Key, Limit};

use super::quota::name as limit_name;
use crate::frame::Frame;
use crate::parts::{Mark, Time};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::keys::Words;
use crate::words::quota;

/// Every key.
#[derive(Debug, Template)]
#[template(path = "keys.html")]
pub struct KeysPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    state: Mark,
    models: String,
    limits: String,
    expires: Option<Time>,
    calls: String,
    calls_word: String,
}

impl<'a> KeysPage<'a> {
    /// The keys of a catalog.
    pub fn of(frame: &'a Frame, catalog: &Catalog) -> Self {
        let words = Words(frame.language);
        let rows = catalog.keys.iter().map(|key| Row::of(key, frame, words)).collect();
        KeysPage { frame, here: Some(Page::Keys), words, rows }
    }
}

impl Row {
    fn of(key: &Key, frame: &Frame, words: Words) -> Self {
        let is_over = key.expires_ms.is_some_and(|at_ms| at_ms <= frame.clock.now_ms);
        let (tone, icon, word) = match (key.enabled, is_over) {
            (false, _) => ("off", "s-off", words.off()),
            (true, true) => ("bad", "s-fail", words.expired()),
            (true, false) => ("ok", "s-ok", words.usable()),
        };
        let limits: Vec<String> = key.limits.iter().map(|each| limit(each, quota::Words(frame.language))).collect();
        Row {
            name: key.name.to_string(),
            state: Mark::of(tone, frame.icon(icon), word.to_owned()),
            models: key.models.as_ref().map_or_else(|| words.all_models().to_owned(), |models| models.join(", ")),
            limits: if limits.is_empty() { words.no_limits().to_owned() } else { limits.join(", ") },
            expires: key.expires_ms.map(|at_ms| frame.time(at_ms)),
            calls: Query::default().with("key", &key.name).link(&frame.link("records")),
            calls_word: words.calls_of(&key.name),
        }
    }
}

/// A limit as it is set: its name and its most.
fn limit(limit: &Limit, words: quota::Words) -> String {
    let most = i64::try_from(limit.most).unwrap_or(i64::MAX);
    let most = if limit.count == gateway_core::catalog::Count::Money { show::money(most) } else { show::whole(most) };
    format!("{}: {most}", limit_name(&limit.name(), words))
}
