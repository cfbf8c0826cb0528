//! Takes members out of JSON objects without copying them, since a picture in base64 may be megabytes. A member of
//! another type than expected stays, so that [`drop_rest`] warns about it.

use std::io;

use serde::Serialize;
use serde_json::{Number, Value, json};

use super::{Object, Untranslatable, Warnings};
use crate::memory;
use crate::pace::Pace;
use crate::scan::end_of_string;

/// How many values and names may be parsed at once. As a tree, one takes up to some two hundred bytes, even if it is
/// two bytes of text (`0,`), and a guest has 256 MiB. Long conversations with many tools stay far below.
const NODES_MAX: usize = 200_000;

/// Whether JSON has too many values to be parsed. One pass that skips strings tells this before parsing, so that a
/// picture in base64 costs nothing.
pub(crate) fn is_too_intricate(json: &[u8]) -> bool {
    count_nodes(json) > NODES_MAX
}

/// Whether several texts, which are parsed one by one and kept, have too many values together.
pub(crate) fn are_too_intricate<'t>(texts: impl Iterator<Item = &'t str>) -> bool {
    texts.map(|text| count_nodes(text.as_bytes())).sum::<usize>() > NODES_MAX
}

/// An upper bound for the values and names in `json`, whether it is JSON or not.
fn count_nodes(json: &[u8]) -> usize {
    let mut nodes = 0;
    let mut rest = json;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        nodes += count_marks(rest.get(..quote).unwrap_or_default());
        rest = rest.get(end_of_string(rest, quote + 1) + 1..).unwrap_or_default();
    }
    nodes + count_marks(rest)
}

fn count_marks(outside: &[u8]) -> usize {
    outside.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count()
}

/// The longest text that is written. In another dialect, JSON may become the contents of a string, with an escape for
/// each quote.
const WRITTEN_BYTES_MAX: usize = 44 << 20;

/// The text of a value; `None` where it is too long, or there is no memory for it. `about` is how long it may be: one that
/// is long is measured first, since a buffer that grows is there twice for a moment.
pub(crate) fn written(value: &Value, about: usize, pace: Pace<'_>) -> Option<Vec<u8>> {
    let mut text = Text { bytes: Vec::new(), pace };
    let length = if about > memory::SMALL_BYTES_MAX { length_of(value, pace) } else { about };
    text.bytes.try_reserve_exact(length.min(WRITTEN_BYTES_MAX)).ok()?;
    serde_json::to_writer(&mut text, value).ok()?;
    Some(text.bytes)
}

/// A text that grows only while there is memory for it. An ordinary string doubles, and traps if there is none.
struct Text<'p> {
    bytes: Vec<u8>,
    pace: Pace<'p>,
}

impl io::Write for Text<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pace.step(bytes.len());
        let fits = self.bytes.len() + bytes.len() <= WRITTEN_BYTES_MAX;
        match fits && memory::append(&mut self.bytes, bytes) {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends the text of a value.
pub(crate) fn append(to: &mut Vec<u8>, value: &impl Serialize) {
    // Neither this writer nor a value with names that are texts can fail.
    let _ = serde_json::to_writer(Appending(to), value);
}

struct Appending<'t>(&'t mut Vec<u8>);

impl io::Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        memory::extend(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How long the text of a value is.
pub(crate) fn length_of(value: &impl Serialize, pace: Pace<'_>) -> usize {
    let mut measuring = Measuring { bytes: 0, pace };
    let _ = serde_json::to_writer(&mut measuring, value);
    measuring.bytes
}

struct Measuring<'p> {
    bytes: usize,
    pace: Pace<'p>,
}

impl io::Write for Measuring<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pace.step(bytes.len());
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text of a value.
pub(crate) fn text_of(value: &Value) -> String {
    let mut text = Vec::with_capacity(length_of(value, Pace::default()));
    append(&mut text, value);
    String::from_utf8(text).unwrap_or_default()
}

/// The object `value` is, or a refusal about `param`.
pub(crate) fn object(value: Value, param: &str) -> Result<Object, Untranslatable> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Untranslatable::new(param, "Send a JSON object here.")),
    }
}

/// An object of these members. Unlike `json!` it moves the values.
pub(crate) fn from_members<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The arguments of a call as an object, as all dialects but OpenAI's have them. If a model wrote something else, it is
/// shown what it wrote.
pub(crate) fn arguments(text: &str) -> Value {
    match parse(text) {
        Some(Value::Object(members)) => Value::Object(members),
        _ if text.trim().is_empty() => json!({}),
        _ => json!({ "arguments": text }),
    }
}

/// The arguments of a call as text, as OpenAI's dialects have them. Some providers write the object itself, and others
/// a text in place of an object.
pub(crate) fn arguments_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        value => text_of(&value),
    }
}

/// The value of a JSON text, unless it is [too intricate](is_too_intricate).
pub(crate) fn parse(text: &str) -> Option<Value> {
    if is_too_intricate(text.as_bytes()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Takes a member that is a string.
pub(crate) fn take_text(members: &mut Object, name: &str) -> Option<String> {
    match members.get_mut(name)? {
        Value::String(text) => {
            let text = std::mem::take(text);
            members.shift_remove(name);
            Some(text)
        }
        _ => None,
    }
}

/// Takes a member that is an object.
pub(crate) fn take_object(members: &mut Object, name: &str) -> Option<Object> {
    match members.get_mut(name)? {
        Value::Object(inner) => {
            let inner = std::mem::take(inner);
            members.shift_remove(name);
            Some(inner)
        }
        _ => None,
    }
}

/// Takes a member that is an array.
pub(crate) fn take_list(members: &mut Object, name: &str) -> Option<Vec<Value>> {
    match members.get_mut(name)? {
        Value::Array(items) => {
            let items = std::mem::take(items);
            members.shift_remove(name);
            Some(items)
        }
        _ => None,
    }
}

/// Takes a member that is a number.
pub(crate) fn take_number(members: &mut Object, name: &str) -> Option<Number> {
    let number = members.get(name)?.as_number()?.clone();
    members.shift_remove(name);
    Some(number)
}

/// Takes a member that is a whole number and not negative.
pub(crate) fn take_count(members: &mut Object, name: &str) -> Option<u64> {
    let count = members.get(name)?.as_u64()?;
    members.shift_remove(name);
    Some(count)
}

/// Takes a member that is a boolean.
pub(crate) fn take_flag(members: &mut Object, name: &str) -> Option<bool> {
    let flag = members.get(name)?.as_bool()?;
    members.shift_remove(name);
    Some(flag)
}

/// A member that is a string, without taking it.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// Warns about every member that was not taken, unless it is null, false or empty.
pub(crate) fn drop_rest(members: &Object, warnings: &mut Warnings) {
    for (name, value) in members {
        let says_nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !says_nothing {
            warnings.dropped(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_are_counted_and_what_texts_hold_is_not() {
        for (json, nodes) in [
            ("", 0),
            ("[0,0,0]", 3),
            (r#"{"a":{"b":[]},"c":1}"#, 7),
            (r#"{"[[[[":"{:,\\"}"#, 2),
            (r#"["\",[,",0]"#, 2),
            (r#"["\\",["#, 3),
            (r#"["no end,,,"#, 1),
            (r#"["no end\"#, 1),
        ] {
            assert_eq!(count_nodes(json.as_bytes()), nodes, "{json}");
        }
    }

    #[test]
    fn a_long_text_is_parsed_and_a_long_list_is_not() {
        let text = json!({ "a": ",".repeat(NODES_MAX + 1) }).to_string();
        assert_eq!(arguments(&text).to_string(), text);
        let list = format!("{{\"a\":[{}0]}}", "0,".repeat(NODES_MAX));
        assert_eq!(arguments(&list), json!({ "arguments": list }));
    }
}
