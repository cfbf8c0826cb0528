//! What the schema knows and the gateway does not do yet: refused by name, never ignored.
//!
//! One table, so that building a field's behaviour deletes its row and nothing else here.

use serde_json::{Map, Value};

use crate::catalog::schema::Report;

/// A field whose behaviour is not built yet.
struct Row {
    /// Names from the root, `[]` after a list.
    path: &'static str,
    comes_with: &'static str,
}

const UNBUILT: &[Row] = &[row("keys[].metrics", "metrics")];

/// Reports each field of the table that asks for something.
pub(super) fn check(document: &Map<String, Value>, report: &Report) {
    for row in UNBUILT {
        let (first, rest) = row.path.split_once('.').unwrap_or((row.path, ""));
        step(document, first, rest, "", &mut |path, value| {
            if !asks_for_nothing(value) {
                report.problem(path, format!("not built yet; remove it (it comes with {})", row.comes_with));
            }
        });
    }
}

/// Takes one segment of a row's path and calls `found` where the path ends.
fn step(map: &Map<String, Value>, segment: &str, rest: &str, path: &str, found: &mut dyn FnMut(&str, &Value)) {
    let name = segment.trim_end_matches("[]");
    let Some(value) = map.get(name) else {
        return;
    };
    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if rest.is_empty() {
        return found(&path, value);
    }
    let (next, rest) = rest.split_once('.').unwrap_or((rest, ""));
    match value {
        Value::Object(map) => step(map, next, rest, &path, found),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                if let Value::Object(map) = value {
                    step(map, next, rest, &format!("{path}[{index}]"), found);
                }
            }
        }
        _ => {}
    }
}

fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(value) => !value,
        _ => false,
    }
}

const fn row(path: &'static str, comes_with: &'static str) -> Row {
    Row { path, comes_with }
}
