//! What a failure of the egress means for the calls that use it.

use super::breaker::Failure;
use super::lanes::CREDENTIAL_MS;
use super::standing::{Blame, hint_ms};
use super::{AttemptTime, Health, Subject, Subjects, Trouble};
use crate::catalog::Patience;
use crate::verdict::{ErrorKind, Verdict};

impl Health {
    /// Notes a failure of the egress. A place that a provider refuses stays refused. A proxy that is down may be back
    /// in a moment, and one failure in a hundred must not stop all other calls, so a proxy is judged like a target.
    pub(super) fn egress_failed(
        &mut self,
        of: &Subjects,
        verdict: Verdict,
        message: &str,
        at: AttemptTime,
    ) -> Vec<Subject> {
        let way = match (verdict.kind, &of.egress) {
            (ErrorKind::Egress, Some(egress)) => egress,
            (ErrorKind::Egress | ErrorKind::Tunnel, _) => &of.place,
            _ => {
                let hint_ms = verdict.rest.filter(|rest| rest.is_reset).map(hint_ms);
                let (trouble, backoff, now_ms) = (Trouble::Resting, &CREDENTIAL_MS, at.now_ms);
                return self.trouble(&of.place, Blame { trouble, hint_ms, backoff, message, now_ms });
            }
        };
        let patience = Patience::default();
        self.failed(way, Failure { trouble: Trouble::Resting, hint_ms: None, patience, message }, at)
    }
}
