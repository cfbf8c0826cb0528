//! The class of an outcome, which says what the outcome speaks about, and what follows from it. Judging, health and the
//! catalog share these words.

mod wait_template;

pub use wait_template::{WaitTemplate, go_duration_ms};

/// What an outcome speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It worked.
    Ok,
    /// This credential; another one may work.
    Credential,
    /// The egress; another credential with another egress may work.
    Egress,
    /// This target; another one may work.
    Target,
    /// This target or credential, which has too much to do for now; another one may work.
    Rate,
    /// The request itself, which no other target would serve either.
    Client,
    /// The client, which is gone, or the host, which is shutting down.
    Gone,
}

impl Class {
    /// The classes a catalog's `errors` may name.
    pub const NAMED: [Class; 5] = [Self::Credential, Self::Egress, Self::Target, Self::Rate, Self::Client];

    /// The class's name in catalogs and records.
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

/// What an outcome says beyond its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorKind {
    /// Nothing more.
    #[default]
    Plain,
    /// The account has no money or no allowance left, which will not change within a minute.
    Spent,
    /// The provider does not know, or no longer serves, the model name in llmio's catalog.
    UnknownModel,
    /// The provider does not let this credential use this model. Either may work with another.
    ModelDenied,
    /// A daily or longer quota is spent. If the provider tells a wait, it is the reset of the quota and may be long.
    Quota,
    /// Such a quota is spent for the whole account and not only for this model.
    AccountQuota,
    /// Such a quota is spent for all free models of the account together; paid ones may still work.
    FreeQuota,
    /// The prompt is larger than this target's context window. A larger window may be enough.
    ContextLength,
    /// The target does not serve this request, for a reason of the request. Other requests may be served, and other
    /// targets may serve this one.
    Request,
    /// The egress proxy or relay itself does not work, whichever provider is behind it.
    Egress,
    /// The egress proxy or relay cannot reach this provider. It may reach others.
    Tunnel,
    /// The provider's host cannot be reached, so that its other models cannot be either.
    Unreachable,
    /// The provider's host did not accept the connection within the time limit.
    ConnectTimeout,
    /// Nothing came that would show that the host was reached.
    NoAnswer,
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What the outcome speaks about.
    pub class: Class,
    /// What it says beyond its class.
    pub kind: ErrorKind,
    /// How long the thing that it speaks about is paused, if that is known.
    pub rest: Option<Hint>,
}

impl Verdict {
    /// A verdict with nothing but a class.
    pub fn of(class: Class) -> Self {
        Verdict { class, kind: ErrorKind::Plain, rest: None }
    }

    /// Whether something came from the provider's host, whatever the outcome.
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

/// A row that a catalog adds: `errors = [{ status = 403, match = "余额不足", is = "credential", rest = "1h" }]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    /// The status of the error; absent for any error status.
    pub status: Option<u16>,
    /// A text that the body must contain, in upper or lower case; absent for any body.
    pub text: Option<String>,
    /// What the error speaks about.
    pub class: Class,
    /// How long that is paused.
    pub rest_ms: Option<u64>,
    /// Where the body tells how long; `rest_ms` applies if it does not.
    pub rest_from: Option<WaitTemplate>,
}

/// How long to stay away from a target or credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The wait from now in milliseconds; at least 1.
    pub wait_ms: u64,
    /// Whether it is the reset of a quota, which is believed however long it is. Any other wait is capped.
    pub is_reset: bool,
}
