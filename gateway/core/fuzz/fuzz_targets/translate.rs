//! Any request, answer or error of any dialect is translated into JSON of any other, or refused.
#![no_main]

use gateway_core::dialect::Dialect;
use gateway_core::reasoning_seals::Readable;
use gateway_core::translate::{AnswerContext, Direction, answer, answer_as_stream, native, request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, bool, &[u8])| {
    let (from, to, streamed, body) = input;
    let (from, to) = (Dialect::ALL[usize::from(from) % 4], Dialect::ALL[usize::from(to) % 4]);
    let context = AnswerContext { model: "m".into(), id: "r-1".into(), ..AnswerContext::default() };
    let is_object = |body: &[u8]| body.starts_with(b"{") && body.ends_with(b"}");
    if let Ok(translated) = request(Direction { from, to, model: "up", profile: "up", streamed, readable: Readable::default() }, body) {
        assert!(is_object(&translated.body));
    }
    if let Some(answer) = answer(from, to, &context, body) {
        assert!(is_object(&answer));
    }
    let _ = answer_as_stream(from, to, &context, body);
    assert!(to.error(&from.read_error(500, body), "r-1").is_object());
    let _ = native(from, "deepseek-v4-pro", body, Readable::default());
});
