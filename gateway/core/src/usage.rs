//! The usage that a provider reports for a call, in one form for every spelling.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::scan::Name;

/// Token counts of one call. `None` is unknown, which is not zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: Option<u64>,
    /// Prompt tokens read from a cache.
    pub cache_read_tokens: Option<u64>,
    /// Prompt tokens written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// Tokens generated, reasoning included.
    pub output_tokens: Option<u64>,
    /// Generated tokens that were reasoning.
    pub reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Takes over what a later report of the same call knows. A zero does not replace a number, since some providers
    /// write zeroes into all reports but one.
    pub fn update(&mut self, later: Usage) {
        let newer = |old: Option<u64>, new: Option<u64>| new.filter(|count| *count > 0 || old.is_none()).or(old);
        self.input_tokens = newer(self.input_tokens, later.input_tokens);
        self.cache_read_tokens = newer(self.cache_read_tokens, later.cache_read_tokens);
        self.cache_write_tokens = newer(self.cache_write_tokens, later.cache_write_tokens);
        self.output_tokens = newer(self.output_tokens, later.output_tokens);
        self.reasoning_tokens = newer(self.reasoning_tokens, later.reasoning_tokens);
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Usage::default()
    }
}

/// The largest count that is believed. No context window comes near it, and a larger number would spoil every total.
const TOKENS_MAX: u64 = 1 << 40;

/// A count of tokens. Negative, fractional and absurd numbers are unknown.
pub(crate) fn tokens(value: &Value) -> Option<u64> {
    value.as_u64().filter(|count| *count <= TOKENS_MAX)
}

/// Something that counts can be read from.
pub(crate) trait Counts {
    /// The count at the end of a path of names.
    fn count(&self, path: &[&str]) -> Option<u64>;
}

impl Counts for Value {
    fn count(&self, path: &[&str]) -> Option<u64> {
        path.iter().try_fold(self, |value, name| value.get(name)).and_then(tokens)
    }
}

/// The members of an object as slices of its text. Usage is read from them without a tree, which would cost an
/// allocation for every name and number.
pub(crate) struct Members<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl Counts for Members<'_> {
    fn count(&self, path: &[&str]) -> Option<u64> {
        let (name, rest) = path.split_first()?;
        // If a name occurs twice, the last member counts, as in a tree.
        let (_, value) = self.0.iter().rev().find(|(member, _)| member == name)?;
        if rest.is_empty() {
            return value.get().parse().ok().filter(|count| *count <= TOKENS_MAX);
        }
        serde_json::from_str::<Members<'_>>(value.get()).ok()?.count(rest)
    }
}

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_the_same_in_a_text_and_in_its_tree() {
        let text = r#"{"a":1,"b":{"c":2,"d":{"e":3},"c":4},"\u0066":5,"g":-1,"h":1.0,"i":"7","j":null,"k":1e3,
            "l":99999999999999999999,"m":[1],"n":0,"a":6}"#;
        let (tree, members) = (serde_json::from_str::<Value>(text), serde_json::from_str::<Members<'_>>(text));
        let (tree, members) = (tree.expect("JSON"), members.expect("an object"));
        let paths: [&[&str]; 16] = [
            &["a"],
            &["b", "c"],
            &["b", "d", "e"],
            &["f"],
            &["g"],
            &["h"],
            &["i"],
            &["j"],
            &["k"],
            &["l"],
            &["m"],
            &["n"],
            &["o"],
            &["a", "b"],
            &["b"],
            &[],
        ];
        for path in paths {
            assert_eq!(members.count(path), tree.count(path), "{path:?}");
        }
        assert_eq!(
            [members.count(&["a"]), members.count(&["b", "c"]), members.count(&["f"])],
            [Some(6), Some(4), Some(5)]
        );
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for text in ["1", "[]", "\"a\"", "null", "{\"a\":}", "{"] {
            assert!(serde_json::from_str::<Members<'_>>(text).is_err(), "{text}");
        }
    }
}
