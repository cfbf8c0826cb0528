//! The neutral form of answers: whole, as the steps of a stream, and as errors.

use super::{ApiError, Media, Part, ReasoningPart, Seal, ToolCall};
use crate::usage::Usage;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model as the provider names it.
    pub model: Option<String>,
    /// One, unless more were asked for.
    pub choices: Vec<Choice>,
    /// What it used.
    pub usage: Usage,
}

impl Answer {
    /// The same answer as the steps of a stream.
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
                    // No stream of any dialect has these as its own kind of part.
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
    /// What it is made of, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Option<Finish>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// One of the request's `stop` texts came; which one, where that is said.
    StopSequence(Option<String>),
    /// There was no room for more tokens.
    Length,
    /// It calls tools.
    ToolCalls,
    /// A provider's filter ended it, or the model refused.
    Filtered,
    /// Anthropic's `pause_turn`: it would go on.
    Paused,
}

impl Finish {
    /// The reason of an answer that calls tools, or does not: providers say that it does where there is no call, and that
    /// it is done where there is one. Clients wait for a call that was announced, and run none that was not.
    pub(crate) fn of(self, calls_tools: bool) -> Finish {
        match self {
            Finish::ToolCalls if !calls_tools => Finish::Stop,
            Finish::Stop if calls_tools => Finish::ToolCalls,
            finish => finish,
        }
    }
}

/// One step of a streamed answer. Parts may overlap where the reader's dialect lets them (parallel tool calls of OpenAI
/// chat); a writer whose dialect does not puts them in order with `sequence`. Every part that began ends before its
/// choice finishes.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins. Once, first.
    Start {
        /// The provider's id of it.
        id: Option<String>,
        /// The model as the provider names it.
        model: Option<String>,
    },
    /// A part begins. `part` numbers the parts of the whole answer from 0.
    Begin {
        /// Its number.
        part: usize,
        /// Which alternative it belongs to.
        choice: usize,
        /// What it is.
        kind: PartKind,
    },
    /// More of a text, of reasoning, of a refusal, or of a call's arguments.
    Delta {
        /// The part.
        part: usize,
        /// What is added.
        text: String,
    },
    /// The seal on reasoning or on a call. That on a call comes straight after its beginning.
    Signature {
        /// The part.
        part: usize,
        /// The whole seal.
        signature: Seal,
    },
    /// A part is complete.
    End {
        /// The part.
        part: usize,
    },
    /// A choice is complete.
    Finish {
        /// Which alternative.
        choice: usize,
        /// Why.
        finish: Finish,
    },
    /// What is used so far; a later one replaces what it knows of an earlier one.
    Usage(Usage),
    /// The provider reports an error inside the stream. Nothing follows.
    Error(ApiError),
    /// The answer is complete. Once, last; a stream that ends without it was cut.
    Done,
}

/// What a streamed part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// Words.
    Text,
    /// What the model reasons; sealed as a whole where only its provider reads it.
    Reasoning {
        /// See [`ReasoningPart::sealed`].
        sealed: Option<Seal>,
    },
    /// A call of a tool.
    ToolCall {
        /// See [`ToolCall::id`].
        id: String,
        /// The tool.
        name: String,
    },
    /// The model's words for not answering.
    Refusal,
    /// A picture, whole: its end follows. One at an address is words.
    Image {
        /// Such as `image/png`.
        media_type: String,
        /// In base64.
        data: String,
    },
}
