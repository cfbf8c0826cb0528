//! A refusal as the caller gets it.

use crate::dialect::Dialect;
use crate::neutral::{ApiError, OwnError};
use crate::refusal::{RETRY_AFTER_MAX_S, Refusal, Reply, Shape, UNTIL, until};

impl Refusal {
    /// The answer in the caller's dialect. `id` is the request's.
    pub fn reply(&self, shape: Shape, id: &str) -> Reply {
        let mut reply = match shape {
            Shape::Dialect(dialect) => Reply::json(self.status, &dialect.error(&self.error(), id)),
            Shape::Problem => Reply::new(self.status, "application/problem+json", self.problem().to_string()),
        };
        if let Some(seconds) = self.worth_waiting_s() {
            reply = reply.with("retry-after", seconds.to_string());
        } else if let Some(until) = self.until_ms.and_then(until) {
            reply = reply.with(UNTIL, until);
        }
        if let Some(retry) = self.should_retry {
            reply = reply.with("x-should-retry", retry.to_string());
        }
        if let Some(allow) = &self.allow {
            reply = reply.with("allow", allow.as_bytes());
        }
        if self.status == 401 {
            reply = reply.with("www-authenticate", "Bearer realm=\"llmio\"");
        }
        reply
    }

    /// The wait, if it is one that a client should wait for.
    fn worth_waiting_s(&self) -> Option<u64> {
        self.retry_after_s.filter(|seconds| *seconds <= RETRY_AFTER_MAX_S)
    }

    /// The last event of a stream of this dialect that has begun. `id` is the request's.
    pub fn event(&self, dialect: Dialect, id: &str) -> Vec<u8> {
        dialect.error_event(&dialect.error(&self.error(), id), id)
    }

    /// The error in a form that belongs to no dialect.
    pub fn error(&self) -> ApiError {
        ApiError {
            message: self.message.clone(),
            status: Some(self.status),
            code: self.code.map(str::to_owned),
            param: self.param.map(str::to_owned),
            is_too_long: false,
            own: Some(OwnError { retry_after_s: self.worth_waiting_s(), is_budget: self.is_budget }),
        }
    }
}
