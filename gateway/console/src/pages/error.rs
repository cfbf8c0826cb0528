//! A page that cannot be shown: it keeps its frame, and says what failed and what still works.

use askama::Template;
use gateway_core::refusal::Refusal;

use crate::frame::Frame;
use crate::routes::Page;
use crate::words::error::Words;

/// Why there is no page.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    title: &'static str,
    message: &'a str,
    /// Whether only this page fails, and calls are still served.
    calls_go_on: bool,
}

impl<'a> ErrorPage<'a> {
    /// The page for a refusal.
    pub fn of(frame: &'a Frame, refusal: &'a Refusal) -> Self {
        let words = Words(frame.language);
        let title = match refusal.status {
            404 => words.not_found(),
            401 | 403 => words.not_allowed(),
            500.. => words.failed(),
            _ => words.refused(),
        };
        ErrorPage { frame, here: None, words, title, message: &refusal.message, calls_go_on: refusal.status >= 500 }
    }
}
