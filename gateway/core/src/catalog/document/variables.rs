//! References to variables in the texts of a document: `base_url = "${OLLAMA_URL:-http://127.0.0.1:11434/v1}"`.
//!
//! They are filled in before the document is validated, so that the value of a variable is checked like any other. The
//! stored document keeps the reference. Secrets are filled in elsewhere
//! ([`Catalog::resolve`](crate::catalog::Catalog::resolve)), because a missing secret only disables its credential,
//! while a document with a missing text cannot be validated.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Document;
use crate::catalog::schema::{format, join};
use crate::problem::{Problem, Problems};

/// Members in which nothing is filled in: secrets have references of their own, and other texts are quoted from
/// providers.
const NOT_FILLED: [&str; 9] =
    ["credentials", "default", "egress", "error_match", "errors", "headers", "query", "remove", "set"];

/// The beginning of a reference. With its first character doubled it is plain text.
const BEGINS: &str = "${";

impl Document {
    /// The variables that texts of the document name, each once, sorted.
    pub fn text_variables(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for_each_text(&mut self.sections.clone(), "", &mut |_, text| {
            names.extend(parts(text).into_iter().flatten().filter_map(|part| match part {
                Part::Variable { name, .. } => Some(name.to_owned()),
                Part::Text(_) => None,
            }));
        });
        names.into_iter().collect()
    }

    /// The document with all references replaced.
    pub fn filled(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Document, Problems> {
        let (mut sections, mut problems) = (self.sections.clone(), Problems(Vec::new()));
        for_each_text(&mut sections, "", &mut |path, text| match filled(text, variable) {
            Ok(filled) => *text = filled,
            Err(message) => problems.0.push(Problem::new(path, message)),
        });
        problems.into_result().map(|()| Document { sections })
    }
}

/// Visits every text that may hold a reference.
fn for_each_text(map: &mut Map<String, Value>, path: &str, visit: &mut dyn FnMut(&str, &mut String)) {
    for (name, value) in map.iter_mut().filter(|(name, _)| !NOT_FILLED.contains(&name.as_str())) {
        for_each_within(value, &join(path, name), visit);
    }
}

fn for_each_within(value: &mut Value, path: &str, visit: &mut dyn FnMut(&str, &mut String)) {
    match value {
        Value::String(text) if text.contains(BEGINS) => visit(path, text),
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                for_each_within(value, &format!("{path}[{index}]"), visit);
            }
        }
        Value::Object(map) => for_each_text(map, path, visit),
        _ => {}
    }
}

fn filled(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    for part in parts(text)? {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Variable { name, default } => {
                let value = variable(name).filter(|value| !value.is_empty());
                let value = value.or(default.map(str::to_owned)).ok_or_else(|| {
                    format!("the variable {name} is not set; set it, or give a default: `${{{name}:-…}}`")
                })?;
                filled.push_str(value.trim());
            }
        }
    }
    Ok(filled)
}

enum Part<'t> {
    Text(&'t str),
    Variable { name: &'t str, default: Option<&'t str> },
}

/// A part of a text.
fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, behind)) = rest.split_once(BEGINS) {
        // After another `$` it is plain text.
        if let Some(before) = before.strip_suffix('$') {
            parts.extend([Part::Text(before), Part::Text(BEGINS)]);
            rest = behind;
            continue;
        }
        let wrong =
            || "has a `${` that names no variable, like `${NAME}` or `${NAME:-default}`; `$${` is the text itself";
        let (reference, after) = behind.split_once('}').ok_or_else(wrong)?;
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !format::is_word(name) {
            return Err(wrong().to_owned());
        }
        format::variable_name(name)?;
        parts.extend([Part::Text(before), Part::Variable { name, default }]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::from_toml(text).expect("TOML")
    }

    fn set(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("a.example".to_owned()),
            "ZONE" => Some("Asia/Shanghai\n".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn a_text_is_filled_in_whole_or_in_part_or_by_its_default() {
        for (text, filled) in [
            ("https://${HOST}/v1", "https://a.example/v1"),
            ("${ZONE}", "Asia/Shanghai"),
            ("${NONE:-http://127.0.0.1:1/v1}", "http://127.0.0.1:1/v1"),
            ("${EMPTY:-x}${HOST:-y}", "xa.example"),
            ("$${HOST} $$ $", "${HOST} $$ $"),
        ] {
            let found = document(&format!("[settings]\nzone = \"{text}\"")).filled(&set).expect(text);
            assert_eq!(found.as_json()["settings"]["zone"], filled, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_says_where_and_what_to_do() {
        for (text, message) in [
            ("${NONE}", "the variable NONE is not set; set it, or give a default: `${NONE:-…}`"),
            ("${EMPTY}", "the variable EMPTY is not set; set it, or give a default: `${EMPTY:-…}`"),
            ("${master_key}", "must not be a variable of llmio itself; give the provider's key a name of its own"),
        ] {
            let problems = document(&format!("[[providers]]\nbase_url = \"{text}\"")).filled(&set).expect_err(text);
            assert_eq!(problems.to_string(), format!("providers[0].base_url: {message}"));
        }
        for text in ["${HOST", "${}", "${A B}", "x${"] {
            let problems = document(&format!("[[keys]]\nname = \"{text}\"")).filled(&set).expect_err(text);
            assert!(problems.to_string().contains("names no variable"), "{problems}");
        }
    }

    #[test]
    fn secrets_and_other_peoples_words_are_left_alone() {
        let text = "[[providers]]\nname = \"${HOST}\"\ncredentials = [\"${A}\", { value = \"${B}\" }]\n\
            headers = { x = \"${C}\" }\nquery = { y = \"${D}\" }\negress = \"${E}\"\nerror_match = [\"${F\"]\n\
            errors = [{ match = \"${G\", is = \"rate\" }]\n\
            [[models]]\ntargets = [{ provider = \"${HOST}\", set = { a = \"${H\" }, default = { b = \"${I\" } }]";
        let document = document(text);
        assert_eq!(document.text_variables(), ["HOST"]);
        let filled = document.filled(&set).expect("nothing else is looked at");
        assert_eq!(filled.as_json()["providers"][0]["name"], "a.example");
        assert_eq!(filled.as_json()["models"][0]["targets"][0]["provider"], "a.example");
        for member in ["credentials", "headers", "query", "egress", "errors", "error_match"] {
            assert_eq!(filled.as_json()["providers"][0][member], document.as_json()["providers"][0][member]);
        }
    }
}
