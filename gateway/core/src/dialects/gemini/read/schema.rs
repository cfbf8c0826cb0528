//! Schemas of Gemini's own form, a subset of OpenAPI 3.0, as JSON Schema. <https://ai.google.dev/api/caching#Schema>
//!
//! Nothing is written in this form: `parametersJsonSchema` and `responseJsonSchema` accept JSON Schema as it is, while
//! the subset lacks `additionalProperties`, `$ref` and much else.

use serde_json::Value;

use crate::neutral::Object;
use crate::neutral::members::Members;

/// Deeper schemas are cut off, since a request must not exhaust the stack.
const DEPTH_MAX: u32 = 64;

/// Members that hold counts. Google writes 64-bit integers as strings.
const COUNTS: [&str; 6] = ["minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"];

/// Members that mean the same in both forms.
const SAME: [&str; 8] = ["title", "description", "format", "enum", "default", "pattern", "minimum", "maximum"];

/// The schema as JSON Schema.
pub(super) fn to_json_schema(schema: Value) -> Value {
    convert(schema, 0)
}

fn convert(schema: Value, depth: u32) -> Value {
    if !schema.is_object() || depth > DEPTH_MAX {
        return Value::Object(Object::new());
    }
    let mut from = Members::of(schema);
    let mut to = Object::new();
    let nullable = from.flag("nullable").unwrap_or(false);
    to.extend(from.take("type").and_then(|kind| convert_type(kind, nullable)).map(|kind| ("type".to_owned(), kind)));
    for name in SAME {
        to.extend(from.take(name).map(|value| (name.to_owned(), value)));
    }
    // The null that `nullable` allows is not listed among the values.
    let values = to.get_mut("enum").and_then(Value::as_array_mut).filter(|_| nullable);
    if let Some(values) = values.filter(|values| !values.contains(&Value::Null)) {
        values.push(Value::Null);
    }
    for name in COUNTS {
        to.extend(from.count(name).map(|count| (name.to_owned(), count.into())));
    }
    if let Some(Value::Object(properties)) = from.take("properties") {
        let converted: Object =
            properties.into_iter().map(|(name, schema)| (name, convert(schema, depth + 1))).collect();
        to.insert("properties".into(), converted.into());
    }
    to.extend(from.take("required").map(|required| ("required".to_owned(), required)));
    to.extend(from.take("items").map(|items| ("items".to_owned(), convert(items, depth + 1))));
    match from.take("additionalProperties") {
        Some(closed @ Value::Bool(_)) => to.extend([("additionalProperties".to_owned(), closed)]),
        Some(schema) => to.extend([("additionalProperties".to_owned(), convert(schema, depth + 1))]),
        None => {}
    }
    let mut any: Vec<Value> = from.list("anyOf").into_iter().map(|schema| convert(schema, depth + 1)).collect();
    if nullable && !any.is_empty() {
        any.push(serde_json::json!({ "type": "null" }));
    }
    if !any.is_empty() {
        to.insert("anyOf".into(), any.into());
    }
    // SDKs add these although they belong to JSON Schema; they are kept.
    for name in ["$ref", "$defs", "const", "oneOf", "allOf"] {
        to.extend(from.take(name).map(|value| (name.to_owned(), value)));
    }
    to.into()
}

fn convert_type(kind: Value, nullable: bool) -> Option<Value> {
    match kind {
        Value::String(word) => {
            let word = word.to_ascii_lowercase();
            match (word.as_str(), nullable) {
                ("type_unspecified", _) => None,
                (_, true) if word != "null" => Some(serde_json::json!([word, "null"])),
                _ => Some(word.into()),
            }
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_become_lower_case_at_every_depth_and_names_of_properties_stay() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {
                "TYPE": { "type": "ARRAY", "items": { "type": "STRING", "enum": ["A", "B"], "format": "enum" }, "minItems": "1" },
                "nullable": { "type": "INTEGER", "nullable": true },
                "choice": { "type": "STRING", "nullable": true, "enum": ["A"] },
            },
            "required": ["TYPE"],
            "propertyOrdering": ["TYPE", "nullable"],
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "TYPE": { "type": "array", "minItems": 1, "items": { "type": "string", "format": "enum", "enum": ["A", "B"] } },
                "nullable": { "type": ["integer", "null"] },
                "choice": { "type": ["string", "null"], "enum": ["A", null] },
            },
            "required": ["TYPE"],
        });
        assert_eq!(to_json_schema(schema), expected);
    }

    #[test]
    fn a_choice_that_may_be_null_has_null_among_its_alternatives() {
        let schema = json!({ "any_of": [{ "type": "STRING" }, { "type": "TYPE_UNSPECIFIED" }], "nullable": true });
        assert_eq!(to_json_schema(schema), json!({ "anyOf": [{ "type": "string" }, {}, { "type": "null" }] }));
    }

    #[test]
    fn a_schema_that_is_deeper_than_any_real_one_ends_somewhere() {
        let mut schema = json!({ "type": "STRING" });
        for _ in 0..100 {
            schema = json!({ "type": "ARRAY", "items": schema });
        }
        let mut converted = &to_json_schema(schema);
        let mut depth = 0;
        while let Some(items) = converted.get("items") {
            (converted, depth) = (items, depth + 1);
        }
        assert_eq!(depth, 65);
    }
}
