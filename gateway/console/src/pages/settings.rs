//! Settings: what holds for the gateway as a whole, and who is signed in.

use askama::Template;
use gateway_core::catalog::Catalog;
use gateway_core::views::{SessionView, SessionsView};

use crate::frame::Frame;
use crate::parts::Time;
use crate::routes::Page;
use crate::words::settings::Words;

/// What a page of settings is made from, beside the catalog itself.
#[derive(Debug)]
pub struct Stored<'a> {
    /// The version that is stored; 0: none.
    pub version: u64,
    /// The sections that a catalog file holds.
    pub file_sections: Vec<&'a str>,
    /// Where the operator says that llmio is reached.
    pub public_url: Option<&'a str>,
}

/// What holds for the gateway as a whole.
#[derive(Debug, Template)]
#[template(path = "settings.html")]
pub struct SettingsPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    facts: Vec<(&'static str, String)>,
    catalog_file: Option<String>,
    relays: Vec<(String, String, &'static str)>,
    sessions: Vec<Row>,
    warnings: Vec<String>,
}

#[derive(Debug)]
struct Row {
    id: String,
    who: String,
    since: Time,
    until: Time,
    client: String,
    browser: String,
    end_word: String,
}

impl<'a> SettingsPage<'a> {
    /// The settings of a catalog, and the sessions that have not ended.
    pub fn of(frame: &'a Frame, catalog: &Catalog, stored: &Stored<'_>, sessions: &SessionsView) -> Self {
        let words = Words(frame.language);
        let settings = &catalog.settings;
        let proxies: Vec<String> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
        let version = if stored.version == 0 { words.none_stored().to_owned() } else { stored.version.to_string() };
        let facts = vec![
            (words.version(), version),
            (words.retention(), words.days(settings.retention.days)),
            (words.zone(), frame.clock.zone_name().to_owned()),
            (words.proxies(), if proxies.is_empty() { words.nobody().to_owned() } else { proxies.join(", ") }),
            (words.address(), stored.public_url.unwrap_or(words.not_set()).to_owned()),
        ];
        let relays = catalog.relays.iter().filter(|relay| relay.enabled).map(|relay| {
            let scheme = if relay.tls { "https" } else { "http" };
            let access = if relay.public { words.public() } else { words.with_key() };
            (relay.name.to_string(), format!("{scheme}://{}", relay.authority), access)
        });
        let sections = &stored.file_sections;
        SettingsPage {
            frame,
            here: Some(Page::Settings),
            words,
            facts,
            catalog_file: (!sections.is_empty()).then(|| words.catalog_file_says(sections.join(", "))),
            relays: relays.collect(),
            sessions: sessions.sessions.iter().map(|session| Row::of(session, frame, words)).collect(),
            warnings: catalog.warnings(),
        }
    }
}

impl Row {
    fn of(session: &SessionView, frame: &Frame, words: Words) -> Self {
        Row {
            end_word: words.end_of(&session.id),
            id: session.id.clone(),
            who: session.key.clone().unwrap_or_else(|| words.admin().to_owned()),
            since: frame.time(session.at_ms),
            until: frame.time(session.until_ms),
            client: session.client.clone().unwrap_or_default(),
            browser: session.user_agent.clone().unwrap_or_default(),
        }
    }
}
