//! Me: what the holder of a key sees of itself.

use askama::Template;
use gateway_core::catalog::Key;
use gateway_core::stats::By;
use gateway_core::views::LimitView;

use super::figures::{Counted, Figures};
use super::quota::Row;
use crate::frame::Frame;
use crate::parts::Time;
use crate::query::Query;
use crate::routes::Page;
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
    figures: Figures,
}

impl<'a> MePage<'a> {
    /// This key, with what is left of its limits, the models it may use, and what its calls come to.
    pub fn of(
        frame: &'a Frame,
        key: &Key,
        (limits, models): (&[LimitView], &'a [String]),
        (query, counted): (&Query, &Counted),
        retention_days: u32,
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
            figures: Figures::of(frame, "me", query, counted, &[By::Model, By::Client]),
        }
    }
}
