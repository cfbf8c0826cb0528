//! What a failure of the way out means for those who take it.

use super::{At, BREAKER_MS, CREDENTIAL_MS, Health, Subjects, Trouble, told_ms};
use crate::verdict::{ErrorKind, Verdict};

impl Health {
    /// A place that is refused stays so. A proxy that is down may be back in a moment, and one failure in a hundred must
    /// not stop the other calls, so it is judged like a target.
    pub(super) fn egress_failed(&mut self, of: &Subjects, verdict: Verdict, said: &str, at: At) -> Vec<String> {
        let At { now_ms, jitter, .. } = at;
        self.probes.remove(&of.target);
        let key = match (verdict.kind, &of.egress) {
            (ErrorKind::Egress, Some(egress)) => egress,
            (ErrorKind::Egress | ErrorKind::Tunnel, _) => &of.place,
            _ => {
                let told_ms = verdict.rest.filter(|rest| rest.is_reset).map(told_ms);
                return self.trouble(&of.place, Trouble::Resting, told_ms, &CREDENTIAL_MS, said, now_ms);
            }
        };
        let window = self.windows.entry(key.clone()).or_default();
        window.push(false, now_ms);
        if !self.troubled.contains_key(key) && !window.is_bad(now_ms) {
            return Vec::new();
        }
        window.clear();
        self.trouble(key, Trouble::Resting, None, &BREAKER_MS.jittered(jitter), said, now_ms)
    }
}
