//! A key made on this machine alone, for a catalog file: no store is touched and the key is never sent anywhere. The
//! forms of key and hash are the documented ones; that the component takes them is tested against its own code.

use anyhow::Result;
use rand::distr::{Alphanumeric, SampleString};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

const PREFIX: &str = "sk-llmio-";

/// 43 characters of 62 hold 256 bits.
const CHARACTERS_COUNT: usize = 43;

#[derive(Serialize)]
struct Section {
    keys: [toml::Table; 1],
}

/// The lines of a catalog file for a key with these members, to be added at its end.
pub(super) fn lines(name: &str, key: &str, members: Map<String, Value>) -> Result<String> {
    let mut entry = toml::Table::new();
    entry.insert("name".into(), name.into());
    entry.insert("hash".into(), hash(key).into());
    entry.extend(table(members));
    Ok(format!("\n{}", toml::to_string(&Section { keys: [entry] })?))
}

/// Converted by hand, since TOML has no numbers of any precision. A key has texts, lists, tables and whole numbers.
fn table(members: Map<String, Value>) -> toml::Table {
    members.into_iter().filter_map(|(name, value)| Some((name, in_toml(value)?))).collect()
}

fn in_toml(value: Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.into(),
        Value::Number(number) => number.as_i64()?.into(),
        Value::String(text) => text.into(),
        Value::Array(values) => toml::Value::Array(values.into_iter().filter_map(in_toml).collect()),
        Value::Object(members) => toml::Value::Table(table(members)),
    })
}

fn hash(key: &str) -> String {
    let digits: String = Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// A key nobody can guess.
pub(super) fn new_key() -> String {
    format!("{PREFIX}{}", Alphanumeric.sample_string(&mut rand::rng(), CHARACTERS_COUNT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::catalog::{Document, hash_key, hash_text};

    #[test]
    fn the_component_takes_the_lines_and_knows_the_key() {
        let key = new_key();
        let members = serde_json::json!({
            "models": ["*"], "expires": "2027-01-01T00:00:00Z",
            "limits": { "rpm": 20, "tpd": 5_000_000, "concurrent": 3, "budget": "5 USD/day" },
        });
        let Value::Object(members) = members else { panic!("{members}") };
        let lines = lines("my \"laptop\"", &key, members).expect("lines");
        assert!(lines.starts_with("\n[[keys]]\n"), "{lines}");
        assert!(!lines.contains(&key), "the file never holds the key");
        let document = Document::from_toml(&lines).expect("TOML");
        let entry = &document.as_json()["keys"][0];
        assert_eq!(entry["name"], "my \"laptop\"");
        assert_eq!(entry["hash"], hash_text(&hash_key(&key)));
        assert_eq!(entry["expires"], "2027-01-01T00:00:00Z");
        assert_eq!(entry["limits"]["rpm"], 20);
        document.validate().expect("a valid catalog");
    }

    #[test]
    fn keys_have_the_documented_form_and_are_never_the_same() {
        let (one, other) = (new_key(), new_key());
        assert_ne!(one, other);
        let drawn = one.strip_prefix("sk-llmio-").expect("the prefix");
        assert_eq!(drawn.len(), 43);
        assert!(drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{one}");
    }
}
