//! A JSON object whose members a reader takes out one by one, in any spelling, so that what remains is exactly what the
//! reader does not know.

use serde_json::{Number, Value};

use super::json;
use super::{Object, Warnings};

/// The members that have not been read yet.
#[derive(Debug, Default)]
pub(crate) struct Members(Object);

impl Members {
    /// The members of `value`; none if it is no object.
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Object(members) => Members(members),
            _ => Members::default(),
        }
    }

    /// Takes `name`, in camel case as given or in the snake case of it: Google's JSON readers accept both and its SDKs
    /// send both. <https://protobuf.dev/programming-guides/json/>
    fn find<T>(&mut self, name: &str, take: fn(&mut Object, &str) -> Option<T>) -> Option<T> {
        take(&mut self.0, name).or_else(|| take(&mut self.0, &snake_case(name)?))
    }

    /// Takes a member of any type; `null` is absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.find(name, |members, name| members.shift_remove(name).filter(|value| !value.is_null()))
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.find(name, json::take_text)
    }

    /// Takes a list; empty if there is none.
    pub(crate) fn list(&mut self, name: &str) -> Vec<Value> {
        self.find(name, json::take_list).unwrap_or_default()
    }

    /// Takes an object; empty if there is none.
    pub(crate) fn object(&mut self, name: &str) -> Members {
        self.find(name, json::take_object).map(Members).unwrap_or_default()
    }

    /// Takes a number as it was written.
    pub(crate) fn number(&mut self, name: &str) -> Option<Number> {
        self.find(name, json::take_number)
    }

    /// Takes a count. Google writes 64-bit integers as strings.
    pub(crate) fn count(&mut self, name: &str) -> Option<u64> {
        self.find(name, json::take_count).or_else(|| self.text(name)?.parse().ok())
    }

    /// Takes a boolean.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        self.find(name, json::take_flag)
    }

    /// Takes and drops members that no other dialect needs and nobody misses.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// The names of the members that were not taken.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Warns about the members that were not taken, with their path if they are nested.
    pub(crate) fn drop_rest(self, path: &str, warnings: &mut Warnings) {
        let named = self.0.into_iter().map(|(name, value)| (format!("{path}{name}"), value));
        json::drop_rest(&named.collect(), warnings);
    }
}

/// A name in snake case; `None` if it is so already.
fn snake_case(name: &str) -> Option<String> {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    (snake != name).then_some(snake)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_is_found_in_camel_case_and_in_snake_case() {
        let mut members =
            Members::of(json!({ "max_output_tokens": "12", "topP": 0.5, "responseMimeType": null, "left": 1 }));
        assert_eq!(members.count("maxOutputTokens"), Some(12));
        assert_eq!(members.number("topP"), serde_json::Number::from_f64(0.5));
        assert_eq!(members.text("responseMimeType"), None);
        let mut warnings = Warnings::default();
        members.drop_rest("config.", &mut warnings);
        assert_eq!(warnings.into_list(), ["dropped: config.left"]);
    }
}
