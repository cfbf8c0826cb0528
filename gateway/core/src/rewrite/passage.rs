//! What becomes of an answer's bytes on their way to the client: nothing, but for a usage chunk the client did not ask
//! for.

use super::UsageChunk;
use crate::observe::Observer;

/// One answer's way.
#[derive(Debug)]
pub enum Passage {
    /// Every byte passes as it came.
    AsIs,
    /// All but the usage chunk passes.
    WithoutUsage(UsageChunk),
}

impl Passage {
    /// Whether bytes need not be handed over: all of them pass.
    pub fn is_as_is(&self) -> bool {
        matches!(self, Self::AsIs)
    }

    /// What the client gets of the next bytes, which `observer` has seen.
    pub fn pass(&mut self, bytes: &[u8], observer: &Observer) -> Vec<u8> {
        match self {
            Self::AsIs => bytes.to_vec(),
            Self::WithoutUsage(filter) => filter.pass(bytes.to_vec(), observer.finish_seen()),
        }
    }

    /// What is still to come when the provider's stream has ended as it should.
    pub fn end(&mut self) -> Vec<u8> {
        match self {
            Self::AsIs => Vec::new(),
            Self::WithoutUsage(filter) => filter.end(),
        }
    }

    /// Whether the client gets events, to which others can be added.
    pub fn gives_events(&self, observer: &Observer) -> bool {
        observer.is_stream()
    }

    /// Whether what the client has so far ends between two events.
    pub fn is_between_events(&self, observer: &Observer) -> bool {
        match self {
            Self::WithoutUsage(filter) if filter.holds() => true,
            Self::AsIs | Self::WithoutUsage(_) => !observer.in_event(),
        }
    }
}
