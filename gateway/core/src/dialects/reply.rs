//! A refusal as its caller gets it.

use crate::dialect::Dialect;
use crate::neutral::{ApiError, OwnError};
use crate::refusal::{Refusal, Reply, Shape};

impl Refusal {
    /// The answer in the caller's shape. `id` is the request's.
    pub fn reply(&self, shape: Shape, id: &str) -> Reply {
        let mut reply = match shape {
            Shape::Dialect(dialect) => Reply::json(self.status, &dialect.error(&self.error(), id)),
            Shape::Problem => Reply::new(self.status, "application/problem+json", self.problem().to_string()),
        };
        if let Some(seconds) = self.retry_after_s {
            reply = reply.with("retry-after", seconds.to_string());
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

    /// The last event of a stream of this dialect that has begun. `id` is the request's.
    pub fn event(&self, dialect: Dialect, id: &str) -> Vec<u8> {
        dialect.error_event(&dialect.error(&self.error(), id), id)
    }

    /// The error in no dialect's words.
    pub fn error(&self) -> ApiError {
        ApiError {
            message: self.message.clone(),
            status: Some(self.status),
            code: self.code.map(str::to_owned),
            param: self.param.map(str::to_owned),
            is_too_long: false,
            own: Some(OwnError { retry_after_s: self.retry_after_s, is_budget: self.is_budget }),
        }
    }
}
