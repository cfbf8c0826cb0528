//! Who an outcome speaks of, and what follows for that one: the words that judging, health and the catalog share.

mod wait_template;

pub use wait_template::{WaitTemplate, go_duration_ms};

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
pub enum ErrorKind {
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
    Egress,
    /// The egress proxy or relay does not get through to this provider; to others it may.
    Tunnel,
    /// There is no connection to the provider's host: whoever else is asked there is not reached either.
    Unreachable,
    /// The same, and it took all the time there was for it.
    ConnectTimeout,
    /// Nothing came that would show that the host was reached.
    NoAnswer,
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Who it speaks of.
    pub class: Class,
    /// What it says beyond that.
    pub kind: ErrorKind,
    /// How long whom it speaks of rests, where that is known.
    pub rest: Option<Hint>,
}

impl Verdict {
    /// A verdict that says no more than its class.
    pub fn of(class: Class) -> Self {
        Verdict { class, kind: ErrorKind::Plain, rest: None }
    }

    /// Whether something came from the provider's host, whatever it says of the attempt.
    pub fn is_answer(self) -> bool {
        let is_silence = matches!(
            self.kind,
            ErrorKind::Egress
                | ErrorKind::Tunnel
                | ErrorKind::Unreachable
                | ErrorKind::ConnectTimeout
                | ErrorKind::NoAnswer
        );
        self.class != Class::Gone && !is_silence
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
    /// Where the body says how long; `rest_ms` stands in where it does not.
    pub rest_from: Option<WaitTemplate>,
}

/// How long to stay away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// From now, in milliseconds; at least 1.
    pub wait_ms: u64,
    /// It is the reset of a quota: true however long it is. Any other wait is capped by whoever follows it.
    pub is_reset: bool,
}
