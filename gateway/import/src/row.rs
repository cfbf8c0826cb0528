//! A row of somebody else's table, or an object of somebody else's file. Databases that grew over years hold the same thing
//! as text and as a number, so each reader takes what can be understood.

use std::str::FromStr;

use serde_json::{Map, Value};

/// One row, by the names of its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'r>(pub(super) &'r Map<String, Value>);

impl<'r> Row<'r> {
    /// A text that is not empty, without the spaces around it.
    pub(super) fn text(self, name: &str) -> Option<&'r str> {
        self.0.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// A whole number.
    pub(super) fn integer(self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// A finite number.
    pub(super) fn number(self, name: &str) -> Option<f64> {
        let value = self.0.get(name)?;
        let number = value.as_f64().or_else(|| f64::from_str(value.as_str()?.trim()).ok());
        number.filter(|number| number.is_finite())
    }

    /// Whether something is so; SQLite has no type for it.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => Some(number.as_f64() != Some(0.0)),
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// An object or list, whether it is one or the text of one.
    pub(super) fn json(self, name: &str) -> Option<Value> {
        let value = match self.0.get(name)? {
            Value::String(text) => serde_json::from_str(text).ok()?,
            value => value.clone(),
        };
        (value.is_object() || value.is_array()).then_some(value)
    }

    /// The members of an object.
    pub(super) fn object(self, name: &str) -> Map<String, Value> {
        match self.json(name) {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    /// The texts of a list, or the parts of a text that one of these characters separates.
    pub(super) fn texts(self, name: &str, apart: &[char]) -> Vec<String> {
        let own = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        match self.json(name) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).filter_map(own).collect(),
            _ => self.text(name).into_iter().flat_map(|text| text.split(apart)).filter_map(own).collect(),
        }
    }

    /// Whether it was deleted where it comes from: such rows stay in their tables.
    pub(super) fn is_deleted(self) -> bool {
        self.0.get("deleted_at").is_some_and(|at| !at.is_null())
    }
}

/// A time as databases write it, in the form of the catalog.
pub(super) fn time(text: &str) -> Option<String> {
    let text = text.trim();
    // Go writes a zone's name behind its offset.
    let text = text.split(" m=").next().unwrap_or_default();
    let mut words = text.split_whitespace();
    let first = words.next()?;
    let joined = match words.next() {
        Some(clock) => match words.next() {
            Some(offset) if offset.starts_with(['+', '-']) => format!("{first}T{clock}{offset}"),
            _ => format!("{first}T{clock}"),
        },
        None => first.to_owned(),
    };
    let zoned = [joined.clone(), format!("{joined}Z")];
    zoned.iter().find_map(|text| text.parse::<jiff::Timestamp>().ok()).map(|at| at.to_string())
}

/// The same of a Unix time in seconds.
pub(super) fn unix_time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|at| at.to_string())
}
