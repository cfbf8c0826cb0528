//! How bodies are framed (RFC 9112, section 6), as far as hyper is content with more than is good: for both sides.

use http::{HeaderMap, header};

/// Whether a body comes in a coding besides chunks, which nobody here undoes.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    let usual = |coding: &str| ["", "chunked", "identity"].iter().any(|usual| coding.eq_ignore_ascii_case(usual));
    headers.get_all(header::TRANSFER_ENCODING).iter().any(|value| match value.to_str() {
        Ok(codings) => !codings.split(',').map(str::trim).all(usual),
        Err(_) => true,
    })
}

/// Whether a length stands beside a transfer coding. One of the two is wrong, and who reads the other one sees another
/// end.
pub(crate) fn is_ambiguous(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        HeaderMap::from_iter(list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))))
    }

    #[test]
    fn only_chunks_are_understood() {
        for codings in ["gzip, chunked", "gzip", "x-odd,chunked", "chunked;a=b", "deflate , chunked"] {
            assert!(is_coded(&headers(&[(header::TRANSFER_ENCODING, codings)])), "{codings}");
        }
        for codings in ["chunked", "Chunked", " chunked ", "identity", "chunked,"] {
            assert!(!is_coded(&headers(&[(header::TRANSFER_ENCODING, codings)])), "{codings}");
        }
        assert!(!is_coded(&HeaderMap::new()));
    }

    #[test]
    fn a_length_beside_chunks_is_ambiguous() {
        let (length, chunks) = ((header::CONTENT_LENGTH, "5"), (header::TRANSFER_ENCODING, "chunked"));
        assert!(is_ambiguous(&headers(&[length.clone(), chunks.clone()])));
        assert!(!is_ambiguous(&headers(&[length])) && !is_ambiguous(&headers(&[chunks])));
    }
}
