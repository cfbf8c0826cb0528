//! Translation between dialects: requests, answers, errors and streams.
//!
//! dialect → [`neutral`](crate::neutral) form → dialect: each dialect's room has one reader and one writer of requests,
//! whole answers, errors and streams, so that four readers and four writers make sixteen pairs. The reader and writer
//! of a stream are pure machines, and the same input gives the same output however it is split.
//!
#![doc = include_str!("translate/losses.md")]

mod cache;
mod hidden_reasoning;
mod ids;
mod native;
mod tool_names;
mod tool_schemas;
mod whole;

use std::collections::BTreeSet;

use crate::dialect::Dialect;
use crate::dialects::room::{ReadStream, WriteStream};
use crate::memory::{self, SMALL_BYTES_MAX};
pub use crate::neutral::AnswerContext;
pub use crate::neutral::RenamedKeys;
use crate::neutral::events::{Events, NO_ROOM, ServerEvent};
use crate::neutral::halves::Halves;
use crate::neutral::lenient::{self, Lenient};
use crate::neutral::{
    Alias, Answer, ApiError, Event, Finish, Part, PartKind, Request, Seal, ToolChoice, Untranslatable, Warnings,
};
use crate::neutral::{json, orphans, turns};
use crate::pace::Pace;
use crate::profile::Profile;
use crate::reasoning_seals::{self, Readable};
use hidden_reasoning::HiddenReasoning;
use ids::ClientIds;
use tool_schemas::HeldArguments;
use whole::WholeWriter;

/// The direction of a translation, and the model that it is for.
#[derive(Debug, Clone, Copy)]
pub struct Direction<'a> {
    /// The caller's dialect.
    pub from: Dialect,
    /// The provider's dialect.
    pub to: Dialect,
    /// The provider's own name for the model.
    pub model: &'a str,
    /// The name of the model's profile, which is the same unless the provider has its own name for the model.
    pub profile: &'a str,
    /// Whether the answer is wanted as a stream: Gemini says so in its path and not in its body.
    pub streamed: bool,
    /// The sealed reasoning that the provider can read.
    pub readable: Readable<'a>,
}

/// A request in the provider's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The body as JSON.
    pub body: Vec<u8>,
    /// What was left out or changed.
    pub warnings: Vec<String>,
    /// OpenAI chat: see [`AnswerContext::legacy_functions`].
    pub legacy_functions: bool,
    /// See [`AnswerContext::aliases`].
    pub aliases: Vec<Alias>,
    /// See [`AnswerContext::hides_reasoning`].
    pub hides_reasoning: bool,
    /// See [`AnswerContext::call_ids`].
    pub call_ids: Vec<String>,
    /// See [`AnswerContext::renamed_keys`].
    pub renamed_keys: Vec<RenamedKeys>,
}

/// Translates the request `body` for a provider of another dialect.
pub fn request(direction: Direction<'_>, body: &[u8]) -> Result<Translated, Untranslatable> {
    request_paced(direction, body, Pace::default())
}

/// Like [`request`], but calls `pace` now and then.
pub fn request_paced(direction: Direction<'_>, body: &[u8], pace: Pace<'_>) -> Result<Translated, Untranslatable> {
    if json::is_too_intricate(body) {
        return Err(Untranslatable::new("", TOO_INTRICATE));
    }
    let bytes = body.len();
    let body = serde_json::from_slice(body)
        .map_err(|error| Untranslatable::new("", format!("The body is not JSON ({error}). Send a JSON object.")))?;
    pace.step(bytes);
    let mut warnings = Warnings::default();
    let mut request = (direction.from.room().read_request)(body, &mut warnings)?;
    direction.model.clone_into(&mut request.model);
    request.profile = Profile::of(direction.profile, direction.to);
    request.streamed = direction.streamed;
    drop_unreadable(&mut request, direction, &mut warnings);
    // An empty text would end nothing.
    request.stop.retain(|text| !text.is_empty());
    tool_names::fit(&mut request, direction.to);
    let renamed_keys = tool_schemas::fit(&mut request, direction.to, &mut warnings);
    if !request.profile.prefill && direction.from.room().messages_are_turns {
        request.messages = turns::between_assistants(request.messages);
    }
    turns::results_behind_calls(&mut request.messages);
    orphans::mend(&mut request.messages, &mut warnings);
    let call_ids = ids::carry(&mut request.messages, direction.from, direction.to, request.profile.call_ids);
    turns::name_results(&mut request);
    cache::fit(&mut request, direction.from);
    drop_openais_own(&mut request, &mut warnings);
    let forces = matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Tool(_)));
    if forces && !request.profile.forced_tools {
        warnings.changed("tool_choice to auto, since the model cannot be made to call a tool");
        request.tool_choice = Some(ToolChoice::Auto);
    }
    if request.pictures && !direction.to.room().shows_pictures {
        return Err(Untranslatable::new("modalities", NO_PICTURES).named_by(direction.from.room().members));
    }
    if json::are_too_intricate(arguments_in(request.messages.iter().flat_map(|message| &message.parts))) {
        return Err(Untranslatable::new("messages", TOO_INTRICATE).named_by(direction.from.room().members));
    }
    let legacy_functions = request.legacy_functions;
    let aliases = std::mem::take(&mut request.aliases);
    let hides_reasoning = request.hides_reasoning;
    let body = (direction.to.room().write_request)(request, &mut warnings);
    let body = body.map_err(|refused| refused.named_by(direction.from.room().members))?;
    pace.step(bytes);
    let body = json::written(&body, bytes + bytes / 16, pace).ok_or_else(|| Untranslatable::new("", TOO_LARGE))?;
    let warnings = warnings.into_list();
    Ok(Translated { body, warnings, legacy_functions, aliases, hides_reasoning, call_ids, renamed_keys })
}

/// Leaves out seals of other models and accounts.
fn drop_unreadable(request: &mut Request, direction: Direction<'_>, warnings: &mut Warnings) {
    let (reads_all, profile) = (direction.readable.is_all(), request.profile);
    let mut has_dropped = false;
    let mut take = |seal: &mut Option<Seal>| {
        // Those of another dialect's providers are left out by the writers.
        let is_other = |seal: &Seal| seal.by != direction.to && profile.relayed_seals != Some(seal.by);
        has_dropped |= !profile.reads_reasoning && seal.as_ref().is_some_and(is_other);
        if !reads_all {
            has_dropped |= seal.take_if(|seal| direction.readable.refuses(&seal.text)).is_some();
        }
    };
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::Reasoning(reasoning) => {
                take(&mut reasoning.signature);
                take(&mut reasoning.sealed);
            }
            Part::ToolCall(call) => take(&mut call.signature),
            _ => {}
        }
    }
    if has_dropped {
        warnings.dropped(reasoning_seals::LEFT_OUT);
    }
}

/// Leaves out members for which only OpenAI has a use, and which strict providers of its dialect refuse.
fn drop_openais_own(request: &mut Request, warnings: &mut Warnings) {
    if request.profile.openais_members {
        return;
    }
    request.cache_key = None;
    if request.service_tier.take().is_some_and(|tier| tier != "auto") {
        warnings.dropped("service_tier");
    }
    for message in &mut request.messages {
        drop_details(&mut message.parts, warnings);
    }
}

fn drop_details(parts: &mut [Part], warnings: &mut Warnings) {
    for part in parts {
        match part {
            Part::Image { detail, .. } => {
                let detail = detail.take();
                if detail.is_some_and(|detail| detail != "auto") {
                    warnings.dropped("the detail of an image");
                }
            }
            Part::ToolResult(result) => drop_details(&mut result.parts, warnings),
            _ => {}
        }
    }
}

const NO_PICTURES: &str = "The provider of this model speaks another API, in which models draw no pictures when they answer. \
                           Ask for text only.";

const TOO_LARGE: &str =
    "The body becomes larger than can be carried when it is written for a provider of another dialect.";

const TOO_INTRICATE: &str = "The body has more values than can be carried to a provider of another dialect. Send fewer, \
                             or send long lists as text.";

/// The arguments of calls, which most dialects have as JSON and not as text.
fn arguments_in<'p>(parts: impl Iterator<Item = &'p Part>) -> impl Iterator<Item = &'p str> {
    parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call.arguments.as_str()) } else { None })
}

/// The request `body` for a provider of the caller's own dialect and a model of this profile, without reasoning that the
/// model cannot read and what earlier translations left in the conversation, since the provider refuses both; and the
/// warning that goes with it. `None` if there is none of that, or if the body is too intricate to be read; then the bytes
/// stay as they are.
pub fn native(
    dialect: Dialect,
    profile: &str,
    body: &[u8],
    readable: Readable<'_>,
) -> Option<(Vec<u8>, Option<String>)> {
    let native::Cleaned { body, lacks_reasoning } = native::clean(dialect, profile, body, readable)?;
    Some((body, lacks_reasoning.then(|| format!("dropped: {}", reasoning_seals::LEFT_OUT))))
}

/// A provider's whole answer in the caller's dialect. `None` if it is no answer of the dialect `from`, or has too many
/// values to be translated.
pub fn answer(from: Dialect, to: Dialect, context: &AnswerContext, body: &[u8]) -> Option<Vec<u8>> {
    answer_and_losses(from, to, context, body).map(|(written, _)| written)
}

/// The same, and what of it could not be read.
pub(crate) fn answer_and_losses(
    from: Dialect,
    to: Dialect,
    context: &AnswerContext,
    body: &[u8],
) -> Option<(Vec<u8>, Losses)> {
    let (answer, losses) = read_answer(from, to, context, body)?;
    let written = json::written(&(to.room().write_answer)(answer, context), body.len(), Pace::default())?;
    Some((written, losses))
}

fn read_answer(from: Dialect, to: Dialect, context: &AnswerContext, body: &[u8]) -> Option<(Answer, Losses)> {
    if json::is_too_intricate(body) {
        return None;
    }
    let Lenient { value, has_loss, .. } = lenient::document(body)?;
    let losses = Losses { of_values: has_loss, of_events: false };
    let mut answer = (from.room().read_answer)(value)?;
    if json::are_too_intricate(arguments_in(answer.choices.iter().flat_map(|choice| &choice.parts))) {
        return None;
    }
    if context.hides_reasoning {
        hidden_reasoning::remove(&mut answer);
    }
    let mut ids = ClientIds::new(context);
    let parts = answer.choices.iter_mut().flat_map(|choice| &mut choice.parts);
    for (number, part) in parts.enumerate() {
        match part {
            Part::ToolCall(call) => {
                fill_call_id(&mut call.id, context, number);
                tool_schemas::restore(call, context);
                tool_names::restore(&mut call.name, context);
                ids.give(&mut call.id, to);
            }
            Part::Text(text) => tool_schemas::restore_answer(text, context),
            _ => {}
        }
    }
    for choice in &mut answer.choices {
        let calls_tools = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        choice.finish = choice.finish.take().map(|finish| finish.of(calls_tools));
    }
    Some((answer, losses))
}

/// A provider's whole answer as a stream in the caller's dialect, for providers that answer so although a stream was
/// asked for.
pub fn answer_as_stream(from: Dialect, to: Dialect, context: &AnswerContext, body: &[u8]) -> Option<Vec<u8>> {
    stream_and_losses(from, to, context, body).map(|(written, _)| written)
}

/// The same, and what of it could not be read.
pub(crate) fn stream_and_losses(
    from: Dialect,
    to: Dialect,
    context: &AnswerContext,
    body: &[u8],
) -> Option<(Vec<u8>, Losses)> {
    let (mut answer, losses) = read_answer(from, to, context, body)?;
    let mut context = context.clone();
    name_model(&mut context, answer.model.take());
    let mut writer = (to.room().stream_writer)(&context);
    let mut out = Vec::new();
    for event in answer.into_events() {
        reserve(&event, &*writer, &mut out)?;
        writer.write(event, &mut out);
    }
    Some((out, losses))
}

/// The part of an answer that could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Values, or characters of texts.
    pub of_values: bool,
    /// Events that are no JSON.
    pub of_events: bool,
}

impl Losses {
    /// The warnings in a record.
    pub fn warnings(self) -> impl Iterator<Item = &'static str> {
        let values = self.of_values.then_some("dropped: a value of the answer that cannot be read");
        values.into_iter().chain(self.of_events.then_some("dropped: an event of the answer that is no JSON"))
    }
}

/// If no model is known for the caller, it gets the name that the provider gives, as in an answer that is not
/// translated.
fn name_model(context: &mut AnswerContext, model: Option<String>) {
    if let (true, Some(model)) = (context.model.is_empty(), model) {
        context.model = model;
    }
}

/// The most bytes of an answer that a writer may hold: those of Responses until the answer's end, arguments of a call
/// for Gemini, parts that wait for others. An answer of 128,000 tokens has some 600 KiB, and a picture may have 32 MiB.
const HELD_BYTES_MAX: usize = 36 << 20;

/// Bytes that a writer may have to write at the end of an answer. Responses says each text four times more, so that one may
/// have 16 MiB, and a picture twice.
const DUE_BYTES_MAX: usize = 64 << 20;

/// A streamed answer on its way from a provider of one dialect to a caller of another.
#[derive(Debug)]
pub struct Stream {
    to: Dialect,
    context: AnswerContext,
    events: Events,
    reader: Box<dyn ReadStream>,
    hidden: HiddenReasoning,
    ids: ClientIds,
    /// The alternatives that have called a tool.
    calling: BTreeSet<usize>,
    arguments: HeldArguments,
    halves: Halves,
    losses: Losses,
    writer: Box<dyn WriteStream>,
    /// Whether the provider's answer is complete, or it reported an error. Whatever else it sends is passed over.
    is_over: bool,
    /// Whether it ended with an error.
    has_failed: bool,
}

impl Stream {
    /// A stream of the provider's dialect `from` for a caller of the dialect `to`.
    pub fn new(from: Dialect, to: Dialect, context: AnswerContext) -> Self {
        let writer = (to.room().stream_writer)(&context);
        Self::written_by(writer, from, to, context)
    }

    /// Like [`new`](Self::new), for a caller that asked for a whole answer: nothing comes out until all of it has come.
    pub fn gathering(from: Dialect, to: Dialect, context: AnswerContext) -> Self {
        Self::written_by(Box::new(WholeWriter::new(to, context.clone())), from, to, context)
    }

    fn written_by(writer: Box<dyn WriteStream>, from: Dialect, to: Dialect, context: AnswerContext) -> Self {
        let reader = (from.room().stream_reader)();
        let (events, hidden, ids) = (Events::default(), HiddenReasoning::default(), ClientIds::new(&context));
        let (calling, arguments) = (BTreeSet::new(), HeldArguments::default());
        let (halves, losses) = (Halves::default(), Losses::default());
        let (is_over, has_failed) = (false, false);
        Stream {
            to,
            context,
            events,
            reader,
            hidden,
            ids,
            calling,
            arguments,
            halves,
            losses,
            writer,
            is_over,
            has_failed,
        }
    }

    /// Reads the provider's next bytes, and returns the caller's.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for event in self.events.feed(bytes) {
            if self.is_over {
                break;
            }
            let events = match event {
                Ok(event) if !self.has_room(event.data.len(), &mut out) => broken(NO_ROOM),
                Ok(event) => self.read(event, false),
                Err(error) => vec![Event::Error(error)],
            };
            self.pass(events, &mut out);
        }
        out.shrink_to(out.len() + SMALL_BYTES_MAX);
        out
    }

    /// Whether an event of so many bytes can be read, and written to `to` with all that may have waited for it: its value,
    /// the texts that are made of it, and what is written.
    fn has_room(&self, bytes: usize, to: &mut Vec<u8>) -> bool {
        let due = self.writer.due() + self.arguments.held();
        if bytes + due <= SMALL_BYTES_MAX {
            return true;
        }
        let spare = to.capacity() - to.len();
        let written = ((bytes + bytes / 8) * self.writer.times() + due + SMALL_BYTES_MAX).saturating_sub(spare);
        memory::has_room_for([written, bytes, bytes])
            && (bytes <= SMALL_BYTES_MAX || to.try_reserve_exact(written).is_ok())
    }

    /// `is_last`: its blank line is missing, so that it may be the beginning of one that was cut.
    fn read(&mut self, event: ServerEvent, is_last: bool) -> Vec<Event> {
        let data = event.data.trim_ascii();
        if json::is_too_intricate(data) {
            return broken("The provider sent an event of more values than can be carried.");
        }
        if data == b"[DONE]" {
            return self.reader.end_mark();
        }
        match lenient::event(data) {
            Some(Lenient { value, has_loss, has_halves }) => {
                self.losses.of_values |= has_loss;
                self.halves.are_expected |= has_halves;
                self.reader.feed(&event.name, value)
            }
            // Text that is no JSON comes from some proxy and belongs to no dialect.
            None if is_last || memchr::memchr(b'{', data).is_none() => {
                self.losses.of_events |= !data.is_empty();
                Vec::new()
            }
            None => broken("The provider sent an event that cannot be read."),
        }
    }

    /// The parts of the answer that could not be read.
    pub(crate) fn losses(&self) -> Losses {
        Losses { of_values: self.losses.of_values || self.halves.has_loss, ..self.losses }
    }

    /// How many bytes are held until more has come.
    pub fn kept(&self) -> usize {
        self.events.kept() + self.writer.held() + self.writer.due() + self.arguments.held()
    }

    /// The caller's last bytes when the provider's stream has ended properly. Empty if the end was given already, or if
    /// the answer was not complete, because no end may make it look so.
    pub fn end(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(event) = self.events.end() {
            let has_room = self.has_room(event.data.len(), &mut out);
            let events = if has_room { self.read(event, true) } else { broken(NO_ROOM) };
            self.pass(events, &mut out);
        }
        let events = self.reader.end();
        self.pass(events, &mut out);
        out
    }

    /// The caller's bytes for a stream that llmio itself must break off: an error in the caller's dialect. Empty if the
    /// end was given already.
    pub fn fail(&mut self, error: ApiError) -> Vec<u8> {
        let mut out = Vec::new();
        self.pass(vec![Event::Error(error)], &mut out);
        out
    }

    /// How many bytes a [gathered](Self::gathering) answer has so far.
    pub(crate) fn gathered(&self) -> usize {
        self.writer.held()
    }

    /// What a [gathered](Self::gathering) answer came to, however it ended.
    pub(crate) fn so_far(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.writer.write(Event::Done, &mut out);
        out
    }

    /// Whether the caller has its end marker or an error, so that nothing may follow.
    pub fn is_finished(&self) -> bool {
        self.is_over
    }

    /// Whether it ended with an error.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    fn pass(&mut self, events: Vec<Event>, out: &mut Vec<u8>) {
        let (arguments, halves) = (&mut self.arguments, &mut self.halves);
        let events = events.into_iter().flat_map(|event| halves.join(event)).flatten();
        let events: Vec<Event> = events.flat_map(|event| arguments.pass(event, &self.context)).collect();
        for mut event in events {
            if self.is_over {
                return;
            }
            if self.context.hides_reasoning && self.hidden.takes_out(&event) {
                continue;
            }
            self.has_failed = matches!(event, Event::Error(_));
            self.is_over = self.has_failed || event == Event::Done;
            match &mut event {
                Event::Begin { part, choice, kind: PartKind::ToolCall { id, name } } => {
                    self.calling.insert(*choice);
                    fill_call_id(id, &self.context, *part);
                    tool_names::restore(name, &self.context);
                    self.ids.give(id, self.to);
                }
                Event::Finish { choice, finish } => {
                    let reason = std::mem::replace(finish, Finish::Stop);
                    *finish = reason.of(self.calling.contains(choice));
                }
                _ => {}
            }
            if reserve(&event, &*self.writer, out).is_none() {
                (self.is_over, self.has_failed) = (true, true);
                event = Event::Error(ApiError::bad_gateway(NO_ROOM.to_owned()));
            }
            self.writer.write(event, out);
            let is_too_long = self.writer.held() + self.arguments.held() > HELD_BYTES_MAX;
            if !self.is_over && (is_too_long || self.writer.due() > DUE_BYTES_MAX) {
                (self.is_over, self.has_failed) = (true, true);
                let message = "The provider sent an answer that is too long to be carried.".to_owned();
                self.writer.write(Event::Error(ApiError::bad_gateway(message)), out);
            }
        }
    }
}

/// Makes room for what an event writes, where that is much: a buffer that grows is there twice for a moment. `None`: there
/// is no memory for it.
fn reserve(event: &Event, writer: &dyn WriteStream, out: &mut Vec<u8>) -> Option<()> {
    let bytes = match event {
        Event::Delta { text, .. } if text.len() > SMALL_BYTES_MAX => json::length_of(text, Pace::default()),
        Event::End { .. } | Event::Done => writer.due(),
        _ => 0,
    };
    if bytes <= SMALL_BYTES_MAX { Some(()) } else { out.try_reserve_exact(bytes + SMALL_BYTES_MAX).ok() }
}

fn broken(message: &str) -> Vec<Event> {
    vec![Event::Error(ApiError::bad_gateway(message.to_owned()))]
}

/// Gives a tool call without an id one that no other call of the conversation has. Anthropic refuses requests in which
/// an id occurs twice, and OpenAI refuses ids longer than 40 characters.
fn fill_call_id(id: &mut String, context: &AnswerContext, part: usize) {
    if id.is_empty() {
        let root: Vec<char> = context.id.chars().filter(char::is_ascii_alphanumeric).collect();
        let root: String = root.iter().skip(root.len().saturating_sub(24)).collect();
        *id = format!("call_{root}_{part}");
    }
}

#[cfg(test)]
mod tests;
