//! What the dialects demand of JSON Schemas: each its own subset.

use serde_json::Value;

/// The keywords under which a schema has further ones.
const NESTED: [&str; 8] = ["properties", "items", "anyOf", "oneOf", "allOf", "$defs", "definitions", "prefixItems"];

/// Writes `additionalProperties: false` into every object of the schema that does not say. Anthropic refuses
/// structured output without it: <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>.
pub(super) fn close_objects(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if members.get("type").and_then(Value::as_str) == Some("object") {
        members.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for name in NESTED {
        match members.get_mut(name) {
            Some(Value::Array(schemas)) => schemas.iter_mut().for_each(close_objects),
            Some(Value::Object(schemas)) if name == "items" => {
                let mut items = Value::Object(std::mem::take(schemas));
                close_objects(&mut items);
                members.insert(name.to_owned(), items);
            }
            Some(Value::Object(schemas)) => schemas.values_mut().for_each(close_objects),
            _ => {}
        }
    }
}

/// Whether OpenAI takes the schema as `strict`: every object is closed and requires each of its properties.
/// <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>
pub(super) fn is_strict(schema: &Value) -> bool {
    let Some(members) = schema.as_object() else { return true };
    let nested = NESTED.iter().filter_map(|name| members.get(*name).map(|value| (*name, value)));
    let nested_are_strict = nested.into_iter().all(|(name, value)| match value {
        Value::Array(schemas) => schemas.iter().all(is_strict),
        Value::Object(_) if name == "items" => is_strict(value),
        Value::Object(schemas) => schemas.values().all(is_strict),
        _ => true,
    });
    let is_object = members.get("type").and_then(Value::as_str) == Some("object");
    nested_are_strict && (!is_object || requires_all(schema))
}

fn requires_all(schema: &Value) -> bool {
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &String| required.is_some_and(|required| required.iter().any(|other| other == name));
    closed && schema.get("properties").and_then(Value::as_object).is_none_or(|all| all.keys().all(is_required))
}
