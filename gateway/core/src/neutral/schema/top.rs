//! The top level of a tool's schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::neutral::Object;

/// How many schemas are looked at; the rest is left out. Some schemas refer to themselves.
const STEPS_MAX: u32 = 256;

/// What may be copied into the places that refer to it, in all tools of a request. A schema may be as large as the request,
/// and may be referred to again and again.
#[derive(Debug)]
pub(crate) struct Copies(usize);

impl Default for Copies {
    fn default() -> Self {
        Copies(100_000)
    }
}

impl Copies {
    /// Counts another copy of a schema: one for each value, and for each sixteen bytes of text. `false`: there is no room for
    /// it, nor for any other.
    fn add(&mut self, schema: &Object) -> bool {
        schema.iter().all(|(name, value)| self.count(name.len()) && self.add_value(value))
    }

    fn add_value(&mut self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.count(text.len()),
            Value::Array(items) => self.count(0) && items.iter().all(|item| self.add_value(item)),
            Value::Object(members) => self.count(0) && self.add(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.count(0),
        }
    }

    fn count(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(1 + bytes / 16);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// With how many alternatives of a property another one is compared, so that it does not occur twice.
const COMPARED_MAX: usize = 32;

/// The keywords that are refused at the top level.
const REFUSED: [&str; 6] = ["$ref", "allOf", "anyOf", "oneOf", "enum", "not"];

/// Combines alternatives at the top level of a tool's schema into one object with the properties of all of them: Claude
/// and OpenAI refuse `anyOf`, `oneOf` and `allOf` there, and OpenAI also `enum` and `not`. A property stays required if
/// each alternative requires it, and the description says the rest. Returns whether anything was changed.
pub(crate) fn flatten_top(schema: &mut Value, copies: &mut Copies) -> bool {
    let Some(top) = schema.as_object_mut() else { return false };
    if !REFUSED.iter().any(|keyword| top.contains_key(*keyword)) {
        return false;
    }
    let definitions = top.clone();
    flatten(top, &definitions, (&mut 0, copies));
    top.insert("type".to_owned(), "object".into());
    true
}

fn flatten(members: &mut Object, definitions: &Object, (steps, copies): (&mut u32, &mut Copies)) {
    *steps += 1;
    let path = members.get("$ref").and_then(Value::as_str);
    let found = path.and_then(|path| definition(definitions, path));
    if *steps > STEPS_MAX || found.is_some_and(|found| !copies.add(found)) {
        return members.retain(|name, _| !REFUSED.contains(&name.as_str()));
    }
    if let Some(found) = found.cloned() {
        members.shift_remove("$ref");
        merge(members, found, "allOf");
        return flatten(members, definitions, (steps, copies));
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let Some(Value::Array(branches)) = members.shift_remove(keyword) else { continue };
        let mut objects = Vec::new();
        for branch in branches {
            if let Value::Object(mut branch) = branch {
                flatten(&mut branch, definitions, (steps, copies));
                objects.push(branch);
            }
        }
        // The input of a tool is always an object.
        objects.retain(|branch| branch.get("type").is_none_or(|kind| kind == "object"));
        join(members, objects, keyword);
    }
    for keyword in ["enum", "not"] {
        members.shift_remove(keyword);
    }
}

fn definition<'s>(definitions: &'s Object, path: &str) -> Option<&'s Object> {
    let (list, name) = path.strip_prefix("#/")?.split_once('/')?;
    let known = matches!(list, "$defs" | "definitions").then(|| definitions.get(list)).flatten();
    known?.get(name)?.as_object()
}

fn join(members: &mut Object, branches: Vec<Object>, keyword: &str) {
    let required = |branch: &Object| -> BTreeSet<String> {
        let names = branch.get("required").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let each: Vec<BTreeSet<String>> = branches.iter().map(required).collect();
    let mut common = each.first().cloned().unwrap_or_default();
    for next in each.iter().skip(1) {
        match keyword {
            "allOf" => common.extend(next.iter().cloned()),
            _ => common.retain(|name| next.contains(name)),
        }
    }
    let differ = keyword != "allOf" && each.iter().any(|names| *names != common);
    for mut branch in branches {
        branch.shift_remove("required");
        merge(members, branch, keyword);
    }
    let own = required(members);
    if !common.is_subset(&own) {
        let all: Vec<&String> = own.union(&common).collect();
        members.insert("required".to_owned(), json!(all));
    }
    if differ {
        let sets = each.iter().map(|names| format!("[{}]", names.iter().cloned().collect::<Vec<_>>().join(", ")));
        let hint = format!("Give the properties of one of these: {}.", sets.collect::<Vec<_>>().join(", "));
        let description = members.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = [description, &hint].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        let description = description.join("\n\n");
        members.insert("description".to_owned(), description.into());
    }
}

/// Adds the members of `other`. A property that both have may be either one, or must be both.
fn merge(members: &mut Object, other: Object, keyword: &str) {
    for (name, value) in other {
        match (members.get_mut(&name), value) {
            (Some(Value::Object(own)), Value::Object(others))
                if matches!(name.as_str(), "properties" | "$defs" | "definitions") =>
            {
                for (name, schema) in others {
                    add_property(own, name, schema, keyword);
                }
            }
            // If one branch is closed to other properties, the combination would be closed to those of the other
            // branch.
            (Some(own), value) if name == "additionalProperties" => {
                if *own != value {
                    *own = true.into();
                }
            }
            (Some(_), _) => {}
            (None, value) => drop(members.insert(name, value)),
        }
    }
}

fn add_property(properties: &mut Object, name: String, schema: Value, keyword: &str) {
    match properties.get_mut(&name) {
        None => drop(properties.insert(name, schema)),
        Some(own) if *own == schema => {}
        Some(own) => {
            let keyword = if keyword == "allOf" { "allOf" } else { "anyOf" };
            let is_joined = own.as_object().is_some_and(|own| own.len() == 1);
            match own.get_mut(keyword).and_then(Value::as_array_mut).filter(|_| is_joined) {
                Some(all) if all.iter().take(COMPARED_MAX).any(|other| *other == schema) => {}
                Some(all) => all.push(schema),
                None => *own = json!({ keyword: [own.take(), schema] }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_at_the_top_become_one_object() {
        let by = |name: &str, kind: &str| json!({ "type": "object", "properties": { name: { "type": kind } }, "required": [name] });
        let both = json!({ "a": { "type": "string" }, "b": { "type": "integer" } });
        let one_of = "Give the properties of one of these: [a], [b].";
        for keyword in ["anyOf", "oneOf"] {
            let mut schema =
                json!({ keyword: [by("a", "string"), by("b", "integer"), { "type": "null" }], "description": "What." });
            assert!(flatten_top(&mut schema, &mut Copies::default()));
            assert_eq!(
                schema,
                json!({ "type": "object", "properties": both, "description": format!("What.\n\n{one_of}") })
            );
        }
        let mut schema = json!({ "type": "object", "allOf": [by("a", "string"), { "$ref": "#/$defs/b" }], "$defs": { "b": by("b", "integer") } });
        assert!(flatten_top(&mut schema, &mut Copies::default()));
        assert_eq!((&schema["properties"], &schema["required"]), (&both, &json!(["a", "b"])));
        let mut schema =
            json!({ "anyOf": [by("a", "string"), by("a", "integer"), by("a", "string"), by("a", "null")] });
        assert!(flatten_top(&mut schema, &mut Copies::default()));
        let kinds = ["string", "integer", "null"].map(|kind| json!({ "type": kind }));
        assert_eq!(schema, json!({ "properties": { "a": { "anyOf": kinds } }, "required": ["a"], "type": "object" }));
    }

    #[test]
    fn a_schema_that_refers_to_its_definition_is_that() {
        let mut schema = json!({ "$ref": "#/definitions/x", "definitions": { "x": { "type": "object", "properties": { "a": {} } } } });
        assert!(flatten_top(&mut schema, &mut Copies::default()));
        assert_eq!(schema["properties"], json!({ "a": {} }));
        let mut endless = json!({ "$ref": "#/$defs/x", "$defs": { "x": { "anyOf": [{ "$ref": "#/$defs/x" }] } } });
        assert!(flatten_top(&mut endless, &mut Copies::default()));
        let many = vec![json!({ "$ref": "#/$defs/x" }); 10];
        let mut wide = json!({ "$ref": "#/$defs/x", "$defs": { "x": { "anyOf": many } } });
        assert!(flatten_top(&mut wide, &mut Copies::default()));
        for ended in [endless, wide] {
            assert!(REFUSED.iter().all(|keyword| ended.get(keyword).is_none()), "{ended}");
        }
    }

    #[test]
    fn a_plain_object_stays_as_it_is() {
        for plain in [
            json!({ "type": "object", "properties": { "a": { "anyOf": [{ "type": "string" }, { "type": "null" }] } }, "$schema": "x" }),
            json!({}),
            json!(true),
        ] {
            let mut schema = plain.clone();
            assert!(!flatten_top(&mut schema, &mut Copies::default()));
            assert_eq!(schema, plain);
        }
    }

    #[test]
    fn a_large_schema_is_not_copied_wherever_it_is_referred_to() {
        let properties: Object = (0..9_000).map(|each| (format!("p{each}"), json!({}))).collect();
        let branches: Vec<Value> = (0..200)
            .map(|each| json!({ "$ref": "#/$defs/large", "properties": { (format!("q{each}")): {} } }))
            .collect();
        let mut schema = json!({ "anyOf": branches, "$defs": { "large": { "properties": properties } } });
        let mut copies = Copies::default();
        assert!(flatten_top(&mut schema, &mut copies));
        assert_eq!(copies.0, 0, "the sixth copy found no room");
        let found = schema["properties"].as_object().expect("properties");
        assert_eq!(found.len(), 9_200, "what is not copied again is there all the same");
        let mut small = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "properties": { "x": {} } } } });
        assert!(flatten_top(&mut small, &mut copies));
        assert!(small.get("properties").is_none(), "the room is that of all tools of a request");
    }
}
