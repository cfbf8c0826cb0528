//! How much memory it takes to write something anew: a guest has 256 MiB, and what does not fit there traps it with all
//! its calls. [`memory`](gateway_core::memory) asks for so much before, and this holds every reader and writer to it.

#![expect(unsafe_code, reason = "an allocator that counts is one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use gateway_core::dialect::Dialect;
use gateway_core::reasoning_seals::Readable;
use gateway_core::translate::{self, AnswerContext, Direction, Stream};

/// Counts what is allocated at once, and what was at most. One that grows is there twice, as if no allocator could extend
/// what it gave.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// Large enough for its room to be asked for.
const TEXT_BYTES: usize = MIB + MIB / 4;

/// What it takes beside the texts.
const SLACK_BYTES: usize = MIB + MIB / 2;

/// What came of it, and how much more than before was allocated at most.
fn taken_by<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let done = work();
    (done, MOST.load(Ordering::Relaxed).saturating_sub(before))
}

fn context() -> AnswerContext {
    AnswerContext { model: "m".to_owned(), id: "0198c0de".to_owned(), include_usage: true, ..AnswerContext::default() }
}

/// Texts whose escapes are worst in one direction or the other.
fn texts() -> [String; 2] {
    ["x".repeat(TEXT_BYTES), "\\\"".repeat(TEXT_BYTES / 2)]
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn answers() -> Vec<Vec<u8>> {
    let of = |members: String| {
        let choice = format!(r#"{{"index":0,"message":{{"role":"assistant",{members}}},"finish_reason":"stop"}}"#);
        format!(r#"{{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{choice}]}}"#).into_bytes()
    };
    let call = |text: &str| {
        let arguments = escaped(&format!(r#"{{"a":"{text}"}}"#));
        let call = format!(r#"{{"id":"c","type":"function","function":{{"name":"n","arguments":"{arguments}"}}}}"#);
        of(format!(r#""content":null,"tool_calls":[{call}]"#))
    };
    texts().iter().flat_map(|text| [of(format!(r#""content":"{text}""#)), call(text)]).collect()
}

fn requests() -> Vec<Vec<u8>> {
    let of = |messages: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{messages}]}}"#).into_bytes()
    };
    let called = |arguments: &str, result: &str| {
        let call = format!(r#"{{"id":"c","type":"function","function":{{"name":"n","arguments":"{arguments}"}}}}"#);
        let call = format!(r#"{{"role":"assistant","tool_calls":[{call}]}}"#);
        of(&format!(r#"{call},{{"role":"tool","tool_call_id":"c","content":"{result}"}}"#))
    };
    let picture = format!("data:image/png;base64,{}", "A".repeat(TEXT_BYTES));
    let picture = format!(r#"{{"type":"image_url","image_url":{{"url":"{picture}"}}}}"#);
    let texts = texts();
    let each = texts.iter().flat_map(|text| {
        let arguments = escaped(&format!(r#"{{"a":"{text}"}}"#));
        [of(&format!(r#"{{"role":"user","content":"{text}"}}"#)), called(&arguments, "b"), called("{}", text)]
    });
    each.chain([of(&format!(r#"{{"role":"user","content":[{picture}]}}"#))]).collect()
}

// One test, since what others allocate meanwhile would count too.
#[test]
fn nothing_takes_more_memory_to_be_written_anew_than_is_asked_for() {
    requests().iter().for_each(|request| requests_take_three_times_their_size(request));
    for (chat, from) in answers().iter().flat_map(|chat| Dialect::ALL.map(|from| (chat, from))) {
        let whole = match from {
            Dialect::OpenaiChat => chat.clone(),
            _ => translate::answer(Dialect::OpenaiChat, from, &context(), chat).expect("it is an answer"),
        };
        let stream = translate::answer_as_stream(Dialect::OpenaiChat, from, &context(), chat).expect("it is an answer");
        for to in Dialect::ALL {
            whole_answers_take_three_times_their_size(&whole, from, to);
            an_event_takes_what_is_written_of_it(&stream, from, to);
        }
    }
}

fn requests_take_three_times_their_size(chat: &[u8]) {
    let direction =
        |from, to| Direction { from, to, model: "m", profile: "m", streamed: false, readable: Readable::default() };
    for from in Dialect::ALL {
        let body = match from {
            Dialect::OpenaiChat => chat.to_vec(),
            _ => translate::request(direction(Dialect::OpenaiChat, from), chat).expect("it is a request").body,
        };
        for to in Dialect::ALL {
            let (done, taken) = taken_by(|| translate::request(direction(from, to), &body).is_ok());
            assert!(done && taken <= 3 * body.len() + SLACK_BYTES, "{from:?} to {to:?}: {taken} of {}", body.len());
        }
        let (_, taken) = taken_by(|| translate::native(from, "m", &body, Readable::default()));
        assert!(taken <= 2 * body.len() + SLACK_BYTES, "{from:?}: {taken} of {}", body.len());
    }
}

fn whole_answers_take_three_times_their_size(body: &[u8], from: Dialect, to: Dialect) {
    let (done, taken) = taken_by(|| translate::answer(from, to, &context(), body).is_some());
    assert!(done && taken <= 3 * body.len() + SLACK_BYTES, "{from:?} to {to:?}: {taken} of {}", body.len());
}

/// Responses writes each text five times, and its providers say each as often.
fn an_event_takes_what_is_written_of_it(stream: &[u8], from: Dialect, to: Dialect) {
    let event = stream.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or_default();
    let times = if to == Dialect::OpenaiResponses { 14 } else { 4 };
    let mut writer = Stream::new(from, to, context());
    for piece in stream.chunks(16 << 10) {
        let (_, taken) = taken_by(|| writer.feed(piece));
        assert!(taken <= times * event + 2 * SLACK_BYTES, "{from:?} to {to:?}: {taken} of an event of {event}");
    }
    let (_, taken) = taken_by(|| writer.end());
    assert!(taken <= times * event + 2 * SLACK_BYTES, "{from:?} to {to:?}: {taken} at the end");
    assert!(writer.is_finished() && !writer.has_failed(), "{from:?} to {to:?}");
}
