//! Usage that comes in several reports.

use serde_json::{Map, Value};

use crate::dialect::Dialect;
use crate::usage::Usage;

/// The reports of usage in a dialect's own members, combined before they are read: Anthropic reports the input first
/// and the output last.
#[derive(Debug, Default)]
pub(crate) struct RawUsage(Map<String, Value>);

impl RawUsage {
    /// Takes over what a later report says. A zero does not replace a number: some providers write zeros into every
    /// report but one.
    pub(crate) fn update(&mut self, later: &Value) {
        for (name, value) in later.as_object().into_iter().flatten() {
            let tells = !value.is_null() && (value.as_u64() != Some(0) || !self.0.contains_key(name));
            if tells {
                self.0.insert(name.clone(), value.clone());
            }
        }
    }

    /// The usage so far.
    pub(crate) fn read(&self, dialect: Dialect) -> Usage {
        if self.0.is_empty() { Usage::default() } else { dialect.usage(&Value::Object(self.0.clone())) }
    }
}
