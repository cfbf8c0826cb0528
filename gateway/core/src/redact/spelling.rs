//! The ways in which a text is written within another: JSON's escapes, percent-encoding, HTML's references, and each of
//! these twice if one document is inside another.

/// Whether a place of a text spells the text that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpellingMatch {
    /// It does, in this many bytes.
    Whole(usize),
    /// The text ends before that is certain.
    Begun,
    /// It does not.
    Not,
}

/// The most backslashes in a row that nested documents can need.
const BACKSLASHES_MAX: usize = 16;

/// Whether `text` begins with `expected`, with each byte spelled in any way.
pub(super) fn spelled(text: &[u8], expected: &[u8]) -> SpellingMatch {
    let mut at = 0;
    for byte in expected {
        match one(text.get(at..).unwrap_or_default(), *byte) {
            SpellingMatch::Whole(length) => at += length,
            other => return other,
        }
    }
    SpellingMatch::Whole(at)
}

/// The bytes that the spellings of a byte can begin with.
pub(super) fn beginnings(byte: u8) -> [u8; 4] {
    [byte, b'\\', b'%', b'&']
}

fn one(text: &[u8], expected: u8) -> SpellingMatch {
    let Some(first) = text.first() else { return SpellingMatch::Begun };
    let escaped = match first {
        b'\\' => backslashes(text, expected),
        b'%' => percent(text, expected),
        b'&' => reference(text, expected),
        _ => SpellingMatch::Not,
    };
    match escaped {
        SpellingMatch::Not if *first == expected => SpellingMatch::Whole(1),
        other => other,
    }
}

/// `\/`, `\u002f`, `\x2f`, with more backslashes for nested documents.
fn backslashes(text: &[u8], expected: u8) -> SpellingMatch {
    let count = text.iter().take(BACKSLASHES_MAX).take_while(|byte| **byte == b'\\').count();
    let Some(next) = text.get(count) else { return SpellingMatch::Begun };
    let code = match next {
        b'u' => number(text, count + 1, 4, 16),
        b'x' => number(text, count + 1, 2, 16),
        _ => Number::None,
    };
    match code {
        Number::Is(code, end) if code == u32::from(expected) => SpellingMatch::Whole(end),
        Number::Begun => SpellingMatch::Begun,
        _ if *next == expected => SpellingMatch::Whole(count + 1),
        _ => SpellingMatch::Not,
    }
}

/// `%2F`, and `%252F` if it was encoded twice.
fn percent(text: &[u8], expected: u8) -> SpellingMatch {
    let mut at = 1;
    while text.get(at..at + 2) == Some(b"25") && at < BACKSLASHES_MAX {
        at += 2;
    }
    if expected == b'%' {
        return match at {
            1 if b"%25".starts_with(text) => SpellingMatch::Begun,
            1 => SpellingMatch::Not,
            _ => SpellingMatch::Whole(at),
        };
    }
    match number(text, at, 2, 16) {
        Number::Is(code, end) if code == u32::from(expected) => SpellingMatch::Whole(end),
        Number::Begun => SpellingMatch::Begun,
        _ => SpellingMatch::Not,
    }
}

/// `&#47;`, `&#x2F;` and the names of HTML.
fn reference(text: &[u8], expected: u8) -> SpellingMatch {
    const NAMES: [(&[u8], u8); 6] =
        [(b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\''), (b"&sol;", b'/')];
    const BYTES_MAX: usize = 10;
    for (name, byte) in NAMES {
        if text.starts_with(name) && byte == expected {
            return SpellingMatch::Whole(name.len());
        }
        if name.starts_with(text) && byte == expected {
            return SpellingMatch::Begun;
        }
    }
    let Some(rest) = text.strip_prefix(b"&#") else {
        return if text.len() == 1 { SpellingMatch::Begun } else { SpellingMatch::Not };
    };
    let Some(end) = rest.iter().take(BYTES_MAX).position(|byte| *byte == b';') else {
        return if rest.len() < BYTES_MAX { SpellingMatch::Begun } else { SpellingMatch::Not };
    };
    let digits = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    if code == Ok(u32::from(expected)) { SpellingMatch::Whole(2 + end + 1) } else { SpellingMatch::Not }
}

enum Number {
    /// The character, and where its spelling ends.
    Is(u32, usize),
    /// The text ends within the spelling.
    Begun,
    None,
}

fn number(text: &[u8], at: usize, digits: usize, radix: u32) -> Number {
    let mut code = 0;
    for place in at..at + digits {
        let Some(byte) = text.get(place) else { return Number::Begun };
        let Some(digit) = char::from(*byte).to_digit(radix) else { return Number::None };
        code = code * radix + digit;
    }
    Number::Is(code, at + digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_where_the_text_ends_is_one_that_may_still_become_it() {
        for (text, found) in [
            ("a/b", SpellingMatch::Whole(3)),
            ("a", SpellingMatch::Begun),
            ("a\\", SpellingMatch::Begun),
            (r"a\u00", SpellingMatch::Begun),
            ("a%2", SpellingMatch::Begun),
            ("a%25", SpellingMatch::Begun),
            ("a&#4", SpellingMatch::Begun),
            ("a&", SpellingMatch::Begun),
            (r"a\n", SpellingMatch::Not),
            ("a%2e", SpellingMatch::Not),
            ("a&nbsp;", SpellingMatch::Not),
            ("ab", SpellingMatch::Not),
        ] {
            assert_eq!(spelled(text.as_bytes(), b"a/b"), found, "{text}");
        }
        assert_eq!(spelled(b"%25b", b"%b"), SpellingMatch::Whole(4));
        assert_eq!(spelled(b"%b", b"%b"), SpellingMatch::Whole(2));
        assert_eq!(spelled(br"\u0026", b"&"), SpellingMatch::Whole(6));
        assert_eq!(spelled(br"\\", br"\"), SpellingMatch::Begun);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_looking_for_a_text_panic(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            let _ = spelled(&text, b"a/b%\\&");
            let _ = spelled(&[b"\\u%&#x", text.as_slice()].concat(), b"a/b");
        }
    }
}
