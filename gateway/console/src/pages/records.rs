//! Every call: newest first, narrowed by what stands in the address.

use askama::Template;
use gateway_core::record::{AttemptRecord, Filter};
use gateway_core::refusal::Refusal;
use gateway_core::state::State;
use gateway_core::stats::{Narrowed, Period, Step};
use gateway_core::views::{RecordView, RecordsView, StoredJson};
use jiff::tz::TimeZone;

use super::figures::{self, Counted};
use crate::chart::Chart;
use crate::frame::{Frame, Reader};
use crate::parts::{self, Hops, Mark, Mid, Time};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::{records::Words, states};

/// A word in the reader's language.
type Word = fn(Words) -> &'static str;

const HOUR_MS: i64 = 3_600_000;

/// How far back a page may look, as its address says it: from now on, whenever it is opened.
const SPANS: [(&str, i64, Word); 4] = [
    ("1h", HOUR_MS, Words::last_hour),
    ("24h", 24 * HOUR_MS, Words::last_day),
    ("7d", 7 * 24 * HOUR_MS, Words::last_week),
    ("30d", 30 * 24 * HOUR_MS, Words::last_month),
];

/// Parameters that are a place in the list and no filters.
const PLACE: [&str; 2] = ["before", "limit"];

/// What a page's query asks the store for, and what of it its reader may ask for: a holder sees the calls of its own key.
pub fn filter(query: &Query, reader: &Reader, now_ms: i64) -> Result<(Query, Filter), Refusal> {
    let query = match reader {
        Reader::Holder(_) => query.without(&["key", "client", "not_key", "not_client"]),
        Reader::Admin | Reader::Nobody => query.clone(),
    };
    let mut filter = Filter::parse(&query.without(&["span"]).text())?;
    if let Some((_, span_ms, _)) = query.get("span").and_then(|name| SPANS.iter().find(|span| span.0 == name)) {
        filter.since_ms = Some(filter.since_ms.unwrap_or(0).max(now_ms.saturating_sub(*span_ms)));
    }
    if let Some(key) = own_key(reader) {
        filter.key = Some(key);
    }
    Ok((query, filter))
}

/// The key whose calls a reader sees; `None`: those of all.
pub fn own_key(reader: &Reader) -> Option<String> {
    match reader {
        Reader::Holder(key) => Some(key.clone()),
        Reader::Admin | Reader::Nobody => None,
    }
}

/// How statistics count the calls of these filters, and for which period; `None` if only a look at each call could
/// count them.
pub fn countable(filter: &Filter, zone: &TimeZone, now_ms: i64) -> Option<Period> {
    let bare = Filter { key: None, model: None, provider: None, upstream_model: None, ..filter.clone() };
    if !bare.takes_all() {
        return None;
    }
    let Filter { key, model, provider, upstream_model, .. } = filter.clone();
    let narrowed = Narrowed { key, model, provider, upstream_model, ..Narrowed::default() };
    let until_ms = filter.until_ms.unwrap_or(now_ms).min(now_ms);
    let since_ms = filter.since_ms.unwrap_or(until_ms.saturating_sub(24 * HOUR_MS));
    let step = match until_ms.saturating_sub(since_ms) {
        ..=7_200_000 if since_ms > now_ms.saturating_sub(47 * HOUR_MS) => Step::Minute,
        ..=345_600_000 => Step::Hour,
        _ => Step::Day,
    };
    Period::between(step, (since_ms, until_ms), zone, narrowed)
}

/// Names to choose filters from.
#[derive(Debug, Default)]
pub struct Suggested {
    /// Models as clients ask for them.
    pub models: Vec<String>,
    /// Providers.
    pub providers: Vec<String>,
    /// Keys.
    pub keys: Vec<String>,
}

/// The list of calls.
#[derive(Debug, Template)]
#[template(path = "records.html")]
pub struct RecordsPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    says: String,
    chips: Vec<Chip>,
    fields: Vec<Field>,
    choices: Vec<Choice>,
    rows: Vec<Row>,
    count: String,
    /// How far a look went that took too long.
    looked: Option<String>,
    /// How many calls there were, and when.
    chart: Option<(Chart, String)>,
    exports: [(String, &'static str); 2],
    /// The address that reports new calls, on the page of the newest ones.
    tail: Option<String>,
    older: Option<String>,
    newest: Option<String>,
    /// When the last call came, if the page is empty although there are calls.
    last: Option<String>,
    is_narrowed: bool,
}

/// What the list is narrowed by, and the list without that.
#[derive(Debug)]
struct Chip {
    name: &'static str,
    value: String,
    remove: String,
    remove_word: String,
}

/// A text to narrow the list by.
#[derive(Debug)]
struct Field {
    name: &'static str,
    word: &'static str,
    value: String,
    suggested: Vec<String>,
}

/// A choice to narrow the list by.
#[derive(Debug)]
struct Choice {
    name: &'static str,
    word: &'static str,
    /// Value, word, and whether it is the present one.
    options: Vec<(&'static str, &'static str, bool)>,
}

/// A call.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) href: String,
    pub(super) time: Time,
    pub(super) mark: Mark,
    pub(super) is_running: bool,
    pub(super) status: Option<i64>,
    pub(super) model: Option<Mid>,
    pub(super) hops: Option<Hops>,
    pub(super) answered: Option<Mid>,
    pub(super) key: Option<String>,
    pub(super) program: Option<String>,
    pub(super) tokens: String,
    pub(super) tokens_title: String,
    pub(super) first: String,
    pub(super) whole: String,
    pub(super) cost: String,
}

impl<'a> RecordsPage<'a> {
    /// A page of the list. `last_ms` is when the last call came, where the page is empty; `counted` what the calls of these
    /// filters come to, where that is known.
    pub fn of(
        frame: &'a Frame,
        query: &Query,
        found: &RecordsView,
        suggested: Suggested,
        (last_ms, counted): (Option<i64>, Option<&Counted>),
    ) -> Self {
        let words = Words(frame.language);
        let is_admin = frame.reader == Reader::Admin;
        let zone = frame.clock.zone_name();
        let says = if is_admin { words.says(zone) } else { words.says_own(zone) };
        let narrowing = query.without(&PLACE);
        let is_newest = ["before", "until"].iter().all(|name| query.get(name).is_none());
        RecordsPage {
            frame,
            here: Some(Page::Records),
            words,
            says,
            chips: chips(frame, &narrowing, words),
            fields: fields(&narrowing, suggested, is_admin, words),
            choices: choices(&narrowing, words, states::Words(frame.language)),
            rows: found.records.iter().map(|record| Row::of(record, frame)).collect(),
            count: words.count_of_page(found.records.len()),
            looked: found.looked.as_ref().map(|looked| {
                let calls = show::whole(i64::try_from(looked.calls).unwrap_or(i64::MAX));
                words.looked_at(calls, frame.clock.short(looked.back_to_ms))
            }),
            chart: counted.map(|counted| figures::chart_of_calls(frame, counted)),
            exports: [("jsonl", words.json_lines()), ("csv", words.csv())]
                .map(|(format, word)| (narrowing.with("format", format).link(&frame.link("records/export")), word)),
            tail: is_newest.then(|| narrowing.link(&frame.link("records/tail"))),
            older: found.next.as_ref().map(|next| query.with("before", next).link(&frame.link("records"))),
            newest: query.get("before").map(|_| query.without(&["before"]).link(&frame.link("records"))),
            last: last_ms.map(|at_ms| frame.clock.short(at_ms)),
            is_narrowed: narrowing != Query::default(),
        }
    }
}

/// The filters that are texts, with their words.
const TEXTS: [(&str, Word, bool); 14] = [
    ("q", Words::text, false),
    ("model", Words::model, false),
    ("key", Words::key, true),
    ("provider", Words::provider, false),
    ("upstream_model", Words::upstream_model, false),
    ("tried", Words::tried, false),
    ("status", Words::status, false),
    ("session", Words::session, false),
    ("endpoint", Words::endpoint, false),
    ("client", Words::client, true),
    ("not_model", Words::not_model, false),
    ("not_key", Words::not_key, true),
    ("not_provider", Words::not_provider, false),
    ("not_client", Words::not_client, true),
];

/// The filters that are said with yes and no.
const TRUTHS: [(&str, Word); 4] = [
    ("failed_over", Words::failed_over),
    ("not_served", Words::not_served),
    ("slow", Words::slow),
    ("streamed", Words::streamed),
];

fn chips(frame: &Frame, query: &Query, words: Words) -> Vec<Chip> {
    let moment = |value: &str| value.parse().map_or_else(|_| value.to_owned(), |at_ms| frame.clock.exact(at_ms));
    let spelt = |name: &str, value: &str| match name {
        "span" => SPANS.iter().find(|span| span.0 == value).map(|(_, _, word)| (words.time(), word(words).to_owned())),
        "since" => Some((words.time(), words.since(moment(value)))),
        "until" => Some((words.time(), words.until(moment(value)))),
        "state" => {
            let word = State::named(value).map(|state| parts::word(state, states::Words(frame.language)));
            Some((words.end(), word.unwrap_or(value).to_owned()))
        }
        "not_state" => {
            let word = State::named(value).map(|state| parts::word(state, states::Words(frame.language)));
            Some((words.not_end(), word.unwrap_or(value).to_owned()))
        }
        truth if TRUTHS.iter().any(|known| known.0 == truth) => {
            let word = TRUTHS.iter().find(|known| known.0 == truth).map(|(_, word)| word(words));
            word.map(|word| (word, if value == "true" { words.yes() } else { words.no() }.to_owned()))
        }
        _ => TEXTS.iter().find(|text| text.0 == name).map(|(_, word, _)| (word(words), value.to_owned())),
    };
    let names = ["span", "since", "until", "state", "not_state"].into_iter();
    let names = names.chain(TRUTHS.iter().map(|truth| truth.0)).chain(TEXTS.iter().map(|text| text.0));
    let chip = |name: &'static str| {
        let (word, value) = spelt(name, query.get(name)?)?;
        let remove = query.without(&[name]).link(&frame.link("records"));
        Some(Chip { name: word, value, remove, remove_word: words.remove(word) })
    };
    names.filter_map(chip).collect()
}

fn fields(query: &Query, mut suggested: Suggested, is_admin: bool, words: Words) -> Vec<Field> {
    let mut take = |name: &str| match name {
        "model" => std::mem::take(&mut suggested.models),
        "provider" => suggested.providers.clone(),
        "tried" => std::mem::take(&mut suggested.providers),
        "key" => std::mem::take(&mut suggested.keys),
        _ => Vec::new(),
    };
    let shown = TEXTS.iter().filter(|(_, _, is_for_admin)| is_admin || !is_for_admin);
    let field = |(name, word, _): &(&'static str, Word, bool)| Field {
        name,
        word: word(words),
        value: query.get(name).unwrap_or_default().to_owned(),
        suggested: take(name),
    };
    shown.map(field).collect()
}

fn choices(query: &Query, words: Words, states: states::Words) -> Vec<Choice> {
    let choice = |name: &'static str, word: &'static str, options: Vec<(&'static str, &'static str)>| {
        let here = query.get(name).unwrap_or_default();
        let options = [("", words.any())].into_iter().chain(options);
        Choice { name, word, options: options.map(|(value, word)| (value, word, value == here)).collect() }
    };
    let ends = State::ALL.iter().map(|state| (state.name(), parts::word(*state, states)));
    let truth = |(name, word): &(&'static str, Word)| {
        choice(name, word(words), vec![("true", words.yes()), ("false", words.no())])
    };
    let others = vec![
        choice("span", words.time(), SPANS.iter().map(|(name, _, word)| (*name, word(words))).collect()),
        choice("state", words.end(), ends.collect()),
    ];
    others.into_iter().chain(TRUTHS.iter().map(truth)).collect()
}

impl Row {
    pub(super) fn of(record: &RecordView, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let is_running = record.state == State::Running.name();
        let amount = |number: Option<i64>| number.map_or_else(|| "?".to_owned(), show::count);
        let has_tokens = record.input_tokens.is_some() || record.output_tokens.is_some();
        let (input, output) = (amount(record.input_tokens), amount(record.output_tokens));
        let span = |ms: Option<i64>| ms.map(show::span).unwrap_or_default();
        Row {
            href: frame.link(&format!("records/{}", gateway_core::uri::encode_parameter(&record.id))),
            time: frame.time(record.at_ms),
            mark: Mark::of_call(&record.state, frame.root(), states::Words(frame.language)),
            is_running,
            status: record.status.filter(|status| !(200..300).contains(status)),
            model: record.model.as_deref().filter(|model| !model.is_empty()).map(Mid::of),
            hops: hops(record, frame),
            answered: record.upstream_model.as_deref().map(Mid::of),
            key: record.key.clone().filter(|key| !key.is_empty()),
            program: record.user_agent.as_deref().and_then(program),
            tokens_title: if has_tokens { words.in_and_out(&input, &output) } else { String::new() },
            tokens: if has_tokens { format!("{input} → {output}") } else { String::new() },
            first: span(record.first_content_ms),
            whole: span(record.duration_ms),
            cost: record.cost_nano.map(show::money).unwrap_or_default(),
        }
    }
}

/// Every provider that was tried, each once where it was tried several times in a row.
fn hops(record: &RecordView, frame: &Frame) -> Option<Hops> {
    let Some(StoredJson::Read(attempts)) = &record.attempts else { return None };
    let failed = |attempt: &AttemptRecord| attempt.class != "ok";
    let mut providers: Vec<(&str, bool)> = Vec::new();
    for attempt in attempts {
        match providers.last_mut() {
            Some(last) if last.0 == attempt.provider => last.1 = failed(attempt),
            _ => providers.push((&attempt.provider, failed(attempt))),
        }
    }
    (!providers.is_empty()).then(|| Hops::of(&providers, frame))
}

/// The program that a user agent names first.
pub(super) fn program(user_agent: &str) -> Option<String> {
    user_agent.split_whitespace().next().map(|word| word.replacen('/', " ", 1))
}
