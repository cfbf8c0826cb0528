//! A key made on this machine alone, for a catalog file: no store is touched and the key is never sent anywhere. The
//! forms of key and hash are the documented ones; that the component takes them is tested against its own code.

use anyhow::Result;
use jiff::Timestamp;
use rand::distr::{Alphanumeric, SampleString};
use serde::Serialize;
use sha2::{Digest, Sha256};

const PREFIX: &str = "sk-llmio-";

/// 43 characters of 62 hold 256 bits.
const CHARACTERS_COUNT: usize = 43;

/// One of `keys`, as catalogs and the admin API write it.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

#[derive(Serialize)]
struct Section<'e> {
    keys: [&'e Entry; 1],
}

impl Entry {
    /// A key that is not made yet.
    pub(super) fn new(name: String, models: Option<Vec<String>>, expires: Option<Timestamp>) -> Entry {
        Entry { name, hash: None, models, expires: expires.map(|expires| format!("{expires:.0}")) }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The entry of this key.
    pub(super) fn with_hash_of(self, key: &str) -> Entry {
        let digest = Sha256::digest(key.as_bytes());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Entry { hash: Some(format!("sha256:{digits}")), ..self }
    }

    /// The lines of a catalog file, to be added at its end.
    pub(super) fn to_toml(&self) -> Result<String> {
        Ok(format!("\n{}", toml::to_string(&Section { keys: [self] })?))
    }
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
        let expires = "2027-01-01T00:00:00.123Z".parse().expect("a time");
        let entry = Entry::new("my \"laptop\"".into(), Some(vec!["*".into()]), Some(expires)).with_hash_of(&key);
        let lines = entry.to_toml().expect("lines");
        assert!(lines.starts_with("\n[[keys]]\n"), "{lines}");
        assert!(!lines.contains(&key), "the file never holds the key");
        let document = Document::from_toml(&lines).expect("TOML");
        let entry = &document.as_json()["keys"][0];
        assert_eq!(entry["name"], "my \"laptop\"");
        assert_eq!(entry["hash"], hash_text(&hash_key(&key)));
        assert_eq!(entry["expires"], "2027-01-01T00:00:00Z");
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
