//! The lines of `llmio catalog diff`. The component says what differs; this module puts it into words.

use crate::commands::output::plain;
use crate::language::Language;
use serde::Deserialize;

/// What the component says of an import that would be accepted.
#[derive(Deserialize)]
pub(super) struct Differences {
    changes: Vec<Change>,
}

/// One difference.
#[derive(Deserialize)]
struct Change {
    path: String,
    #[serde(flatten)]
    difference: Difference,
}

/// What is different; values are text to show as it is.
#[derive(Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
enum Difference {
    Added { value: Option<String> },
    Removed { value: Option<String> },
    Changed { before: String, after: String },
    Hidden,
    SecretGiven,
}

impl Differences {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// One line each.
    pub(super) fn report(&self, language: Language) -> String {
        let line =
            |change: &Change| format!("{}: {}\n", plain(&change.path), plain(&in_words(&change.difference, language)));
        self.changes.iter().map(line).collect()
    }
}

fn in_words(difference: &Difference, language: Language) -> String {
    let with_value = |word: &str, value: &Option<String>| match value {
        Some(value) => format!("{word} {value}"),
        None => word.to_owned(),
    };
    match difference {
        Difference::Added { value } => with_value(language.pick("added", "新增"), value),
        Difference::Removed { value } => with_value(language.pick("removed", "删除"), value),
        Difference::Changed { before, after } => format!("{before} → {after}"),
        Difference::Hidden => language.pick("changed (not shown)", "有变化（不显示）").to_owned(),
        Difference::SecretGiven => {
            language.pick("a secret is given (secrets are not compared)", "写有密钥（密钥不作比较）").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(changes: &str, language: Language) -> String {
        let answer = format!(r#"{{"changes":[{changes}],"kept":[],"warnings":[]}}"#);
        serde_json::from_str::<Differences>(&answer).expect("an answer").report(language)
    }

    #[test]
    fn each_change_is_a_line_in_either_language() {
        let changes = r#"{"path":"keys[k]","change":"removed"},{"path":"a.b","change":"added","value":"1"},
            {"path":"c","change":"changed","before":"1","after":"2"},{"path":"d","change":"secret_given"}"#;
        let expected = "keys[k]: removed\na.b: added 1\nc: 1 → 2\nd: a secret is given (secrets are not compared)\n";
        assert_eq!(report(changes, Language::English), expected);
        assert_eq!(report(r#"{"path":"keys[k]","change":"removed"}"#, Language::Chinese), "keys[k]: 删除\n");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let lines = report(r#"{"path":"keys[\u001b[2J]","change":"hidden"}"#, Language::English);
        assert_eq!(lines, "keys[\u{fffd}[2J]: changed (not shown)\n");
    }
}
