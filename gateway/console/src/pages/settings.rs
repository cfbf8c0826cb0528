//! Settings: what holds for the gateway as a whole, and who is signed in.

use askama::Template;
use gateway_core::catalog::{Catalog, RecordBodies, Settings};
use gateway_core::views::{AmountsView, PricesView, SessionView, SessionsView};
use serde_json::{Map, Value};

use crate::edit::{Banner, Editing, Form, Kind};
use crate::frame::Frame;
use crate::language::Language;
use crate::parts::Time;
use crate::routes::Page;
use crate::show;
use crate::words::settings::Words;
use crate::words::{edit, key_forms, models};

/// What a page of settings is made from, beside the catalog itself.
#[derive(Debug)]
pub struct Stored<'a> {
    /// The version that is stored; 0: none.
    pub version: u64,
    /// The sections that a catalog file holds.
    pub file_sections: Vec<&'a str>,
    /// The address at which llmio is reached, as the operator set it.
    pub public_url: Option<&'a str>,
    /// The operator's own prices.
    pub prices: &'a PricesView,
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
    banner: Option<Banner>,
    change: Option<Form>,
    new_relay: Option<Form>,
    relays: Vec<RelayRow>,
    sessions: Vec<Row>,
    warnings: Vec<String>,
    prices: Option<Prices>,
}

/// The operator's own prices, where the settings name a file or an address.
#[derive(Debug)]
struct Prices {
    facts: Vec<(&'static str, String)>,
    asked: Option<Time>,
    problem: Option<String>,
    waiting: Vec<WaitingRow>,
}

#[derive(Debug)]
struct WaitingRow {
    provider: String,
    model: String,
    now: String,
    new: String,
    accept_word: String,
}

#[derive(Debug)]
struct RelayRow {
    name: String,
    origin: String,
    access: &'static str,
    form: Option<Form>,
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
    pub fn of(
        frame: &'a Frame,
        catalog: &Catalog,
        (stored, written): (&Stored<'_>, &Map<String, Value>),
        sessions: &SessionsView,
        editing: &Editing<'_>,
    ) -> Self {
        let words = Words(frame.language);
        let settings = &catalog.settings;
        let proxies: Vec<String> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
        let version = if stored.version == 0 { words.none_stored().to_owned() } else { stored.version.to_string() };
        let facts = vec![
            (words.version(), version),
            (words.retention(), words.days(settings.retention.days)),
            (words.bodies(), kept_bodies(settings, words, frame.language)),
            (words.zone(), frame.clock.zone_name().to_owned()),
            (words.proxies(), if proxies.is_empty() { words.nobody().to_owned() } else { proxies.join(", ") }),
            (words.address(), stored.public_url.unwrap_or(words.not_set()).to_owned()),
        ];
        let sections = &stored.file_sections;
        let is_open = |section: &str| !sections.contains(&section);
        let relays = catalog.relays.iter().enumerate().map(|(index, relay)| {
            let scheme = if relay.tls { "https" } else { "http" };
            RelayRow {
                name: relay.name.to_string(),
                origin: format!("{scheme}://{}", relay.authority),
                access: match (relay.enabled, relay.public) {
                    (false, _) => words.off(),
                    (true, true) => words.public(),
                    (true, false) => words.with_key(),
                },
                form: is_open("relays").then(|| relay_form(frame, editing, (index, &*relay.name), relay.enabled)),
            }
        });
        SettingsPage {
            frame,
            here: Some(Page::Settings),
            words,
            facts,
            catalog_file: (!sections.is_empty()).then(|| words.catalog_file_says(sections.join(", "))),
            banner: Banner::of(frame, editing),
            change: is_open("settings").then(|| change(frame, editing, written)),
            new_relay: is_open("relays").then(|| new_relay(frame, editing)),
            relays: relays.collect(),
            sessions: sessions.sessions.iter().map(|session| Row::of(session, frame, words)).collect(),
            warnings: catalog.warnings(),
            prices: Prices::of(stored.prices, frame, words),
        }
    }
}

impl Prices {
    fn of(prices: &PricesView, frame: &Frame, words: Words) -> Option<Self> {
        let version = prices.version.clone().unwrap_or_else(|| words.none_stored().to_owned());
        let facts = vec![
            (words.prices_from(), prices.origin.clone()?),
            (words.prices_version(), version),
            (words.prices_in_force(), prices.models.to_string()),
        ];
        let waiting = prices.waiting.iter().map(|waiting| WaitingRow {
            provider: waiting.provider.clone(),
            model: waiting.model.clone(),
            now: amounts(waiting.now, frame.language),
            new: amounts(waiting.new, frame.language),
            accept_word: words.accept_price(&waiting.model),
        });
        Some(Prices {
            facts,
            asked: prices.asked_at_ms.map(|at_ms| frame.time(at_ms)),
            problem: prices.problem.clone(),
            waiting: waiting.collect(),
        })
    }
}

/// What a million tokens cost.
fn amounts(amounts: AmountsView, language: Language) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "prices have far fewer digits than a whole number")]
    let dollars = |usd: f64| show::money((usd * 1e9).round() as i64);
    models::Words(language).price_in_out(dollars(amounts.input), dollars(amounts.output))
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

/// What is kept of what is said in calls, and how long.
fn kept_bodies(settings: &Settings, words: Words, language: Language) -> String {
    let kept = key_forms::bodies(settings.record_bodies, language);
    match settings.record_bodies {
        RecordBodies::Off => kept.to_owned(),
        RecordBodies::Errors | RecordBodies::All => words.bodies_for(kept, settings.bodies.days),
    }
}

/// The settings that people change, as they are written.
fn change(frame: &Frame, editing: &Editing<'_>, settings: &Map<String, Value>) -> Form {
    let (words, edit) = (Words(frame.language), edit::Words(frame.language));
    let written = |name: &str| match settings.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let bodies = key_forms::bodies_up_to(RecordBodies::All, frame.language).collect();
    let kept = Some(written("record_bodies")).filter(|kept| !kept.is_empty()).unwrap_or_else(|| "off".to_owned());
    Form::new(frame, editing, "settings", "settings")
        .field("retention_days", words.retention_days(), Kind::Number, written("retention_days"))
        .hint(words.retention_hint())
        .field("max_db_mib", words.max_db_mib(), Kind::Number, written("max_db_mib"))
        .hint(words.max_db_hint())
        .field("record_bodies", words.bodies(), Kind::Choice(bodies), kept)
        .hint(words.bodies_hint())
        .field("bodies_retention_days", words.bodies_days(), Kind::Number, written("bodies_retention_days"))
        .hint(words.bodies_days_hint())
        .field("max_bodies_mib", words.bodies_mib(), Kind::Number, written("max_bodies_mib"))
        .hint(words.bodies_mib_hint())
        .field("zone", words.zone(), Kind::Text(Vec::new()), written("zone"))
        .hint(words.zone_hint())
        .field("prices", words.prices(), Kind::Text(Vec::new()), written("prices"))
        .hint(words.prices_hint())
        .field("trusted_proxies", words.proxies(), Kind::Text(Vec::new()), written("trusted_proxies"))
        .hint(words.proxies_hint())
        .button("save", edit.save())
        .whole()
}

fn relay_form(frame: &Frame, editing: &Editing<'_>, (index, name): (usize, &str), is_on: bool) -> Form {
    let edit = edit::Words(frame.language);
    let form = Form::new(frame, editing, &format!("relay-{index}"), "settings").in_a_row().with("relay", name);
    let form = if is_on { form.button("off", edit.switch_off()) } else { form.button("on", edit.switch_on()) };
    form.ask("remove", edit.remove(), edit.sure_remove(name)).whole()
}

fn new_relay(frame: &Frame, editing: &Editing<'_>) -> Form {
    let words = Words(frame.language);
    Form::new(frame, editing, "new-relay", "settings")
        .field("name", words.relay(), Kind::Text(Vec::new()), "")
        .field("origin", words.origin(), Kind::Text(Vec::new()), "")
        .hint(words.origin_hint())
        .field("public", words.relay_public(), Kind::Box, "")
        .button("add", words.add_relay())
        .whole()
}
