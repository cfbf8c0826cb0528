//! Quotas at providers, and limits: how much of something may be spent within a window.

use std::sync::Arc;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::profile::Source;

/// A quota at a provider. An attempt needs room in every quota that applies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The upstream names or patterns (with a `*` at either end), sorted, that share the quota. Empty (default): all.
    pub models: Arc<[String]>,
    /// Who shares the quota. Default: each credential has its own.
    pub per: Per,
    /// The limits, one for each window.
    pub limits: Vec<Limit>,
    /// Whether its calls cost nothing, so that what is left of it is there to be used. Default: those that were
    /// published for everybody.
    pub is_free: bool,
    /// The source, if the limits were published by the provider and are not from the document.
    pub source: Option<Source>,
}

/// Who shares a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Each credential has its own; a provider without credentials has one.
    Credential,
    /// All credentials of one pool.
    Pool,
    /// The whole provider.
    Provider,
}

/// A limit: how much of something may be spent within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub count: Count,
    /// The window.
    pub window: Window,
    /// The most that may be spent.
    pub most: u64,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Calls sent upstream.
    Calls,
    /// Tokens, in and out.
    Tokens,
    /// Tokens without those read from a cache, which some providers do not count.
    FreshTokens,
    /// A fixed number for each call.
    Points {
        /// That number.
        per_call: u64,
    },
    /// What calls cost, in nano-dollars.
    Money,
}

/// The window of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// The last minute.
    Minute,
    /// Since the day began.
    Day(Day),
    /// Since the week began, on a Monday.
    Week(Day),
    /// Since the month began.
    Month(Day),
    /// A number of hours, up to now.
    Rolling {
        /// How many.
        hours: u64,
    },
    /// All time: it never resets.
    Ever,
    /// This moment: what is under way.
    InFlight,
}

/// When a day begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The time zone. Default: [`Settings::zone`](super::Settings::zone).
    pub zone: TimeZone,
    /// The time of day in that zone. Default: midnight.
    pub reset: Time,
}
