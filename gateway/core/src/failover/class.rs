//! Who an error speaks of: judged by status **and** body, from one table.
//!
//! Not by status alone: the same 400 is the client's mistake, a dead key (Gemini), a blocked country or a model name
//! that only llmio's catalog got wrong; the same 429 is a minute's pause or an empty account. A provider's own `errors`
//! come first, then the rows of `table` in their order, then what the status means by itself.

use super::hint::Hint;
use super::said::Said;
use table::TABLE;

mod table;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

/// Who an outcome speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It worked.
    Ok,
    /// This credential: another one may do.
    Credential,
    /// The way out: another credential with another egress may do.
    Egress,
    /// This target: another one may do.
    Target,
    /// Too much for now: another one may do.
    Rate,
    /// The request itself: nobody else will do better.
    Client,
    /// The client is gone, or the host is going.
    Gone,
}

impl Class {
    /// The classes a catalog's `errors` may name.
    pub const NAMED: [Class; 5] = [Self::Credential, Self::Egress, Self::Target, Self::Rate, Self::Client];

    /// What catalogs and records call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Credential => "credential",
            Self::Egress => "egress",
            Self::Target => "target",
            Self::Rate => "rate",
            Self::Client => "client",
            Self::Gone => "gone",
        }
    }
}

/// What an error says beyond its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nature {
    /// Nothing more.
    #[default]
    Plain,
    /// The account has no money or no allowance left: it will not be better in a minute.
    Spent,
    /// The provider does not know, or no longer serves, the model name llmio's catalog gives it.
    UnknownModel,
    /// The provider does not let this credential use this model: it may use others, and others may use this one.
    ModelDenied,
    /// A daily or longer quota is spent; a wait that is told is its reset and may be long.
    Quota,
    /// The same, of the account as a whole and not of this model alone.
    AccountQuota,
    /// The same, of all the models together that the account has for free; it may have paid ones too.
    FreeQuota,
    /// The prompt is larger than this target's context window; a larger one may do.
    ContextLength,
    /// This request is not served there, for a reason of its own; others may be, and others may serve it.
    Request,
    /// The egress proxy or relay itself is out of order, whoever is to be reached through it.
    Way,
    /// The egress proxy or relay does not get through to this provider; to others it may.
    Tunnel,
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Who it speaks of.
    pub class: Class,
    /// What it says beyond that.
    pub nature: Nature,
    /// How long whom it speaks of rests, where that is known.
    pub rest: Option<Hint>,
}

impl Verdict {
    /// A verdict that says no more than its class.
    pub fn of(class: Class) -> Self {
        Verdict { class, nature: Nature::Plain, rest: None }
    }
}

/// A row a catalog adds: `errors = [{ status = 403, match = "余额不足", is = "credential", rest = "1h" }]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    /// Only this status; absent: any error status.
    pub status: Option<u16>,
    /// Only bodies that contain this, whatever the case; absent: any body.
    pub text: Option<String>,
    /// Who it speaks of.
    pub class: Class,
    /// How long that one rests.
    pub rest_ms: Option<u64>,
}

/// What an error is judged by beside itself.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The rows that the catalog adds for the provider.
    pub rules: &'a [ErrorRule],
    /// The request as its client wrote it, which an error may repeat.
    pub request: &'a [u8],
    /// The client named the model and not the catalog.
    pub is_clients_model: bool,
}

/// Judges an error answer. `hint` is what it says of when to come back, which a rule's own rest overrides.
pub(super) fn judge(status: u16, body: &[u8], asked: Circumstances<'_>, hint: Option<Hint>) -> Verdict {
    let Circumstances { rules, request, is_clients_model } = asked;
    let said = Said::of(body);
    let matches = |rule: &&ErrorRule| {
        rule.status.is_none_or(|wanted| wanted == status)
            && rule.text.as_ref().is_none_or(|wanted| said.whole.contains(&wanted.to_lowercase()))
    };
    if let Some(rule) = rules.iter().find(matches) {
        let rest = rule.rest_ms.map(|wait_ms| Hint { wait_ms, is_reset: true }).or(hint);
        return Verdict { class: rule.class, nature: Nature::Plain, rest };
    }
    let row = TABLE.iter().find(|row| row.is_said(status, &said, request));
    let (class, nature) = row.map_or_else(|| by_status(status, &said, is_clients_model), |row| (row.class, row.nature));
    if nature == Nature::UnknownModel && is_clients_model {
        return Verdict::of(Class::Client);
    }
    let spends = matches!(nature, Nature::Quota | Nature::AccountQuota | Nature::FreeQuota | Nature::Spent);
    // Many send the reset of some window with every answer; it speaks of whoever is over its rate and of nobody else.
    let rest = hint.filter(|hint| class == Class::Rate || spends || !hint.is_reset);
    let rest = rest.map(|hint| Hint { is_reset: hint.is_reset || spends, ..hint });
    Verdict { class, nature, rest }
}

/// What a status means when nothing in the body says more.
fn by_status(status: u16, said: &Said, is_clients_model: bool) -> (Class, Nature) {
    let class = match status {
        200..=299 => Class::Ok,
        401 => Class::Credential,
        402 => return (Class::Credential, Nature::Spent),
        // Firewalls answer 403 to what a prompt holds. Only one that names a key, a permission or money is about those.
        403 => return (Class::Target, Nature::Request),
        429 | 529 => Class::Rate,
        451 => Class::Egress,
        // A proxy in front of this provider takes no more; another one's may.
        413 if said.is_page => return (Class::Target, Nature::Request),
        400 | 404 if said.is_page => Class::Target,
        // llmio chose the model and the address, and what the client may have named (a file, a cache) may be elsewhere.
        404 if !is_clients_model => return (Class::Target, Nature::Request),
        // llmio chose address and method, so these are not the client's; 408, 409, 410 and 425 are the provider's state.
        405 | 408 | 409 | 410 | 425 => Class::Target,
        400..=499 => Class::Client,
        // Redirects are never followed: a key must not travel to where a response points.
        _ => Class::Target,
    };
    (class, Nature::Plain)
}
