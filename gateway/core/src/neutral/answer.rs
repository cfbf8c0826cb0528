//! The neutral form of answers: whole ones, the events of a stream, and errors.

use super::{ApiError, Media, Part, ReasoningPart, Seal, ToolCall};
use crate::usage::Usage;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The id that the provider gave it.
    pub id: Option<String>,
    /// The provider's name of the model.
    pub model: Option<String>,
    /// The alternatives: one, unless more were asked for.
    pub choices: Vec<Choice>,
    /// The usage.
    pub usage: Usage,
}

impl Answer {
    /// The same answer as events of a stream.
    pub(crate) fn into_events(self) -> Vec<Event> {
        let mut events = vec![Event::Start { id: self.id, model: self.model }];
        let mut part = 0;
        for (choice, Choice { parts, finish }) in self.choices.into_iter().enumerate() {
            for piece in parts {
                let (kind, text, signature) = match piece {
                    Part::Text(text) => (PartKind::Text, text, None),
                    Part::Refusal(text) => (PartKind::Refusal, text, None),
                    Part::Reasoning(ReasoningPart { text, signature, sealed }) => {
                        (PartKind::Reasoning { sealed }, text, signature)
                    }
                    Part::ToolCall(ToolCall { id, name, arguments, signature }) => {
                        (PartKind::ToolCall { id, name }, arguments, signature)
                    }
                    Part::Image { media: Media::Base64 { media_type, data }, .. } => {
                        (PartKind::Image { media_type, data }, String::new(), None)
                    }
                    Part::Image { media, .. } => (PartKind::Text, media.in_words(), None),
                    // No dialect has these as parts of a stream.
                    Part::File { .. } | Part::Audio(_) | Part::ToolResult(_) | Part::CacheMark(_) => {
                        continue;
                    }
                };
                let is_call = matches!(kind, PartKind::ToolCall { .. });
                events.push(Event::Begin { part, choice, kind });
                let signature = signature.map(|signature| Event::Signature { part, signature });
                let delta = (!text.is_empty()).then_some(Event::Delta { part, text });
                events.extend(if is_call { [signature, delta] } else { [delta, signature] }.into_iter().flatten());
                events.push(Event::End { part });
                part += 1;
            }
            events.push(Event::Finish { choice, finish: finish.unwrap_or(Finish::Stop) });
        }
        events.push(Event::Usage(self.usage));
        events.push(Event::Done);
        events
    }
}

/// One of an answer's alternatives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    /// The parts of its content, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Option<Finish>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// One of the request's `stop` texts came. If the provider says which, this is it.
    StopSequence(Option<String>),
    /// The limit of tokens was reached.
    Length,
    /// The answer calls tools.
    ToolCalls,
    /// A provider's filter ended it, or the model refused.
    Filtered,
    /// Anthropic's `pause_turn`: the model would continue.
    Paused,
}

impl Finish {
    /// The reason to end that fits an answer that calls tools, or does not: some providers report calls where there is
    /// none, or no call where there is one. Clients wait for a call that is reported, and run none that is not.
    pub(crate) fn of(self, calls_tools: bool) -> Finish {
        match self {
            Finish::ToolCalls if !calls_tools => Finish::Stop,
            Finish::Stop if calls_tools => Finish::ToolCalls,
            finish => finish,
        }
    }
}

/// One event of a streamed answer. Parts may overlap if the reader's dialect allows it (parallel tool calls of OpenAI
/// chat); a writer whose dialect does not puts them in order with `sequence`. Every part that has begun ends before its
/// choice finishes.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins. This comes once, as the first event.
    Start {
        /// The id that the provider gave it.
        id: Option<String>,
        /// The provider's name of the model.
        model: Option<String>,
    },
    /// A part begins. `part` numbers the parts of the whole answer from 0.
    Begin {
        /// The part's number.
        part: usize,
        /// The choice that it belongs to.
        choice: usize,
        /// The kind of part.
        kind: PartKind,
    },
    /// More of a text, a reasoning, a refusal, or the arguments of a call.
    Delta {
        /// The part's number.
        part: usize,
        /// The text to be added.
        text: String,
    },
    /// The seal on a reasoning or a call. The seal on a call directly follows its beginning.
    Signature {
        /// The part's number.
        part: usize,
        /// The whole seal.
        signature: Seal,
    },
    /// A part is complete.
    End {
        /// The part's number.
        part: usize,
    },
    /// A choice is complete.
    Finish {
        /// The choice's number.
        choice: usize,
        /// The reason.
        finish: Finish,
    },
    /// The usage so far. A later report replaces what it knows of an earlier one.
    Usage(Usage),
    /// The provider reports an error inside the stream. Nothing follows.
    Error(ApiError),
    /// The answer is complete. This comes once, as the last event; a stream without it was cut off.
    Done,
}

/// The kind of a streamed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// Text.
    Text,
    /// Reasoning; sealed as a whole if only its provider can read it.
    Reasoning {
        /// See [`ReasoningPart::sealed`].
        sealed: Option<Seal>,
    },
    /// A call of a tool.
    ToolCall {
        /// See [`ToolCall::id`].
        id: String,
        /// The name of the tool.
        name: String,
    },
    /// The model's refusal to answer.
    Refusal,
    /// A whole picture, whose end follows. A picture at an address is text.
    Image {
        /// Such as `image/png`.
        media_type: String,
        /// In base64.
        data: String,
    },
}
