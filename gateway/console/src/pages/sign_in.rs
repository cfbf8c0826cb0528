//! Signing in: with a token or a key, or by a one-time link.

use askama::Template;

use crate::form::way_back;
use crate::frame::Frame;
use crate::words::sign_in::Words;

/// Why somebody is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInError {
    /// Nothing was entered.
    Nothing,
    /// It is no credential that may be used now.
    Unknown,
    /// There were too many of these.
    Wait(u64),
    /// The one-time link is used up.
    LinkOver,
}

/// The form that asks for a token or key.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage<'a> {
    frame: &'a Frame,
    words: Words,
    /// The page that was asked for before.
    next: &'a str,
    error: Option<String>,
}

impl<'a> SignInPage<'a> {
    /// The form, which leads on to this page.
    pub fn of(frame: &'a Frame, next: &'a str, error: Option<SignInError>) -> Self {
        let words = Words(frame.language);
        let error = error.map(|error| match error {
            SignInError::Nothing => words.nothing_entered().to_owned(),
            SignInError::Unknown => words.unknown().to_owned(),
            SignInError::Wait(seconds) => words.wait(seconds),
            SignInError::LinkOver => words.link_over().to_owned(),
        });
        SignInPage { frame, words, next: way_back(next), error }
    }
}

/// The page of a one-time link: only its button uses it up.
#[derive(Debug, Template)]
#[template(path = "enter.html")]
pub struct EnterPage<'a> {
    frame: &'a Frame,
    words: Words,
    link: &'a str,
}

impl<'a> EnterPage<'a> {
    /// The page for this link.
    pub fn of(frame: &'a Frame, link: &'a str) -> Self {
        EnterPage { frame, words: Words(frame.language), link }
    }
}
