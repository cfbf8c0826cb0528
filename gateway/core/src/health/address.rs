//! The address of a host: who is switched off is met once, and not by every model, provider and credential there.

use super::{AttemptTime, Health, Subject, Subjects, Trouble};
use crate::verdict::ErrorKind;

impl Health {
    /// A refused connection costs nothing, so several have to say it. One that was waited for in vain has cost its whole
    /// limit: the next calls go elsewhere at once, and one at a time finds out whether the host is back.
    pub(super) fn connect_failed(
        &mut self,
        address: &Subject,
        kind: ErrorKind,
        said: &str,
        at: AttemptTime,
    ) -> Vec<Subject> {
        let known = self.troubled.get(address);
        // What began before it was known says the same once more, however long it waited.
        if known.is_some_and(|known| known.at_ms > at.started_ms && known.at_ms <= at.now_ms) {
            return Vec::new();
        }
        let told_ms = (kind == ErrorKind::ConnectTimeout).then_some(0);
        self.failed(address, Trouble::Open, told_ms, said, at)
    }

    /// Something came from the host.
    pub(super) fn reached(&mut self, of: &Subjects, at: AttemptTime) -> Option<Subject> {
        let address = of.address.as_ref()?;
        if let Some(window) = self.windows.get_mut(address) {
            window.push(true, at.now_ms);
        }
        self.end_probe(address, at)
    }
}
