//! Pages and files on their way: gzipped where the client takes it.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Whether a client takes gzip, by its `Accept-Encoding`.
pub fn is_taken(header: &str) -> bool {
    header.split(',').any(|coding| {
        let (coding, weight) = coding.split_once(';').unwrap_or((coding, ""));
        coding.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// A page, gzipped: quickly, since it is made for one reader. No page holds a secret next to text of an attacker, which
/// compression could reveal.
pub fn pack(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

/// What was packed, for a client that takes no gzip.
pub fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (header, taken) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("x-gzip", false),
        ] {
            assert_eq!(is_taken(header), taken, "{header}");
        }
    }

    #[test]
    fn what_is_packed_can_be_read_again() {
        let text = "记录 <table>".repeat(1000);
        let packed = pack(text.as_bytes()).expect("gzip");
        assert!(packed.len() < text.len() / 10);
        assert_eq!(unpack(&packed).as_deref(), Some(text.as_bytes()));
    }
}
