//! A catalog's text, from a file or standard input, in TOML or JSON. The component parses it for use; here it is only
//! parsed to be compared.

use crate::commands::client::{JSON, TOML};
use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::{Map, Number, Value};
use std::io::Read;
use std::path::Path;

/// A catalog as it was read, and what to call it.
pub(super) struct CatalogText {
    name: String,
    text: String,
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<CatalogText> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(CatalogText { name: "standard input".to_owned(), text });
    }
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    Ok(CatalogText { name, text })
}

impl CatalogText {
    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The text as it is sent.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from(self.text.clone())
    }

    /// Its media type.
    pub(super) fn content_type(&self) -> &'static str {
        if self.is_json() { JSON } else { TOML }
    }

    /// The document as JSON, whichever it was written in.
    pub(super) fn to_json(&self) -> Result<Value> {
        if self.is_json() {
            return serde_json::from_str(&self.text).with_context(|| format!("{} is not valid JSON", self.name));
        }
        // Not the parser's own words: they repeat the line, and a line may hold a secret.
        let table: toml::Table =
            toml::from_str(&self.text).ok().with_context(|| format!("{} is not valid TOML", self.name))?;
        Ok(Value::Object(table.into_iter().map(|(name, value)| (name, to_json(value))).collect::<Map<_, _>>()))
    }

    /// As the component tells them apart: nothing in TOML begins with a brace.
    fn is_json(&self) -> bool {
        self.text.trim_ascii_start().starts_with('{')
    }
}

fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(values) => values.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(name, value)| (name, to_json(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(text: &str) -> CatalogText {
        CatalogText { name: "llmio.toml".into(), text: text.into() }
    }

    #[test]
    fn toml_and_json_of_one_catalog_are_the_same_document() {
        let toml = text("[[keys]]\nname = \"a\"\nexpires = 2027-01-01T00:00:00Z\nlimits = { rpm = 1, share = 0.5 }\n");
        let json = text(r#" {"keys":[{"name":"a","expires":"2027-01-01T00:00:00Z","limits":{"rpm":1,"share":0.5}}]}"#);
        assert_eq!(toml.to_json().expect("TOML"), json.to_json().expect("JSON"));
        assert_eq!((toml.content_type(), json.content_type()), ("application/toml", "application/json"));
        assert_eq!(text("").to_json().expect("an empty catalog"), json!({}));
    }

    #[test]
    fn a_syntax_error_does_not_repeat_the_line() {
        for broken in ["credentials = [\"sk-SECRET]", "{\"a\": \"sk-SECRET\" \"b\"}"] {
            let error = format!("{:#}", text(broken).to_json().expect_err("broken"));
            assert!(error.contains("llmio.toml") && !error.contains("SECRET"), "{error}");
        }
    }
}
