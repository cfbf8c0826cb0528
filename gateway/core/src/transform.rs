//! What becomes of an answer's bytes on their way to the client: nothing where provider and client speak the same, but
//! for a usage chunk the client did not ask for; elsewhere they are translated.

mod embeddings;
mod usage_chunk;

use crate::dialect::Dialect;
use crate::headers;
use crate::neutral::ApiError;
use crate::observation::SoFar;
use crate::translate::{self, AnswerContext, Stream};

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
    /// It is translated.
    Translated(Box<Translation>),
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
}

#[derive(Debug)]
enum Form {
    /// A stream, event by event.
    Stream(Box<Stream>),
    /// As a whole, once all of it is here.
    Whole(Vec<u8>),
}

/// A whole answer larger than this is not translated: it would have to be held, and written again, at once.
const WHOLE_BYTES_MAX: usize = 32 << 20;

impl Translation {
    /// An answer of the dialect `from` for a client that speaks `to`.
    pub fn new(from: Dialect, to: Dialect, context: AnswerContext, streamed: bool) -> Self {
        Translation { from, to, context, streamed, form: Form::Whole(Vec::new()) }
    }

    /// The whole answer as the client gets it.
    fn whole(&self) -> Option<Vec<u8>> {
        let Translation { from, to, context, streamed, form } = self;
        match form {
            Form::Whole(held) if held.len() > WHOLE_BYTES_MAX => None,
            Form::Whole(held) if *streamed => translate::answer_as_stream(*from, *to, context, held),
            Form::Whole(held) => translate::answer(*from, *to, context, held),
            Form::Stream(_) => None,
        }
    }
}

impl ResponseTransform {
    /// Embeddings in the form that their `request` asks for.
    pub fn embeddings(request: &[u8]) -> Self {
        if embeddings::are_wanted(request) { Self::Embeddings(Vec::new()) } else { Self::AsIs }
    }

    /// The events of an answer that came as a whole after its client was promised a stream, in the dialect of both.
    pub fn events_of_whole(dialect: Dialect, id: &str) -> Self {
        let context = AnswerContext { id: id.to_owned(), ..AnswerContext::default() };
        Self::Translated(Box::new(Translation::new(dialect, dialect, context, true)))
    }

    /// The head has come, and these are its headers as they go downstream: what is not true of the client's answer is
    /// replaced. Some providers answer as a whole although a stream was asked for.
    pub fn begin(&mut self, headers: &mut Vec<(String, Vec<u8>)>, seen: SoFar) {
        // Signs of life and an error at the end may make a stream longer than it was to be.
        if seen.is_stream || !matches!(self, Self::AsIs) {
            headers.retain(|(name, _)| name != "content-length");
        }
        if seen.is_stream {
            headers::unbuffered(headers);
        }
        let Self::Translated(translation) = self else { return };
        if translation.streamed && seen.is_stream {
            let context = translation.context.clone();
            translation.form = Form::Stream(Box::new(Stream::new(translation.from, translation.to, context)));
        }
        let gives_events = translation.streamed && !translation.context.as_array;
        let media_type: &[u8] = if gives_events { b"text/event-stream" } else { b"application/json" };
        headers.retain(|(name, _)| !matches!(name.as_str(), "content-type" | "content-encoding"));
        headers.push(("content-type".to_owned(), media_type.to_vec()));
        if translation.streamed {
            headers::unbuffered(headers);
        }
    }

    /// Whether `bytes`, which the observer has seen, pass as they are and need not be handed over.
    pub fn lets_pass(&mut self, bytes: &[u8], seen: SoFar) -> bool {
        match self {
            Self::AsIs => true,
            Self::WithoutUsage(filter) => filter.lets_pass(bytes, seen.finish_seen),
            Self::Embeddings(_) | Self::Translated(_) => false,
        }
    }

    /// What the client gets of the next bytes, which the observer has seen and which do not pass as they are.
    pub fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::AsIs => bytes.to_vec(),
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
                    if held.len() <= WHOLE_BYTES_MAX {
                        held.extend_from_slice(bytes);
                    }
                    Vec::new()
                }
            },
        }
    }

    /// An answer all of which has come before any of it is given away, as the client gets it; `None` where it cannot be
    /// read, so that another target can be asked. What comes event by event stays as it is.
    pub fn take_whole(&mut self, body: Vec<u8>) -> Option<Vec<u8>> {
        if let Self::Embeddings(_) = self {
            *self = Self::AsIs;
            return Some(embeddings::in_base64(&body));
        }
        let Self::Translated(translation) = self else { return Some(body) };
        let Form::Whole(held) = &mut translation.form else { return Some(body) };
        *held = body;
        let written = translation.whole();
        *self = Self::AsIs;
        written
    }

    /// Whether the client has all of the answer but for [`end`](Self::end), whatever else the provider sends.
    pub fn is_over(&self, seen: SoFar) -> bool {
        let has_ended = match self {
            Self::Translated(translation) => matches!(&translation.form, Form::Stream(stream) if stream.is_finished()),
            Self::AsIs | Self::WithoutUsage(_) => false,
        };
        has_ended || seen.has_ended
    }

    /// What is still to come when the provider's answer has ended as it should. `None`: it is not complete after all, or
    /// could not be read.
    pub fn end(&mut self, seen: SoFar) -> Option<Vec<u8>> {
        match self {
            Self::AsIs => Some(Vec::new()),
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

    /// Whether the client gets events, to which others can be added.
    pub fn gives_events(&self, seen: SoFar) -> bool {
        match self {
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => seen.is_stream,
            Self::Translated(translation) => translation.streamed && !translation.context.as_array,
        }
    }

    /// Whether what the client has so far ends between two events.
    pub fn is_between_events(&self, seen: SoFar) -> bool {
        match self {
            Self::WithoutUsage(filter) if filter.holds() => true,
            Self::AsIs | Self::WithoutUsage(_) | Self::Embeddings(_) => !seen.in_event,
            // A translation gives whole events.
            Self::Translated(_) => true,
        }
    }
}
