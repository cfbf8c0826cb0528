//! Admin token and master key: made at first start, refused when they protect nothing.

use rand::TryRng;
use rand::rngs::SysRng;
use std::net::IpAddr;

/// Fewer characters can be guessed.
pub(crate) const LENGTH_MIN: usize = 16;

/// What samples, tutorials and defaults look like, letters and digits only. The component judges by the same file.
const SAMPLES: &str = include_str!("../../gateway/core/src/authenticate/samples.txt");

/// 256 random bits as 64 hexadecimal digits.
pub(crate) fn generate() -> anyhow::Result<String> {
    let mut bytes = [0u8; 32];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Why a token is too weak for an address others can reach; None when it is not.
pub(crate) fn weakness(token: &str) -> Option<&'static str> {
    let plain: String = token.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let mut characters: Vec<char> = plain.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    if token.is_empty() {
        Some("is empty")
    } else if token.chars().count() < LENGTH_MIN {
        Some("has fewer than 16 characters")
    } else if SAMPLES.lines().any(|sample| plain.contains(sample)) {
        Some("looks like one from a sample")
    } else if characters.len() < 5 {
        Some("repeats a few characters")
    } else {
        None
    }
}

/// Why no client could send a token; None when it can be sent.
pub(crate) fn unsendable(token: &str) -> Option<&'static str> {
    if token.chars().any(char::is_control) {
        Some("holds a line end or another control character")
    } else if token.trim() != token {
        Some("begins or ends with a space")
    } else {
        None
    }
}

/// Whether others can reach what listens on that address.
pub(crate) fn is_beyond_loopback(address: IpAddr) -> bool {
    !address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_sample_and_short_tokens_are_weak() {
        let weak = [
            "",
            "change-me",
            "123456",
            "fifteen-letters",
            "change-me-change-me",
            "your-admin-token-here",
            "aaaaaaaaaaaaaaaaaaaa",
            "1234567890123456",
            "at-least-16-characters",
            "0123456789abcdef0123456789abcdef",
            "put-your-token-here!",
        ];
        for token in weak {
            assert!(weakness(token).is_some(), "{token:?} is weak");
        }
    }

    /// The values that `TOKEN=…`, `token: …` and `--token …` give in a document.
    fn sample_tokens(text: &str) -> Vec<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '$' | '{' | '(');
        let names = ["TOKEN=", "TOKEN: ", "token = \"", "--token "];
        let values = names.iter().flat_map(|name| text.split(name).skip(1));
        let values =
            values.map(|rest| rest.trim_start_matches(['"', '\'']).chars().take_while(|c| is_part(*c)).collect());
        values.filter(|value: &String| !value.is_empty() && !value.starts_with('$')).collect()
    }

    #[test]
    fn no_token_that_stands_in_a_document_protects_anything() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        let folders = ["", "gateway/docs", "runner/docs", "runner/deploy"].map(|folder| root.join(folder));
        let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let texts: Vec<String> = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        let tokens: Vec<String> = texts.iter().flat_map(|text| sample_tokens(text)).collect();
        assert!(!tokens.is_empty(), "no document shows how a token is given");
        for token in tokens {
            assert!(weakness(&token).is_some(), "{token:?} stands in a document and would be accepted");
        }
    }

    #[test]
    fn a_generated_token_is_strong_and_never_the_same() {
        let (one, other) = (generate().expect("randomness"), generate().expect("randomness"));
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        assert_eq!(weakness(&one), None);
        assert_eq!(weakness("correct horse battery"), None);
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_found() {
        for token in ["c5ba29f1a0d34e6f8b17\n", "c5ba29f1\r\na0d34e6f8b17", " c5ba29f1a0d34e6f8b17", "a\u{7f}b"] {
            assert!(unsendable(token).is_some(), "{token:?}");
        }
        assert_eq!(unsendable("correct horse battery"), None);
    }

    #[test]
    fn the_component_judges_tokens_by_the_same_rules() {
        use gateway_core::authenticate::strength::{TokenTrouble, trouble};
        let tokens = [
            "",
            "change-me",
            "aaaaaaaaaaaaaaaaaaaa",
            "correct horse battery",
            "c5ba29f1a0d34e6f8b17\n",
            " c5ba29f1a0d34e6f8b17",
        ];
        let samples: Vec<String> = SAMPLES.lines().map(|sample| format!("c5ba29f1-{sample}-a0d34e6f8b17")).collect();
        for token in tokens.into_iter().chain(samples.iter().map(String::as_str)) {
            let own = unsendable(token).map(TokenTrouble::Unsendable).or(weakness(token).map(TokenTrouble::Weak));
            assert_eq!(trouble(token), own, "{token:?}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_private_to_the_machine() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(!is_beyond_loopback(address.parse().expect("an address")), "{address}");
        }
        for address in ["0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "8.8.8.8"] {
            assert!(is_beyond_loopback(address.parse().expect("an address")), "{address}");
        }
    }
}
