//! A body of one thing again and again, as often as the fuzzer likes, is refused or read within the limits of a request:
//! so few messages, parts and tools that nothing made of each of them fills the memory. To be run with
//! `-rss_limit_mb=512 -timeout=5`, which are the limits' other half.
#![no_main]

use std::cell::Cell;

use gateway_core::accept::{Head, call, demand, prompt_beginning};
use gateway_core::dialect::Dialect;
use gateway_core::operation::Operation;
use gateway_core::pace::Pace;
use gateway_core::reasoning_seals::Readable;
use gateway_core::translate::{Direction, request};
use libfuzzer_sys::fuzz_target;

const BYTES_MAX: usize = 4 << 20;

/// What may stand before and behind the repeated text, so that the fuzzer need not find out how a request is written.
const FRAMES: [(&str, &str); 12] = [
    ("", ""),
    (r#"{"model":"m","messages":["#, "]}"),
    (r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":["#, "]}]}"),
    (r#"{"model":"m","messages":[{"role":"user","content":""#, r#""}]}"#),
    (r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":["#, "]}"),
    (r#"{"model":"m","messages":[{"role":"assistant","tool_calls":["#, "]}]}"),
    (r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"x":["#, "]}"),
    (r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"x":{"#, "}}"),
    (r#"{"model":"m","input":["#, "]}"),
    (r#"{"contents":["#, "]}"),
    (r#"{"contents":[{"role":"user","parts":["#, "]}]}"),
    (r#"{"model":"m",""#, r#"":1}"#),
];

fuzz_target!(|input: (u8, u8, u8, u32, &str, &str, &str)| {
    let (operation, to, frame, times, first, unit, last) = input;
    let operation = Operation::ALL[usize::from(operation) % Operation::ALL.len()];
    let (before, after) = FRAMES[usize::from(frame) % FRAMES.len()];
    let times = (times as usize) % (BYTES_MAX / unit.len().max(1));
    let body = [before, first, &unit.repeat(times), last, after].concat().into_bytes();
    let read = Cell::new(0);
    let step = |bytes| read.set(read.get() + bytes);
    let head = Head { model: Some("m".to_owned()), pace: Pace::of(&step), ..Head::default() };
    let bytes = body.len();
    let Ok(call) = call(operation, head, body) else { return };
    assert!(read.get() >= bytes, "whoever paces it was told of {} of {bytes} bytes", read.get());
    assert!(call.names.len() <= 100_001);
    let _ = demand(&call, Pace::of(&step));
    assert!(read.get() <= bytes * 8 + (64 << 10), "{} bytes were looked at of {bytes}", read.get());
    assert!(prompt_beginning(&call).is_none_or(|beginning| beginning.len() <= 256 << 10));
    let to = Dialect::ALL[usize::from(to) % 4];
    let direction = Direction { from: operation.dialect(), to, model: "up", profile: "up", streamed: false, readable: Readable::default() };
    let _ = request(direction, &call.body);
});
