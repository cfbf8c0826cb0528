use serde_json::{Value, json};

use crate::dialects::openai_chat::stream_reader::StreamReader;
use crate::dialects::room::ReadStream;
use crate::neutral::{Event, Finish, PartKind};

/// The calls of a stream whose deltas bring these pieces, each with what came of its arguments, and why it ended.
fn calls(pieces: &[Value]) -> (Vec<(String, String, String)>, Option<Finish>) {
    let mut reader = StreamReader::default();
    let chunk = |delta: Value, reason: Value| json!({ "choices": [{ "delta": delta, "finish_reason": reason }] });
    let chunks = pieces.iter().map(|piece| chunk(json!({ "tool_calls": [piece] }), Value::Null));
    let chunks = chunks.chain([chunk(json!({}), json!("tool_calls"))]);
    let mut events: Vec<Event> = chunks.flat_map(|chunk| reader.feed("", chunk)).collect();
    events.extend(reader.end());
    let (mut calls, mut finish) = (Vec::new(), None);
    for event in events {
        match event {
            Event::Begin { part, kind: PartKind::ToolCall { id, name }, .. } => {
                assert_eq!(part, calls.len(), "parts are counted");
                calls.push((id, name, String::new()));
            }
            Event::Delta { part, text } => calls[part].2.push_str(&text),
            Event::Finish { finish: reason, .. } => finish = Some(reason),
            _ => {}
        }
    }
    (calls, finish)
}

/// A piece, of which an empty text stands for a member that is not there.
fn piece(index: Option<u64>, id: &str, name: &str, arguments: &str) -> Value {
    let mut piece = json!({ "function": { "arguments": arguments } });
    if let Some(index) = index {
        piece["index"] = index.into();
    }
    if !id.is_empty() {
        piece["id"] = id.into();
    }
    if !name.is_empty() {
        piece["function"]["name"] = name.into();
    }
    piece
}

type PieceParts = (Option<u64>, &'static str, &'static str, &'static str);

/// What is shown, what comes, and the calls that come of it: id, name and arguments.
type Case = (&'static str, Vec<PieceParts>, Vec<(&'static str, &'static str, &'static str)>);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn pieces_of_calls_are_put_together_by_index_name_and_id() {
    const I0: Option<u64> = Some(0);
    const I1: Option<u64> = Some(1);
    let one = |id: &'static str, name: &'static str, arguments: &'static str| vec![(id, name, arguments)];
    let two = || vec![("a", "f", r#"{"x":1}"#), ("b", "g", r#"{"y":2}"#)];
    let cases: Vec<Case> = vec![
        (
            "as OpenAI has it",
            vec![
                (I0, "a", "f", ""),
                (I0, "", "", r#"{"x""#),
                (I0, "", "", ":1}"),
                (I1, "b", "g", ""),
                (I1, "", "", r#"{"y":2}"#),
            ],
            two(),
        ),
        (
            "pieces of both by turns",
            vec![
                (I0, "a", "f", ""),
                (I1, "b", "g", ""),
                (I0, "", "", r#"{"x":"#),
                (I1, "", "", r#"{"y":"#),
                (I0, "", "", "1}"),
                (I1, "", "", "2}"),
            ],
            two(),
        ),
        ("every index 0", vec![(I0, "a", "f", r#"{"x":1}"#), (I0, "b", "g", r#"{"y":2}"#)], two()),
        (
            "every index 0, in pieces",
            vec![(I0, "a", "f", r#"{"x":"#), (I0, "", "", "1}"), (I0, "b", "g", r#"{"y":"#), (I0, "", "", "2}")],
            two(),
        ),
        (
            "every index 0, no arguments",
            vec![(I0, "a", "f", ""), (I0, "b", "g", "")],
            vec![("a", "f", ""), ("b", "g", "")],
        ),
        (
            "every index 0, pieces by their ids",
            vec![(I0, "a", "f", r#"{"x":"#), (I0, "b", "g", r#"{"y":"#), (I0, "a", "", "1}"), (I0, "b", "", "2}")],
            two(),
        ),
        (
            "every index 0, no ids",
            vec![(I0, "", "f", r#"{"x":1}"#), (I0, "", "g", r#"{"y":2}"#)],
            vec![("", "f", r#"{"x":1}"#), ("", "g", r#"{"y":2}"#)],
        ),
        ("no index", vec![(None, "a", "f", r#"{"x":1}"#), (None, "b", "g", r#"{"y":2}"#)], two()),
        (
            "no index, in pieces",
            vec![
                (None, "a", "f", r#"{"x":"#),
                (None, "", "", "1}"),
                (None, "b", "g", r#"{"y":"#),
                (None, "b", "", "2}"),
            ],
            two(),
        ),
        ("the index comes later", vec![(None, "a", "f", ""), (I0, "", "", r#"{"x":1}"#)], one("a", "f", r#"{"x":1}"#)),
        (
            "an id that calls share",
            vec![(I0, "a", "f", r#"{"x":1}"#), (I1, "a", "g", r#"{"y":2}"#)],
            vec![("a", "f", r#"{"x":1}"#), ("a", "g", r#"{"y":2}"#)],
        ),
        (
            "an id that calls share, no index",
            vec![(None, "a", "f", r#"{"x":1}"#), (None, "a", "f", r#"{"x":2}"#)],
            vec![("a", "f", r#"{"x":1}"#), ("a", "f", r#"{"x":2}"#)],
        ),
        (
            "another id with each piece",
            vec![(I0, "a", "f", ""), (I0, "b", "", r#"{"x":"#), (I0, "c", "", "1}")],
            one("a", "f", r#"{"x":1}"#),
        ),
        (
            "another id and the name with each piece",
            vec![(I0, "a", "f", ""), (I0, "b", "f", r#"{"x":"#), (I0, "c", "f", "1}")],
            one("a", "f", r#"{"x":1}"#),
        ),
        (
            "no ids",
            vec![(I0, "", "f", r#"{"x":1}"#), (I1, "", "f", r#"{"x":2}"#)],
            vec![("", "f", r#"{"x":1}"#), ("", "f", r#"{"x":2}"#)],
        ),
        ("the id comes later", vec![(I0, "", "f", ""), (I0, "a", "", r#"{"x":1}"#)], one("a", "f", r#"{"x":1}"#)),
        (
            "all again with each piece",
            vec![(I0, "a", "f", ""), (I0, "a", "f", r#"{"x":"#), (I0, "a", "f", "1}"), (I0, "a", "f", "")],
            one("a", "f", r#"{"x":1}"#),
        ),
        (
            "the whole once more at the end",
            vec![(I0, "a", "f", r#"{"x":"#), (I0, "", "", "1}"), (I0, "a", "f", r#"{"x":1}"#)],
            one("a", "f", r#"{"x":1}"#),
        ),
        (
            "a name in pieces",
            vec![(I0, "a", "get_", ""), (I0, "", "wea", ""), (I0, "", "ther", ""), (I0, "", "", r#"{"x":1}"#)],
            one("a", "get_weather", r#"{"x":1}"#),
        ),
        (
            "a name that grows",
            vec![(I0, "a", "get_", ""), (I0, "a", "get_weather", ""), (I0, "", "", r#"{"x":1}"#)],
            one("a", "get_weather", r#"{"x":1}"#),
        ),
        ("the name after the id", vec![(I0, "a", "", ""), (I0, "", "f", r#"{"x":1}"#)], one("a", "f", r#"{"x":1}"#)),
        (
            "a placeholder",
            vec![(I0, "a", "f", "{}"), (I0, "", "", r#"{"x":"#), (I0, "", "", "1}")],
            one("a", "f", r#"{"x":1}"#),
        ),
        (
            "a placeholder of two calls",
            vec![(I0, "a", "f", "{}"), (I1, "b", "g", "{}"), (I0, "", "", r#"{"x":1}"#), (I1, "", "", r#"{"y":2}"#)],
            two(),
        ),
        (
            "null for a placeholder",
            vec![(I0, "a", "f", "null"), (I0, "", "", r#"{"x":1}"#)],
            one("a", "f", r#"{"x":1}"#),
        ),
        (
            "a placeholder behind them",
            vec![(I0, "a", "f", r#"{"x":1}"#), (I0, "", "", "{}")],
            one("a", "f", r#"{"x":1}"#),
        ),
        ("none but a placeholder", vec![(I0, "a", "f", "{}")], one("a", "f", "{}")),
        (
            "two of none, every index 0",
            vec![(I0, "a", "f", "{}"), (I0, "b", "f", "{}")],
            vec![("a", "f", "{}"), ("b", "f", "{}")],
        ),
        ("none at all", vec![(I0, "a", "f", "null")], one("a", "f", "")),
        ("what is no object", vec![(I0, "a", "f", "x"), (I0, "", "", "y")], one("a", "f", "xy")),
    ];
    for (what, sent, expected) in cases {
        let pieces: Vec<Value> = sent.into_iter().map(|(index, id, name, args)| piece(index, id, name, args)).collect();
        let (came, finish) = calls(&pieces);
        let came: Vec<_> = came.iter().map(|(id, name, args)| (id.as_str(), name.as_str(), args.as_str())).collect();
        assert_eq!(came, expected, "{what}");
        assert_eq!(finish, Some(Finish::ToolCalls), "{what}");
    }
}

#[test]
fn an_index_may_be_text_and_arguments_an_object() {
    let first = json!({ "index": "0", "id": "a", "function": { "name": "f", "arguments": { "x": 1 } } });
    let second = json!({ "index": "1", "id": "b", "function": { "name": "g", "arguments": { "y": 2 } } });
    let (came, _) = calls(&[first, second]);
    assert_eq!(came.iter().map(|(.., arguments)| arguments.as_str()).collect::<Vec<_>>(), [r#"{"x":1}"#, r#"{"y":2}"#]);
}

#[test]
fn a_call_that_nobody_can_name_is_none() {
    assert_eq!(calls(&[piece(Some(0), "a", "", r#"{"x":1}"#)]), (vec![], Some(Finish::Stop)));
}
