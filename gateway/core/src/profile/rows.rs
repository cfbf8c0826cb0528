//! The table: one row for each family and range of versions. Rows are ordered from the general to the particular; if
//! two rows state the same fact, the later one counts.
//!
//! A row holds for every later version until another row says otherwise, since models rarely accept again what they
//! once refused.

mod anthropic;
mod common;
mod google;
mod open;
mod openai;

use super::{
    CacheMarks, CallIds, Effort, Family, ModelName, Place, Profile, ReasoningMode, ReasoningOff, Sampling, Seals,
    Source, Version,
};
use crate::dialect::Dialect;

/// The profile before any row, which is also that of a model whose dialect has no row.
pub(super) const COMMON: Profile = Profile {
    efforts: &[],
    effort_beside_tools: true,
    reasons: false,
    reasoning_mode: ReasoningMode::Never,
    reasoning_off: ReasoningOff::Disabled,
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

/// One thing that a model accepts or refuses; see the member of [`Profile`] with that name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fact {
    Efforts(&'static [Effort]),
    EffortBesideTools(bool),
    Reasons(bool),
    ReasoningMode(ReasoningMode),
    ReasoningOff(ReasoningOff),
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
    /// Sets the fact in a profile.
    pub(super) fn apply(self, profile: &mut Profile) {
        match self {
            Fact::Efforts(efforts) => profile.efforts = efforts,
            Fact::EffortBesideTools(takes) => profile.effort_beside_tools = takes,
            Fact::Reasons(reasons) => profile.reasons = reasons,
            Fact::ReasoningMode(reasoning_mode) => profile.reasoning_mode = reasoning_mode,
            Fact::ReasoningOff(off) => profile.reasoning_off = off,
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

/// Facts about the models that a row covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The families; empty for all.
    families: &'static [Family],
    since: Version,
    before: Version,
    /// One of these must occur in the name; empty for any name.
    parts: &'static [&'static str],
    /// The dialects in which the facts hold; empty for all.
    spoken: &'static [Dialect],
    served: ServedBy,
    /// The facts, each with its source.
    pub(super) facts: &'static [(Fact, Source)],
}

/// Where a model is served, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServedBy {
    /// Anyone.
    Anywhere,
    /// Its maker, whose API has no prefix before the model's name, or a copy of that API.
    ByMaker,
    /// Its maker, or a relay with this word for the maker.
    OfMaker(&'static str),
    /// A relay with one word for each maker.
    ByRelay,
    /// A relay with this word for the maker.
    ByRelayAs(&'static str),
}

/// The version of a name without a number.
const NEWEST: Version = (u32::MAX - 1, 0);
const NEVER: Version = (u32::MAX, 0);
const OPENAIS: &[Dialect] = &[Dialect::OpenaiChat, Dialect::OpenaiResponses];

impl Row {
    /// Whether the row holds for the model of this name in this dialect.
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
