//! Faults that a test asks for with a header, on a gateway that was started with `--faults`. The guest really traps: a
//! component that was built to fail would be another component, and the real one has no request that makes it trap.

use http::{HeaderMap, HeaderName};
use std::time::Duration;

const FAULT_HEADER: HeaderName = HeaderName::from_static("x-llmio-fault");

/// When the instance that serves the call traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Before it has answered.
    BeforeHead,
    /// When it next runs this long after the head of its answer.
    AfterHead(Duration),
}

impl Fault {
    /// Takes the fault out of a request's headers: `trap`, or `trap-after=MS`.
    pub(crate) fn take(headers: &mut HeaderMap) -> Option<Fault> {
        let wish = headers.remove(FAULT_HEADER)?;
        match wish.to_str().ok()?.split_once('=') {
            None => Some(Fault::BeforeHead),
            Some((_, ms)) => Some(Fault::AfterHead(Duration::from_millis(ms.parse().ok()?))),
        }
    }
}
