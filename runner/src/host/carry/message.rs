//! Messages as bytes: numbers, and bytes with their length in front, and at the end a body. The component has its own reader
//! and writer of them, `gateway_core::carry`; the tests of both hold the same bytes.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A number takes this many bytes with seven bits each, so that a message of texts is a text.
const NUMBER_BYTES: usize = 4;
/// For how many headers there is room at first.
const HEADERS_FIRST: usize = 64;
const NUMBER_MAX: u64 = (1 << (7 * NUMBER_BYTES)) - 1;

/// What the answer to a request that was sent begins with: a head, a piece of its body, an error, or what part of the request
/// was not taken.
pub(super) const HEAD: u64 = 0;
pub(super) const CHUNK: u64 = 1;
pub(super) const FAILED: u64 = 2;
pub(super) const REFUSED: u64 = 3;

/// A message that is being written.
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    pub(super) fn with_room(bytes: usize) -> Message {
        Message(Vec::with_capacity(bytes))
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&in_bytes(number));
    }

    /// Writes a number in the place of an earlier one.
    fn number_at(&mut self, place: usize, number: u64) {
        if let Some(bytes) = self.0.get_mut(place..place + NUMBER_BYTES) {
            bytes.copy_from_slice(&in_bytes(number));
        }
    }

    /// A piece of a body that is not written yet, after which more may come.
    pub(super) fn chunk() -> Message {
        let mut message = Message::with_room(1024);
        message.number(CHUNK);
        message.number(1);
        message
    }

    pub(super) fn is_empty_chunk(&self) -> bool {
        self.0.len() == 2 * NUMBER_BYTES
    }

    /// Notes that the piece is the last one.
    pub(super) fn is_last(&mut self) {
        self.number_at(NUMBER_BYTES, 0);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// All headers but forbidden ones.
    pub(super) fn headers(&mut self, headers: &HeaderMap, is_forbidden: impl Fn(&HeaderName) -> bool) {
        let (place, mut count) = (self.0.len(), 0);
        self.number(0);
        for (name, value) in headers.iter().filter(|(name, _)| !is_forbidden(name)) {
            self.bytes(name.as_str().as_bytes());
            self.bytes(value.as_bytes());
            count += 1;
        }
        self.number_at(place, count);
    }
}

/// A larger number becomes the largest one.
fn in_bytes(number: u64) -> [u8; NUMBER_BYTES] {
    let number = number.min(NUMBER_MAX);
    std::array::from_fn(|place| ((number >> (7 * (NUMBER_BYTES - 1 - place))) & 0x7f) as u8)
}

/// What is left of a message that is being read. Whatever the component writes is read without a panic.
pub(super) struct Unread<'m>(pub(super) &'m [u8]);

impl<'m> Unread<'m> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<NUMBER_BYTES>()?;
        if bytes.iter().any(|byte| *byte > 0x7f) {
            return None;
        }
        self.0 = rest;
        Some(bytes.iter().fold(0, |number, byte| (number << 7) | u64::from(*byte)))
    }

    pub(super) fn bytes(&mut self) -> Option<&'m [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'m str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// A text that is not empty.
    pub(super) fn some_text(&mut self) -> Option<Option<&'m str>> {
        Some(Some(self.text()?).filter(|text| !text.is_empty()))
    }

    /// The headers, and whether all of them may stand in a head. The others are left out.
    pub(super) fn headers(&mut self, is_forbidden: impl Fn(&HeaderName) -> bool) -> Option<(HeaderMap, bool)> {
        let count = usize::try_from(self.number()?).ok()?;
        // Each takes at least its two lengths, so that a message cannot claim more memory than it has bytes.
        let mut headers = HeaderMap::with_capacity(count.min(self.0.len() / (2 * NUMBER_BYTES)).min(HEADERS_FIRST));
        let mut are_fine = true;
        for _ in 0..count {
            let (name, value) = (HeaderName::from_bytes(self.bytes()?), HeaderValue::from_bytes(self.bytes()?));
            let is_added = match (name, value) {
                (Ok(name), Ok(value)) if !is_forbidden(&name) => headers.try_append(name, value).is_ok(),
                _ => false,
            };
            are_fine &= is_added;
        }
        Some((headers, are_fine))
    }
}
