//! Sessions: calls that belong together, as their clients say.

use askama::Template;
use gateway_core::views::{ConversationView, ConversationsView};

use super::records::program;
use crate::frame::Frame;
use crate::parts::{Hops, Mid, Time};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::conversations::Words;

/// The sessions of the latest calls.
#[derive(Debug, Template)]
#[template(path = "conversations.html")]
pub struct ConversationsPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    says: String,
    rows: Vec<Row>,
    looked: Option<String>,
}

/// A session.
#[derive(Debug)]
struct Row {
    last: Time,
    since: Time,
    href: String,
    name: Mid,
    key: Option<String>,
    program: Option<String>,
    hops: Option<Hops>,
    models: String,
    calls: String,
    failed_over: String,
    tokens: String,
    cached: String,
    cost: String,
}

impl<'a> ConversationsPage<'a> {
    /// These sessions.
    pub fn of(frame: &'a Frame, found: &ConversationsView) -> Self {
        let words = Words(frame.language);
        let looked = found
            .looked
            .as_ref()
            .map(|looked| words.looked_at(whole(looked.calls), frame.clock.short(looked.back_to_ms)));
        ConversationsPage {
            frame,
            here: Some(Page::Records),
            words,
            says: words.says(frame.clock.zone_name()),
            rows: found.sessions.iter().map(|session| Row::of(session, frame)).collect(),
            looked,
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn whole(number: u64) -> String {
    show::whole(signed(number))
}

impl Row {
    fn of(session: &ConversationView, frame: &Frame) -> Self {
        let providers: Vec<(&str, bool)> = session.providers.iter().map(|name| (name.as_str(), false)).collect();
        let has_tokens = session.input_tokens > 0;
        Row {
            last: frame.time(session.last_ms),
            since: frame.time(session.since_ms),
            href: Query::default().with("session", &session.session).link(&frame.link("records")),
            name: Mid::of(&session.session),
            key: session.key.clone().filter(|key| !key.is_empty()),
            program: session.user_agent.as_deref().and_then(program),
            hops: (!providers.is_empty()).then(|| Hops::of(&providers, frame)),
            models: session.models.join(", "),
            calls: whole(session.calls),
            failed_over: if session.failed_over > 0 { whole(session.failed_over) } else { "–".to_owned() },
            tokens: show::count(signed(session.input_tokens.saturating_add(session.output_tokens))),
            cached: if has_tokens {
                show::percent(session.cache_read_tokens, session.input_tokens)
            } else {
                "–".to_owned()
            },
            cost: show::money(signed(session.cost_nano)),
        }
    }
}
