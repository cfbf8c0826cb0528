//! Whether an admin token protects anything. The runner judges the one it is given before it begins, by the same rules; this
//! is for hosts that judge nothing.

/// Fewer characters can be guessed.
const LENGTH_MIN: usize = 16;

/// Fewer different characters are a pattern.
const DIFFERENT_MIN: usize = 5;

/// What samples, tutorials and defaults look like, letters and digits only.
const SAMPLES: &str = include_str!("samples.txt");

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenTrouble {
    /// No client could send it.
    Unsendable(&'static str),
    /// Others could guess it. It may be used where nobody else can reach llmio.
    Weak(&'static str),
}

impl TokenTrouble {
    /// What is wrong, worded to follow the name of the token.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Unsendable(why) | Self::Weak(why) => why,
        }
    }

    /// Whether it keeps llmio from serving a caller on the same machine, or on another.
    pub fn refuses(self, is_same_machine: bool) -> bool {
        match self {
            Self::Unsendable(_) => true,
            Self::Weak(_) => !is_same_machine,
        }
    }
}

/// What is wrong with this token, if anything is.
pub fn trouble(token: &str) -> Option<TokenTrouble> {
    unsendable(token).map(TokenTrouble::Unsendable).or_else(|| weakness(token).map(TokenTrouble::Weak))
}

fn unsendable(token: &str) -> Option<&'static str> {
    match () {
        () if token.chars().any(char::is_control) => Some("holds a line end or another control character"),
        () if token.trim() != token => Some("begins or ends with a space"),
        () => None,
    }
}

fn weakness(token: &str) -> Option<&'static str> {
    let plain: String = token.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let is_sample = SAMPLES.lines().any(|sample| plain.contains(sample));
    let different: std::collections::BTreeSet<char> = plain.chars().collect();
    match () {
        () if token.is_empty() => Some("is empty"),
        () if token.chars().count() < LENGTH_MIN => Some("has fewer than 16 characters"),
        () if is_sample => Some("looks like one from a sample"),
        () if different.len() < DIFFERENT_MIN => Some("repeats a few characters"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_guessed_may_be_used_on_the_same_machine_only() {
        for (token, why) in [
            ("", "is empty"),
            ("change-me", "has fewer than 16 characters"),
            ("change-me-change-me", "looks like one from a sample"),
            ("aaaaaaaaaaaaaaaaaaaa", "repeats a few characters"),
        ] {
            let trouble = trouble(token).expect("a weak token");
            assert_eq!((trouble.describe(), trouble), (why, TokenTrouble::Weak(why)), "{token:?}");
            assert!(trouble.refuses(false) && !trouble.refuses(true), "{token:?}");
        }
    }

    #[test]
    fn what_no_client_could_send_is_refused_to_everybody() {
        for token in ["c5ba29f1a0d34e6f8b17\n", " c5ba29f1a0d34e6f8b17"] {
            let trouble = trouble(token).expect("no header can carry it");
            assert!(trouble.refuses(true) && trouble.refuses(false), "{token:?}");
        }
    }

    #[test]
    fn random_characters_and_long_sentences_are_tokens() {
        for token in ["c5ba29f1a0d34e6f8b17", "correct horse battery staple", "Übermäßig-lange-Wörter"] {
            assert_eq!(trouble(token), None, "{token:?}");
        }
    }
}
