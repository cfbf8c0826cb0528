//! Errors: <https://platform.openai.com/docs/guides/error-codes>.

use serde_json::Value;

pub(crate) use crate::dialects::openai::{read_error as read, write_error as write, write_fault};

pub(crate) fn event(error: &Value, _id: &str) -> Vec<u8> {
    format!("data: {error}\n\n").into_bytes()
}
