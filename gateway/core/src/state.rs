//! How a call ends: one word, the same in records, queries and errors.

use serde::Serialize;

/// How a call ended.
///
/// | state | cause | status the client saw | who is blamed |
/// |---|---|---|---|
/// | `running` | not ended yet | – | – |
/// | `ok` | the whole answer was handed over | the upstream's | – |
/// | `client_error` | the provider refused the request itself | the upstream's 4xx | client |
/// | `client_closed` | the client left before the end | any; 499 before the head | client |
/// | `client_stalled` | the client stopped reading, or sent its body too slowly | any, or 408 | client |
/// | `upstream_connect` | no connection to any provider | 502 | target |
/// | `tls_error` | TLS handshake failed | 502 | target |
/// | `first_byte_timeout` | no response head in time | 504 | target |
/// | `idle_timeout` | silence within the answer | cut, or 504 | target |
/// | `total_timeout` | the call's total time was used up | cut, or 504 | target |
/// | `upstream_reset` | the connection broke | cut, or 502 | target |
/// | `upstream_truncated` | the answer ended before it was complete | cut, or 502 | target |
/// | `upstream_error` | 5xx, or an error within the stream | the upstream's | target |
/// | `upstream_auth` | every credential was refused | 502 | credential |
/// | `rate_limited_upstream` | 429 from the last provider | 429 | rate |
/// | `no_target` | no target can serve the model, or this request | 503, or 400 or 403 | catalog, or client |
/// | `quota_spent` | every quota is spent | 429 | quota |
/// | `rejected` | llmio refused the request | 4xx | client |
/// | `untranslatable` | the dialect cannot carry the request | 400 | client |
/// | `guest_trap` | the component crashed | cut, or 500 | llmio |
/// | `drained` | cut by a shutdown | cut | operator |
/// | `interrupted` | the process ended without a word | cut | operator |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the table above documents every state")]
pub enum State {
    Running,
    Ok,
    ClientError,
    ClientClosed,
    ClientStalled,
    UpstreamConnect,
    TlsError,
    FirstByteTimeout,
    IdleTimeout,
    TotalTimeout,
    UpstreamReset,
    UpstreamTruncated,
    UpstreamError,
    UpstreamAuth,
    RateLimitedUpstream,
    NoTarget,
    QuotaSpent,
    Rejected,
    Untranslatable,
    GuestTrap,
    Drained,
    Interrupted,
}

impl State {
    /// Every state.
    pub const ALL: [State; 22] = [
        Self::Running,
        Self::Ok,
        Self::ClientError,
        Self::ClientClosed,
        Self::ClientStalled,
        Self::UpstreamConnect,
        Self::TlsError,
        Self::FirstByteTimeout,
        Self::IdleTimeout,
        Self::TotalTimeout,
        Self::UpstreamReset,
        Self::UpstreamTruncated,
        Self::UpstreamError,
        Self::UpstreamAuth,
        Self::RateLimitedUpstream,
        Self::NoTarget,
        Self::QuotaSpent,
        Self::Rejected,
        Self::Untranslatable,
        Self::GuestTrap,
        Self::Drained,
        Self::Interrupted,
    ];

    /// The state's name in records, queries and errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::ClientClosed => "client_closed",
            Self::ClientStalled => "client_stalled",
            Self::UpstreamConnect => "upstream_connect",
            Self::TlsError => "tls_error",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::UpstreamReset => "upstream_reset",
            Self::UpstreamTruncated => "upstream_truncated",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamAuth => "upstream_auth",
            Self::RateLimitedUpstream => "rate_limited_upstream",
            Self::NoTarget => "no_target",
            Self::QuotaSpent => "quota_spent",
            Self::Rejected => "rejected",
            Self::Untranslatable => "untranslatable",
            Self::GuestTrap => "guest_trap",
            Self::Drained => "drained",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
