//! The history of the catalog, and one version of it.

use askama::Template;
use gateway_core::views::{ChangeView, HistoryView, VersionView};

use crate::edit::{Editing, Form, Kind, describe_change};
use crate::frame::Frame;
use crate::parts::Time;
use crate::query::Query;
use crate::routes::Page;
use crate::words::edit;
use crate::words::history::Words;

/// Who changed the catalog.
#[derive(Debug, Template)]
#[template(path = "history.html")]
pub struct HistoryPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    rows: Vec<Row>,
    older: Option<String>,
}

#[derive(Debug)]
struct Row {
    version: Option<(String, String)>,
    is_current: bool,
    at: Time,
    who: String,
    agent: String,
    how: String,
}

impl<'a> HistoryPage<'a> {
    /// A page of changes.
    pub fn of(frame: &'a Frame, history: &HistoryView) -> Self {
        let words = Words(frame.language);
        let older =
            history.next.map(|id| Query::default().with("before", &id.to_string()).link(&frame.link("history")));
        HistoryPage {
            frame,
            here: Some(Page::Settings),
            words,
            rows: history.changes.iter().map(|change| Row::of(change, history.version, frame)).collect(),
            older,
        }
    }
}

impl Row {
    fn of(change: &ChangeView, current: u64, frame: &Frame) -> Self {
        let link = |version: u64| (frame.link(&format!("history/{version}")), version.to_string());
        Row {
            version: change.version.map(link),
            is_current: change.version == Some(current),
            at: frame.time(change.at_ms),
            who: change.client.clone().unwrap_or_default(),
            agent: change.user_agent.clone().unwrap_or_default(),
            how: change.action.clone(),
        }
    }
}

/// One version of the catalog.
#[derive(Debug, Template)]
#[template(path = "version.html")]
pub struct VersionPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    title: String,
    made: Option<Row>,
    changed: Option<Vec<String>>,
    restoring: Vec<String>,
    form: Option<Form>,
}

impl<'a> VersionPage<'a> {
    /// A version, what it changed, and what putting it back would.
    pub fn of(frame: &'a Frame, version: &VersionView, editing: &Editing<'_>) -> Self {
        let (words, edit) = (Words(frame.language), edit::Words(frame.language));
        let path = format!("history/{}", version.version);
        let form = (version.version != version.current).then(|| {
            let form = Form::new(frame, editing, "restore", &path).field("keys", words.with_keys(), Kind::Box, "");
            form.hint(words.keys_stay()).button("restore", words.put_back()).whole()
        });
        let lines =
            |changes: &[gateway_core::catalog::Change]| changes.iter().map(|it| describe_change(it, edit)).collect();
        VersionPage {
            frame,
            here: Some(Page::Settings),
            words,
            title: words.version_number(version.version),
            made: version.made.as_ref().map(|made| Row::of(made, version.current, frame)),
            changed: version.changed.as_deref().map(lines),
            restoring: lines(&version.restoring),
            form,
        }
    }
}
