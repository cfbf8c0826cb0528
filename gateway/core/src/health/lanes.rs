//! Credentials and their lanes: they are paused after a refusal, after a rate limit, and when nothing is left.

use super::backoff::Backoff;
use super::standing::{Blame, hint_ms};
use super::{Health, Models, Subject, Subjects, Trouble};
use crate::outcome::limits::{self, LimitSignal};
use crate::verdict::{ErrorKind, Verdict};

/// The longest pause for a bucket that is refilled all the time, as a good answer told.
const BUCKET_MS_MAX: u64 = 60_000;
/// The pause of a lane if no wait was told: 5 s, doubling to 5 min.
const LANE_MS: Backoff = Backoff::new(5_000, 300_000);
/// The pause of a lane whose daily or longer limit is used up, if no wait was told: 5 min, doubling to 1 h.
const QUOTA_MS: Backoff = Backoff::new(300_000, 3_600_000);
/// The pause of a refused credential: 5 min, doubling to 1 h.
pub(super) const CREDENTIAL_MS: Backoff = Backoff::new(300_000, 3_600_000);
/// How many lanes of a credential, by names that clients sent, are kept apart while in trouble; beyond that they share
/// one.
pub(super) const REQUESTED_LANES_MAX: usize = 32;

impl Health {
    pub(super) fn credential_failed(
        &mut self,
        of: &Subjects,
        verdict: Verdict,
        message: &str,
        now_ms: i64,
    ) -> Vec<Subject> {
        // Without a credential it is the provider that refuses llmio, at least on this model.
        let subject = match &of.credential {
            Some(credential) if verdict.kind != ErrorKind::ModelDenied => credential,
            _ => self.lane(of),
        };
        // A refused name that is not kept apart says nothing about all the other models.
        if verdict.kind == ErrorKind::ModelDenied && of.wide_lane.as_ref() == Some(subject) {
            return Vec::new();
        }
        let hint_ms = verdict.rest.filter(|rest| rest.is_reset).map(hint_ms);
        self.trouble(subject, Blame { trouble: Trouble::Resting, hint_ms, backoff: &CREDENTIAL_MS, message, now_ms })
    }

    pub(super) fn cool(&mut self, of: &Subjects, verdict: Verdict, message: &str, now_ms: i64) -> Vec<Subject> {
        let wider = match verdict.kind {
            ErrorKind::AccountQuota => of.credential.as_ref(),
            ErrorKind::FreeQuota => of.free_lane.as_ref(),
            _ => None,
        };
        let subject = wider.unwrap_or_else(|| self.lane(of));
        let of_catalog = of.patience.cooldown_ms.map(Backoff::fixed);
        let backoff = match (verdict.kind, &of_catalog) {
            (ErrorKind::Quota | ErrorKind::AccountQuota | ErrorKind::FreeQuota, _) => &QUOTA_MS,
            (_, Some(cooldown)) => cooldown,
            (_, None) => &LANE_MS,
        };
        let hint_ms = verdict.rest.map(hint_ms);
        self.trouble(subject, Blame { trouble: Trouble::Cooling, hint_ms, backoff, message, now_ms })
    }

    /// Notes that the provider has nothing left, as it said in a good answer, so that no call must be refused to find
    /// out. A success does not end this trouble, since a success told it.
    pub fn used_up(&mut self, of: &Subjects, signals: &[LimitSignal], now_ms: i64) -> Vec<Subject> {
        let (account, lane): (Vec<LimitSignal>, Vec<LimitSignal>) =
            signals.iter().cloned().partition(|each| each.of_account);
        let of_lane = self.lane(of);
        let subjects = [(of.credential.as_ref().unwrap_or(of_lane), account), (of_lane, lane)];
        let mut changed = Vec::new();
        for (subject, signals) in subjects {
            let Some(hint) = limits::used_up(&signals, now_ms) else { continue };
            // OpenAI tells when a bucket is full again, although it has something again much sooner.
            let wait_ms = if hint.is_reset { hint.wait_ms } else { hint.wait_ms.min(BUCKET_MS_MAX) };
            let until_ms = now_ms.saturating_add_unsigned(wait_ms);
            if self
                .troubled
                .get(subject)
                .is_none_or(|known| known.ends_ms(now_ms) < until_ms || known.is_due(self.moment(now_ms)))
            {
                let (message, hint_ms) = (describe_used_up(&signals), Some(wait_ms));
                let blame = Blame { trouble: Trouble::Spent, hint_ms, backoff: &LANE_MS, message: &message, now_ms };
                changed.extend(self.trouble(subject, blame));
            }
        }
        changed
    }

    /// The lane that the trouble of an attempt belongs to, since clients may send any name.
    fn lane<'s>(&self, of: &'s Subjects) -> &'s Subject {
        let (Some(wide), Subject::Lane { account, .. }) = (&of.wide_lane, &of.lane) else { return &of.lane };
        let first = Subject::Lane { account: account.clone(), models: Models::Any };
        let is_of_account = |subject: &Subject| matches!(subject, Subject::Lane { account: of, .. } if of == account);
        let of_account = self.troubled.range::<Subject, _>(&first..).take_while(|(subject, _)| is_of_account(subject));
        let is_full = !self.troubled.contains_key(&of.lane) && of_account.count() >= REQUESTED_LANES_MAX;
        if is_full { wide } else { &of.lane }
    }
}

/// A message such as `the provider says that 0 of 50 requests are left`.
fn describe_used_up(signals: &[LimitSignal]) -> String {
    let of = |each: &LimitSignal| each.limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let used_up = signals.iter().filter(|each| each.remaining == Some(0));
    let each: Vec<String> = used_up.map(|signals| format!("0{} {}", of(signals), signals.what)).collect();
    format!("the provider says that {} are left", each.join(", "))
}
