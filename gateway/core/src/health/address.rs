//! The address of a provider's host. A host that is switched off is noticed once, and not once for every model,
//! provider and credential there.

use super::breaker::Failure;
use super::{AttemptTime, Health, Subject, Subjects, Trouble};
use crate::catalog::Patience;
use crate::verdict::ErrorKind;

impl Health {
    /// Notes that no connection was made. A refused connection costs nothing, so that several are needed to open the
    /// breaker. A connection that timed out has cost its whole limit: the next calls go elsewhere at once, and one call
    /// at a time finds out whether the host is back.
    pub(super) fn connect_failed(
        &mut self,
        address: &Subject,
        kind: ErrorKind,
        message: &str,
        at: AttemptTime,
    ) -> Vec<Subject> {
        let known = self.troubled.get(address);
        // An attempt that began before the trouble was known only says the same once more, however long it waited.
        if known.is_some_and(|known| known.at_ms > at.started_ms && known.at_ms <= at.now_ms) {
            return Vec::new();
        }
        let hint_ms = (kind == ErrorKind::ConnectTimeout).then_some(0);
        let patience = Patience::default();
        self.failed(address, Failure { trouble: Trouble::Open, hint_ms, patience, message }, at)
    }

    /// Notes that something came from the host.
    pub(super) fn reached(&mut self, of: &Subjects, at: AttemptTime) -> Option<Subject> {
        let address = of.address.as_ref()?;
        if let Some(window) = self.windows.get_mut(address) {
            window.push(true, at.now_ms);
        }
        self.end_probe(address, at)
    }
}
