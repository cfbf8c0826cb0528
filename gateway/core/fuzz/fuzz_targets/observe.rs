//! Whatever a provider sends, split anywhere, is seen the same, and the usage filter only ever leaves events out.
#![no_main]

use gateway_core::dialect::Dialect;
use gateway_core::observe::Observer;
use gateway_core::transform::UsageChunk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, u16, &[u8])| {
    let (dialect, media_type, split, body) = input;
    let dialect = Dialect::ALL[usize::from(dialect) % 4];
    let media_type: &[u8] = [b"text/event-stream".as_slice(), b"application/json"][usize::from(media_type) % 2];
    let headers = vec![("content-type".to_owned(), media_type.to_vec())];
    let as_array = dialect == Dialect::Gemini;
    let (first, second) = body.split_at(usize::from(split).min(body.len()));
    let mut whole = Observer::new(dialect, as_array, &headers);
    whole.see(body, 1);
    let mut parts = Observer::new(dialect, as_array, &headers);
    parts.see(first, 1);
    let mut filter = UsageChunk::default();
    let mut pass = |piece: &[u8], finished: bool| match filter.lets_pass(piece, finished) {
        true => piece.to_vec(),
        false => filter.pass(piece),
    };
    let mut passed = pass(first, parts.so_far().finish_seen);
    parts.see(second, 1);
    passed.extend(pass(second, parts.so_far().finish_seen));
    passed.extend(filter.end());
    assert!(passed.len() <= body.len());
    let _ = parts.preview(body, true, &[]);
    assert_eq!(whole.finish(), parts.finish());
});
