//! What becomes of an answer's bytes on their way to the client: nothing where provider and client speak the same, but
//! for a usage chunk the client did not ask for; elsewhere they are translated.

mod embeddings;
mod usage_chunk;

use crate::dialect::Dialect;
use crate::headers;
use crate::memory;
use crate::neutral::ApiError;
use crate::observation::ObservedSoFar;
use crate::translate::{self, AnswerContext, Losses, Stream};

pub use usage_chunk::UsageChunk;

/// One answer's way.
#[derive(Debug)]
pub enum ResponseTransform {
    /// Every byte passes as it came.
    AsIs,
    /// All but the usage chunk passes.
    WithoutUsage(UsageChunk),
    /// Embeddings become what was asked for, once all of them are here.
    Embeddings(Vec<u8>),
    /// It is translated, or given in the form that was asked for.
    Translated(Box<Translation>),
    /// All of it is known, and passes.
    Given {
        /// It is events, to which others can be added.
        as_events: bool,
        /// What of it could not be read.
        losses: Losses,
    },
}

/// What the caller of a conversation asked for, should its provider answer in another form.
#[derive(Debug)]
pub struct RequestedAnswer {
    /// A stream.
    pub streamed: bool,
    /// What writing it takes.
    pub context: AnswerContext,
}

/// An answer that is to be translated.
#[derive(Debug)]
pub struct Translation {
    from: Dialect,
    to: Dialect,
    context: AnswerContext,
    /// The client asked for a stream.
    streamed: bool,
    form: Form,
    /// What of a whole answer could not be read.
    losses: Losses,
}

#[derive(Debug)]
enum Form {
    /// Event by event; for a caller who wants a whole answer put together from them.
    Stream(Box<Stream>),
    /// As a whole, once all of it is here.
    Whole(Vec<u8>),
}

/// A whole answer larger than this is not translated: it would have to be held, and written again, at once.
const WHOLE_BYTES_MAX: usize = 36 << 20;

impl Translation {
    /// An answer of the dialect `from` for a client that speaks `to`.
    pub fn new(from: Dialect, to: Dialect, context: AnswerContext, streamed: bool) -> Self {
        Translation { from, to, context, streamed, form: Form::Whole(Vec::new()), losses: Losses::default() }
    }

    fn gives_events(&self) -> bool {
        self.streamed && !self.context.as_array
    }

    /// The whole answer as the client gets it. What it is made of is not kept beside it.
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
    /// Embeddings in the form that their `request` asks for.
    pub fn embeddings(request: &[u8]) -> Self {
        if embeddings::are_wanted(request) { Self::Embeddings(Vec::new()) } else { Self::AsIs }
    }

    /// What the answer is has been seen: an answer of the dialect of both in another form than was asked for is written
    /// anew.
    pub fn fit(&mut self, dialect: Dialect, seen: ObservedSoFar, wanted: Option<RequestedAnswer>) {
        if let (Self::AsIs | Self::WithoutUsage(_), Some(RequestedAnswer { streamed, context })) = (&self, wanted) {
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

    /// Whether nothing can be given before all of it is there.
    pub fn holds_all(&self) -> bool {
        let Self::Translated(translation) = self else { return false };
        matches!(translation.form, Form::Whole(_)) || !translation.streamed
    }

    /// The head is to go downstream with these headers: what is not true of the client's answer is replaced.
    pub fn begin(&self, headers: &mut Vec<(String, Vec<u8>)>, seen: ObservedSoFar) {
        // Signs of life and an error at the end may make a stream longer than it was to be.
        if seen.is_stream || !matches!(self, Self::AsIs) {
            headers.retain(|(name, _)| name != "content-length");
        }
        let gives_events = self.gives_events(seen);
        if gives_events || seen.is_stream {
            headers::unbuffered(headers);
        }
        let is_json = match self {
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => seen.is_document,
            Self::Translated(_) | Self::Given { .. } => true,
        };
        if gives_events {
            name_type(headers, b"text/event-stream");
        } else if is_json {
            name_type(headers, b"application/json");
        }
    }

    /// Whether `bytes`, which the observer has seen, pass as they are and need not be handed over.
    pub fn lets_pass(&mut self, bytes: &[u8], seen: ObservedSoFar) -> bool {
        match self {
            Self::AsIs | Self::Given { .. } => true,
            Self::WithoutUsage(filter) => filter.lets_pass(bytes, seen.finish_seen),
            Self::Embeddings(_) | Self::Translated(_) => false,
        }
    }

    /// What the client gets of the next bytes, which the observer has seen and which do not pass as they are.
    pub fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::AsIs | Self::Given { .. } => bytes.to_vec(),
            Self::WithoutUsage(filter) => filter.pass(bytes),
            Self::Embeddings(held) => {
                held.extend_from_slice(bytes);
                if held.len() <= WHOLE_BYTES_MAX {
                    return Vec::new();
                }
                let held = std::mem::take(held);
                *self = Self::AsIs;
                held
            }
            Self::Translated(translation) => match &mut translation.form {
                Form::Stream(stream) => stream.feed(bytes),
                Form::Whole(held) => {
                    if held.len() <= WHOLE_BYTES_MAX && !memory::append(held, bytes) {
                        // What is not whole cannot be read.
                        *held = Vec::new();
                    }
                    Vec::new()
                }
            },
        }
    }

    /// The last bytes of an answer all of which has come before any of it is given away; `None` where it cannot be read, so
    /// that another target can be asked.
    pub fn take_all(&mut self) -> Option<Vec<u8>> {
        let Self::Translated(translation) = self else { return Some(Vec::new()) };
        let last = match &mut translation.form {
            Form::Whole(_) => translation.whole(),
            Form::Stream(stream) => {
                let last = stream.end();
                (stream.is_finished() && !stream.has_failed()).then_some(last)
            }
        };
        *self = Self::Given { as_events: translation.gives_events(), losses: translation.losses() };
        last
    }

    /// Bytes that are kept until more has come.
    pub fn kept(&self) -> usize {
        match self {
            Self::AsIs | Self::Given { .. } => 0,
            Self::WithoutUsage(filter) => filter.kept(),
            Self::Embeddings(held) => held.capacity(),
            Self::Translated(translation) => match &translation.form {
                Form::Stream(stream) => stream.kept(),
                Form::Whole(held) => held.capacity(),
            },
        }
    }

    /// Whether the client has all of the answer but for [`end`](Self::end), whatever else the provider sends.
    pub fn is_over(&self, seen: ObservedSoFar) -> bool {
        let has_ended = match self {
            Self::Translated(translation) => matches!(&translation.form, Form::Stream(stream) if stream.is_finished()),
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => false,
            Self::Given { .. } => true,
        };
        has_ended || seen.has_ended
    }

    /// What is still to come when the provider's answer has ended as it should. `None`: it is not complete after all, or
    /// could not be read.
    pub fn end(&mut self, seen: ObservedSoFar) -> Option<Vec<u8>> {
        match self {
            Self::AsIs | Self::Given { .. } => Some(Vec::new()),
            Self::WithoutUsage(filter) => Some(filter.end()),
            Self::Embeddings(held) => Some(embeddings::in_base64(&std::mem::take(held))),
            Self::Translated(translation) => match &mut translation.form {
                Form::Stream(stream) => {
                    let end = stream.end();
                    // An error the provider itself reported is its end.
                    let is_readable = !stream.has_failed() || seen.error_seen;
                    (stream.is_finished() && is_readable).then_some(end)
                }
                Form::Whole(_) => translation.whole(),
            },
        }
    }

    /// The client's last bytes of an answer that cannot be completed, where only the translation knows them: an error in
    /// a stream it has begun.
    pub fn fail(&mut self, message: &str) -> Option<Vec<u8>> {
        let Self::Translated(translation) = self else { return None };
        let Form::Stream(stream) = &mut translation.form else { return None };
        Some(stream.fail(ApiError::bad_gateway(message)))
    }

    /// What of the answer could not be read.
    pub fn losses(&self) -> Losses {
        match self {
            Self::Translated(translation) => translation.losses(),
            Self::Given { losses, .. } => *losses,
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => Losses::default(),
        }
    }

    /// Whether the client gets events, to which others can be added.
    pub fn gives_events(&self, seen: ObservedSoFar) -> bool {
        match self {
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => seen.is_stream,
            Self::Translated(translation) => translation.gives_events(),
            Self::Given { as_events, .. } => *as_events,
        }
    }

    /// Whether what the client has so far ends between two events.
    pub fn is_between_events(&self, seen: ObservedSoFar) -> bool {
        match self {
            Self::WithoutUsage(filter) if filter.holds() => true,
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => !seen.in_event,
            // A translation gives whole events.
            Self::Translated(_) | Self::Given { .. } => true,
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
