//! Whatever a conversation is answered with, under whatever content type and coding, is seen the same however it is split,
//! and comes out in the form that was asked for or not at all.
#![no_main]

use gateway_core::dialect::Dialect;
use gateway_core::observe::Observer;
use gateway_core::transform::{RequestedAnswer, ResponseTransform};
use gateway_core::translate::AnswerContext;
use gateway_core::unpack::Unpacker;
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 5] = ["text/event-stream", "application/json", "text/plain", "text/html", ""];
const CODINGS: [&str; 5] = ["", "gzip", "deflate", "identity", "br"];

fuzz_target!(|input: (u8, u8, u8, bool, u16, &[u8])| {
    let (dialect, media_type, coding, streamed, split, body) = input;
    let dialect = Dialect::ALL[usize::from(dialect) % 4];
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let headers = vec![
        header("content-type", TYPES[usize::from(media_type) % TYPES.len()]),
        header("content-encoding", CODINGS[usize::from(coding) % CODINGS.len()]),
    ];
    let (first, second) = body.split_at(usize::from(split).min(body.len()));
    let plain = unpacked(&headers, &[body]);
    assert_eq!(plain, unpacked(&headers, &[first, second]));
    let Some(plain) = plain else { return };
    let whole = seen(dialect, streamed, &headers, &[&plain]);
    let (first, second) = plain.split_at(usize::from(split).min(plain.len()));
    assert_eq!(whole, seen(dialect, streamed, &headers, &[first, second]));
});

/// The body without its coding, unless it cannot be read.
fn unpacked(headers: &[(String, Vec<u8>)], pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut unpacker = Unpacker::of(headers, true);
    let mut all = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        if unpacker.lets_pass(piece) {
            all.extend_from_slice(piece);
            continue;
        }
        unpacker.take(piece, number + 1 == pieces.len());
        let mut plain = Vec::new();
        while unpacker.give(&mut plain) {
            all.append(&mut plain);
        }
    }
    unpacker.fault(true).is_none().then_some(all)
}

/// What is seen of a body, and what the client gets of it.
fn seen(
    dialect: Dialect,
    streamed: bool,
    headers: &[(String, Vec<u8>)],
    pieces: &[&[u8]],
) -> (String, Option<Vec<u8>>, String) {
    let mut observer = Observer::new(dialect, false, headers).of_chat(true).of_sealed(true);
    pieces.iter().for_each(|piece| observer.see(piece, 1));
    let all = pieces.concat();
    let preview = format!("{:?}", observer.preview(&all, true, &[]));
    let context = AnswerContext { model: "m".into(), id: "r-1".into(), ..AnswerContext::default() };
    let mut transform = ResponseTransform::AsIs;
    transform.fit(dialect, observer.so_far(), Some(RequestedAnswer { streamed, context }));
    let output = match transform.lets_pass(&all, observer.so_far()) {
        true => Some(all),
        false => {
            let passed = transform.pass(&all);
            transform.end(observer.so_far()).map(|end| [passed, end].concat())
        }
    };
    (preview, output, format!("{:?}", observer.finish()))
}
