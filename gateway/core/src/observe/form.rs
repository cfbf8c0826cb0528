//! Tells the form of a conversation's answer by its first bytes, because providers and the servers in front of them
//! send events as `text/plain` or without a type, and pages as JSON.

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An event stream.
    Events,
    /// A JSON object.
    Object,
    /// A JSON list.
    List,
    /// A web page, or XML.
    Page,
    /// None of these.
    Unreadable,
}

/// The first bytes, until they tell the form. Blank ones are keep-alive bytes and are not held.
#[derive(Debug, Default)]
pub(super) struct FirstBytes {
    bytes: Vec<u8>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The fields of an event, and a comment.
const SIGNS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];

impl FirstBytes {
    /// Adds the next bytes. `says_events` says that the header announces an event stream, which decides if the bytes do
    /// not.
    pub(super) fn add(&mut self, bytes: &[u8], says_events: bool) -> Option<Form> {
        self.bytes.extend_from_slice(bytes);
        if !self.bytes.is_empty() && BYTE_ORDER_MARK.starts_with(&self.bytes) && self.bytes != BYTE_ORDER_MARK {
            return None;
        }
        let begun = self.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.bytes).trim_ascii_start();
        let blank = self.bytes.len() - begun.len();
        self.bytes.drain(..blank);
        let begun = &self.bytes;
        let is_sign = |sign: &&[u8]| begun.starts_with(sign);
        let may_be_sign = |sign: &&[u8]| sign.starts_with(begun);
        match begun.first()? {
            b'{' => Some(Form::Object),
            b'[' => Some(Form::List),
            b'<' => Some(Form::Page),
            _ if says_events || SIGNS.iter().any(is_sign) => Some(Form::Events),
            _ if SIGNS.iter().any(may_be_sign) => None,
            _ => Some(Form::Unreadable),
        }
    }

    /// The bytes that have come, to be read again by the reader of that form.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pieces: &[&[u8]], says_events: bool) -> Option<Form> {
        let mut first = FirstBytes::default();
        pieces.iter().find_map(|piece| first.add(piece, says_events))
    }

    #[test]
    fn first_bytes_tell_what_an_answer_is_however_they_are_split() {
        for (body, expected) in [
            ("{\"choices\":[]}", Form::Object),
            (" \r\n [1]", Form::List),
            ("\u{feff}{", Form::Object),
            ("\u{feff}\n data: {}", Form::Events),
            ("event: x", Form::Events),
            ("id: 7", Form::Events),
            ("retry: 1", Form::Events),
            (": wait", Form::Events),
            ("<!doctype html>", Form::Page),
            ("OK", Form::Unreadable),
            ("database is down", Form::Unreadable),
            ("null", Form::Unreadable),
        ] {
            let bytes = body.as_bytes();
            assert_eq!(form(&[bytes], false), Some(expected), "{body:?}");
            assert_eq!(form(&bytes.chunks(1).collect::<Vec<_>>(), false), Some(expected), "{body:?}");
        }
    }

    #[test]
    fn a_header_decides_only_where_the_bytes_do_not() {
        assert_eq!(form(&[b"x-unknown: 1\n"], true), Some(Form::Events));
        assert_eq!(form(&[b"{}"], true), Some(Form::Object));
        for early in [&b""[..], b" \n", b"da", b"\xef\xbb", b"\xef\xbb\xbf", b"retry"] {
            assert_eq!(form(&[early], false), None, "{early:?}");
        }
    }
}
