//! What the dialects demand of JSON Schemas: each its own subset.

use std::collections::HashSet;

use serde_json::Value;

use super::neutral::Object;

/// The keywords under which a schema has further ones.
const NESTED: [&str; 8] = ["properties", "items", "anyOf", "oneOf", "allOf", "$defs", "definitions", "prefixItems"];

/// Limits that Anthropic's structured output does not enforce and therefore refuses; its own SDKs leave them out too.
const LIMITS: [&str; 9] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
];

/// Keywords with which OpenAI takes no schema as `strict`.
const UNKNOWN_TO_STRICT: [&str; 4] = ["oneOf", "allOf", "not", "patternProperties"];

/// Makes a schema one that Anthropic takes for structured output: objects that do not say are closed, and limits are left
/// out. True where there was a limit.
/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>
pub(super) fn make_plain(schema: &mut Value) -> bool {
    let Some(members) = schema.as_object_mut() else { return false };
    if is_object(members) {
        members.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    let mut limited = false;
    for name in LIMITS {
        limited |= members.shift_remove(name).is_some();
    }
    if members.get("minItems").and_then(Value::as_u64).is_some_and(|count| count > 1) {
        members.insert("minItems".to_owned(), 1.into());
        limited = true;
    }
    for name in NESTED {
        let Some(nested) = members.get_mut(name) else { continue };
        limited |= match nested {
            Value::Array(schemas) => count_limited(schemas.iter_mut()) > 0,
            Value::Object(_) if name == "items" => make_plain(nested),
            Value::Object(schemas) => count_limited(schemas.values_mut()) > 0,
            _ => false,
        };
    }
    limited
}

/// Makes all of them plain, unlike `any`, which would stop at the first that had a limit.
fn count_limited<'s>(schemas: impl Iterator<Item = &'s mut Value>) -> usize {
    schemas.map(make_plain).filter(|limited| *limited).count()
}

/// Makes a tool's schema one that OpenAI takes, which every other dialect's are not: it is of an object that names its
/// properties, if there are none as `{}`, and lists inside of it say what they are of.
pub(super) fn complete_parameters(schema: &mut Value) {
    if !schema.is_object() {
        *schema = Value::Object(Object::new());
    }
    if let Some(members) = schema.as_object_mut() {
        members.entry("type").or_insert_with(|| "object".into());
        members.entry("properties").or_insert_with(|| Value::Object(Object::new()));
    }
    complete_lists(schema);
}

fn complete_lists(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if is_of(members, "array") {
        members.entry("items").or_insert_with(|| Value::Object(Object::new()));
    }
    for name in NESTED {
        match members.get_mut(name) {
            Some(Value::Array(schemas)) => schemas.iter_mut().for_each(complete_lists),
            Some(nested @ Value::Object(_)) if name == "items" => complete_lists(nested),
            Some(Value::Object(schemas)) => schemas.values_mut().for_each(complete_lists),
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
    let is_within = !UNKNOWN_TO_STRICT.iter().any(|name| members.contains_key(*name));
    is_within && nested_are_strict && (!is_object(members) || requires_all(schema))
}

fn is_object(schema: &Object) -> bool {
    is_of(schema, "object")
}

/// Also one of `["object", "null"]`, as optional ones are written for OpenAI.
fn is_of(schema: &Object, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(word)) => word == kind,
        Some(Value::Array(words)) => words.iter().any(|word| word == kind),
        _ => false,
    }
}

fn requires_all(schema: &Value) -> bool {
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let required: HashSet<&str> = required.filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    closed && properties.is_none_or(|all| all.keys().all(|name| required.contains(name.as_str())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_that_may_be_null_is_closed_like_any_other() {
        let mut schema = json!({ "type": "array", "items": { "type": ["object", "null"], "properties": {} } });
        assert!(!make_plain(&mut schema));
        assert_eq!(schema["items"]["additionalProperties"], false);
    }

    #[test]
    fn a_tools_schema_becomes_one_of_an_object_whose_lists_say_what_they_are_of() {
        for nothing in [json!(null), json!({}), json!({ "type": "object" })] {
            let mut schema = nothing;
            complete_parameters(&mut schema);
            assert_eq!(schema, json!({ "type": "object", "properties": {} }));
        }
        let list = || json!({ "type": ["array", "null"] });
        let mut schema = json!({ "type": "object", "properties": {
            "items": list(),
            "nested": { "type": "array", "items": list() },
            "either": { "anyOf": [{ "type": "string" }, list()] },
        } });
        complete_parameters(&mut schema);
        for pointer in ["/properties/items/items", "/properties/nested/items/items", "/properties/either/anyOf/1/items"]
        {
            assert_eq!(schema.pointer(pointer), Some(&json!({})), "{pointer}");
        }
        let whole = schema.clone();
        complete_parameters(&mut schema);
        assert_eq!(schema, whole);
    }

    #[test]
    fn a_schema_is_strict_where_every_object_is_closed_and_requires_all() {
        let object = |kind: Value, required: Value, closed: bool| json!({ "type": kind, "properties": { "a": {} }, "required": required, "additionalProperties": !closed });
        for kind in [json!("object"), json!(["object", "null"])] {
            assert!(is_strict(&object(kind.clone(), json!(["a"]), true)));
            assert!(!is_strict(&object(kind.clone(), json!([]), true)));
            let open = object(kind, json!(["a"]), false);
            assert!(!is_strict(&open));
            assert!(!is_strict(&json!({ "anyOf": [{ "type": "null" }, open] })));
        }
        assert!(is_strict(&json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] })));
    }

    #[test]
    fn a_schema_with_a_keyword_that_openai_does_not_know_is_not_strict() {
        for keyword in UNKNOWN_TO_STRICT {
            assert!(!is_strict(&json!({ "type": "array", "items": { keyword: [] } })), "{keyword}");
        }
        let named = json!({ "type": "object", "properties": { "not": {} }, "required": ["not"], "additionalProperties": false });
        assert!(is_strict(&named));
    }
}
