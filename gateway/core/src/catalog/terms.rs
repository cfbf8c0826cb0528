//! The terms of attempts at one target, or at all targets of a provider: how long they may take, how many may fail, and
//! which name is sent upstream.

use std::sync::Arc;

use super::{Target, Timeouts};

/// The time limits of an attempt, in milliseconds. The model's apply where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PhaseLimits {
    /// TCP connect and TLS handshake together.
    pub connect_ms: Option<u64>,
    /// Until the response head.
    pub first_byte_ms: Option<u64>,
    /// Silence between two chunks.
    pub idle_ms: Option<u64>,
}

impl PhaseLimits {
    /// These limits, and those of `others` where there is none.
    pub(super) fn or(self, others: PhaseLimits) -> PhaseLimits {
        PhaseLimits {
            connect_ms: self.connect_ms.or(others.connect_ms),
            first_byte_ms: self.first_byte_ms.or(others.first_byte_ms),
            idle_ms: self.idle_ms.or(others.idle_ms),
        }
    }

    /// The limits of an attempt within a call with these limits.
    pub fn within(self, call: &Timeouts) -> Timeouts {
        Timeouts {
            connect_ms: self.connect_ms.unwrap_or(call.connect_ms),
            first_byte_ms: self.first_byte_ms.or(call.first_byte_ms),
            idle_ms: self.idle_ms.unwrap_or(call.idle_ms),
            ..*call
        }
    }
}

/// How many failures are tolerated before a target rests, and for how long it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Patience {
    /// Failures in a row. Default 5.
    pub failures: Option<u32>,
    /// For how long, in milliseconds, unless the provider says. Default: one second for a target and five seconds for a
    /// rate limit, doubled each time.
    pub cooldown_ms: Option<u64>,
}

impl Patience {
    /// This one, completed from `others`.
    pub(super) fn or(self, others: Patience) -> Patience {
        Patience { failures: self.failures.or(others.failures), cooldown_ms: self.cooldown_ms.or(others.cooldown_ms) }
    }
}

/// How the upstream name is derived from the name the client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The text before the `*`.
    pub prefix: String,
    /// The prefixes that are removed from the name the client asked for, the longest first.
    pub stems: Vec<String>,
}

impl Template {
    fn name(&self, requested: &str) -> String {
        let rest =
            self.stems.iter().find_map(|stem| requested.strip_prefix(stem.as_str()).filter(|rest| !rest.is_empty()));
        format!("{}{}", self.prefix, rest.unwrap_or(requested))
    }
}

impl Target {
    /// The upstream name for the name the client asked for.
    pub fn upstream_model(&self, requested: &Arc<str>) -> Arc<str> {
        match (&self.model, &self.template) {
            (Some(model), _) => Arc::clone(model),
            (None, Some(template)) => template.name(requested).into(),
            (None, None) => Arc::clone(requested),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_stem_goes_and_a_name_that_is_nothing_else_stays_whole() {
        let template = |prefix: &str| Template {
            prefix: prefix.to_owned(),
            stems: ["openai/gpt-", "openai/"].map(str::to_owned).into(),
        };
        assert_eq!(template("").name("openai/o3"), "o3");
        assert_eq!(template("models/").name("openai/gpt-4o"), "models/4o");
        assert_eq!(template("").name("o3"), "o3");
        assert_eq!(template("").name("openai/"), "openai/");
    }
}
