//! A key for a client: what an operator asks for, the key itself, and the entry of `keys` that stands for it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{hash_key, hash_text};

/// What every key begins with.
const PREFIX: &str = "sk-llmio-";

/// The characters a key is made of.
const CHARACTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 43 characters of 62 hold 256 bits.
const CHARACTERS_COUNT: usize = 43;

/// The body of `POST /api/keys`. It is checked only when its entry is validated with the whole catalog.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The key's name, which records show.
    pub name: String,
    /// The models it may use. Default: all.
    pub models: Option<Vec<String>>,
    /// When it expires, as RFC 3339 writes it. Default: never.
    pub expires: Option<String>,
    /// What it may spend, as `keys[].limits` writes it. Default: no limits.
    pub limits: Option<Map<String, Value>>,
    /// Tags of providers that its calls must not go to. Default: none.
    pub avoid: Option<Vec<String>>,
    /// The team whose limits hold besides its own. Default: none.
    pub team: Option<String>,
    /// The networks that it may be used from. Default: anywhere.
    pub ips: Option<Vec<String>>,
    /// Whether it may be used. Default: yes.
    pub enabled: Option<bool>,
    /// Which of its calls' bodies are kept. Default: as the settings say.
    pub record_bodies: Option<String>,
    /// Whether its holder may read them. Default: no.
    pub see_bodies: Option<bool>,
}

impl NewKey {
    /// The entry of `keys` for this key. It holds the key's hash and never the key.
    pub fn entry(self, key: &str) -> Map<String, Value> {
        let NewKey { name, models, expires, limits, avoid, team, ips, enabled, record_bodies, see_bodies } = self;
        let optional = [
            ("models", models.map(Value::from)),
            ("expires", expires.map(Value::from)),
            ("limits", limits.map(Value::from)),
            ("avoid", avoid.map(Value::from)),
            ("team", team.map(Value::from)),
            ("ips", ips.map(Value::from)),
            ("enabled", enabled.map(Value::from)),
            ("record_bodies", record_bodies.map(Value::from)),
            ("see_bodies", see_bodies.map(Value::from)),
        ];
        let mut entry = Map::new();
        entry.insert("name".to_owned(), name.into());
        entry.insert("hash".to_owned(), hash_text(&hash_key(key)).into());
        entry.extend(optional.into_iter().filter_map(|(member, value)| Some((member.to_owned(), value?))));
        entry
    }
}

/// A key that nobody can guess, given a source of random bytes. The characters are drawn without bias: a byte beyond the
/// last whole multiple of 62 is thrown away.
pub fn new_key(random_bytes: &mut impl FnMut() -> [u8; 64]) -> String {
    let unbiased = 256 - 256 % CHARACTERS.len();
    let mut key = PREFIX.to_owned();
    while key.len() < PREFIX.len() + CHARACTERS_COUNT {
        let drawn = random_bytes();
        let fitting = drawn.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < unbiased);
        let missing = PREFIX.len() + CHARACTERS_COUNT - key.len();
        let characters = fitting.take(missing).filter_map(|byte| CHARACTERS.get(byte % CHARACTERS.len()));
        key.extend(characters.map(|character| char::from(*character)));
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_drawn_without_bias_until_it_is_whole() {
        // Bytes from 248 up would make the first eight characters more likely than the others.
        let mut rounds = 0;
        let key = new_key(&mut || {
            rounds += 1;
            let mut bytes = [255; 64];
            for (byte, drawn) in bytes.iter_mut().zip([0, 61, 62, 247, 248]) {
                *byte = drawn;
            }
            bytes
        });
        assert_eq!(key, format!("sk-llmio-{}", &"0z0z".repeat(11)[..43]));
        assert_eq!(rounds, 11, "four of 64 bytes fit in each round");
    }

    #[test]
    fn the_entry_of_a_key_holds_what_was_asked_for_and_the_hash() {
        let entry = |body: &str| {
            let new_key: NewKey = serde_json::from_str(body).expect("a body");
            Value::Object(new_key.entry("sk-llmio-x")).to_string()
        };
        let hash = hash_text(&hash_key("sk-llmio-x"));
        assert_eq!(entry(r#"{"name":"k"}"#), format!(r#"{{"name":"k","hash":"{hash}"}}"#));
        assert_eq!(
            entry(r#"{"expires":"2999-12-31T00:00:00Z","models":["m","n*"],"name":"k"}"#),
            format!(r#"{{"name":"k","hash":"{hash}","models":["m","n*"],"expires":"2999-12-31T00:00:00Z"}}"#)
        );
        assert_eq!(
            entry(r#"{"name":"k","limits":{"rpm":5,"budget":"5 USD/day"},"avoid":["t"],"enabled":false}"#),
            format!(
                r#"{{"name":"k","hash":"{hash}","limits":{{"rpm":5,"budget":"5 USD/day"}},"avoid":["t"],"enabled":false}}"#
            )
        );
        assert_eq!(
            entry(r#"{"ips":["10.0.0.0/8"],"name":"k","team":"t"}"#),
            format!(r#"{{"name":"k","hash":"{hash}","team":"t","ips":["10.0.0.0/8"]}}"#)
        );
        for body in [r#"{"nmae":"k"}"#, r#"{"name":"k","hash":"sha256:x"}"#] {
            assert!(serde_json::from_str::<NewKey>(body).is_err(), "{body}");
        }
    }
}
