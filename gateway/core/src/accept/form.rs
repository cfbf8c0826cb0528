//! Finds the plain fields of a `multipart/form-data` body (RFC 7578) by their place, so that a model's name can be
//! replaced in megabytes of audio without a copy of the parts around it. A parser that owned the parts would have to
//! write them again.

use std::ops::Range;

/// A field's name and where its value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: Range<usize>,
    /// What the file is called, if it is one.
    pub(crate) file_name: Option<String>,
}

/// The boundary of a multipart body; `None` for any other content type.
pub(crate) fn boundary(content_type: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content_type).ok()?;
    let (media_type, parameters) = text.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The most parts that are read of a form.
const PARTS_MAX: usize = 10_000;

/// The fields that are no files, in order. `None` if the body is not made of parts, or of too many.
pub(super) fn fields(body: &[u8], boundary: &str) -> Option<Vec<Field>> {
    Some(parts(body, boundary)?.into_iter().filter(|field| field.file_name.is_none()).collect())
}

/// All parts that have a name, in order. `None` as for [`fields`].
pub(crate) fn parts(body: &[u8], boundary: &str) -> Option<Vec<Field>> {
    let delimiter = format!("--{boundary}");
    let mut found = Vec::new();
    let mut at = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
    // Every later delimiter includes the line end before it, which is not part of the value.
    let delimiter = format!("\r\n{delimiter}");
    for _ in 0..PARTS_MAX {
        if body.get(at..)?.starts_with(b"--") {
            return Some(found);
        }
        let head_end = find(body, b"\r\n\r\n", at)?;
        let start = head_end + 4;
        let end = find(body, delimiter.as_bytes(), start.saturating_sub(2))?;
        let value = start.min(end)..end;
        let head = String::from_utf8_lossy(body.get(at..head_end)?).into_owned();
        found.extend(names(&head).map(|(name, file_name)| Field { name, value, file_name }));
        at = end + delimiter.len();
    }
    None
}

fn find(body: &[u8], text: &[u8], from: usize) -> Option<usize> {
    memchr::memmem::find(body.get(from..)?, text).map(|at| from + at)
}

/// The name of a part and, if the part is a file, that of the file.
fn names(head: &str) -> Option<(String, Option<String>)> {
    let line = head.lines().find_map(|line| {
        let (name, rest) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(rest)
    })?;
    let (_, parameters) = line.split_once(';')?;
    let file_name = parameter(parameters, "filename").or_else(|| parameter(parameters, "filename*"));
    Some((parameter(parameters, "name")?, file_name))
}

/// A parameter of a header, without its quotes.
fn parameter(parameters: &str, expected: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start());
        if name.trim_matches(|c: char| c == ';' || c.is_whitespace()).eq_ignore_ascii_case(expected) {
            return Some(value);
        }
        rest = after;
    }
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.trim().to_owned(), rest);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, character) in quoted.char_indices() {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"preamble\r\n--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\
        Content-Type: audio/wav\r\n\r\n--b\r\nname=\"model\"\r\n\r\n\x00\xff\r\n--b0\r\ncontent-disposition: form-data; \
        name=\"model\"\r\n\r\nwhisper\r\n--b0\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--b0--\r\n";

    #[test]
    fn plain_fields_are_found_by_their_place_and_files_are_not_looked_into() {
        let found = fields(BODY, "b0").expect("parts");
        let values: Vec<(&str, &[u8])> =
            found.iter().map(|field| (field.name.as_str(), &BODY[field.value.clone()])).collect();
        assert_eq!(values, [("model", b"whisper".as_slice()), ("empty", b"")]);
    }

    #[test]
    fn a_boundary_is_read_with_and_without_quotes() {
        assert_eq!(boundary(b"multipart/form-data; boundary=b0").as_deref(), Some("b0"));
        assert_eq!(boundary(b"Multipart/Form-Data; charset=x; Boundary=\"b;0\"").as_deref(), Some("b;0"));
        assert_eq!(boundary(b"application/json; boundary=b0"), None);
        assert_eq!(boundary(b"multipart/form-data; boundary="), None);
    }

    #[test]
    fn a_body_that_breaks_off_is_no_form() {
        for end in 0..BODY.len() - 5 {
            assert_eq!(fields(&BODY[..end], "b0"), None, "{end}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_reading_a_form_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = fields(&bytes, "b");
            let _ = fields(&[b"--b\r\n".as_slice(), &bytes].concat(), "b");
            let _ = boundary(&bytes);
        }
    }
}
