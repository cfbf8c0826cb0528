//! Finds seals in JSON of any dialect, in pieces of any size. It is not a parser: it only follows strings, and a seal
//! is the text behind one of the names that seals have.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::SealId;
use crate::scan::unescaped;

/// Anthropic's `signature` and the `data` of `redacted_thinking`, which chat's `reasoning_details` have as well;
/// Responses' `encrypted_content`; Gemini's `thoughtSignature`, in either spelling.
const NAMES: [&[u8]; 6] =
    [b"signature", b"data", b"encrypted_content", b"thoughtSignature", b"thought_signature", b"id"];

/// Responses: how the id of reasoning begins that only the account which stores it can find.
const STORED: &[u8] = b"rs_";

const NAME_BYTES_MAX: usize = 17;

/// A longer text is a picture.
const SEAL_BYTES_MAX: usize = 1 << 20;

/// The seals of one answer that are remembered.
const SEALS_MAX: usize = 4096;

/// A body in which none of these occurs holds no seal.
static TRACES: LazyLock<[Finder<'static>; 4]> =
    LazyLock::new(|| ["ignature", "encrypted", "redacted", "\"rs_"].map(|trace| Finder::new(trace.as_bytes())));

/// Whether there may be a seal in a text.
pub(crate) fn has_trace(text: &[u8]) -> bool {
    TRACES.iter().any(|trace| trace.find(text).is_some())
}

/// The scan of one document after the other.
#[derive(Debug, Default)]
pub(crate) struct SealScan {
    in_string: bool,
    escaped: bool,
    /// Whether the string is the value behind a name of seals.
    is_value: bool,
    /// The string so far, as it is written, as long as it may matter.
    text: Vec<u8>,
    /// Whether the last string was a name of seals, and then whether its colon has come.
    named: Named,
    /// Whether that name is `id`, which most other things have as well.
    is_id: bool,
    found: Vec<SealId>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Named {
    #[default]
    No,
    Name,
    Colon,
}

impl SealScan {
    /// Reads on.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if !self.in_string {
                // Unless a name of seals has just ended, nothing matters until the next string.
                let passed = match self.named {
                    Named::No => memchr::memchr(b'"', rest).unwrap_or(rest.len()),
                    Named::Name | Named::Colon => 0,
                };
                let Some((&byte, tail)) = rest.get(passed..).and_then(<[u8]>::split_first) else { return };
                self.outside(byte);
                rest = tail;
                continue;
            }
            if std::mem::take(&mut self.escaped) {
                self.keep(&[byte]);
                rest = tail;
                continue;
            }
            let run = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            let (passed, after) = rest.split_at(run);
            self.keep(passed);
            rest = after;
            if let Some((&byte, tail)) = after.split_first() {
                rest = tail;
                match byte {
                    b'"' => self.end_string(),
                    _ => {
                        self.escaped = true;
                        self.keep(b"\\");
                    }
                }
            }
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.in_string = true;
                self.is_value = self.named == Named::Colon;
                self.named = Named::No;
                self.text.clear();
            }
            b':' if self.named == Named::Name => self.named = Named::Colon,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.named = Named::No,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let most = if self.is_value { SEAL_BYTES_MAX } else { NAME_BYTES_MAX };
        // One byte more tells that it is too long.
        let room = (most + 1).saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end_string(&mut self) {
        self.in_string = false;
        if !self.is_value {
            self.named = if NAMES.contains(&self.text.as_slice()) { Named::Name } else { Named::No };
            self.is_id = self.text == b"id";
            return;
        }
        self.is_value = false;
        let is_seal = !self.is_id || self.text.starts_with(STORED);
        if is_seal && self.text.len() <= SEAL_BYTES_MAX && self.found.len() < SEALS_MAX {
            let text = unescaped(&self.text);
            let seal = std::str::from_utf8(&text).ok().and_then(SealId::of);
            self.found.extend(seal.filter(|seal| self.found.last() != Some(seal)));
        }
        self.text = Vec::new();
    }

    /// Takes what was found, and begins with another document.
    pub(crate) fn take(&mut self) -> Vec<SealId> {
        std::mem::take(self).found
    }
}
