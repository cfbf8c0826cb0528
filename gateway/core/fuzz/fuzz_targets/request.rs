//! Any body of any endpoint is refused or read, and what is spliced into one that was read leaves it JSON.
#![no_main]

use gateway_core::accept::{Head, call, demand, prompt_beginning};
use gateway_core::operation::Operation;
use gateway_core::pace::Pace;
use gateway_core::rewrite::body_for;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (operation, in_path, body) = input;
    let operation = Operation::ALL[usize::from(operation) % Operation::ALL.len()];
    let head = Head { model: in_path.then(|| "m".to_owned()), content_type: b"", query: Some("alt=sse&beta=true"), ..Head::default() };
    let Ok(call) = call(operation, head, body.to_vec()) else { return };
    let _ = (demand(&call, Pace::default()), prompt_beginning(&call));
    let spliced = body_for(&call, "other/model", None);
    // Two members of a name beside each other are the client's own; what was JSON stays JSON.
    let text = String::from_utf8(spliced).expect("still text");
    assert!(text.trim_start().starts_with('{') && text.trim_end().ends_with('}'));
});
