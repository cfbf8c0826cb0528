//! The outline of a body: how deeply it nests and how many items it has. One pass over its brackets and commas finds
//! this before anything is parsed, so that no parser overflows its stack or builds a list of millions of tiny items.

use crate::operation::Operation;
use crate::pace::Pace;
use crate::refusal::Refusal;
use crate::scan::end_of_string;

/// The most messages, parts and tools of a body, counted together, and the most members. No provider accepts as many,
/// and each would take hundreds of bytes when translated.
pub(super) const ITEMS_MAX: usize = 100_000;

/// The deepest nesting of JSON that is accepted, so that no parser of a provider or of llmio overflows its stack.
pub(super) const DEPTH_MAX: usize = 128;

/// Items are counted down to this depth: `contents[].parts[]`, `tools[].functionDeclarations[]`. What nests deeper
/// belongs to a schema or a document.
const ITEMS_DEPTH_MAX: usize = 4;

/// The members whose items are counted. Nothing is built from the items of other members.
const COUNTED: [&[u8]; 7] = [b"messages", b"contents", b"input", b"tools", b"system", b"functions", b"requests"];

/// The number of bytes between two calls of the pace.
const PIECE_BYTES: usize = 1 << 20;

/// Refuses a body that nests too deeply or has too many items.
pub(super) fn check(operation: Operation, json: &[u8], pace: Pace<'_>) -> Result<(), Refusal> {
    let mut outline = Outline { depth: 0, lists: [false; ITEMS_DEPTH_MAX], items: 0, name: 0..0, is_counted: false };
    let (mut at, mut paced) = (0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = end_of_string(json, at + 1);
                if outline.depth == 1 {
                    outline.name = at + 1..end;
                }
                at = end;
            }
            b'{' | b'[' => outline.open(operation, json, *byte == b'[', at)?,
            b'}' | b']' => outline.depth = outline.depth.saturating_sub(1),
            b',' => outline.count()?,
            _ => {}
        }
        at += 1;
        if at - paced >= PIECE_BYTES {
            pace.step(at - paced);
            paced = at;
        }
    }
    Ok(())
}

struct Outline {
    depth: usize,
    /// Which of the outer levels are lists.
    lists: [bool; ITEMS_DEPTH_MAX],
    items: usize,
    /// Where the last string at the top level stands. It is a member's name if a list or an object follows.
    name: std::ops::Range<usize>,
    /// Whether the items of the present member are counted.
    is_counted: bool,
}

impl Outline {
    fn open(&mut self, operation: Operation, json: &[u8], is_list: bool, at: usize) -> Result<(), Refusal> {
        if self.depth == 1 {
            let name = json.get(self.name.clone()).unwrap_or_default();
            // The input of an embedding may be a list of tokens.
            let is_conversation = operation.is_chat() || operation.counts_tokens();
            self.is_counted = COUNTED.contains(&name) && (is_conversation || name != b"input");
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Refusal::bad_request(format!(
                "The JSON body nests deeper than {DEPTH_MAX} levels (at byte {at}). Flatten it."
            )));
        }
        if let Some(level) = self.lists.get_mut(self.depth - 1) {
            *level = is_list;
        }
        if is_list { self.count() } else { Ok(()) }
    }

    /// Counts a comma. A list has one item more than commas.
    fn count(&mut self) -> Result<(), Refusal> {
        let is_list = self.depth.checked_sub(1).and_then(|level| self.lists.get(level)).is_some_and(|is_list| *is_list);
        if self.depth == 1 || (self.is_counted && is_list) {
            self.items += 1;
            if self.items > ITEMS_MAX {
                return Err(Refusal::bad_request(format!(
                    "The body brings more than {ITEMS_MAX} messages, parts and tools together. Send fewer."
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(operation: Operation, json: &str) -> bool {
        let refused = check(operation, json.as_bytes(), Pace::default());
        refused
            .is_err_and(|refusal| refusal.status == 400 && refusal.message.contains("100000 messages, parts and tools"))
    }

    fn list(item: &str, count: usize) -> String {
        format!("[{}]", vec![item; count].join(","))
    }

    #[test]
    fn more_than_a_hundred_thousand_messages_parts_and_tools_are_too_many() {
        for (name, operation) in [
            ("messages", Operation::Chat),
            ("messages", Operation::Messages),
            ("input", Operation::Responses),
            ("input", Operation::InputTokens),
            ("contents", Operation::Generate),
            ("tools", Operation::Chat),
        ] {
            for item in ["0", "{}", r#"{"role":"user","content":"a,[,{"}"#] {
                let body = |count| format!(r#"{{"model":"m","{name}":{}}}"#, list(item, count));
                assert!(!is_refused(operation, &body(99_000)), "{name}: {item}");
                assert!(is_refused(operation, &body(ITEMS_MAX + 1)), "{name}: {item}");
            }
        }
        let parts = |count| format!(r#"{{"contents":[{{"parts":{}}}]}}"#, list("{}", count));
        assert!(!is_refused(Operation::Generate, &parts(99_000)) && is_refused(Operation::Generate, &parts(ITEMS_MAX)));
        let both = format!(r#"{{"messages":{},"tools":{}}}"#, list("{}", 60_000), list("{}", 60_000));
        assert!(is_refused(Operation::Chat, &both));
    }

    #[test]
    fn long_lists_that_are_no_conversation_are_not_counted() {
        let numbers = list("0", 2 * ITEMS_MAX);
        assert!(!is_refused(Operation::Embeddings, &format!(r#"{{"input":{numbers}}}"#)));
        assert!(!is_refused(Operation::Chat, &format!(r#"{{"messages":[],"x":{numbers}}}"#)));
        let schema = format!(r#"{{"tools":[{{"function":{{"parameters":{{"enum":{numbers}}}}}}}]}}"#);
        assert!(!is_refused(Operation::Chat, &schema));
        assert!(is_refused(
            Operation::Chat,
            &format!("{{{}}}", list(r#""a":0"#, 2 * ITEMS_MAX).trim_matches(['[', ']']))
        ));
    }

    #[test]
    fn who_paces_it_is_told_of_each_piece() {
        let paced = std::cell::Cell::new(0);
        let pace = |bytes| paced.set(paced.get() + bytes);
        let body = format!(r#"{{"x":{}}}"#, list("0", 4 * PIECE_BYTES));
        check(Operation::Chat, body.as_bytes(), Pace::of(&pace)).expect("no messages");
        assert!((body.len() - PIECE_BYTES..=body.len()).contains(&paced.get()));
    }
}
