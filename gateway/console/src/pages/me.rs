//! Me: what the holder of a key sees of itself.

use askama::Template;
use gateway_core::catalog::{Key, RecordBodies};
use gateway_core::stats::By;
use gateway_core::views::{KeptOfKeyView, LimitView};

use super::figures::{Counted, Figures};
use super::quota::Row;
use crate::edit::{Banner, Editing, Form, Kind};
use crate::frame::Frame;
use crate::parts::Time;
use crate::query::Query;
use crate::routes::Page;
use crate::words::key_forms;
use crate::words::me::Words as Me;
use crate::words::quota::Words;

/// A key as its holder sees it.
#[derive(Debug, Template)]
#[template(path = "me.html")]
pub struct MePage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    me: Me,
    words: Words,
    title: String,
    models: &'a [String],
    rows: Vec<Row>,
    expires: Option<Time>,
    kept: String,
    bodies: String,
    lower: Option<Form>,
    banner: Option<Banner>,
    figures: Figures,
}

impl<'a> MePage<'a> {
    /// This key, with what is left of its limits, the models it may use, and what its calls come to.
    pub fn of(
        frame: &'a Frame,
        key: &Key,
        (limits, models): (&[LimitView], &'a [String]),
        (query, counted): (&Query, &Counted),
        (retention_days, kept): (u32, &KeptOfKeyView),
        editing: &Editing<'_>,
    ) -> Self {
        let me = Me(frame.language);
        MePage {
            frame,
            here: Some(Page::Me),
            me,
            words: Words(frame.language),
            title: me.title(&key.name),
            models,
            rows: limits.iter().map(|limit| Row::of(limit, frame)).collect(),
            expires: key.expires_ms.map(|at_ms| frame.time(at_ms)),
            kept: me.kept_says(retention_days),
            bodies: bodies(kept, me),
            lower: lower(frame, kept, editing),
            banner: Banner::of(frame, editing),
            figures: Figures::of(frame, "me", query, counted, &[By::Model, By::Client]),
        }
    }
}

/// What is kept of what is said in the key's calls.
fn bodies(kept: &KeptOfKeyView, me: Me) -> String {
    let says = match RecordBodies::named(kept.record_bodies) {
        Some(RecordBodies::All) => me.bodies_all(kept.days),
        Some(RecordBodies::Errors) => me.bodies_errors(kept.days),
        Some(RecordBodies::Off) | None => return me.bodies_off().to_owned(),
    };
    let seen = if kept.see_bodies { me.bodies_seen() } else { me.bodies_unseen() };
    format!("{says} {seen}")
}

/// Lowers it, where there is something to lower.
fn lower(frame: &Frame, kept: &KeptOfKeyView, editing: &Editing<'_>) -> Option<Form> {
    let me = Me(frame.language);
    let most = RecordBodies::named(kept.most).filter(|most| *most > RecordBodies::Off)?;
    let choices = key_forms::bodies_up_to(most, frame.language).collect();
    let form = Form::new(frame, editing, "kept", "me");
    let form = form.field("record_bodies", me.keep(), Kind::Choice(choices), kept.record_bodies);
    Some(form.button("save", me.save()).whole())
}
