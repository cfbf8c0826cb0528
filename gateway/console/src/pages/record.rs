//! One call: where it went and why, what each tried target answered, and where the time went.

mod bodies;
mod time;
mod way;

use askama::Template;
use gateway_core::record::{AttemptRecord, DecisionRecord};
use gateway_core::state::State;
use gateway_core::views::{RecordView, StoredJson};

use crate::frame::{Frame, Reader};
use crate::parts::{Mark, Time};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::{record::Words, states};

pub use bodies::StoredBodies;
use bodies::{Block, BodiesPart};
use time::TimeWent;
use way::Stop;
pub(super) use way::reason as skip_reason;

/// A record as its reader may see it: the holder of a key sees no credential, nothing of other targets, no address and no
/// message of a provider that did not reach the client.
#[must_use]
pub fn seen_by(reader: &Reader, mut record: RecordView) -> RecordView {
    if *reader == Reader::Admin {
        return record;
    }
    record.client = None;
    record.warnings = None;
    record.decision = match record.decision {
        Some(StoredJson::Read(mut decision)) => {
            decision.skipped.clear();
            decision.candidates.clear();
            Some(StoredJson::Read(decision))
        }
        _ => None,
    };
    record.attempts = match record.attempts {
        Some(StoredJson::Read(mut attempts)) => {
            for attempt in &mut attempts {
                (attempt.credential, attempt.egress, attempt.error) = (None, None, None);
            }
            Some(StoredJson::Read(attempts))
        }
        _ => None,
    };
    record
}

/// One call.
#[derive(Debug, Template)]
#[template(path = "record.html")]
pub struct RecordPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    heading: String,
    at: Time,
    mark: Mark,
    status: Option<i64>,
    /// How long, how often, how much: what there is of it.
    line: String,
    /// Why it went there, sentence by sentence.
    because: Vec<String>,
    way: Vec<Stop>,
    time: Option<TimeWent>,
    /// What its client was told where it did not end well.
    error: Option<&'a str>,
    notes: Vec<&'a str>,
    /// What another version kept, as it is.
    kept: Vec<String>,
    facts: Vec<Fact>,
    tokens: Vec<(&'static str, String)>,
    cost: Option<String>,
    price: String,
    bodies: BodiesPart,
}

/// Something that is known of a call, and where it leads.
#[derive(Debug)]
struct Fact {
    name: &'static str,
    value: String,
    href: Option<String>,
    is_code: bool,
}

impl<'a> RecordPage<'a> {
    /// The page of this record, as [`seen_by`] its reader, and of what was said in the call; the address says how that is shown.
    pub fn of(frame: &'a Frame, record: &'a RecordView, bodies: &StoredBodies, query: &Query) -> Self {
        let words = Words(frame.language);
        let attempts = attempts(record);
        let model = record.model.as_deref().filter(|model| !model.is_empty());
        RecordPage {
            frame,
            here: Some(Page::Records),
            words,
            heading: model.unwrap_or(words.title()).to_owned(),
            at: Time::exact(&frame.clock, record.at_ms),
            mark: Mark::of_call(&record.state, frame.root(), states::Words(frame.language)),
            status: record.status,
            line: line(record, attempts, words),
            because: because(record, attempts, words),
            way: way::stops(record, attempts, frame),
            time: TimeWent::of(record, attempts, frame),
            error: record.error.as_deref(),
            notes: notes(record),
            kept: kept(record),
            facts: facts(record, frame, words),
            tokens: tokens(record, frame, words),
            cost: record.cost_nano.map(show::money),
            price: record
                .price
                .as_ref()
                .map_or_else(|| words.price_unknown().to_owned(), |from| words.price_from(from)),
            bodies: BodiesPart::of(frame, &record.id, bodies, query),
        }
    }
}

fn attempts(record: &RecordView) -> &[AttemptRecord] {
    match &record.attempts {
        Some(StoredJson::Read(attempts)) => attempts,
        _ => &[],
    }
}

fn decision(record: &RecordView) -> Option<&DecisionRecord> {
    match &record.decision {
        Some(StoredJson::Read(decision)) => Some(decision),
        _ => None,
    }
}

fn notes(record: &RecordView) -> Vec<&str> {
    match &record.warnings {
        Some(StoredJson::Read(warnings)) => warnings.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

fn kept(record: &RecordView) -> Vec<String> {
    fn other<T>(kept: Option<&StoredJson<T>>) -> Option<String> {
        match kept {
            Some(StoredJson::Other(value)) => Some(value.to_string()),
            _ => None,
        }
    }
    let kept = [other(record.decision.as_ref()), other(record.attempts.as_ref()), other(record.warnings.as_ref())];
    kept.into_iter().flatten().collect()
}

/// Whether an attempt gave the answer that the client got, or began to.
fn answered(attempt: &AttemptRecord) -> bool {
    attempt.class == "ok"
}

fn line(record: &RecordView, attempts: &[AttemptRecord], words: Words) -> String {
    let tries = match attempts.len() {
        0 => None,
        1 => Some(words.one_try().to_owned()),
        count => Some(words.tries(count)),
    };
    let tokens = record.output_tokens.map(|count| words.tokens_out(show::whole(count)));
    let parts = [record.duration_ms.map(show::span), tries, tokens, record.cost_nano.map(show::money)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// The answer to the question of the page, in words.
fn because(record: &RecordView, attempts: &[AttemptRecord], words: Words) -> Vec<String> {
    let mut sentences = vec![outcome(record, attempts, words)];
    if let Some(decision) = decision(record) {
        sentences.extend(match decision.affinity.as_deref() {
            Some("session") => Some(words.stayed_session().to_owned()),
            Some("prompt-cache") => Some(words.stayed_cache().to_owned()),
            _ => None,
        });
        sentences.extend(decision.waited_ms.map(|ms| words.waited(show::span(i64::try_from(ms).unwrap_or(i64::MAX)))));
    }
    sentences
}

fn outcome(record: &RecordView, attempts: &[AttemptRecord], words: Words) -> String {
    let Some(last) = attempts.last() else {
        return match State::named(&record.state) {
            Some(State::Running) => words.under_way_nowhere().to_owned(),
            Some(State::ClientClosed | State::ClientStalled) => words.client_left().to_owned(),
            _ => words.nothing_tried().to_owned(),
        };
    };
    if record.endpoint.as_deref() == Some("relay") {
        return words.relayed(&last.provider);
    }
    let lost = show::span(i64::try_from(last.start_ms).unwrap_or(i64::MAX));
    match State::named(&record.state) {
        Some(State::Running) => words.under_way(&last.provider),
        Some(State::Ok) => match attempts.len() {
            1 => words.answered_first(&last.provider, &last.model),
            2 => words.answered_after_one(&last.provider, &last.model, lost),
            count => words.answered_after(&last.provider, &last.model, count - 1, lost),
        },
        Some(State::ClientClosed | State::ClientStalled) => words.client_left().to_owned(),
        _ if answered(last) => words.answer_broke(&last.provider),
        _ if attempts.len() == 1 => words.nobody_answered_one().to_owned(),
        _ => words.nobody_answered(attempts.len()),
    }
}

fn facts(record: &RecordView, frame: &Frame, words: Words) -> Vec<Fact> {
    let list = |name: &str, value: &str| Some(Query::default().with(name, value).link(&frame.link("records")));
    let fact = |name, value: Option<String>, href, is_code| value.map(|value| Fact { name, value, href, is_code });
    let bytes = record.bytes_in.zip(record.bytes_out);
    let streamed = record.streamed.map(|streamed| if streamed { words.streamed() } else { words.whole() });
    let endpoint = record.endpoint.as_ref().map(|endpoint| match streamed {
        Some(streamed) => format!("{endpoint} · {streamed}"),
        None => endpoint.clone(),
    });
    let decided = decision(record);
    let key = record.key.clone().filter(|key| !key.is_empty());
    let key_list = key.as_ref().filter(|_| frame.reader == Reader::Admin).and_then(|key| list("key", key));
    let session_list = record.session.as_ref().and_then(|session| list("session", session));
    [
        fact(words.key(), key, key_list, false),
        fact(words.client(), record.user_agent.clone(), None, false),
        fact(words.address(), record.client.clone(), record.client.as_ref().and_then(|c| list("client", c)), false),
        fact(words.session(), record.session.clone(), session_list, true),
        fact(words.endpoint(), endpoint, None, false),
        fact(words.dialect(), record.dialect.clone().filter(|dialect| !dialect.is_empty()), None, false),
        fact(words.bytes(), bytes.map(|(i, o)| words.bytes_in_out(show::bytes(i), show::bytes(o))), None, false),
        fact(words.strategy(), decided.and_then(|each| each.strategy.as_ref().map(ToString::to_string)), None, false),
        fact(words.catalog(), decided.and_then(|each| each.catalog).map(|number| words.version(number)), None, false),
        fact(words.draw(), decided.map(|decision| decision.draw.clone()), None, true),
        fact(words.id(), Some(record.id.clone()), None, true),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn tokens(record: &RecordView, frame: &Frame, words: Words) -> Vec<(&'static str, String)> {
    let amount = |number: Option<i64>| number.map_or_else(|| frame.words().not_told().to_owned(), show::whole);
    let always =
        [(words.input(), Some(amount(record.input_tokens))), (words.output(), Some(amount(record.output_tokens)))];
    let [input, output] = always;
    [
        input,
        (words.cached(), record.cache_read_tokens.map(show::whole)),
        (words.to_cache(), record.cache_write_tokens.map(show::whole)),
        output,
        (words.reasoning(), record.reasoning_tokens.map(show::whole)),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect()
}
