//! YAML as values of JSON. granit-parser knows the syntax; what stands here is what its events mean: the types of plain
//! scalars as LiteLLM's reader (PyYAML) finds them, anchors, merge keys. serde-saphyr does all of it and far more, with
//! three times the code: a megabyte of the binary, for a file that is read once.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// How many bytes anchors may add to what a text says. Without a bound a few lines could stand for gigabytes.
const COPIED_BYTES_MAX: usize = 8 << 20;

/// How deep lists and tables may stand in each other: what walks through values calls itself.
const DEPTH_MAX: usize = 256;

/// What a value takes besides its text, at least.
const VALUE_BYTES: usize = 32;

/// The key that takes over the entries of other tables.
const MERGE: &str = "<<";

/// Where a text stops to be YAML, counted from one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    fn of(marker: &Marker) -> Self {
        Place { line: marker.line(), column: marker.col() + 1 }
    }
}

/// Reads a text of one document. Where a key stands twice, the last one counts, as in JSON.
pub(super) fn read(text: &str) -> Result<Value, Place> {
    let mut reader = Reader::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| Place::of(error.marker()))?;
        reader.take(event).ok_or_else(|| Place::of(&span.start))?;
    }
    Ok(reader.document.unwrap_or_default())
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    /// The lists and tables that have begun, each inside the one before, with their anchors.
    open: Vec<(Collection, usize)>,
    anchors: HashMap<usize, Value>,
    copied_bytes: usize,
    document: Option<Value>,
}

enum Collection {
    List(Vec<Value>),
    Table { entries: Map<String, Value>, key: Option<String>, merged: Vec<Value> },
}

impl Reader {
    /// Takes the next event; `None` if it has no meaning where it stands.
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        match event {
            Event::DocumentStart(..) if self.document.is_some() => None,
            Event::Scalar(text, style, anchor, tag) => {
                let is_typed = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.suffix() != "str");
                let value = if is_typed && !self.awaits_key() { typed(&text) } else { text.into_owned().into() };
                self.add(value, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Collection::List(Vec::new()), anchor),
            Event::MappingStart(_, anchor, _) => {
                self.begin(Collection::Table { entries: Map::new(), key: None, merged: Vec::new() }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (collection, anchor) = self.open.pop()?;
                self.add(collection.value()?, anchor)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor)?.clone();
                self.count_copy(&value)?;
                self.add(value, 0)
            }
            _ => Some(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some((Collection::Table { key: None, .. }, _)))
    }

    fn begin(&mut self, collection: Collection, anchor: usize) -> Option<()> {
        if self.awaits_key() || self.open.len() >= DEPTH_MAX {
            return None;
        }
        self.open.push((collection, anchor));
        Some(())
    }

    fn add(&mut self, value: Value, anchor: usize) -> Option<()> {
        if anchor != 0 {
            self.count_copy(&value)?;
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.document = Some(value),
            Some((Collection::List(values), _)) => values.push(value),
            Some((Collection::Table { entries, key, merged }, _)) => match (key.take(), value) {
                (None, Value::String(name)) => *key = Some(name),
                (None, _) => return None,
                (Some(name), value) if name == MERGE => merged.push(value),
                (Some(name), value) => {
                    entries.insert(name, value);
                }
            },
        }
        Some(())
    }

    /// Counts a value that an anchor makes a copy of.
    fn count_copy(&mut self, value: &Value) -> Option<()> {
        self.copied_bytes = self.copied_bytes.saturating_add(bytes(value));
        (self.copied_bytes <= COPIED_BYTES_MAX).then_some(())
    }
}

impl Collection {
    fn value(self) -> Option<Value> {
        let Collection::Table { mut entries, merged, .. } = self else {
            let Collection::List(values) = self else { return None };
            return Some(Value::Array(values));
        };
        for tables in merged {
            let tables = if let Value::Array(tables) = tables { tables } else { vec![tables] };
            for table in tables {
                let Value::Object(table) = table else { return None };
                for (name, value) in table {
                    entries.entry(name).or_insert(value);
                }
            }
        }
        Some(Value::Object(entries))
    }
}

/// What a plain scalar is.
fn typed(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::from(text), Value::Number),
    }
}

/// A number keeps its digits, as everywhere. With zeros in front it is none: those are names and versions.
fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix('+').unwrap_or(text).replace('_', "").parse().ok()
}

/// How much memory a value takes, roughly.
fn bytes(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(bytes).sum(),
            Value::Object(entries) => entries.iter().map(|(name, value)| name.len() + bytes(value)).sum(),
        }
}

#[cfg(test)]
mod tests {
    use super::{Place, read};
    use serde_json::{Value, json};

    #[test]
    fn plain_scalars_have_the_types_that_litellm_finds() {
        for (text, expected) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("Yes", json!(true)),
            ("off", json!(false)),
            ("y", json!("y")),
            ("10_000", json!(10_000)),
            ("+5", json!(5)),
            ("0x1F", json!(31)),
            ("010", json!("010")),
            ("1.2.3", json!("1.2.3")),
            ("inf", json!("inf")),
            ("2024-08-06", json!("2024-08-06")),
            ("'10'", json!("10")),
            ("!!str 10", json!("10")),
            ("\"\\u00e9\"", json!("é")),
        ] {
            assert_eq!(
                read(&format!("[{text}]\n")).as_ref(),
                Ok(&if text.is_empty() { json!([]) } else { json!([expected]) }),
                "{text}"
            );
            assert_eq!(read(&format!("a: {text}\n")), Ok(json!({ "a": expected })), "{text}");
        }
        assert_eq!(
            read("input_cost_per_token: 2.5e-06\n").map(|read| read["input_cost_per_token"].as_f64()),
            Ok(Some(2.5e-6))
        );
        assert_eq!(
            read("id: 12345678901234567890123\n").map(|read| read["id"].to_string()),
            Ok("12345678901234567890123".into())
        );
        assert_eq!(read(""), Ok(Value::Null));
    }

    #[test]
    fn an_alias_is_what_its_anchor_stands_at() {
        let text = "a: &all {timeout: 5, tags: [x]}\nb: *all\nc: &name key\n*name : |\n  two\n  lines\n";
        let table = json!({ "timeout": 5, "tags": ["x"] });
        assert_eq!(read(text), Ok(json!({ "a": table, "b": table, "c": "key", "key": "two\nlines\n" })));
    }

    #[test]
    fn merged_tables_give_what_is_not_said_itself() {
        let text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\n\
                    both: {<<: [*one, *two], a: 0}\nlast:\n  <<: *two\n  d: 3\n  d: 4\n";
        let read = read(text).expect("YAML");
        assert_eq!(read["both"], json!({ "a": 0, "b": 1, "c": 2 }));
        assert_eq!(read["last"], json!({ "d": 4, "b": 2, "c": 2 }));
    }

    #[test]
    fn what_is_no_yaml_is_told_by_its_place() {
        for (text, line, column) in [
            ("a: [1\nb: 2\n", 2, 2),
            ("a: 1\n--- \nb: 2\n", 2, 1),
            ("a: *gone\n", 1, 4),
            ("{[1]: 2}\n", 1, 2),
            ("a: {<<: 5}\n", 1, 10),
            ("a: 1\n b: 2\n", 2, 3),
        ] {
            assert_eq!(read(text), Err(Place { line, column }), "{text:?}");
        }
    }

    #[test]
    fn anchors_cannot_stand_for_more_than_a_bound() {
        let mut laughs = "l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
        for level in 1..12 {
            let before = format!("*l{}, ", level - 1).repeat(9);
            laughs.push_str(&format!("l{level}: &l{level} [{before}]\n"));
        }
        assert!(read(&laughs).is_err());
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(20));
        assert!(read(&long).is_err());
        let nested = format!("{}{}", "&a [".repeat(200), "]".repeat(200));
        assert!(read(&nested).is_ok());
    }

    #[test]
    fn lists_stand_in_each_other_to_a_bounded_depth() {
        let nested = |depth: usize| read(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        assert!(nested(200).is_ok());
        assert!(nested(100_000).is_err());
        let block: String = (0..5_000).map(|depth| format!("{}-\n", " ".repeat(depth))).collect();
        assert!(read(&block).is_err());
    }
}
