//! Keys that clients put into a field for a name, such as the user agent.

/// What the keys of providers and of llmio begin with. From the providers' consoles and the patterns of GitHub's secret
/// scanning:
/// <https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns>.
const PREFIXES: [&str; 22] = [
    "sk-",
    "sk_",
    "pk-",
    "ak-",
    "rk-",
    "AIza",
    "gsk_",
    "xai-",
    "hf_",
    "nvapi-",
    "r8_",
    "pplx-",
    "csk-",
    "fw_",
    "tgp_",
    "ghp_",
    "gho_",
    "github_pat_",
    "eyJ",
    "AKIA",
    "key-",
    "AQ.",
];

/// Shorter words are names and versions.
const BYTES_MIN: usize = 16;

/// A word of letters and digits that is at least this long is no name.
const BYTES_MIN_OF_RANDOM: usize = 32;

/// The mark in place of a key.
pub(crate) const KEY_MARK: &str = "(key)";

/// A text without the words that are keys. `own` tells whether a word is a key of llmio.
pub fn without_keys(text: &str, own: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|each: char| !is_of_word(each)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        kept.push_str(if is_key(word) || (!word.is_empty() && own(word)) { KEY_MARK } else { word });
        let mark = behind.chars().next().map_or(0, char::len_utf8);
        let (mark, behind) = behind.split_at(mark);
        kept.push_str(mark);
        rest = behind;
    }
    kept
}

/// Whether a key may have this character.
pub(crate) fn is_of_word(each: char) -> bool {
    each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.' | '~' | '+')
}

/// Whether a word begins as keys do, and is as long as keys are.
pub(crate) fn has_shape_of_key(word: &str) -> bool {
    word.len() >= BYTES_MIN && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

fn is_key(word: &str) -> bool {
    let is_hex_and_dashes = || word.contains('-') && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_random = || {
        word.len() >= BYTES_MIN_OF_RANDOM
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !word.contains('.')
            && !is_hex_and_dashes()
    };
    has_shape_of_key(word) || is_random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_and_names_and_versions_stay() {
        for (text, kept) in [
            ("curl/8.5.0", "curl/8.5.0"),
            ("OpenAI/Python 1.99.1", "OpenAI/Python 1.99.1"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            ),
            ("codex_cli_rs/0.40.0 (Ubuntu 24.4.0; x86_64)", "codex_cli_rs/0.40.0 (Ubuntu 24.4.0; x86_64)"),
            ("app session 0197c2f0-1c1e-7000-8000-0123456789ab", "app session 0197c2f0-1c1e-7000-8000-0123456789ab"),
            ("app/1 sk-proj-0123456789abcdef", "app/1 (key)"),
            ("app (key=AIzaSyA-0123456789_abcdefg; x)", "app (key=(key); x)"),
            ("Bearer sk-llmio-0123456789abcdef,x", "Bearer (key),x"),
            ("app:0123456789abcdef0123456789abcdef", "app:(key)"),
            ("agent llmios-own", "agent (key)"),
        ] {
            assert_eq!(without_keys(text, |word| word == "llmios-own"), kept);
        }
    }
}
