//! Edits the client's bytes in place instead of parsing and writing them again: numbers, order, spacing and unknown
//! fields stay as they are, and prompt caches that depend on the prefix keep working.

use std::ops::Range;

use super::adjust::{self, Changes};
use crate::call::{Call, NameAt, NameForm};
use crate::catalog::Adjustments;

/// One replacement of bytes by others.
pub(crate) type Edit = (Range<usize>, Vec<u8>);

/// The body of `call` for a target that calls the model `model`: without the member `session_id`, which is meant for
/// llmio and which a strict API would refuse, with the request for usage in streams, and with the target's adjustments.
pub fn body_for(call: &Call, model: &str, adjustments: Option<&Adjustments>) -> Vec<u8> {
    body_without(call, model, adjustments, &[]).0
}

/// Asks for the usage of a chat stream, which not every provider accepts.
pub(super) const STREAM_OPTIONS: &str = "stream_options";

/// The same body without the members in `held_back`, and the names of those that were in it.
pub(super) fn body_without(
    call: &Call,
    model: &str,
    adjustments: Option<&Adjustments>,
    held_back: &[&str],
) -> (Vec<u8>, Vec<String>) {
    let mut edits: Vec<Edit> = call.names.iter().map(|at| (at.span.clone(), name_as(at, model))).collect();
    let is_looked_at = adjustments.is_some() || !held_back.is_empty();
    let members = if is_looked_at { adjust::members(&call.body) } else { Vec::new() };
    let usage_edit = call.usage_edit.as_ref().filter(|_| !held_back.contains(&STREAM_OPTIONS));
    if members.is_empty() {
        edits.extend(call.session_span.iter().map(|span| (span.clone(), Vec::new())));
        edits.extend(usage_edit.iter().map(|edit| (edit.span.clone(), edit.spliced())));
        return (splice(&call.body, edits), Vec::new());
    }
    let is_held_back = |name: &str| held_back.contains(&name);
    let mut removed: Vec<String> = Vec::new();
    for member in members.iter().filter(|member| is_held_back(&member.name)) {
        if !removed.contains(&member.name) {
            removed.push(member.name.clone());
        }
    }
    let mut changes = Changes { removed: removed.clone(), ..Changes::default() };
    changes.removed.extend(call.session_span.as_ref().map(|_| "session_id".to_owned()));
    let usage = usage_edit.map(|edit| (STREAM_OPTIONS.to_owned(), edit.options.clone()));
    changes.set.extend(usage);
    if let Some(adjustments) = adjustments {
        // A member that is held back counts as not written.
        changes.add(adjustments, (&call.body, &members), is_held_back);
    }
    edits.extend(changes.edits(&call.body, &members));
    (splice(&call.body, edits), removed)
}

/// A body that a translation wrote, with the target's adjustments. `may_default` says which members a default may
/// replace, since the client did not write them.
pub(super) fn adjusted(
    body: Vec<u8>,
    adjustments: Option<&Adjustments>,
    may_default: impl Fn(&str) -> bool,
) -> Vec<u8> {
    let Some(adjustments) = adjustments else { return body };
    let members = adjust::members(&body);
    let mut changes = Changes::default();
    changes.add(adjustments, (&body, &members), may_default);
    let edits = changes.edits(&body, &members);
    splice(&body, edits)
}

fn name_as(at: &NameAt, model: &str) -> Vec<u8> {
    let json = |name: String| serde_json::Value::from(name).to_string();
    let text = match at.form {
        NameForm::Json => json(model.to_owned()),
        NameForm::Gemini => json(format!("models/{model}")),
        NameForm::Plain => model.to_owned(),
        NameForm::Member { followed } => {
            format!("\"model\":{}{}", json(model.to_owned()), if followed { "," } else { "" })
        }
    };
    text.into_bytes()
}

/// Makes every edit in `body`, except edits that overlap an earlier one.
pub(crate) fn splice(body: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|(span, _)| span.start);
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut spliced = Vec::with_capacity(body.len() + added);
    let mut at = 0;
    for (span, text) in edits.iter().filter(|(span, _)| span.start <= span.end) {
        let Some(before) = body.get(at..span.start) else { continue };
        spliced.extend_from_slice(before);
        spliced.extend_from_slice(text);
        at = span.end;
    }
    spliced.extend_from_slice(body.get(at..).unwrap_or_default());
    spliced
}
