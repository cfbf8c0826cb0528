//! Calls of tools that come in pieces, with indexes, ids and names that are shared, missing, repeated or late, come out the
//! same in every dialect however the stream is split, and as JSON where it is whole.
#![no_main]

use gateway_core::dialect::Dialect;
use gateway_core::translate::{AnswerContext, Stream};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// The index, id, name and arguments of a piece, as far as it has them.
type Piece = (Option<u8>, Option<u8>, Option<u8>, Option<String>);

fuzz_target!(|input: (u8, u16, bool, Vec<Piece>)| {
    let (to, split, is_ended, pieces) = input;
    let to = Dialect::ALL[usize::from(to) % 4];
    let delta = |(index, id, name, arguments): &Piece| {
        let mut function = json!({});
        if let Some(name) = name {
            function["name"] = ["", "look", "find", "lo"][usize::from(*name) % 4].into();
        }
        if let Some(arguments) = arguments {
            function["arguments"] = arguments.as_str().into();
        }
        let mut call = json!({ "function": function });
        if let Some(index) = index {
            call["index"] = (index % 3).into();
        }
        if let Some(id) = id {
            call["id"] = ["", "call_1", "call_2", "functions.look:0"][usize::from(*id) % 4].into();
        }
        json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null }] })
    };
    let mut stream: String = pieces.iter().map(|piece| format!("data: {}\n\n", delta(piece))).collect();
    if is_ended {
        let finish = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] });
        stream += &format!("data: {finish}\n\ndata: [DONE]\n\n");
    }
    let context = AnswerContext { model: "m".into(), id: "r-1".into(), ..AnswerContext::default() };
    let body = stream.as_bytes();
    let (first, second) = body.split_at(usize::from(split).min(body.len()));
    let mut whole = Stream::new(Dialect::OpenaiChat, to, context.clone());
    let expected = [whole.feed(body), whole.end()].concat();
    let mut parts = Stream::new(Dialect::OpenaiChat, to, context.clone());
    assert_eq!(expected, [parts.feed(first), parts.feed(second), parts.end()].concat());
    let mut gathered = Stream::gathering(Dialect::OpenaiChat, to, context);
    let answer = [gathered.feed(body), gathered.end()].concat();
    if gathered.is_finished() && !gathered.has_failed() {
        assert!(serde_json::from_slice::<Value>(&answer).is_ok_and(|answer| answer.is_object()));
    }
});
