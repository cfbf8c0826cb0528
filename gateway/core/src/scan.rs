//! JSON looked through without being parsed: where its strings end, and how deep it nests.

/// Where the string that has begun before `at` ends: its closing quote, or the end of `bytes`. Strings are most of a
/// prompt, so they are passed over as runs.
pub(crate) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

/// Follows the brackets of a text that comes in pieces. Those inside strings do not count.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    /// How many are open.
    pub(crate) depth: u32,
    in_string: bool,
    is_escaped: bool,
}

impl Nesting {
    /// Takes the next byte. Whether it opens a bracket.
    pub(crate) fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                return true;
            }
            _ => {}
        }
        false
    }
}
