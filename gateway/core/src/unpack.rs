//! Takes a provider's body out of gzip or deflate. llmio asks for no coding, but some servers and the proxies in front
//! of them compress all the same, or claim to and do not, so the first bytes of a body decide what it is.
//!
//! The output is bounded and comes in pieces, since a few hundred bytes can hold megabytes.

use std::fmt;
use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::headers;

/// The most bytes that a body may unpack to.
const PLAIN_BYTES_MAX: u64 = 64 << 20;

/// The highest ratio of unpacked to packed bytes, except for short answers.
const RATIO_MAX: u64 = 100;
const SHORT_BYTES: u64 = 64 << 10;

/// How many packed bytes are unpacked at once. They hold at most a thousand times as many plain bytes.
const STEP_BYTES: usize = 512;

/// About how many plain bytes are returned at a time.
const OUTPUT_BYTES: usize = 16 << 10;

/// The memory of a decompressor: 32 KiB of history, as much again for its output, and its tables.
const WINDOW_BYTES: usize = 80 << 10;

/// The most bytes that are needed to recognise a coding.
const SIGN_BYTES: usize = 16;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body that is being unpacked.
#[derive(Debug)]
pub struct Unpacker {
    declared: ContentEncoding,
    /// Whether a body in an unknown coding passes unchanged instead of being an error.
    is_lenient: bool,
    state: State,
    /// Bytes that have come; those from `at` are not unpacked yet.
    packed: Vec<u8>,
    at: usize,
    packed_bytes: u64,
    plain_bytes: u64,
    fault: Option<Fault>,
}

/// Why a body cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is in an unknown coding, which was not asked for.
    Coding(String),
    /// It is damaged or ends too early.
    Damaged,
    /// It is too large for an answer.
    TooLarge,
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coding(name) => write!(to, "its answer is coded as {name}, and only gzip and deflate are read"),
            Self::Damaged => to.write_str("its compressed answer is damaged"),
            Self::TooLarge => {
                let mib = PLAIN_BYTES_MAX >> 20;
                write!(to, "its compressed answer unpacks to more than {mib} MiB or {RATIO_MAX} times its size")
            }
        }
    }
}

/// Removes the headers that no longer apply to an unpacked body.
pub fn of_plain(headers: &mut Vec<(String, Vec<u8>)>) {
    headers.retain(|(name, _)| !matches!(name.as_str(), "content-encoding" | "content-length"));
}

/// The value of `content-encoding`.
#[derive(Debug, PartialEq, Eq)]
enum ContentEncoding {
    Nothing,
    Gzip,
    Deflate,
    Other(String),
}

#[derive(Debug)]
enum State {
    /// Not known yet: too few bytes have come.
    Unknown,
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>),
}

impl Unpacker {
    /// An unpacker for a body with these headers. `is_lenient`: a body in an unknown coding passes unchanged, as for
    /// errors, whose status says enough.
    pub fn of(headers: &[(String, Vec<u8>)], is_lenient: bool) -> Self {
        Unpacker {
            declared: ContentEncoding::in_headers(headers),
            is_lenient,
            state: State::Unknown,
            packed: Vec::new(),
            at: 0,
            packed_bytes: 0,
            plain_bytes: 0,
            fault: None,
        }
    }

    /// An unpacker that passes every body unchanged.
    pub fn none() -> Self {
        Unpacker { state: State::Plain, ..Self::of(&[], true) }
    }

    /// Whether `bytes`, the next ones of the body, are plain already. If not, pass them to [`take`](Self::take).
    pub fn lets_pass(&mut self, bytes: &[u8]) -> bool {
        if matches!(self.state, State::Unknown) && self.packed.is_empty() {
            self.decide(bytes, false);
        }
        matches!(self.state, State::Plain) && self.packed.is_empty()
    }

    /// Takes the next bytes of the body. `is_last`: no more follow.
    pub fn take(&mut self, bytes: &[u8], is_last: bool) {
        self.packed.drain(..self.at);
        self.at = 0;
        self.packed.extend_from_slice(bytes);
        self.packed_bytes += bytes.len() as u64;
        if matches!(self.state, State::Unknown) {
            let begun = std::mem::take(&mut self.packed);
            self.decide(&begun, is_last);
            self.packed = begun;
        }
    }

    /// Appends some unpacked bytes to `plain`. Returns whether there were any.
    pub fn give(&mut self, plain: &mut Vec<u8>) -> bool {
        let before = plain.len();
        while plain.len() - before < OUTPUT_BYTES && self.at < self.packed.len() && self.fault.is_none() {
            if let Err(fault) = self.step(plain) {
                self.fault = Some(fault);
            }
            if matches!(self.state, State::Unknown) {
                break;
            }
        }
        if self.at == self.packed.len() {
            self.packed.clear();
            self.at = 0;
        }
        plain.len() > before
    }

    /// How many bytes are held, with the memory of the decompressor.
    pub fn kept(&self) -> usize {
        let window = match self.state {
            State::Unknown | State::Plain => 0,
            State::Gzip(_) | State::Zlib(_) | State::Deflate(_) => WINDOW_BYTES,
        };
        self.packed.capacity() + window
    }

    /// Why no more bytes are returned. `ended`: the body has ended properly.
    pub fn fault(&mut self, ended: bool) -> Option<Fault> {
        let is_cut = match &mut self.state {
            State::Gzip(decoder) if ended => decoder.try_finish().is_err(),
            _ => false,
        };
        self.fault.clone().or(is_cut.then_some(Fault::Damaged))
    }

    /// Whether the headers of the packed body no longer apply.
    pub fn has_changed(&self) -> bool {
        match self.state {
            State::Unknown => false,
            State::Plain => !matches!(self.declared, ContentEncoding::Nothing) && !self.keeps_coding(),
            _ => true,
        }
    }

    fn keeps_coding(&self) -> bool {
        self.is_lenient && matches!(self.declared, ContentEncoding::Other(_))
    }

    fn decide(&mut self, begun: &[u8], is_last: bool) {
        let sign = begun.get(..SIGN_BYTES.min(begun.len())).unwrap_or_default();
        let is_short = !is_last && (sign.len() < 2 || BYTE_ORDER_MARK.starts_with(sign));
        self.state = match (&self.declared, sign) {
            (_, []) => return,
            (ContentEncoding::Nothing | ContentEncoding::Gzip, [0x1f]) if is_short => return,
            (ContentEncoding::Nothing | ContentEncoding::Gzip, [0x1f, 0x8b, ..]) => {
                State::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
            }
            (ContentEncoding::Nothing | ContentEncoding::Gzip, _) => State::Plain,
            _ if is_short => return,
            (ContentEncoding::Deflate, [first, second, ..]) if is_zlib(*first, *second) => {
                State::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
            }
            // Packed bytes may begin like a text, and where a piece ends must decide nothing.
            (_, sign) if !is_last && sign.len() < SIGN_BYTES && is_text(sign) => return,
            (_, sign) if is_text(sign) => State::Plain,
            (ContentEncoding::Deflate, _) => State::Deflate(Box::new(DeflateDecoder::new(Vec::new()))),
            (ContentEncoding::Other(_), _) if self.is_lenient => State::Plain,
            (ContentEncoding::Other(name), _) => {
                self.fault = Some(Fault::Coding(name.clone()));
                return;
            }
        };
    }

    fn step(&mut self, plain: &mut Vec<u8>) -> Result<(), Fault> {
        let end = (self.at + STEP_BYTES).min(self.packed.len());
        let packed = self.packed.get(self.at..end).unwrap_or_default();
        let before = plain.len();
        match &mut self.state {
            State::Unknown => return Ok(()),
            State::Plain => plain.extend_from_slice(packed),
            State::Gzip(decoder) => {
                write(&mut **decoder, packed)?;
                plain.append(decoder.get_mut());
            }
            State::Zlib(decoder) => {
                write(&mut **decoder, packed)?;
                plain.append(decoder.get_mut());
            }
            State::Deflate(decoder) => {
                write(&mut **decoder, packed)?;
                plain.append(decoder.get_mut());
            }
        }
        self.at = end;
        self.plain_bytes += (plain.len() - before) as u64;
        let came = self.packed_bytes.saturating_sub((self.packed.len() - self.at) as u64);
        let is_bomb = self.plain_bytes > SHORT_BYTES && self.plain_bytes > came.saturating_mul(RATIO_MAX);
        if is_bomb || self.plain_bytes > PLAIN_BYTES_MAX { Err(Fault::TooLarge) } else { Ok(()) }
    }
}

/// Returns what has come at once, since an event must not wait for the next one.
fn write(decoder: &mut impl Write, packed: &[u8]) -> Result<(), Fault> {
    let written: io::Result<()> = decoder.write_all(packed).and_then(|()| decoder.flush());
    written.map_err(|_| Fault::Damaged)
}

impl ContentEncoding {
    fn in_headers(headers: &[(String, Vec<u8>)]) -> Self {
        let Some(value) = headers::text(headers, "content-encoding") else { return Self::Nothing };
        let named: Vec<String> = value
            .split(',')
            .map(|coding| coding.trim().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty() && coding != "identity")
            .collect();
        match named.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Self::Nothing,
            ["gzip" | "x-gzip"] => Self::Gzip,
            ["deflate"] => Self::Deflate,
            _ => Self::Other(named.join(", ").chars().take(40).collect()),
        }
    }
}

/// The two bytes before a zlib stream (RFC 1950, section 2.2). Some servers leave them out.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31)
}

/// Whether bytes are those of JSON or of events, and so in no coding at all.
fn is_text(bytes: &[u8]) -> bool {
    let begun = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    begun.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn declared(coding: &str) -> Vec<(String, Vec<u8>)> {
        match coding {
            "" => Vec::new(),
            coding => vec![("content-encoding".to_owned(), coding.as_bytes().to_vec())],
        }
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory")
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory")
    }

    fn deflate(plain: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory")
    }

    /// What comes out of a body that comes in pieces of so many bytes, and why there is no more.
    fn unpacked(unpacker: &mut Unpacker, body: &[u8], size: usize) -> (Vec<u8>, Option<Fault>) {
        unpacked_pieces(unpacker, body.chunks(size))
    }

    fn unpacked_pieces<'b>(
        unpacker: &mut Unpacker,
        pieces: impl Iterator<Item = &'b [u8]>,
    ) -> (Vec<u8>, Option<Fault>) {
        let mut plain = Vec::new();
        for piece in pieces {
            if unpacker.lets_pass(piece) {
                plain.extend_from_slice(piece);
                continue;
            }
            unpacker.take(piece, false);
            loop {
                let mut output = Vec::new();
                if !unpacker.give(&mut output) {
                    break;
                }
                assert!(output.len() < OUTPUT_BYTES + 1100 * STEP_BYTES, "{} at once", output.len());
                plain.extend(output);
            }
        }
        let mut rest = Vec::new();
        unpacker.take(b"", true);
        while unpacker.give(&mut rest) {}
        plain.extend(rest);
        let fault = unpacker.fault(true);
        (plain, fault)
    }

    #[test]
    fn what_a_body_is_does_not_depend_on_where_its_first_piece_ends() {
        // Raw deflate that begins like a text; found by fuzzing.
        let like_text = b"error{\x01\0\0\0d\"as_array\": tr".to_vec();
        let with_mark = [BYTE_ORDER_MARK, ANSWER].concat();
        for body in [like_text, deflate(ANSWER), zlib(ANSWER), gzip(ANSWER), ANSWER.to_vec(), with_mark, b"{}".to_vec()]
        {
            for (coding, is_lenient) in [("deflate", true), ("gzip", true), ("br", true), ("br", false), ("", true)] {
                let of = |pieces: [&[u8]; 2]| {
                    let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
                    let (plain, fault) = unpacked_pieces(&mut Unpacker::of(&declared(coding), is_lenient), pieces);
                    // What came before a fault may have been given or not.
                    fault.map_or(Ok(plain), Err)
                };
                let whole = of([&body, b""]);
                for at in 1..body.len() {
                    let (first, second) = body.split_at(at);
                    assert_eq!(of([first, second]), whole, "{coding} {at} of {body:?}");
                }
            }
        }
    }

    const ANSWER: &[u8] = br#"{"choices":[{"message":{"content":"Hello"}}]}"#;

    #[test]
    fn a_body_is_what_its_first_bytes_say_whatever_its_header_says() {
        for (coding, body, changed) in [
            ("gzip", gzip(ANSWER), true),
            ("x-gzip", gzip(ANSWER), true),
            ("GZIP, identity", gzip(ANSWER), true),
            ("", gzip(ANSWER), true),
            ("deflate", zlib(ANSWER), true),
            ("deflate", deflate(ANSWER), true),
            ("", ANSWER.to_vec(), false),
            ("identity", ANSWER.to_vec(), false),
            ("gzip", ANSWER.to_vec(), true),
            ("deflate", ANSWER.to_vec(), true),
            ("br", ANSWER.to_vec(), true),
            ("zstd", b"\xef\xbb\xbf{}".to_vec(), true),
        ] {
            for size in [1, 2, 7, 1000] {
                let mut unpacker = Unpacker::of(&declared(coding), false);
                let (plain, fault) = unpacked(&mut unpacker, &body, size);
                let expected = if body.starts_with(b"\xef") { body.as_slice() } else { ANSWER };
                assert_eq!((plain.as_slice(), fault), (expected, None), "{coding:?} in pieces of {size}");
                assert_eq!(unpacker.has_changed(), changed, "{coding:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_coding_that_is_not_known_is_a_fault_unless_its_status_says_enough() {
        let body = b"\x8b\x0a\x80{}\x03";
        for coding in ["br", "zstd", "gzip, br", "compress"] {
            let mut unpacker = Unpacker::of(&declared(coding), false);
            let (plain, fault) = unpacked(&mut unpacker, body, 3);
            assert_eq!((plain.as_slice(), fault), (&b""[..], Some(Fault::Coding(coding.to_owned()))));
            let mut lenient = Unpacker::of(&declared(coding), true);
            assert_eq!(unpacked(&mut lenient, body, 3), (body.to_vec(), None), "{coding}");
            assert!(!lenient.has_changed(), "{coding}");
        }
        assert_eq!(unpacked(&mut Unpacker::none(), &gzip(ANSWER), 5).0, gzip(ANSWER));
    }

    #[test]
    fn events_come_out_as_they_come_in() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let mut unpacker = Unpacker::of(&declared("gzip"), false);
        for event in ["data: 1\n\n", "data: 2\n\n", "data: [DONE]\n\n"] {
            encoder.write_all(event.as_bytes()).and_then(|()| encoder.flush()).expect("memory");
            unpacker.take(&std::mem::take(encoder.get_mut()), false);
            let mut plain = Vec::new();
            assert!(unpacker.give(&mut plain));
            assert_eq!(String::from_utf8_lossy(&plain), event);
        }
    }

    #[test]
    fn several_members_are_one_body_and_a_cut_or_spoilt_one_is_damaged() {
        let two = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
        assert_eq!(unpacked(&mut Unpacker::of(&[], false), &two, 9), (b"{\"a\":1}".to_vec(), None));
        let whole = gzip(&ANSWER.repeat(50));
        let cut = whole.get(..whole.len() - 12).expect("it is longer");
        assert_eq!(unpacked(&mut Unpacker::of(&[], false), cut, 9).1, Some(Fault::Damaged));
        let mut spoilt = whole.clone();
        spoilt[20] ^= 0xff;
        assert_eq!(unpacked(&mut Unpacker::of(&[], false), &spoilt, 9).1, Some(Fault::Damaged));
    }

    #[test]
    fn a_bomb_is_given_up_before_it_is_unpacked() {
        for (body, most) in [
            // A thousand to one.
            (gzip(&vec![b' '; 8 << 20]), SHORT_BYTES + (1 << 20)),
            (zlib(&vec![0; 8 << 20]), SHORT_BYTES + (1 << 20)),
        ] {
            let coding = if body.starts_with(&[0x1f]) { "gzip" } else { "deflate" };
            let (plain, fault) = unpacked(&mut Unpacker::of(&declared(coding), false), &body, 1000);
            assert_eq!(fault, Some(Fault::TooLarge), "{coding}");
            assert!((plain.len() as u64) < most, "{coding}: {} bytes came out", plain.len());
        }
    }

    #[test]
    fn no_more_than_64_mib_come_out() {
        // Noise of one bit in a byte: eight to one at best.
        let mut seed = 1_u64;
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + u8::try_from(seed >> 63).unwrap_or(0)
        };
        let block: Vec<u8> = (0..1 << 20).map(|_| noise()).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..66 {
            encoder.write_all(&block).expect("memory");
        }
        let body = encoder.finish().expect("memory");
        let (plain, fault) = unpacked(&mut Unpacker::of(&[], false), &body, 16 << 10);
        assert_eq!(fault, Some(Fault::TooLarge));
        assert!(plain.len() as u64 <= PLAIN_BYTES_MAX + (1 << 20), "{}", plain.len());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_every_split_gives_the_same(
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            size in 1_usize..40,
            coding in proptest::sample::select(vec!["", "gzip", "deflate", "br"]),
        ) {
            for body in [gzip(&body), deflate(&body), body] {
                let whole = unpacked(&mut Unpacker::of(&declared(coding), false), &body, body.len().max(1));
                let split = unpacked(&mut Unpacker::of(&declared(coding), false), &body, size.max(SIGN_BYTES));
                proptest::prop_assert_eq!(whole.1.is_some(), split.1.is_some());
                if whole.1.is_none() {
                    proptest::prop_assert_eq!(whole.0, split.0);
                }
            }
        }
    }
}
