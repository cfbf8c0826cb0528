//! Warnings about a catalog that can be served: missing secrets, and secrets that look like something else. No warning
//! shows the value.

use super::schema::format::is_word;
use super::{Catalog, Secret, Value};

/// How other programs refer to a variable, and how documentation marks the place of a key: the text before and after
/// the name.
const REFERENCES: [(&str, &str); 15] = [
    ("$", ""),
    ("$env:", ""),
    ("$(", ")"),
    ("$$", ""),
    ("{{", "}}"),
    ("{", "}"),
    ("%", "%"),
    ("<", ">"),
    ("[", "]"),
    ("os.environ/", ""),
    ("os.environ.", ""),
    ("process.env.", ""),
    ("env/", ""),
    ("env:", ""),
    ("env.", ""),
];

const QUOTATION_MARKS: [char; 3] = ['"', '\'', '`'];

const IS_REFERENCE: &str =
    "It looks like the name of a variable and is sent as it stands. llmio reads the variable of `${NAME}`.";

const IS_QUOTED: &str = "It begins or ends with a quotation mark, which is sent as a part of it. Take the mark out if it does not belong to the value.";

impl Catalog {
    /// All warnings, each with its place: `provider relay-x, credential first: …`.
    pub fn warnings(&self) -> Vec<String> {
        let doubtful = self.values().filter_map(|(place, value)| match value {
            Value::Plain(secret) => Some((place, doubt(secret)?.to_owned())),
            Value::Sealed(_) | Value::Variable(_) | Value::File(_) | Value::Missing(_) => None,
        });
        let all = self.missing().into_iter().chain(doubtful);
        all.map(|(place, reason)| format!("{place}: {reason}")).collect()
    }
}

/// What a value looks like that is probably no secret. Blanks need no warning, since they are refused.
fn doubt(secret: &Secret) -> Option<&'static str> {
    let text = secret.expose();
    let bare = text.trim_matches(QUOTATION_MARKS);
    let is_name_in = |(before, behind): &(&str, &str)| {
        bare.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind)).map(str::trim).is_some_and(is_word)
    };
    if REFERENCES.iter().any(is_name_in) {
        return Some(IS_REFERENCE);
    }
    (bare.len() < text.len()).then_some(IS_QUOTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    #[test]
    fn what_looks_like_a_variable_or_is_quoted_is_doubted_and_not_shown() {
        for (text, message) in [
            ("$OPENAI_KEY", Some(IS_REFERENCE)),
            ("$env:OPENAI_KEY", Some(IS_REFERENCE)),
            ("os.environ/OPENAI_KEY", Some(IS_REFERENCE)),
            ("\"$OPENAI_KEY\"", Some(IS_REFERENCE)),
            ("{{OPENAI_KEY}}", Some(IS_REFERENCE)),
            ("<YOUR_KEY>", Some(IS_REFERENCE)),
            ("%OPENAI_KEY%", Some(IS_REFERENCE)),
            ("'sk-1'", Some(IS_QUOTED)),
            ("sk-1\"", Some(IS_QUOTED)),
            ("sk-1", None),
            ("sk-proj-$x.y", None),
            ("AIza/env:x", None),
            ("eyJhbGciOi.J9%3D", None),
        ] {
            assert_eq!(doubt(&Secret::new(text)), message, "{text}");
        }
    }

    #[test]
    fn warnings_name_the_place_of_what_is_missing_and_of_what_is_doubtful() {
        let toml = "[[providers]]\nname = \"p\"\nbase_url = \"https://p.example\"\n\
                    credentials = [\"${NONE}\", \"$KEY\", { variable = \"QUOTED\", label = \"second\" }]";
        let document = Document::from_toml(toml).expect("TOML");
        let mut catalog = document.validate().expect("a valid catalog");
        catalog.resolve(None, &|name| (name == "QUOTED").then(|| "'k'".to_owned()));
        let warnings = catalog.warnings();
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].starts_with("provider p, credential NONE: The variable NONE is not set"), "{warnings:?}");
        assert_eq!(warnings[1], format!("provider p, credential #2: {IS_REFERENCE}"));
        assert_eq!(warnings[2], format!("provider p, credential second: {IS_QUOTED}"));
    }
}
