//! The way of a call: what was tried, what was not needed, and what was left out, each with its reason.

use gateway_core::candidate::{SkipReason, Skipped};
use gateway_core::record::AttemptRecord;
use gateway_core::views::RecordView;

use super::{answered, decision};
use crate::frame::Frame;
use crate::parts::{Icon, Mid, Monogram};
use crate::show;
use crate::words::{record::Words, states};

/// A target on the way.
#[derive(Debug)]
pub(super) struct Stop {
    /// `served`, `tried` or `rest`.
    pub(super) class: &'static str,
    pub(super) tone: &'static str,
    pub(super) icon: Icon,
    pub(super) monogram: Monogram,
    pub(super) provider: String,
    pub(super) model: Mid,
    /// Its place in the draw.
    pub(super) place: Option<String>,
    pub(super) tries: Vec<Try>,
    /// Why it was not tried.
    pub(super) reason: Option<String>,
    pub(super) until: Option<String>,
    /// More about the reason, as recorded.
    pub(super) message: Option<String>,
}

/// A try at a target.
#[derive(Debug)]
pub(super) struct Try {
    pub(super) credential: Option<String>,
    /// What it came to, and how long that took.
    pub(super) outcome: String,
    /// What the provider said of a failure.
    pub(super) message: Option<String>,
    /// Translated, or sent through something.
    pub(super) how: String,
}

/// Every target, in the order in which it was considered: tried, drawn and not needed, left out.
pub(super) fn stops(record: &RecordView, attempts: &[AttemptRecord], frame: &Frame) -> Vec<Stop> {
    let words = Words(frame.language);
    let candidates: &[String] = decision(record).map_or(&[], |decision| &decision.candidates);
    let place = |target: &str| candidates.iter().position(|candidate| candidate == target);
    let of = |place: usize| decision(record).map(|decision| (decision.tiers.get(place), decision.weights.get(place)));
    let place_word = |target: &str| {
        let place = place(target)?;
        Some(match of(place) {
            Some((Some(tier), Some(weight))) => words.place_with(place + 1, tier, weight),
            _ => words.place(place + 1),
        })
    };
    let mut stops: Vec<Stop> = Vec::new();
    for tries in attempts.chunk_by(|one, next| one.provider == next.provider && one.model == next.model) {
        let Some(last) = tries.last() else { continue };
        let is_answer = answered(last);
        let target = format!("{}/{}", last.provider, last.model);
        stops.push(Stop {
            class: if is_answer { "served" } else { "tried" },
            tone: if is_answer { "ok" } else { "bad" },
            icon: frame.icon(if is_answer { "check" } else { "x" }),
            monogram: frame.monogram(&last.provider, false),
            provider: last.provider.clone(),
            model: Mid::of(&last.model),
            place: place_word(&target),
            tries: tries.iter().map(|attempt| Try::of(attempt, words)).collect(),
            reason: None,
            until: None,
            message: None,
        });
    }
    let was_tried = |target: &str| attempts.iter().any(|attempt| is_target(target, &attempt.provider, &attempt.model));
    let is_served = attempts.last().is_some_and(answered);
    for target in candidates.iter().filter(|target| !was_tried(target)) {
        let reason = if is_served { words.not_needed() } else { words.not_reached() };
        stops.push(Stop { place: place_word(target), ..rest(target, reason.to_owned(), frame) });
    }
    let skipped: &[Skipped] = decision(record).map_or(&[], |decision| &decision.skipped);
    for skip in skipped {
        let reason = format!("{} {}", words.left_out(), reason(skip.reason, states::Words(frame.language)));
        stops.push(Stop {
            until: skip.until_ms.map(|at_ms| words.until(frame.clock.short(at_ms))),
            message: skip.message.clone(),
            ..rest(&skip.target, reason, frame)
        });
    }
    stops
}

fn is_target(target: &str, provider: &str, model: &str) -> bool {
    target.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')) == Some(model)
}

/// A target that was not tried.
fn rest(target: &str, reason: String, frame: &Frame) -> Stop {
    let (provider, model) = target.split_once('/').unwrap_or((target, ""));
    Stop {
        class: "rest",
        tone: "off",
        icon: frame.icon("s-off"),
        monogram: frame.monogram(provider, false),
        provider: provider.to_owned(),
        model: Mid::of(model),
        place: None,
        tries: Vec::new(),
        reason: Some(reason),
        until: None,
        message: None,
    }
}

impl Try {
    fn of(attempt: &AttemptRecord, words: Words) -> Self {
        let took = show::span(i64::try_from(attempt.end_ms.saturating_sub(attempt.start_ms)).unwrap_or(i64::MAX));
        let how = [
            attempt.translated_to.as_ref().map(|dialect| words.translated(dialect)),
            attempt.egress.as_ref().map(|egress| words.through(egress)),
        ];
        Try {
            credential: attempt.credential.as_ref().map(|label| words.with_credential(label)),
            outcome: match attempt.status {
                Some(status) => words.status_in(status, took),
                None => words.failed_in(took),
            },
            message: attempt.error.clone(),
            how: how.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        }
    }
}

pub(in crate::pages) fn reason(reason: SkipReason, words: states::Words) -> &'static str {
    match reason {
        SkipReason::TargetDisabled => words.target_disabled(),
        SkipReason::ProviderDisabled => words.provider_disabled(),
        SkipReason::Dialect => words.dialect(),
        SkipReason::NoCredential => words.no_credential(),
        SkipReason::Capability => words.capability(),
        SkipReason::Context => words.context(),
        SkipReason::Tag => words.tag(),
        SkipReason::EgressUnsupported => words.egress_unsupported(),
        SkipReason::EgressResting => words.egress_resting(),
        SkipReason::Unreachable => words.unreachable(),
        SkipReason::CredentialsResting => words.credentials_resting(),
        SkipReason::Cooling => words.cooling(),
        SkipReason::Open => words.open(),
        SkipReason::UnknownModel => words.unknown_model(),
        SkipReason::Probing => words.probing(),
        SkipReason::QuotaSpent => words.quota(),
        SkipReason::OtherOwner => words.other_maker(),
        SkipReason::Untranslatable => words.untranslatable_target(),
        SkipReason::Safeguards => words.without_safeguards(),
        SkipReason::Unpriced => words.unpriced(),
    }
}
