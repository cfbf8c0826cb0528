//! The keys that clients call with. None of them is shown: llmio has their hashes only.

use askama::Template;
use gateway_core::catalog::{Catalog, Key, Limit, RecordBodies};
use gateway_core::uri::encode_parameter;

use super::figures::Calls;
use super::quota::name as limit_name;
use crate::edit::{Banner, Editing, Form, Kind};
use crate::frame::Frame;
use crate::parts::{Mark, Time};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::figures;
use crate::words::key_forms;
use crate::words::keys::Words;
use crate::words::quota;

/// Every key.
#[derive(Debug, Template)]
#[template(path = "keys.html")]
pub struct KeysPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    form_words: key_forms::Words,
    banner: Option<Banner>,
    /// A key that was made or rotated just now, with its name.
    made: Option<(&'a str, &'a str)>,
    figures: figures::Words,
    rows: Vec<Row>,
    new: Option<Form>,
}

#[derive(Debug)]
struct Row {
    href: String,
    name: String,
    state: Mark,
    models: String,
    limits: String,
    expires: Option<Time>,
    count: String,
    calls: String,
    calls_word: String,
}

impl<'a> KeysPage<'a> {
    /// The keys of a catalog, and how many calls they made.
    pub fn of(
        frame: &'a Frame,
        catalog: &Catalog,
        calls: &Calls,
        editing: &Editing<'_>,
        made: Option<(&'a str, &'a str)>,
    ) -> Self {
        let (words, form_words) = (Words(frame.language), key_forms::Words(frame.language));
        let row = |key: &Key| Row { count: calls.of(&key.name), ..Row::of(key, frame, words) };
        let rows = catalog.keys.iter().map(row).collect();
        let new = editing.locked.is_none().then(|| new(frame, editing, catalog));
        let banner = Banner::of(frame, editing);
        let figures = figures::Words(frame.language);
        KeysPage { frame, here: Some(Page::Keys), words, form_words, banner, made, figures, rows, new }
    }
}

/// A key that is made.
fn new(frame: &Frame, editing: &Editing<'_>, catalog: &Catalog) -> Form {
    let words = key_forms::Words(frame.language);
    let form = Form::new(frame, editing, "new", "keys").field("name", words.name(), Kind::Text(Vec::new()), "");
    let form = may(form, frame, catalog, &May::default());
    form.button("add", words.make()).whole()
}

/// What a key may do, as forms show it.
#[derive(Debug, Default)]
pub(super) struct May {
    pub(super) models: String,
    pub(super) expires: String,
    pub(super) rpm: String,
    pub(super) rpd: String,
    pub(super) tpd: String,
    pub(super) budget: String,
    pub(super) ips: String,
    pub(super) team: String,
    pub(super) avoid: String,
    pub(super) record_bodies: String,
    pub(super) see_bodies: &'static str,
}

/// The fields of what a key may do.
pub(super) fn may(form: Form, frame: &Frame, catalog: &Catalog, may: &May) -> Form {
    let words = key_forms::Words(frame.language);
    let form = form
        .field("models", words.models(), Kind::Text(Vec::new()), &may.models)
        .hint(words.models_hint())
        .field("rpm", words.rpm(), Kind::Number, &may.rpm)
        .field("rpd", words.rpd(), Kind::Number, &may.rpd)
        .field("tpd", words.tpd(), Kind::Number, &may.tpd)
        .field("budget", words.budget(), Kind::Text(Vec::new()), &may.budget)
        .hint(words.budget_hint())
        .field("expires", words.expires(), Kind::Text(Vec::new()), &may.expires)
        .hint(words.expires_hint())
        .field("ips", words.ips(), Kind::Text(Vec::new()), &may.ips)
        .hint(words.ips_hint())
        .field("avoid", words.avoid(), Kind::Text(Vec::new()), &may.avoid)
        .hint(words.avoid_hint())
        .field("record_bodies", words.bodies(), Kind::Choice(bodies(frame)), &may.record_bodies)
        .hint(words.bodies_hint())
        .field("see_bodies", words.see_bodies(), Kind::Box, may.see_bodies);
    if catalog.teams.is_empty() {
        return form;
    }
    let none = (String::new(), words.no_team().to_owned());
    let teams = catalog.teams.iter().map(|team| (team.name.to_string(), team.name.to_string()));
    form.field("team", words.team(), Kind::Choice(std::iter::once(none).chain(teams).collect()), &may.team)
}

/// What may be kept of what is said in a key's calls.
fn bodies(frame: &Frame) -> Vec<(String, String)> {
    let as_set = (String::new(), key_forms::Words(frame.language).bodies_as_set().to_owned());
    std::iter::once(as_set).chain(key_forms::bodies_up_to(RecordBodies::All, frame.language)).collect()
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
            href: frame.link(&format!("keys/{}", encode_parameter(&key.name))),
            name: key.name.to_string(),
            state: Mark::of(tone, frame.icon(icon), word.to_owned()),
            models: key.models.as_ref().map_or_else(|| words.all_models().to_owned(), |models| models.join(", ")),
            limits: if limits.is_empty() { words.no_limits().to_owned() } else { limits.join(", ") },
            expires: key.expires_ms.map(|at_ms| frame.time(at_ms)),
            count: String::new(),
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
