//! Errors: <https://platform.openai.com/docs/guides/error-codes>. Both of OpenAI's dialects have the same bodies.

use serde_json::Value;

pub(super) use crate::dialects::openai::error::{WORDS, read, write};

/// The event that holds such a body.
pub(super) fn event(body: &Value, _id: &str) -> Vec<u8> {
    format!("data: {body}\n\n").into_bytes()
}

/// Nothing has to come before it.
pub(super) use event as stream;
