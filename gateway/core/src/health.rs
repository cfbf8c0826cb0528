//! Health: what recent attempts say of a target or a credential. A machine: an outcome in, the subjects that changed
//! out; whoever holds it publishes those, and merges what others published.
//!
//! Several subjects, because several things fail apart: a *target* (a breaker: it may be down), a *credential* (it may
//! be dead or out of money, on every model), a *lane*, a credential on one upstream model (it may have used up its
//! minute) or on all those it has for free, and an *egress*: a proxy, which may be down for everybody, or a way out as
//! one provider sees it, which may be refused where it comes out. One failure counts against exactly one of them, so
//! that a dead key or a dead proxy does not take its provider down, nor a dead provider the proxy.
//!
//! Only subjects in trouble are kept, times are those of the wall clock since instances and restarts share them, and a
//! clock that jumps back does not make anyone wait longer than was meant. Losing all of it costs a few attempts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalog::{Provider, Target};
use crate::outcome::limits::{self, LimitSignal};
use crate::verdict::{Class, ErrorKind, Hint, Verdict};

mod cleared;
mod egress;
mod subjects;
mod window;

pub use cleared::Cleared;
use subjects::lane;
pub use subjects::{DIRECT, Subjects, model_of, target, whole};
use window::{Latency, Window};

/// A wait somebody told is followed this long at most, unless it is the reset of a quota.
const TOLD_MS_MAX: u64 = 300_000;
/// One that is told of a bucket refilled all the time, with an answer that was good.
const BUCKET_MS_MAX: u64 = 60_000;
/// A lane without a told wait: 5 s, doubling to 5 min.
const LANE_MS: Backoff = Backoff::new(5_000, 300_000);
/// A lane whose day or longer is used up, where nobody told how long: 5 min, doubling to 1 h.
const QUOTA_MS: Backoff = Backoff::new(300_000, 3_600_000);
/// A refused credential: 5 min, doubling to 1 h.
const CREDENTIAL_MS: Backoff = Backoff::new(300_000, 3_600_000);
/// An open breaker: 1 s, doubling to 60 s, with jitter.
const BREAKER_MS: Backoff = Backoff::new(1_000, 60_000);
/// A target whose provider does not know the model: nothing but an edit of the catalog will mend it soon.
const UNKNOWN_MODEL_MS: u64 = 600_000;
/// Subjects whose rest was over this long ago are forgotten, and with them how often they have failed.
const FORGOTTEN_MS: i64 = 2 * 3_600_000;
/// Subjects in trouble at once; each is a key of the store. Those that are over first are forgotten first.
const TROUBLED_MAX: usize = 1024;
/// So many targets of a provider in trouble, and in use, are kept apart by names that clients gave.
const ASKED_TARGETS_MAX: usize = 32;
const ASKED_WINDOWS_MAX: usize = 256;
/// So many lanes of a credential in trouble are kept apart by names that clients gave; then it is one lane for all.
const ASKED_LANES_MAX: usize = 32;
/// No first content takes longer than a day.
const LATENCY_MS_MAX: f64 = 86_400_000.0;
/// A probe that nobody tells the end of is given up after this long.
pub const PROBE_MS_MAX: i64 = 60_000;

struct Backoff {
    first_ms: u64,
    max_ms: u64,
    /// Of a hundred.
    percent: u64,
}

impl Backoff {
    const fn new(first_ms: u64, max_ms: u64) -> Self {
        Backoff { first_ms, max_ms, percent: 100 }
    }

    /// From three quarters to five quarters, so that instances do not all come back at the same moment.
    fn jittered(&self, jitter: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 75 to 125")]
        let percent = (75.0 + jitter.clamp(0.0, 1.0) * 50.0) as u64;
        Backoff { percent, ..*self }
    }

    fn wait_ms(&self, step: u32) -> u64 {
        self.first_ms.saturating_mul(1 << step.min(20)).min(self.max_ms).saturating_mul(self.percent) / 100
    }
}

/// What keeps a subject from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// A target's breaker is open.
    Open,
    /// A target's provider does not know the model.
    UnknownModel,
    /// A credential rests.
    Resting,
    /// A lane cools down.
    Cooling,
    /// Nothing is left of what a lane, or a credential, may use: its provider said so with a good answer.
    Spent,
}

/// A subject in trouble, as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What keeps it from being used.
    pub trouble: Trouble,
    /// Until when, Unix milliseconds.
    pub until_ms: i64,
    /// Since when.
    pub at_ms: i64,
    /// How often in a row, from 0: what doubles the wait.
    pub step: u32,
    /// What was said last: a status or an error, never a body.
    pub said: String,
}

impl Standing {
    /// When it may be used again. After a clock went back, what was meant to last a minute lasts a minute from now.
    fn until_ms(&self, now_ms: i64) -> i64 {
        if self.at_ms > now_ms {
            now_ms.saturating_add(self.until_ms.saturating_sub(self.at_ms))
        } else {
            self.until_ms
        }
    }
}

/// How long a target takes to its first content, or to a whole answer, as it is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetLatency {
    /// The target's key, or that of its whole answers.
    pub target: String,
    /// The weighted mean, in milliseconds.
    pub first_content_ms: f64,
    /// When the last sample came, Unix milliseconds.
    pub as_of_ms: i64,
}

/// When an attempt began and when its outcome is noted, Unix milliseconds, and a draw from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// When it began.
    pub started_ms: i64,
    /// When its outcome is noted.
    pub now_ms: i64,
    /// So that instances do not all come back at the same moment.
    pub jitter: f64,
}

/// Whether a subject may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Able,
    /// By one call, to find out whether it works again.
    Probe,
    /// Not yet.
    Not(Trouble, i64),
}

/// Everything known of every subject.
#[derive(Debug, Default)]
pub struct Health {
    troubled: BTreeMap<String, Standing>,
    windows: BTreeMap<String, Window>,
    latencies: BTreeMap<String, Latency>,
    probes: BTreeMap<String, i64>,
}

impl Health {
    /// Whether a subject may be used.
    pub fn availability(&self, key: &str, now_ms: i64) -> Availability {
        let Some(standing) = self.troubled.get(key) else { return Availability::Able };
        let until_ms = standing.until_ms(now_ms);
        match standing.trouble {
            trouble if now_ms < until_ms => Availability::Not(trouble, until_ms),
            Trouble::Open | Trouble::UnknownModel => match self.probes.get(key) {
                Some(claimed_until_ms) if now_ms < *claimed_until_ms => {
                    Availability::Not(standing.trouble, *claimed_until_ms)
                }
                _ => Availability::Probe,
            },
            Trouble::Resting | Trouble::Cooling | Trouble::Spent => Availability::Able,
        }
    }

    /// Takes the probe of a target for one call of this instance; `until_ms` is when it is given up.
    pub fn claim_probe(&mut self, key: &str, until_ms: i64) {
        self.probes.insert(key.to_owned(), until_ms);
    }

    /// Whether nobody is in trouble: then nothing need be looked up.
    pub fn is_calm(&self) -> bool {
        self.troubled.is_empty()
    }

    /// Takes note of the outcome of an attempt that began at `at.started_ms`; `said` is a status or an error. Returns the
    /// keys whose standing changed.
    pub fn note(&mut self, of: &Subjects, verdict: Verdict, said: &str, at: At) -> Vec<String> {
        let At { now_ms, jitter, .. } = at;
        match verdict.class {
            Class::Ok => self.succeeded(of, at),
            // The target answered, so it is up; nobody is to blame.
            Class::Client => self.end_probe(&of.target, at).into_iter().collect(),
            Class::Target if verdict.kind == ErrorKind::Request => self.end_probe(&of.target, at).into_iter().collect(),
            Class::Gone => {
                self.probes.remove(&of.target);
                Vec::new()
            }
            Class::Target => self.target_failed(of, verdict, said, now_ms, jitter),
            Class::Credential => self.credential_failed(of, verdict, said, now_ms),
            Class::Egress => self.egress_failed(of, verdict, said, at),
            Class::Rate => self.cool(of, verdict, said, now_ms),
        }
    }

    /// An answer has begun: enough to close a breaker, not yet to call the attempt a success.
    pub fn begun(&mut self, of: &Subjects, at: At) -> Vec<String> {
        self.end_probe(&of.target, at).into_iter().collect()
    }

    /// Takes note that the provider has nothing left, as it said with an answer that was good: nobody need be refused to
    /// learn it. A success does not end this, since it is one that told it.
    pub fn used_up(&mut self, of: &Subjects, signals: &[LimitSignal], now_ms: i64) -> Vec<String> {
        let (account, lane): (Vec<LimitSignal>, Vec<LimitSignal>) =
            signals.iter().cloned().partition(|each| each.of_account);
        let of_lane = self.lane(of).to_owned();
        let keys = [(of.credential.as_ref().unwrap_or(&of_lane), account), (&of_lane, lane)];
        let mut changed = Vec::new();
        for (key, signals) in keys {
            let Some(hint) = limits::used_up(&signals, now_ms) else { continue };
            // OpenAI tells when a bucket is full again that has its first drop much sooner.
            let wait_ms = if hint.is_reset { hint.wait_ms } else { hint.wait_ms.min(BUCKET_MS_MAX) };
            let until_ms = now_ms.saturating_add_unsigned(wait_ms);
            if self.troubled.get(key).is_none_or(|known| known.until_ms(now_ms) < until_ms) {
                let said = describe_used_up(&signals);
                changed.extend(self.trouble(key, Trouble::Spent, Some(wait_ms), &LANE_MS, &said, now_ms));
            }
        }
        changed
    }

    /// How long a target takes to what a client waits for: the first content of a stream, or a whole answer; as long as
    /// nothing is known of the one, the other tells more than nothing.
    pub fn wait_ms(&self, target: &str, streamed: bool, now_ms: i64) -> Option<f64> {
        if self.latencies.is_empty() {
            return None;
        }
        let of_stream = || self.latency_ms(target, now_ms);
        let of_whole = || self.latency_ms(&whole(target), now_ms);
        if streamed { of_stream().or_else(of_whole) } else { of_whole().or_else(of_stream) }
    }

    /// Takes note of how long a target took to its first content, or, as [`whole`], to a whole answer.
    pub fn answered_in(&mut self, target: &str, first_content_ms: u64, now_ms: i64) {
        self.latencies.entry(target.to_owned()).or_default().push(first_content_ms, now_ms);
    }

    /// How long the targets take by recent calls, for other instances and for people.
    pub fn latencies(&self, now_ms: i64) -> Vec<TargetLatency> {
        let recent = self.latencies.iter().filter_map(|(target, latency)| {
            latency.value_ms(now_ms)?;
            let (first_content_ms, as_of_ms) = latency.known()?;
            Some(TargetLatency { target: target.clone(), first_content_ms, as_of_ms })
        });
        recent.collect()
    }

    /// Takes over what other instances found, where it is newer.
    pub fn merge_latencies(&mut self, others: Vec<TargetLatency>, now_ms: i64) {
        for TargetLatency { target, first_content_ms, as_of_ms } in others {
            // What lasts longer than a day, or was heard of in the future, is a mistake.
            let is_sound =
                (0.0..=LATENCY_MS_MAX).contains(&first_content_ms) && as_of_ms <= now_ms.saturating_add(1000);
            if is_sound && (self.latencies.len() < TROUBLED_MAX || self.latencies.contains_key(&target)) {
                self.latencies.entry(target).or_default().take_over(first_content_ms, as_of_ms);
            }
        }
    }

    /// How long a target takes to its first content by recent calls, in milliseconds; `None` when nothing is known.
    pub fn latency_ms(&self, target: &str, now_ms: i64) -> Option<f64> {
        self.latencies.get(target)?.value_ms(now_ms)
    }

    /// Whether the last that was heard of a target is a failure.
    pub fn is_failing(&self, target: &str) -> bool {
        self.troubled.contains_key(target) || self.windows.get(target).is_some_and(Window::is_failing)
    }

    /// What is published of a key; `None` when it is in no trouble.
    pub fn standing(&self, key: &str) -> Option<&Standing> {
        self.troubled.get(key)
    }

    /// Every subject in trouble.
    pub fn troubled(&self) -> impl Iterator<Item = (&str, &Standing)> {
        self.troubled.iter().map(|(key, standing)| (key.as_str(), standing))
    }

    /// Replaces what is known by what is published, but for the keys whose own change is still on its way there.
    pub fn merge(&mut self, published: BTreeMap<String, Standing>, unpublished: impl Fn(&str) -> bool) {
        self.troubled.retain(|key, _| unpublished(key) || published.contains_key(key));
        for (key, standing) in published {
            if !unpublished(&key) {
                self.troubled.insert(key, standing);
            }
        }
        let troubled = &self.troubled;
        self.probes.retain(|key, _| troubled.contains_key(key));
    }

    /// Clears one subject, or all; the keys that were in trouble.
    pub fn reset(&mut self, key: Option<&str>) -> Vec<String> {
        self.forget_where(|other| key.is_none_or(|key| key == other))
    }

    fn forget_where(&mut self, is_meant: impl Fn(&String) -> bool) -> Vec<String> {
        let keys: Vec<String> = self.troubled.extract_if(.., |key, _| is_meant(key)).map(|(key, _)| key).collect();
        self.windows.retain(|key, _| !is_meant(key));
        self.probes.retain(|key, _| !is_meant(key));
        keys
    }

    /// The key of a target's breaker. One that sends on whatever name is asked has a breaker for each name, since one model
    /// that is broken says nothing of the others, up to a bound: clients may give any name.
    pub fn target_of(&self, provider: &str, of: &Target, upstream_model: &str) -> String {
        let key = target(provider, upstream_model);
        if of.model.is_some() || self.troubled.contains_key(&key) {
            return key;
        }
        let (all, every) = (target(provider, ""), target(provider, model_of(of)));
        let of_provider = |key: &String| key.starts_with(&all);
        let is_full = || {
            self.troubled.keys().filter(|key| of_provider(key)).count() >= ASKED_TARGETS_MAX
                || self.windows.keys().filter(|key| of_provider(key)).count() >= ASKED_WINDOWS_MAX
        };
        let is_known = self.windows.contains_key(&key);
        if self.troubled.contains_key(&every) || (!is_known && is_full()) { every } else { key }
    }

    /// Forgets all that was learnt of a provider, which is another one now; returns what was in trouble.
    pub fn forget_provider(&mut self, provider: &Provider) -> Vec<String> {
        let ids = || provider.credentials.iter().map(|credential| credential.id.as_str());
        let accounts: Vec<String> = ids().chain([&*provider.name]).map(|account| lane(account, "")).collect();
        let credentials: Vec<String> = ids().map(|id| format!("credential/{id}")).collect();
        let (targets, place) = (target(&provider.name, ""), format!("/{}", provider.name));
        let is_of = |key: &String| {
            key.starts_with(&targets)
                || key.starts_with(&whole(&targets))
                || credentials.contains(key)
                || accounts.iter().any(|account| key.starts_with(account))
                || (key.starts_with("egress/") && key.ends_with(&place))
        };
        self.latencies.retain(|key, _| !is_of(key));
        self.forget_where(is_of)
    }

    /// Forgets what was over long ago.
    pub fn forget(&mut self, now_ms: i64) -> Vec<String> {
        let over = |standing: &Standing| standing.until_ms(now_ms).saturating_add(FORGOTTEN_MS) < now_ms;
        let keys: Vec<String> =
            self.troubled.iter().filter(|(_, each)| over(each)).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| drop(self.troubled.remove(key)));
        self.windows.retain(|_, window| window.is_recent(now_ms));
        self.latencies.retain(|_, latency| latency.value_ms(now_ms).is_some());
        keys
    }

    fn succeeded(&mut self, of: &Subjects, at: At) -> Vec<String> {
        self.windows.entry(of.target.clone()).or_default().push(true, at.now_ms);
        let mut changed: Vec<String> = self.end_probe(&of.target, at).into_iter().collect();
        for key in of.beside_target() {
            changed.extend(self.clear(key, at));
        }
        for key in of.ways() {
            if let Some(window) = self.windows.get_mut(key) {
                window.push(true, at.now_ms);
            }
        }
        changed
    }

    fn end_probe(&mut self, target: &str, at: At) -> Option<String> {
        self.probes.remove(target);
        self.clear(target, at)
    }

    /// An attempt that began before the trouble did says nothing of it: a stream that ends well does not refill a quota
    /// that was spent meanwhile.
    fn clear(&mut self, key: &str, at: At) -> Option<String> {
        let standing = self.troubled.get(key)?;
        let is_newer = standing.at_ms > at.started_ms && standing.at_ms <= at.now_ms;
        if is_newer || (standing.trouble == Trouble::Spent && standing.until_ms(at.now_ms) > at.now_ms) {
            return None;
        }
        self.troubled.remove(key).map(|_| key.to_owned())
    }

    fn target_failed(&mut self, of: &Subjects, verdict: Verdict, said: &str, now_ms: i64, jitter: f64) -> Vec<String> {
        let key = &of.target;
        self.probes.remove(key);
        if verdict.kind == ErrorKind::UnknownModel {
            return self.trouble(key, Trouble::UnknownModel, Some(UNKNOWN_MODEL_MS), &CREDENTIAL_MS, said, now_ms);
        }
        self.latencies.entry(key.clone()).or_default().push_failure(now_ms);
        if let Some(latency) = self.latencies.get_mut(&whole(key)) {
            latency.push_failure(now_ms);
        }
        let window = self.windows.entry(key.clone()).or_default();
        window.push(false, now_ms);
        let told_ms = verdict.rest.map(told_ms);
        let was_open = self.troubled.get(key).is_some_and(|standing| standing.trouble == Trouble::Open);
        if !was_open && told_ms.is_none() && !window.is_bad(now_ms) {
            return Vec::new();
        }
        window.clear();
        self.trouble(key, Trouble::Open, told_ms, &BREAKER_MS.jittered(jitter), said, now_ms)
    }

    fn credential_failed(&mut self, of: &Subjects, verdict: Verdict, said: &str, now_ms: i64) -> Vec<String> {
        self.probes.remove(&of.target);
        // Without a credential it is the provider that refuses llmio, on this model at least.
        let key = match &of.credential {
            Some(credential) if verdict.kind != ErrorKind::ModelDenied => credential.clone(),
            _ => self.lane(of).to_owned(),
        };
        // A name more than are kept apart says nothing of all the others.
        if verdict.kind == ErrorKind::ModelDenied && of.wide_lane.as_ref() == Some(&key) {
            return Vec::new();
        }
        let told_ms = verdict.rest.filter(|rest| rest.is_reset).map(told_ms);
        self.trouble(&key, Trouble::Resting, told_ms, &CREDENTIAL_MS, said, now_ms)
    }

    /// The lane that trouble of an attempt is kept under. Clients may give any name.
    fn lane<'s>(&self, of: &'s Subjects) -> &'s str {
        let Some(wide) = &of.wide_lane else { return &of.lane };
        let account = wide.trim_end_matches('*');
        let of_account = self.troubled.range(account.to_owned()..).take_while(|(key, _)| key.starts_with(account));
        let is_full = !self.troubled.contains_key(&of.lane) && of_account.count() >= ASKED_LANES_MAX;
        if is_full { wide } else { &of.lane }
    }

    fn cool(&mut self, of: &Subjects, verdict: Verdict, said: &str, now_ms: i64) -> Vec<String> {
        self.probes.remove(&of.target);
        let wider = match verdict.kind {
            ErrorKind::AccountQuota => of.credential.clone(),
            ErrorKind::FreeQuota => of.free_lane.clone(),
            _ => None,
        };
        let key = wider.unwrap_or_else(|| self.lane(of).to_owned());
        let backoff = match verdict.kind {
            ErrorKind::Quota | ErrorKind::AccountQuota | ErrorKind::FreeQuota => &QUOTA_MS,
            _ => &LANE_MS,
        };
        self.trouble(&key, Trouble::Cooling, verdict.rest.map(told_ms), backoff, said, now_ms)
    }

    /// Puts a subject in trouble, or makes its trouble longer. Calls that were under way when it began say the same once
    /// more: that is no further step, and only a wait that was told can make it longer.
    fn trouble(
        &mut self,
        key: &str,
        trouble: Trouble,
        told_ms: Option<u64>,
        backoff: &Backoff,
        said: &str,
        now_ms: i64,
    ) -> Vec<String> {
        // What is known to be used up until tomorrow is not back in five seconds because a call under way is refused.
        let is_longer = |known: &&Standing| {
            let wait_ms = told_ms.unwrap_or_else(|| backoff.wait_ms(0));
            known.trouble == Trouble::Spent && known.until_ms(now_ms) > now_ms.saturating_add_unsigned(wait_ms)
        };
        if trouble == Trouble::Cooling && self.troubled.get(key).is_some_and(|known| is_longer(&known)) {
            return Vec::new();
        }
        let known = self.troubled.get_mut(key).filter(|known| known.trouble == trouble);
        let step = match known {
            Some(known) if known.until_ms(now_ms) > now_ms => {
                let until_ms = told_ms.map_or(i64::MIN, |told_ms| now_ms.saturating_add_unsigned(told_ms));
                if until_ms <= known.until_ms {
                    return Vec::new();
                }
                known.until_ms = until_ms;
                return vec![key.to_owned()];
            }
            Some(known) => known.step.saturating_add(1),
            None => 0,
        };
        let wait_ms = match told_ms {
            // A breaker is not probed before its own time either, however soon it is told to come back.
            Some(told_ms) if trouble == Trouble::Open => told_ms.max(backoff.wait_ms(step)),
            Some(told_ms) => told_ms,
            None => backoff.wait_ms(step),
        };
        let until_ms = now_ms.saturating_add_unsigned(wait_ms);
        let standing = Standing { trouble, until_ms, at_ms: now_ms, step, said: said.to_owned() };
        self.troubled.insert(key.to_owned(), standing);
        let mut changed = vec![key.to_owned()];
        if self.troubled.len() > TROUBLED_MAX {
            let first_over = self.troubled.iter().min_by_key(|(_, each)| each.until_ms).map(|(key, _)| key.clone());
            changed.extend(first_over.filter(|key| self.troubled.remove(key).is_some()));
        }
        changed
    }
}

/// `the provider says that 0 of 50 requests are left`
fn describe_used_up(signals: &[LimitSignal]) -> String {
    let of = |each: &LimitSignal| each.limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let used_up = signals.iter().filter(|each| each.remaining == Some(0));
    let each: Vec<String> = used_up.map(|signal| format!("0{} {}", of(signal), signal.what)).collect();
    format!("the provider says that {} are left", each.join(", "))
}

/// A wait somebody told, as long as it is followed.
fn told_ms(hint: Hint) -> u64 {
    if hint.is_reset { hint.wait_ms } else { hint.wait_ms.min(TOLD_MS_MAX) }
}

#[cfg(test)]
mod tests;
