//! Lists of allowed values in schemas, and the types of these values.

use serde_json::{Value, json};

use super::all_nested_mut;
use crate::neutral::Object;

/// Gives every list of allowed values a single type. Anthropic refuses a list beside several types, as in a schema of a
/// value that may be null, with 400 `Enum value 'low' does not match declared type`.
pub(crate) fn split_enums(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    allow_null(members);
    split(members);
    all_nested_mut(members).into_iter().for_each(split_enums);
}

/// `nullable` is OpenAPI's: <https://spec.openapis.org/oas/v3.0.3#fixed-fields-20>.
fn allow_null(members: &mut Object) {
    if members.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    if let Some(Value::String(kind)) = members.get("type") {
        let kinds = json!([kind, "null"]);
        members.insert("type".to_owned(), kinds);
        members.shift_remove("nullable");
        let values = members.get_mut("enum").and_then(Value::as_array_mut);
        if let Some(values) = values.filter(|values| !values.contains(&Value::Null)) {
            values.push(Value::Null);
        }
    }
}

fn split(members: &mut Object) {
    let kinds: Vec<String> = match members.get("type") {
        Some(Value::String(kind)) => vec![kind.clone()],
        Some(Value::Array(kinds)) => known(kinds),
        _ => return,
    };
    let Some(Value::Array(values)) = members.get("enum") else { return };
    let mut values = values.clone();
    let is_split =
        matches!(members.get("type"), Some(Value::String(_))) && values.iter().all(|value| is_of(value, &kinds[0]));
    if is_split || members.contains_key("anyOf") {
        return;
    }
    let mut alternatives = Vec::new();
    for kind in &kinds {
        let own: Vec<Value> = values.extract_if(.., |value| is_of(value, kind)).collect();
        match kind.as_str() {
            _ if own.is_empty() => {}
            "null" => alternatives.push(json!({ "type": kind })),
            _ => alternatives.push(json!({ "type": kind, "enum": own })),
        }
    }
    match alternatives.pop() {
        // These values have none of the declared types, and say more than the types do.
        None => drop(members.shift_remove("type")),
        Some(Value::Object(only)) if alternatives.is_empty() => {
            members.shift_remove("enum");
            members.extend(only);
        }
        Some(last) => {
            alternatives.push(last);
            members.shift_remove("type");
            members.shift_remove("enum");
            members.insert("anyOf".to_owned(), alternatives.into());
        }
    }
}

/// The kinds of values that JSON has, each once: a list may name thousands of others.
fn known(kinds: &[Value]) -> Vec<String> {
    const KINDS: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
    let mut known: Vec<String> = Vec::new();
    for kind in kinds.iter().filter_map(Value::as_str) {
        if KINDS.contains(&kind) && !known.iter().any(|other| other == kind) {
            known.push(kind.to_owned());
        }
    }
    known
}

fn is_of(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => kind == "number" || kind == "integer" && (number.is_i64() || number.is_u64()),
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_values_stand_beside_the_one_type_they_have() {
        let either = json!({ "anyOf": [{ "type": "string", "enum": ["a", "b"] }, { "type": "null" }] });
        for (schema, expected) in [
            (json!({ "type": ["string", "null"], "enum": ["a", "b", null] }), either.clone()),
            (
                json!({ "type": ["null", "string"], "enum": ["a", "b", null] }),
                json!({ "anyOf": [{ "type": "null" }, { "type": "string", "enum": ["a", "b"] }] }),
            ),
            (json!({ "type": "string", "nullable": true, "enum": ["a", "b"] }), either.clone()),
            (json!({ "type": "string", "nullable": true }), json!({ "type": ["string", "null"] })),
            (
                json!({ "type": ["string", "null"], "enum": ["a", "b"] }),
                json!({ "type": "string", "enum": ["a", "b"] }),
            ),
            (
                json!({ "type": ["string", "integer"], "enum": ["a", 1] }),
                json!({ "anyOf": [{ "type": "string", "enum": ["a"] }, { "type": "integer", "enum": [1] }] }),
            ),
            (json!({ "type": "string", "enum": ["a", null, 1] }), json!({ "type": "string", "enum": ["a"] })),
            (json!({ "type": "string", "enum": [1, 2] }), json!({ "enum": [1, 2] })),
            (json!({ "type": "string", "enum": ["a"] }), json!({ "type": "string", "enum": ["a"] })),
            (json!({ "type": ["string", "null"] }), json!({ "type": ["string", "null"] })),
            (json!({ "type": [], "enum": ["a"] }), json!({ "enum": ["a"] })),
            (
                json!({ "type": ["text", "string", "string"], "enum": ["a"] }),
                json!({ "type": "string", "enum": ["a"] }),
            ),
            (json!({ "enum": ["a", null] }), json!({ "enum": ["a", null] })),
        ] {
            let mut everywhere = json!({ "properties": { "x": { "items": schema.clone() } }, "$defs": { "y": schema.clone() }, "anyOf": [schema.clone()], "additionalProperties": schema });
            split_enums(&mut everywhere);
            for pointer in ["/properties/x/items", "/$defs/y", "/anyOf/0", "/additionalProperties"] {
                assert_eq!(everywhere.pointer(pointer), Some(&expected), "{pointer}");
            }
        }
    }
}
