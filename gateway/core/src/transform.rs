//! How the bytes of an answer are changed on their way to the client: not at all if provider and client speak the same
//! dialect, except that a usage chunk may be left out; otherwise they are translated.

mod embeddings;
mod usage_chunk;

use crate::dialect::Dialect;
use crate::headers;
use crate::memory;
use crate::neutral::ApiError;
use crate::observation::ObservedSoFar;
use crate::translate::{self, AnswerContext, Losses, Stream};

pub use usage_chunk::UsageChunk;

/// The transform of one answer.
#[derive(Debug)]
pub enum ResponseTransform {
    /// Every byte passes unchanged.
    AsIs,
    /// Everything but the usage chunk passes.
    WithoutUsage(UsageChunk),
    /// Embeddings are converted into the requested form once all of them have come.
    Embeddings(Vec<u8>),
    /// The answer is translated, or converted into the form that was asked for.
    Translated(Box<Translation>),
    /// The whole answer is known, and passes.
    Ready {
        /// Whether it consists of events, so that others can be added.
        as_events: bool,
        /// The parts of it that could not be read.
        losses: Losses,
    },
}

/// What the caller of a conversation asked for, in case the provider answers in another form.
#[derive(Debug)]
pub struct RequestedAnswer {
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// What writing the answer needs to know.
    pub context: AnswerContext,
}

/// An answer to be translated.
#[derive(Debug)]
pub struct Translation {
    from: Dialect,
    to: Dialect,
    context: AnswerContext,
    /// Whether the client asked for a stream.
    streamed: bool,
    form: Form,
    /// The parts of a whole answer that could not be read.
    losses: Losses,
}

#[derive(Debug)]
enum Form {
    /// Event by event. If the caller wants a whole answer, it is put together from them.
    Stream(Box<Stream>),
    /// As a whole, once all of it has come.
    Whole(Vec<u8>),
}

/// A larger answer is not translated as a whole, since it would have to be held and written again at the same time.
const WHOLE_BYTES_MAX: usize = 36 << 20;

impl Translation {
    /// The translation of an answer in the dialect `from` for a client that speaks `to`.
    pub fn new(from: Dialect, to: Dialect, context: AnswerContext, streamed: bool) -> Self {
        Translation { from, to, context, streamed, form: Form::Whole(Vec::new()), losses: Losses::default() }
    }

    fn gives_events(&self) -> bool {
        self.streamed && !self.context.as_array
    }

    /// The whole answer for the client. Its source is dropped first, so that not both are in memory.
    fn whole(&mut self) -> Option<Vec<u8>> {
        let Translation { from, to, context, streamed, form, losses } = self;
        let Form::Whole(held) = form else { return None };
        if held.len() > WHOLE_BYTES_MAX {
            return None;
        }
        let write = if *streamed { translate::stream_and_losses } else { translate::answer_and_losses };
        let (written, lost) = write(*from, *to, context, &std::mem::take(held))?;
        *losses = lost;
        Some(written)
    }

    fn losses(&self) -> Losses {
        match &self.form {
            Form::Stream(stream) => stream.losses(),
            Form::Whole(_) => self.losses,
        }
    }
}

impl ResponseTransform {
    /// The transform of embeddings into the form that their `request` asks for.
    pub fn embeddings(request: &[u8]) -> Self {
        if embeddings::are_wanted(request) { Self::Embeddings(Vec::new()) } else { Self::AsIs }
    }

    /// Called when the first bytes have shown the form of the answer. If provider and client speak the same dialect,
    /// but the answer has another form than was asked for, it is written again.
    pub fn fit(&mut self, dialect: Dialect, seen: ObservedSoFar, requested: Option<RequestedAnswer>) {
        if let (Self::AsIs | Self::WithoutUsage(_), Some(RequestedAnswer { streamed, context })) = (&self, requested) {
            let is_other = match (streamed, context.as_array) {
                (true, false) => seen.is_document,
                (true, true) | (false, _) => seen.is_stream,
            };
            if is_other {
                *self = Self::Translated(Box::new(Translation::new(dialect, dialect, context, streamed)));
            }
        }
        if let Self::Translated(translation) = self
            && seen.is_stream
        {
            let Translation { from, to, context, streamed, .. } = &**translation;
            let stream = if *streamed { Stream::new } else { Stream::gathering };
            translation.form = Form::Stream(Box::new(stream(*from, *to, context.clone())));
        }
    }

    /// Whether the client can only get the answer once all of it has come.
    pub fn holds_all(&self) -> bool {
        let Self::Translated(translation) = self else { return false };
        matches!(translation.form, Form::Whole(_)) || !translation.streamed
    }

    /// Changes the headers that no longer hold for the client's answer.
    pub fn begin(&self, headers: &mut Vec<(String, Vec<u8>)>, seen: ObservedSoFar) {
        // Keep-alive bytes and an error at the end may make a stream longer than announced.
        if seen.is_stream || !matches!(self, Self::AsIs) {
            headers.retain(|(name, _)| name != "content-length");
        }
        let gives_events = self.gives_events(seen);
        if gives_events || seen.is_stream {
            headers::unbuffered(headers);
        }
        let is_json = match self {
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => seen.is_document,
            Self::Translated(_) | Self::Ready { .. } => true,
        };
        if gives_events {
            name_type(headers, b"text/event-stream");
        } else if is_json {
            name_type(headers, b"application/json");
        }
    }

    /// Whether `bytes`, which the observer has seen, pass unchanged and need not be transformed.
    pub fn lets_pass(&mut self, bytes: &[u8], seen: ObservedSoFar) -> bool {
        match self {
            Self::AsIs | Self::Ready { .. } => true,
            Self::WithoutUsage(filter) => filter.lets_pass(bytes, seen.finish_seen),
            Self::Embeddings(_) | Self::Translated(_) => false,
        }
    }

    /// What the client gets of the next bytes, which the observer has seen and which do not pass unchanged.
    pub fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::AsIs | Self::Ready { .. } => bytes.to_vec(),
            Self::WithoutUsage(filter) => filter.pass(bytes),
            Self::Embeddings(held) => {
                if held.len() + bytes.len() <= WHOLE_BYTES_MAX && memory::append(held, bytes) {
                    return Vec::new();
                }
                // What is too long to be written anew passes as it came.
                let mut passed = std::mem::take(held);
                *self = Self::AsIs;
                memory::extend(&mut passed, bytes);
                passed
            }
            Self::Translated(translation) => match &mut translation.form {
                Form::Stream(stream) => stream.feed(bytes),
                Form::Whole(held) => {
                    if held.len() <= WHOLE_BYTES_MAX && !memory::append(held, bytes) {
                        // An answer that is not whole cannot be read.
                        *held = Vec::new();
                    }
                    Vec::new()
                }
            },
        }
    }

    /// The last bytes of an answer that has come whole before any of it was given away; `None` if it cannot be read, so
    /// that another target can be tried.
    pub fn take_all(&mut self) -> Option<Vec<u8>> {
        let Self::Translated(translation) = self else { return Some(Vec::new()) };
        let last = match &mut translation.form {
            Form::Whole(_) => translation.whole(),
            Form::Stream(stream) => {
                let last = stream.end();
                (stream.is_finished() && !stream.has_failed()).then_some(last)
            }
        };
        *self = Self::Ready { as_events: translation.gives_events(), losses: translation.losses() };
        last
    }

    /// How many bytes are held until more has come.
    pub fn kept(&self) -> usize {
        match self {
            Self::AsIs | Self::Ready { .. } => 0,
            Self::WithoutUsage(filter) => filter.kept(),
            Self::Embeddings(held) => held.capacity(),
            Self::Translated(translation) => match &translation.form {
                Form::Stream(stream) => stream.kept(),
                Form::Whole(held) => held.capacity(),
            },
        }
    }

    /// Bytes of a whole answer, which is read and written at once when all of it has come. A stream asks itself whether
    /// there is room for each of its events.
    pub fn unread(&self) -> usize {
        match self {
            Self::Translated(translation) => match &translation.form {
                Form::Whole(held) => held.len(),
                Form::Stream(_) => 0,
            },
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) | Self::Ready { .. } => 0,
        }
    }

    /// Whether the client has the whole answer except for [`end`](Self::end), whatever else the provider sends.
    pub fn is_over(&self, seen: ObservedSoFar) -> bool {
        let has_ended = match self {
            Self::Translated(translation) => matches!(&translation.form, Form::Stream(stream) if stream.is_finished()),
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => false,
            Self::Ready { .. } => true,
        };
        has_ended || seen.has_ended
    }

    /// What the client still gets when the provider's answer has ended properly. `None` if the answer is not complete
    /// after all, or could not be read.
    pub fn end(&mut self, seen: ObservedSoFar) -> Option<Vec<u8>> {
        match self {
            Self::AsIs | Self::Ready { .. } => Some(Vec::new()),
            Self::WithoutUsage(filter) => Some(filter.end()),
            Self::Embeddings(held) => {
                let held = std::mem::take(held);
                // They are read as numbers where there is no room for them in base64.
                Some(if memory::has_room_to_copy(held.len()) { embeddings::in_base64(&held) } else { held })
            }
            Self::Translated(translation) => match &mut translation.form {
                Form::Stream(stream) => {
                    let end = stream.end();
                    // An error that the provider itself reported is a proper end.
                    let is_readable = !stream.has_failed() || seen.error_seen;
                    (stream.is_finished() && is_readable).then_some(end)
                }
                Form::Whole(_) => translation.whole(),
            },
        }
    }

    /// The client's last bytes of an answer that cannot be completed, if only the translation knows them: an error in a
    /// stream that it has begun.
    pub fn fail(&mut self, message: &str) -> Option<Vec<u8>> {
        let Self::Translated(translation) = self else { return None };
        let Form::Stream(stream) = &mut translation.form else { return None };
        Some(stream.fail(ApiError::bad_gateway(message)))
    }

    /// The parts of the answer that could not be read.
    pub fn losses(&self) -> Losses {
        match self {
            Self::Translated(translation) => translation.losses(),
            Self::Ready { losses, .. } => *losses,
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => Losses::default(),
        }
    }

    /// Whether the client gets events, so that others can be added.
    pub fn gives_events(&self, seen: ObservedSoFar) -> bool {
        match self {
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => seen.is_stream,
            Self::Translated(translation) => translation.gives_events(),
            Self::Ready { as_events, .. } => *as_events,
        }
    }

    /// Whether what the client has got so far ends between two events.
    pub fn is_between_events(&self, seen: ObservedSoFar) -> bool {
        match self {
            Self::WithoutUsage(filter) if filter.holds() => true,
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => !seen.in_event,
            // A translation gives whole events.
            Self::Translated(_) | Self::Ready { .. } => true,
        }
    }
}

fn name_type(headers: &mut Vec<(String, Vec<u8>)>, media_type: &[u8]) {
    let is_named = headers::value(headers, "content-type").is_some_and(|value| value.starts_with(media_type));
    if !is_named {
        headers.retain(|(name, _)| name != "content-type");
        headers.push(("content-type".to_owned(), media_type.to_vec()));
    }
}
