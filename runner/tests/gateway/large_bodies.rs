//! Bodies that cost more than others: whatever 32 MiB hold, they end in an answer and a record and never in a trap; and
//! however many there are, whoever sends little is served beside them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use crate::common::{Builder, End, Gateway, Host, PATIENCE, Request, TOKEN, chat, eventually};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts! {
    a_body_of_anything_ends_in_an_answer_and_never_in_a_trap,
    one_keys_slow_uploads_leave_room_for_everybody_elses,
    large_answers_through_translation_trap_nobody,
    unfinished_events_trap_nobody,
    answers_that_are_said_several_times_trap_nobody,
    nothing_large_is_compared_with_everything_else,
}

const MIB: usize = 1 << 20;

/// All calls share one instance.
fn on(host: Host) -> Builder {
    Gateway::on(host).env("LLMIO_THREADS", "1")
}

fn list(unit: &str, bytes: usize) -> String {
    format!("[{}{unit}]", format!("{unit},").repeat(bytes / (unit.len() + 1)))
}

fn with(model: &str, members: &str) -> Vec<u8> {
    format!("{{\"model\":\"{model}\",\"max_tokens\":9,{members}}}").into()
}

fn saying(model: &str, content: &str) -> Vec<u8> {
    with(model, &format!(r#""messages":[{{"role":"user","content":{content}}}]"#))
}

const TOO_MANY: &str = "more than 100000 messages, parts and tools";

fn a_body_of_anything_ends_in_an_answer_and_never_in_a_trap(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = on(host).provider("a", &upstream).model("m", &["a/up"]).catalog(
        "[[models]]\nname = \"known\"\naffinity = \"prompt-cache\"\n\
         targets = [{ provider = \"a\", model = \"up\", capabilities = { context = 100000000, images = false } }]",
    );
    let gateway = gateway.start().settled();
    let hello = HELLO;
    let of = |name: &str, unit: &str, bytes: usize| format!("\"{name}\":{}", list(unit, bytes));
    let call = r#"{"type":"tool_use","id":"a","name":"n","input":{"a":""#;
    let quotes = |count| {
        let calls = format!("[{call}{}\"}}}}]", "\\\"".repeat(count));
        with("m", &format!(r#""messages":[{{"role":"assistant","content":{calls}}}]"#))
    };
    let escapes = format!("\"{}\"", "\\u0041".repeat(31 * MIB / 6));
    let too_many = [
        with("known", &of("messages", "0", 4_700_000)),
        with("m", &of("messages", "{}", 8 * MIB)),
        with("known", &of("messages", r#"{"a":1}"#, 24 * MIB)),
        saying("known", &list("{}", 31 * MIB)),
        with("known", &format!("{hello},{}", of("tools", "{}", 31 * MIB))),
    ];
    for (body, path) in too_many.into_iter().zip(["/v1/chat/completions", "/v1/messages"].into_iter().cycle()) {
        let answer = gateway.send(&Request::new("POST", path).key(TOKEN).json(body));
        assert!(answer.status == 400 && answer.text().contains(TOO_MANY), "{} {}", answer.status, answer.text());
        assert_eq!(gateway.record(&answer)["state"], "rejected");
    }
    let carried = [
        ("/v1/chat/completions", with("known", &format!("{hello},{}", of("x", "0", 31 * MIB)))),
        ("/v1/chat/completions", saying("known", &escapes)),
        ("/v1/chat/completions", saying("known", &format!("\"{}\"", "x".repeat(31 * MIB)))),
        ("/v1/messages", saying("m", &escapes)),
        ("/v1/messages", saying("m", &format!("\"{}\"", "x".repeat(31 * MIB)))),
        ("/v1/messages", quotes(10 * MIB)),
    ];
    for (index, (path, body)) in carried.into_iter().enumerate() {
        let request = Request::new("POST", path).key(TOKEN).json(body);
        // On a busy machine the call before may still hold its room; then it is asked to come again in a second.
        let answer = eventually("there is room", || Some(gateway.send(&request)).filter(|answer| answer.status != 503));
        assert!((answer.status, answer.end) == (200, End::Clean), "{index}: {} {}", answer.status, answer.text());
    }
    // For a provider of another dialect each of its quotes takes four bytes.
    let answer = gateway.send(&Request::new("POST", "/v1/messages").key(TOKEN).json(quotes(15 * MIB)));
    assert!(answer.status == 400 && answer.text().contains("larger than can be carried"), "{}", answer.text());
    assert_untrapped(&gateway);
}

fn assert_untrapped(gateway: &Gateway) {
    let log = gateway.log();
    assert!(!log.contains("an instance trapped"), "{log}");
}

fn many(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(",")
}

/// The call of a tool of this name.
fn call(name: &str) -> String {
    format!(r#"{{"id":"{name}","type":"function","function":{{"name":"{name}","arguments":"{{}}"}}}}"#)
}

const HELLO: &str = r#""messages":[{"role":"user","content":"Hi"}]"#;

/// Requests with many tools: the path, the model, and the members.
fn with_tools() -> [(&'static str, &'static str, String); 3] {
    let odd = many(27_000, |each| format!(r#"{{"name":"a.b {each}","input_schema":{{}}}}"#));
    let custom = many(27_000, |each| format!(r#"{{"type":"custom","name":"a_b_{each}"}}"#));
    let turns = many(5_000, |_| format!(r#"{{"role":"assistant","tool_calls":[{}]}}"#, call("t")));
    let renamed = many(20_000, |each| format!(r#""a b{each}":{{}}"#));
    let messages = format!(r#""messages":[{{"role":"user","content":"Hi"}},{turns}]"#);
    [
        ("/v1/messages", "m", format!(r#"{HELLO},"tools":[{odd}]"#)),
        ("/v1/responses", "m", format!(r#""input":"Hi","tools":[{custom}]"#)),
        ("/v1/chat/completions", "c", format!("{messages},{}", tool(&format!(r#"{{"properties":{{{renamed}}}}}"#)))),
    ]
}

/// One tool with this schema.
fn tool(schema: &str) -> String {
    format!(r#""tools":[{{"type":"function","function":{{"name":"t","parameters":{schema}}}}}]"#)
}

/// Schemas that have to be written anew for other providers.
fn schemas() -> [String; 5] {
    let odd = many(40_000, |each| format!(r#""a b{each}":{{}}"#));
    let kinds = many(80_000, |each| format!(r#""t{each}""#));
    let values = many(80_000, |each| each.to_string());
    let large = many(30_000, |each| format!(r#""p{each}":{{}}"#));
    let references = many(200, |_| r##"{"$ref":"#/$defs/large"}"##.to_owned());
    let required = many(20_000, |each| format!(r#"{{"required":["p{each}"]}}"#));
    let alternatives = many(18_000, |each| format!(r#"{{"properties":{{"a":{{"const":{each}}}}}}}"#));
    [
        format!(r#"{{"type":"object","properties":{{{odd}}}}}"#),
        format!(r#"{{"properties":{{"a":{{"type":[{kinds}],"enum":[{values}]}}}}}}"#),
        format!(r#"{{"anyOf":[{references}],"$defs":{{"large":{{"properties":{{{large}}}}}}}}}"#),
        format!(r#"{{"allOf":[{required}]}}"#),
        format!(r#"{{"anyOf":[{alternatives}]}}"#),
    ]
}

/// Each of these would take seconds if its parts were looked at once for each other part.
fn nothing_large_is_compared_with_everything_else(host: Host) {
    let calls = many(17_000, |each| call(&format!("a_b_{}", 26_999 - each)));
    let message = format!(r#"{{"role":"assistant","content":null,"tool_calls":[{calls}]}}"#);
    let calling = format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"tool_calls"}}]}}"#);
    let calling = Upstream::answering(Answer::json(200, &calling));
    let content = r#"[{"type":"text","text":"Hi"}]"#;
    let answer = format!(r#"{{"type":"message","role":"assistant","content":{content},"stop_reason":"end_turn"}}"#);
    let claude = Upstream::answering(Answer::json(200, &answer));
    let catalog = format!(
        "[[providers]]\nname = \"c\"\nlocal = true\ndialect = \"anthropic\"\nbase_url = \"{}/v1\"\n\
         credentials = [\"sk-c\"]\n[[models]]\nname = \"c\"\ntargets = [\"c/up\"]\n",
        claude.url()
    );
    let gateway = on(host).provider("a", &calling).model("m", &["a/up"]).catalog(&catalog).start().settled();
    let schemas = schemas().map(|schema| ("/v1/chat/completions", "c", format!("{HELLO},{}", tool(&schema))));
    for (index, (path, model, members)) in with_tools().into_iter().chain(schemas).enumerate() {
        let answer = gateway.send(&Request::new("POST", path).key(TOKEN).json(with(model, &members)));
        assert!((answer.status, answer.end) == (200, End::Clean), "{index}: {} {}", answer.status, answer.text());
    }
    assert_untrapped(&gateway);
}

/// An upload that has sent all but its last bytes.
fn slow_upload(gateway: &Gateway, key: &str) -> TcpStream {
    const BYTES: usize = 32 * MIB;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {BYTES}\r\n\r\n"
    );
    let begun = br#"{"model":"m","messages":[{"role":"user","content":""#;
    let mut stream = TcpStream::connect(gateway.address()).expect("it listens");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(head.as_bytes()).expect("a connection");
    let sending = stream.try_clone().expect("a socket");
    // A body that waits for its turn is not read, so this may take as long as the others do.
    thread::spawn(move || (&sending).write_all(&[begun.as_slice(), &vec![b'x'; BYTES - (200 << 10)]].concat()));
    stream
}

fn one_keys_slow_uploads_leave_room_for_everybody_elses(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let (slow, other) = (gateway.new_key("slow", &["m"]), gateway.new_key("other", &["m"]));
    let gateway = gateway.settled();
    let uploads: Vec<TcpStream> = (0..6).map(|_| slow_upload(&gateway, &slow)).collect();
    for bytes in [60, 60_000, MIB - 200, 2 * MIB, 8 * MIB] {
        for _ in 0..3 {
            let body = saying("m", &format!("\"{}\"", "y".repeat(bytes)));
            let answer = gateway.send(&chat("m").key(&other).body(body));
            assert_eq!(answer.status, 200, "{bytes}: {}", answer.text());
        }
    }
    for mut upload in uploads {
        upload.set_nonblocking(true).expect("a socket");
        let mut answer = [0; 12];
        // Those that are read and send nothing more end as slow ones.
        let is_answered = upload.read(&mut answer).is_ok();
        assert!(!is_answered || answer == *b"HTTP/1.1 408", "one was not left to wait for its turn: {answer:?}");
    }
    assert_untrapped(&gateway);
}

fn large_answers_through_translation_trap_nobody(host: Host) {
    let text = "y".repeat(30 * MIB);
    let upstream = Upstream::answering(Answer::json(200, &completion(&text)));
    let gateway = on(host).provider("a", &upstream).model("m", &["a/up"]).start().settled();
    let request = Request::new("POST", "/v1/messages").key(TOKEN).json(saying("m", r#""Hi""#));
    thread::scope(|scope| {
        let answers: Vec<_> = (0..3).map(|_| scope.spawn(|| gateway.send(&request))).collect();
        for answer in answers {
            let answer = answer.join().expect("an answer");
            match answer.status {
                200 => assert!(answer.end == End::Clean && answer.text().contains(&text), "it is not whole"),
                502 => assert!(answer.text().contains("more than llmio has room for"), "{}", answer.text()),
                status => panic!("{status}: {}", answer.text()),
            }
            let state = if answer.status == 200 { "ok" } else { "upstream_error" };
            assert_eq!(gateway.record(&answer)["state"], state);
        }
    });
    assert_untrapped(&gateway);
}

fn unfinished_events_trap_nobody(host: Host) {
    const STREAMS: usize = 40;
    let unfinished = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}", "x".repeat(8 * MIB - 1000));
    let upstream = Upstream::answering(Answer::stream().chunk(unfinished).wait());
    let good = Upstream::saying("Hi");
    let gateway = on(host).provider("a", &upstream).model("m", &["a/up"]).provider("b", &good).model("n", &["b/up"]);
    let gateway = gateway.start().settled();
    let body = with("m", r#""stream":true,"messages":[{"role":"user","content":"Hello"}]"#);
    let streams: Vec<_> = (0..STREAMS)
        .map(|_| gateway.open(&Request::new("POST", "/v1/messages").key(TOKEN).json(body.clone())))
        .collect();
    upstream.wait_for_requests(STREAMS);
    for _ in 0..20 {
        assert_eq!(gateway.send(&chat("n")).status, 200);
    }
    drop(streams);
    eventually("each has its record", || {
        (gateway.records("model=m&limit=100").iter().filter(|record| record["state"] != "running").count() == STREAMS)
            .then_some(())
    });
    assert_untrapped(&gateway);
}

/// Responses says each text five times, the last time when all of it has come. A text of many lines is read once.
fn answers_that_are_said_several_times_trap_nobody(host: Host) {
    let upstream_of = |pieces: usize, bytes: usize| {
        let piece = event(&"y".repeat(bytes));
        let answer = (0..pieces).fold(Answer::stream().chunk(event("a")), |answer, _| answer.chunk(piece.clone()));
        Upstream::answering(answer.chunk(last_events()).end())
    };
    let lines = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "\nx".repeat(1_000_000));
    let lines = Answer::stream().chunk(event("a")).chunk(lines).chunk(last_events()).end();
    let upstreams =
        [upstream_of(1, 12 * MIB), upstream_of(192, 64 << 10), Upstream::answering(lines), upstream_of(1, 30 * MIB)];
    let names = ["once", "often", "lines", "too-long"];
    let gateway = names.iter().zip(&upstreams).fold(on(host), |gateway, (name, upstream)| {
        gateway.provider(name, upstream).model(name, &[&format!("{name}/up")])
    });
    let gateway = gateway.start().settled();
    for name in names {
        let body = format!(r#"{{"model":"{name}","stream":true,"input":"Hi"}}"#);
        let answer = gateway.send(&Request::new("POST", "/v1/responses").key(TOKEN).json(body));
        let is_whole = (answer.status, answer.end) == (200, End::Clean) && answer.text().contains("response.completed");
        let is_refused = answer.text().contains("event: response.failed") && name == "too-long";
        assert!(is_whole || is_refused, "{name}: {} {:?}", answer.status, answer.end);
        let state = if is_whole { "ok" } else { "upstream_truncated" };
        assert_eq!(gateway.record(&answer)["state"], state, "{name}");
    }
    assert_untrapped(&gateway);
}
