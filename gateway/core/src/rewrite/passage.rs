//! What becomes of an answer's bytes on their way to the client: nothing where provider and client speak the same, but
//! for a usage chunk the client did not ask for; elsewhere they are translated.

use super::UsageChunk;
use crate::dialect::Dialect;
use crate::headers;
use crate::observe::Observer;
use crate::translate::neutral::Fault;
use crate::translate::{self, Stream, Told};

/// One answer's way.
#[derive(Debug)]
pub enum Passage {
    /// Every byte passes as it came.
    AsIs,
    /// All but the usage chunk passes.
    WithoutUsage(UsageChunk),
    /// It is translated.
    Translated(Box<Translation>),
}

/// An answer that is to be translated.
#[derive(Debug)]
pub struct Translation {
    from: Dialect,
    to: Dialect,
    told: Told,
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
    pub fn new(from: Dialect, to: Dialect, told: Told, streamed: bool) -> Self {
        Translation { from, to, told, streamed, form: Form::Whole(Vec::new()) }
    }
}

impl Passage {
    /// The head has come, and these are its headers as they go downstream: what is not true of the client's answer is
    /// replaced. Some providers answer as a whole although a stream was asked for.
    pub fn begin(&mut self, headers: &mut Vec<(String, Vec<u8>)>, observer: &Observer) {
        if self.is_as_is() {
            return;
        }
        headers.retain(|(name, _)| name != "content-length");
        let Self::Translated(translation) = self else { return };
        if translation.streamed && observer.is_stream() {
            let told = translation.told.clone();
            translation.form = Form::Stream(Box::new(Stream::new(translation.from, translation.to, told)));
        }
        let gives_events = translation.streamed && !translation.told.as_array;
        let media_type: &[u8] = if gives_events { b"text/event-stream" } else { b"application/json" };
        headers.retain(|(name, _)| name != "content-type");
        headers.push(("content-type".to_owned(), media_type.to_vec()));
        if gives_events && headers::value(headers, "cache-control").is_none() {
            headers.push(("cache-control".to_owned(), b"no-cache".to_vec()));
        }
    }

    /// Whether bytes need not be handed over: all of them pass.
    pub fn is_as_is(&self) -> bool {
        matches!(self, Self::AsIs)
    }

    /// What the client gets of the next bytes, which `observer` has seen.
    pub fn pass(&mut self, bytes: &[u8], observer: &Observer) -> Vec<u8> {
        match self {
            Self::AsIs => bytes.to_vec(),
            Self::WithoutUsage(filter) => filter.pass(bytes.to_vec(), observer.finish_seen()),
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

    /// What is still to come when the provider's answer has ended as it should. `None`: it is not complete after all.
    pub fn end(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::AsIs => Some(Vec::new()),
            Self::WithoutUsage(filter) => Some(filter.end()),
            Self::Translated(translation) => {
                let Translation { from, to, told, streamed, form } = &mut **translation;
                match form {
                    Form::Stream(stream) => {
                        let end = stream.end();
                        stream.is_finished().then_some(end)
                    }
                    Form::Whole(held) if held.len() > WHOLE_BYTES_MAX => None,
                    Form::Whole(held) if *streamed => translate::answer_as_stream(*from, *to, told, held),
                    Form::Whole(held) => translate::answer(*from, *to, told, held),
                }
            }
        }
    }

    /// The client's last bytes of an answer that cannot be completed, where only the translation knows them: an error in
    /// a stream it has begun.
    pub fn fail(&mut self, message: &str) -> Option<Vec<u8>> {
        let Self::Translated(translation) = self else { return None };
        let Form::Stream(stream) = &mut translation.form else { return None };
        Some(stream.fail(Fault { message: message.to_owned(), status: Some(502), ..Fault::default() }))
    }

    /// Whether the client gets events, to which others can be added.
    pub fn gives_events(&self, observer: &Observer) -> bool {
        match self {
            Self::AsIs | Self::WithoutUsage(_) => observer.is_stream(),
            Self::Translated(translation) => translation.streamed && !translation.told.as_array,
        }
    }

    /// Whether what the client has so far ends between two events.
    pub fn is_between_events(&self, observer: &Observer) -> bool {
        match self {
            Self::WithoutUsage(filter) if filter.holds() => true,
            Self::AsIs | Self::WithoutUsage(_) => !observer.in_event(),
            // A translation gives whole events.
            Self::Translated(_) => true,
        }
    }
}
