//! The table: one row for a family and a range of its versions. Rows are in order, from what is common to what is
//! particular, and of two that say something of one thing the later one counts.
//!
//! Facts end nowhere by themselves: a row holds for every later version until another one says otherwise, as models rarely
//! take again what they once refused.

mod anthropic;
mod common;
mod google;
mod open;
mod openai;

use super::{
    CacheMarks, CallIds, Effort, Family, ModelName, Place, Profile, Sampling, Seals, Source, Thinking, ThinkingOff,
    Version,
};
use crate::dialect::Dialect;

/// Before any row: what a model is taken for whose dialect has no row either.
pub(super) const COMMON: Profile = Profile {
    efforts: &[],
    effort_beside_tools: true,
    reasons: false,
    thinking: Thinking::Never,
    thinking_off: ThinkingOff::Disabled,
    thinking_switch: false,
    sampling: Sampling::Taken,
    penalties: true,
    stop: true,
    max_tokens: true,
    system_inside: false,
    instructions: true,
    forced_tools: true,
    openais_members: false,
    prefill: true,
    format: true,
    format_beside_tools: true,
    reads_reasoning: false,
    needs_reasoning: false,
    seals: Seals::OfMaker,
    bound_to_prefix: false,
    relayed_seals: None,
    call_seals: false,
    call_ids: CallIds::OfDialect,
    cache_marks: CacheMarks::No,
};

/// Every row, in order.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    [common::ROWS, openai::ROWS, anthropic::ROWS, google::ROWS, open::ROWS].into_iter().flatten()
}

/// One thing that a model takes or refuses; see the member of [`Profile`] of that name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fact {
    Efforts(&'static [Effort]),
    EffortBesideTools(bool),
    Reasons(bool),
    Thinking(Thinking),
    ThinkingOff(ThinkingOff),
    ThinkingSwitch(bool),
    Sampling(Sampling),
    Penalties(bool),
    Stop(bool),
    MaxTokens(bool),
    SystemInside(bool),
    Instructions(bool),
    ForcedTools(bool),
    OpenaisMembers(bool),
    Prefill(bool),
    Format(bool),
    FormatBesideTools(bool),
    ReadsReasoning(bool),
    NeedsReasoning(bool),
    Seals(Seals),
    BoundToPrefix(bool),
    RelayedSeals(Dialect),
    CallSeals(bool),
    CallIds(CallIds),
    CacheMarks(CacheMarks),
}

impl Fact {
    /// Writes it down.
    pub(super) fn apply(self, profile: &mut Profile) {
        match self {
            Fact::Efforts(efforts) => profile.efforts = efforts,
            Fact::EffortBesideTools(takes) => profile.effort_beside_tools = takes,
            Fact::Reasons(reasons) => profile.reasons = reasons,
            Fact::Thinking(thinking) => profile.thinking = thinking,
            Fact::ThinkingOff(off) => profile.thinking_off = off,
            Fact::ThinkingSwitch(takes) => profile.thinking_switch = takes,
            Fact::Sampling(sampling) => profile.sampling = sampling,
            Fact::Penalties(takes) => profile.penalties = takes,
            Fact::Stop(takes) => profile.stop = takes,
            Fact::MaxTokens(takes) => profile.max_tokens = takes,
            Fact::SystemInside(takes) => profile.system_inside = takes,
            Fact::Instructions(takes) => profile.instructions = takes,
            Fact::ForcedTools(takes) => profile.forced_tools = takes,
            Fact::OpenaisMembers(takes) => profile.openais_members = takes,
            Fact::Prefill(takes) => profile.prefill = takes,
            Fact::Format(takes) => profile.format = takes,
            Fact::FormatBesideTools(takes) => profile.format_beside_tools = takes,
            Fact::ReadsReasoning(reads) => profile.reads_reasoning = reads,
            Fact::NeedsReasoning(needs) => profile.needs_reasoning = needs,
            Fact::Seals(seals) => profile.seals = seals,
            Fact::BoundToPrefix(bound) => profile.bound_to_prefix = bound,
            Fact::RelayedSeals(by) => profile.relayed_seals = Some(by),
            Fact::CallSeals(wants) => profile.call_seals = wants,
            Fact::CallIds(ids) => profile.call_ids = ids,
            Fact::CacheMarks(marks) => profile.cache_marks = marks,
        }
    }
}

/// Facts of the models that a row is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Empty: any.
    families: &'static [Family],
    since: Version,
    before: Version,
    /// One of these stands in the name; empty: anything may.
    parts: &'static [&'static str],
    /// The dialects in which that is so; empty: all.
    spoken: &'static [Dialect],
    served: ServedBy,
    /// Each beside its source.
    pub(super) facts: &'static [(Fact, Source)],
}

/// Who serves a model, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServedBy {
    /// Anyone.
    Anywhere,
    /// Its maker, in whose API nobody's name stands before the model's, and who copies that.
    ByMaker,
    /// Its maker, perhaps through a relay with this word for it.
    OfMaker(&'static str),
    /// A relay with one word for each maker.
    ByRelay,
    /// A relay with this word for the maker.
    ByRelayAs(&'static str),
}

/// A name without a number is of the newest version.
const NEWEST: Version = (u32::MAX - 1, 0);
const NEVER: Version = (u32::MAX, 0);
const OPENAIS: &[Dialect] = &[Dialect::OpenaiChat, Dialect::OpenaiResponses];

impl Row {
    /// Whether it holds for the model of this name in this dialect.
    pub(super) fn is_of(&self, name: &ModelName<'_>, spoken: Dialect) -> bool {
        let version = name.version.unwrap_or(NEWEST);
        let is_served = match self.served {
            ServedBy::Anywhere => true,
            ServedBy::ByMaker => name.place == Place::Bare,
            ServedBy::OfMaker(maker) => name.place == Place::Bare || name.place == Place::Relay(maker),
            ServedBy::ByRelay => matches!(name.place, Place::Relay(_)),
            ServedBy::ByRelayAs(maker) => name.place == Place::Relay(maker),
        };
        (self.families.is_empty() || self.families.contains(&name.family))
            && (self.since..self.before).contains(&version)
            && (self.parts.is_empty() || name.has_any(self.parts))
            && (self.spoken.is_empty() || self.spoken.contains(&spoken))
            && is_served
    }

    const fn since(self, major: u32, minor: u32) -> Row {
        Row { since: (major, minor), ..self }
    }

    const fn before(self, major: u32, minor: u32) -> Row {
        Row { before: (major, minor), ..self }
    }

    const fn named(self, parts: &'static [&'static str]) -> Row {
        Row { parts, ..self }
    }

    const fn spoken(self, spoken: &'static [Dialect]) -> Row {
        Row { spoken, ..self }
    }

    const fn served(self, served: ServedBy) -> Row {
        Row { served, ..self }
    }

    const fn facts(self, facts: &'static [(Fact, Source)]) -> Row {
        Row { facts, ..self }
    }
}

/// A row of all models of these families.
const fn of(families: &'static [Family]) -> Row {
    Row { families, since: (0, 0), before: NEVER, parts: &[], spoken: &[], served: ServedBy::Anywhere, facts: &[] }
}

/// A row of all models in these dialects.
const fn any(spoken: &'static [Dialect]) -> Row {
    of(&[]).spoken(spoken)
}

const fn read(as_of: &'static str, url: &'static str) -> Source {
    Source { as_of, url }
}
