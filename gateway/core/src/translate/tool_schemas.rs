//! Schemas of tools, and of the answer, in the form that the provider accepts, and arguments and answers under the names
//! that each side knows.

use std::collections::{BTreeMap, HashMap};

use crate::dialect::Dialect;
use crate::memory;
use crate::neutral::schema::{self, RenamedKeys};
use crate::neutral::{AnswerContext, Event, Format, Part, PartKind, Request, ToolCall, Warnings, json};
use crate::order;

/// Stands for the answer itself where a tool would be named. No tool has this name.
const ANSWER: &str = "";

/// Gives every tool a schema that the dialect `to` accepts, and renames properties in the conversation's calls
/// accordingly. Returns the renamed properties of each tool. The result depends on the tools alone, so that it stays
/// the same as a conversation goes on.
pub(super) fn fit(request: &mut Request, to: Dialect, warnings: &mut Warnings) -> Vec<RenamedKeys> {
    let (mut renamed, mut copies) = (Vec::new(), schema::Copies::default());
    if to == Dialect::Gemini {
        return renamed;
    }
    for tool in &mut request.tools {
        let Some(parameters) = &mut tool.parameters else { continue };
        if schema::flatten_top(parameters, &mut copies) {
            warnings.changed("alternatives at the top of a tool's schema to one object");
        }
        if to != Dialect::Anthropic {
            continue;
        }
        schema::split_enums(parameters);
        let own = schema::rename_keys(parameters);
        if !own.is_empty() {
            warnings.changed("names of a tool's properties to names that the provider takes");
            renamed.push(RenamedKeys { tool: tool.name.clone(), own });
        }
    }
    if to == Dialect::Anthropic && request.profile.format {
        renamed.extend(fit_answer(request, warnings));
    }
    order::by(&mut renamed, |one, other| one.tool.cmp(&other.tool));
    let mut sent = HashMap::new();
    let parts = request.messages.iter_mut().flat_map(|message| &mut message.parts);
    for call in parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None }) {
        if let Some(keys) = of_tool(&renamed, &call.name) {
            let sent = sent.entry(&keys.tool).or_insert_with(|| keys.sent());
            rewrite(&mut call.arguments, |arguments| schema::replace_keys(arguments, sent));
        }
    }
    renamed
}

/// Renames properties in the schema of the answer, unless it is told in words.
fn fit_answer(request: &mut Request, warnings: &mut Warnings) -> Option<RenamedKeys> {
    let Some(Format::JsonSchema { schema, .. }) = &mut request.format else { return None };
    let own = if schema::can_be_plain(schema) { schema::rename_keys(schema) } else { return None };
    if own.is_empty() {
        return None;
    }
    warnings.changed("names in the schema of the answer to names that the provider takes");
    Some(RenamedKeys { tool: ANSWER.to_owned(), own })
}

/// Gives an answer that follows a schema the caller's own names.
pub(super) fn restore_answer(text: &mut String, context: &AnswerContext) {
    if let Some(keys) = of_tool(&context.renamed_keys, ANSWER) {
        rewrite(text, |answer| keys.restore(answer));
    }
}

/// Gives the arguments of a call in an answer the caller's own names. The tool still has the provider's name.
pub(super) fn restore(call: &mut ToolCall, context: &AnswerContext) {
    if let Some(keys) = of_tool(&context.renamed_keys, &call.name) {
        rewrite(&mut call.arguments, |arguments| keys.restore(arguments));
    }
}

/// `renamed` is in the order of the tools' names.
fn of_tool<'k>(renamed: &'k [RenamedKeys], tool: &str) -> Option<&'k RenamedKeys> {
    let at = renamed.partition_point(|keys| keys.tool.as_str() < tool);
    renamed.get(at).filter(|keys| keys.tool == tool)
}

/// Changes arguments that are JSON. Others stay as they are.
fn rewrite(arguments: &mut String, change: impl Fn(&mut serde_json::Value)) {
    if let Some(mut value) = json::parse(arguments) {
        change(&mut value);
        *arguments = value.to_string();
    }
}

/// Holds arguments of a stream, or its answer, until they are whole if their names must be changed. All others pass as
/// they come.
#[derive(Debug, Default)]
pub(super) struct HeldArguments {
    /// The calls whose arguments are held, by part; [`ANSWER`] names the answer.
    calls: BTreeMap<usize, ToolCall>,
}

impl HeldArguments {
    /// The events that the caller gets for an event. A call still has the provider's name.
    pub(super) fn pass(&mut self, event: Event, context: &AnswerContext) -> Vec<Event> {
        match event {
            Event::Begin { part, kind: PartKind::ToolCall { ref name, .. }, .. } => {
                if of_tool(&context.renamed_keys, name).is_some() {
                    self.calls.insert(part, ToolCall { name: name.clone(), ..ToolCall::default() });
                }
                vec![event]
            }
            Event::Begin { part, kind: PartKind::Text, .. } if of_tool(&context.renamed_keys, ANSWER).is_some() => {
                self.calls.insert(part, ToolCall::default());
                vec![event]
            }
            // Whatever has not ended by then, ends without saying so.
            Event::Finish { .. } | Event::Done => {
                let whole = std::mem::take(&mut self.calls).into_iter().map(|(part, mut call)| {
                    restore(&mut call, context);
                    Event::Delta { part, text: call.arguments }
                });
                whole.chain([event]).collect()
            }
            Event::Delta { part, text } => match self.calls.get_mut(&part) {
                Some(call) => {
                    memory::extend_text(&mut call.arguments, text);
                    Vec::new()
                }
                None => vec![Event::Delta { part, text }],
            },
            Event::End { part } => match self.calls.remove(&part) {
                Some(mut call) => {
                    restore(&mut call, context);
                    vec![Event::Delta { part, text: call.arguments }, Event::End { part }]
                }
                None => vec![Event::End { part }],
            },
            event => vec![event],
        }
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.calls.values().map(|call| call.arguments.len()).sum()
    }
}
