//! Any stream of any dialect, split anywhere, comes out the same in any other.
#![no_main]

use gateway_core::dialect::Dialect;
use gateway_core::translate::{Stream, AnswerContext};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, u16, &[u8])| {
    let (from, to, split, body) = input;
    let (from, to) = (Dialect::ALL[usize::from(from) % 4], Dialect::ALL[usize::from(to) % 4]);
    let context = AnswerContext { model: "m".into(), id: "r-1".into(), include_usage: true, ..AnswerContext::default() };
    let (first, second) = body.split_at(usize::from(split).min(body.len()));
    let mut whole = Stream::new(from, to, context.clone());
    let expected = [whole.feed(body), whole.end()].concat();
    let mut parts = Stream::new(from, to, context);
    let got = [parts.feed(first), parts.feed(second), parts.end()].concat();
    assert_eq!(expected, got);
    assert_eq!(whole.is_finished(), parts.is_finished());
});
