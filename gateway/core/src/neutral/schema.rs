//! What each dialect requires of JSON Schemas.

mod enums;
mod names;
mod top;

use std::collections::HashSet;

use serde_json::Value;

pub(crate) use enums::split_enums;
pub use names::RenamedKeys;
pub(crate) use names::{rename_keys, replace_keys};
pub(crate) use top::{Copies, flatten_top};

use super::Object;

/// The keywords whose values are schemas or contain some.
const NESTED: [&str; 8] = ["properties", "items", "anyOf", "oneOf", "allOf", "$defs", "definitions", "prefixItems"];

/// The keywords that Anthropic's structured output accepts. Its own SDKs move all others into the description:
/// <https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/lib/_parse/_transform.py>.
const KNOWN_TO_ANTHROPIC: [&str; 17] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "anyOf",
    "allOf",
    "$ref",
    "$defs",
    "definitions",
    "enum",
    "const",
    "default",
    "format",
    "title",
    "description",
];

/// Keywords that do not restrict the answer.
const SAY_NOTHING: [&str; 3] = ["$schema", "$id", "$comment"];

/// The formats of strings that Anthropic's structured output accepts.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Keywords with which OpenAI accepts no schema as `strict`.
const UNKNOWN_TO_STRICT: [&str; 4] = ["oneOf", "allOf", "not", "patternProperties"];

/// Whether [`make_plain`] keeps the purpose of the schema: Anthropic's structured output only has closed objects, and
/// an object whose members the model names would be empty if it were closed.
pub(crate) fn can_be_plain(schema: &Value) -> bool {
    let Some(members) = schema.as_object() else { return true };
    let has_properties = members.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    let is_open = match members.get("additionalProperties") {
        Some(Value::Object(_)) => true,
        Some(Value::Bool(false)) => false,
        _ => !has_properties && !members.contains_key("properties"),
    };
    !(is_object(members) && is_open) && nested(members).all(can_be_plain)
}

/// Changes a schema into one that Anthropic accepts for structured output: objects are closed, `oneOf` becomes `anyOf`,
/// and unknown keywords move into the description. Returns whether there were any.
/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>
pub(crate) fn make_plain(schema: &mut Value) -> bool {
    let Some(members) = schema.as_object_mut() else { return false };
    if is_object(members) {
        members.insert("additionalProperties".to_owned(), false.into());
    }
    if !members.contains_key("anyOf")
        && let Some(schemas) = members.shift_remove("oneOf")
    {
        members.insert("anyOf".to_owned(), schemas);
    }
    let mut limited = describe_unknown(members);
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

/// Makes all of them plain. `any` would stop at the first that had a limit.
fn count_limited<'s>(schemas: impl Iterator<Item = &'s mut Value>) -> usize {
    schemas.map(make_plain).filter(|limited| *limited).count()
}

/// Changes a tool's schema into one that OpenAI accepts: it describes an object with `properties`, even if these are
/// empty, and lists in it have `items`.
pub(crate) fn complete_parameters(schema: &mut Value) {
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

/// Moves keywords that Anthropic does not know into the description. Returns whether there were any.
fn describe_unknown(members: &mut Object) -> bool {
    let is_unknown = |name: &str, value: &Value| match name {
        "format" => !value.as_str().is_some_and(|format| FORMATS.contains(&format)),
        "minItems" => value.as_u64().is_none_or(|count| count > 1),
        _ => !KNOWN_TO_ANTHROPIC.contains(&name),
    };
    let (unknown, known): (Object, Object) =
        std::mem::take(members).into_iter().partition(|(name, value)| is_unknown(name, value));
    *members = known;
    let notes = unknown.iter().filter(|(name, _)| !SAY_NOTHING.contains(&name.as_str()));
    let notes: Vec<String> = notes.map(|(name, value)| format!("{name}: {value}")).collect();
    if notes.is_empty() {
        return false;
    }
    let mut description = members.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str(&format!("{{{}}}", notes.join(", ")));
    members.insert("description".to_owned(), description.into());
    true
}

/// Whether OpenAI accepts the schema as `strict`: every object is closed and requires all its properties.
/// <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>
pub(crate) fn is_strict(schema: &Value) -> bool {
    let Some(members) = schema.as_object() else { return true };
    let is_within = !UNKNOWN_TO_STRICT.iter().any(|name| members.contains_key(*name));
    is_within && nested(members).all(is_strict) && (!is_object(members) || requires_all(schema))
}

/// The schemas directly inside a schema, under any keyword.
fn all_nested_mut(members: &mut Object) -> Vec<&mut Value> {
    const ONE: [&str; 8] = ["items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"];
    const NAMED: [&str; 2] = ["patternProperties", "dependentSchemas"];
    let mut found = Vec::new();
    for (name, value) in members.iter_mut() {
        let name = name.as_str();
        match value {
            Value::Object(_) if ONE.contains(&name) => found.push(value),
            Value::Array(schemas) if NESTED.contains(&name) => found.extend(schemas),
            Value::Object(schemas) if NESTED.contains(&name) || NAMED.contains(&name) => {
                found.extend(schemas.values_mut())
            }
            _ => {}
        }
    }
    found
}

/// The schemas directly inside a schema.
fn nested(members: &Object) -> impl Iterator<Item = &Value> {
    NESTED.iter().filter_map(|name| Some((*name, members.get(*name)?))).flat_map(|(name, value)| match value {
        Value::Array(schemas) => schemas.iter().collect(),
        Value::Object(_) if name == "items" => vec![value],
        Value::Object(schemas) => schemas.values().collect(),
        _ => Vec::new(),
    })
}

fn is_object(schema: &Object) -> bool {
    is_of(schema, "object")
}

/// Whether a schema has this type, also as one of `["object", "null"]`, which is how optional values are written for
/// OpenAI.
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
    fn a_tools_schema_becomes_an_objects_whose_lists_name_their_items() {
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
    fn what_anthropic_does_not_know_is_told_in_the_description() {
        let plain = |mut schema: Value| {
            let limited = make_plain(&mut schema);
            (schema, limited)
        };
        for (schema, expected, limited) in [
            (
                json!({ "type": "integer", "format": "uint32", "minimum": 0, "description": "How many." }),
                json!({ "type": "integer", "description": "How many.\n\n{format: \"uint32\", minimum: 0}" }),
                true,
            ),
            (
                json!({ "type": "array", "minItems": 2 }),
                json!({ "type": "array", "description": "{minItems: 2}" }),
                true,
            ),
            (json!({ "type": "string", "format": "date" }), json!({ "type": "string", "format": "date" }), false),
            (json!({ "$schema": "x", "const": 1 }), json!({ "const": 1 }), false),
            (json!({ "oneOf": [{ "const": 1 }] }), json!({ "anyOf": [{ "const": 1 }] }), false),
            (
                json!({ "type": "object", "properties": { "pattern": {} }, "additionalProperties": true }),
                json!({ "type": "object", "properties": { "pattern": {} }, "additionalProperties": false }),
                false,
            ),
        ] {
            assert_eq!(plain(schema), (expected, limited));
        }
        assert!(make_plain(&mut json!({ "anyOf": [{ "minLength": 1 }, {}] })));
    }

    #[test]
    fn a_schema_of_members_with_any_name_cannot_be_plain() {
        let counts = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
        for open in [
            counts.clone(),
            json!({ "type": "object" }),
            json!({ "type": "array", "items": counts }),
            json!({ "type": "object", "properties": { "counts": counts } }),
            json!({ "$defs": { "counts": counts } }),
        ] {
            assert!(!can_be_plain(&open), "{open}");
        }
        for closed in [
            json!({ "type": "object", "properties": { "a": { "type": "string" } } }),
            json!({ "type": "object", "properties": {}, "additionalProperties": false }),
            json!({ "type": "string" }),
            json!(true),
        ] {
            assert!(can_be_plain(&closed), "{closed}");
        }
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
