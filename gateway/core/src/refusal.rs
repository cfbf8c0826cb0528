//! Every error that llmio itself answers with: one type, and one place that writes it in the caller's dialect.
//!
//! A step of the line returns a [`Refusal`] instead of its value. Nothing else in llmio writes the body of an error.

use std::borrow::Cow;

use serde_json::json;

use crate::catalog::EditError;
use crate::dialect::Dialect;
use crate::problem::Problems;
use crate::state::State;

/// The longest wait that is sent as `retry-after`, since agents wait for as long as they are told, without telling
/// their user.
pub const RETRY_AFTER_MAX_S: u64 = 60;

/// How messages name a path of llmio's own.
const NAMED_PATHS: [&str; 3] = ["GET /", "POST /", "is under /"];

/// The header that tells when to come back if that is later than any client should wait, as RFC 3339 writes it.
pub const UNTIL: &str = "x-llmio-until";

/// A time in the form of [`UNTIL`], in whole seconds and never too early.
pub fn until(at_ms: i64) -> Option<String> {
    let at_s = at_ms.saturating_add(999).div_euclid(1000);
    Some(jiff::Timestamp::from_second(at_s).ok()?.to_string())
}

/// Why a request is not served, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// OpenAI's `code`, a stable word for programs.
    pub code: Option<&'static str>,
    /// The member or header that it is about.
    pub param: Option<&'static str>,
    /// One or two sentences for a person.
    pub message: String,
    /// After how many seconds to try again: `retry-after`, up to [`RETRY_AFTER_MAX_S`].
    pub retry_after_s: Option<u64>,
    /// When to try again, in Unix milliseconds: `x-llmio-until`, if that is too late for a client to wait.
    pub until_ms: Option<i64>,
    /// Whether the official SDKs should retry; `Some(false)` stops them from doing so for minutes.
    pub should_retry: Option<bool>,
    /// The header `allow`, for 405.
    pub allow: Option<Box<str>>,
    /// The end state in the call's record, if it has one.
    pub state: State,
    /// Whether the caller's own budget in money is spent, for which Anthropic's dialect has an error type.
    pub is_budget: bool,
    /// The problems of a catalog, each with its path.
    pub problems: Option<Box<Problems>>,
}

/// The shape an error is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As the API of this dialect writes errors.
    Dialect(Dialect),
    /// Problem details for HTTP APIs, RFC 9457.
    Problem,
}

/// A whole answer that llmio makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer with a body of this media type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.as_bytes().to_vec())];
        Reply { status, headers, body: body.into() }
    }

    /// A JSON answer. Only a map whose keys are no texts cannot be written, and no view has one.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Reply::new(status, "application/json", serde_json::to_string(body).unwrap_or_else(|_| "null".to_owned()))
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// The code of a noun that is not there.
fn missing_code(word: &str) -> &'static str {
    match word {
        "provider" => "provider_not_found",
        "credential" => "credential_not_found",
        "model" => "model_not_found",
        "target" => "target_not_found",
        _ => "relay_not_found",
    }
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Refusal {
            status,
            code: None,
            param: None,
            message: message.into(),
            retry_after_s: None,
            until_ms: None,
            should_retry: None,
            allow: None,
            state: State::Rejected,
            is_budget: false,
            problems: None,
        }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Refusal::new(400, message)
    }

    /// 401: there is no credential, or an unknown one.
    pub fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(401, message).coded(code).without_retry()
    }

    /// 403: the caller is known, but not allowed to do this.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(403, message).coded(code).without_retry()
    }

    /// 404: there is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(404, message).coded(code).without_retry()
    }

    /// The same where llmio is served under a path: what its message names is found there.
    pub fn under(&self, base_path: &str) -> Cow<'_, Refusal> {
        if base_path.is_empty() || !NAMED_PATHS.iter().any(|named| self.message.contains(named)) {
            return Cow::Borrowed(self);
        }
        let named = |message: String, named: &&str| {
            message.replace(named, &format!("{}{base_path}/", named.trim_end_matches('/')))
        };
        let message = NAMED_PATHS.iter().fold(self.message.clone(), named);
        Cow::Owned(Refusal { message, ..self.clone() })
    }

    /// 405: the path exists, but only with these methods.
    pub fn wrong_method(method: &str, path: &str, allow: String) -> Self {
        let message = format!("{method} is not served at {path}. Use {allow}.");
        Refusal { allow: Some(allow.into()), ..Refusal::new(405, message) }
    }

    /// 404 for a path without a route. `not_served` is what the path asks for, if providers serve it and llmio does
    /// not.
    pub fn unknown_path(method: &str, path: &str, not_served: Option<&str>) -> Self {
        if let Some(what) = not_served {
            let message = format!(
                "llmio serves no {what}: there is no {method} {path}. It serves conversations, embeddings, images, speech and \
                 moderations; ask the provider itself for the rest."
            );
            return Refusal::not_found("not_served", message);
        }
        let message = if path.contains("/v1/v1/") {
            format!("There is no {method} {path}. The base URL already ends in /v1: remove one of the two.")
        } else {
            format!(
                "There is no {method} {path}. OpenAI clients use the base URL …/v1, Anthropic's and Gemini's the address \
                 without a path; the admin API is under /api."
            )
        };
        Refusal::not_found("unknown_path", message)
    }

    /// 412: the catalog changed meanwhile.
    pub fn precondition_failed(message: impl Into<String>) -> Self {
        Refusal::new(412, message).coded("precondition_failed")
    }

    /// 408: the client sends its body too slowly.
    pub fn too_slow() -> Self {
        let message = "The body came too slowly: after ten seconds at least 1 KiB a second is expected. Send it again.";
        Refusal::new(408, message).coded("request_timeout").ended(State::ClientStalled)
    }

    /// 409: the thing exists already, or is not the caller's to change.
    pub fn conflict(message: impl Into<String>) -> Self {
        Refusal::new(409, message).coded("conflict")
    }

    /// Why a noun of the catalog was not edited.
    pub fn edit(error: &EditError) -> Self {
        let message = error.to_string();
        match error {
            EditError::Missing(word, ..) => Refusal::not_found(missing_code(word), message),
            EditError::Exists(..) | EditError::NoList(_) => Refusal::conflict(message),
            EditError::Renames(..) => Refusal::bad_request(message).about("name"),
        }
    }

    /// 413: the body is over the limit.
    pub fn too_large(bytes_max: usize) -> Self {
        let message = format!("The body is larger than {} MiB, the most that is accepted.", bytes_max >> 20);
        Refusal::new(413, message).coded("request_too_large").without_retry()
    }

    /// 415: the body's encoding is not understood.
    pub fn unsupported_encoding(encoding: &str) -> Self {
        let message =
            format!("Request bodies with content-encoding {encoding:?} are not accepted. Send the body as it is.");
        Refusal::new(415, message).coded("unsupported_encoding")
    }

    /// 421: the request names a host that llmio does not answer for.
    pub fn misdirected(message: impl Into<String>) -> Self {
        Refusal::new(421, message).coded("misdirected").without_retry()
    }

    /// 422: a catalog that does not validate; every problem is listed.
    pub fn invalid_catalog(problems: Problems) -> Self {
        let message = "The catalog was refused as a whole; nothing changed. Mend every problem listed.";
        Refusal { problems: Some(Box::new(problems)), ..Refusal::new(422, message).coded("invalid_catalog") }
    }

    /// 426: there are no WebSockets here. Codex asks for one first, and this is the only status after which it
    /// continues without one at once.
    pub fn no_web_socket() -> Self {
        let message = "There are no WebSockets here. Send POST /v1/responses; GET needs the id of a response.";
        Refusal::new(426, message).coded("upgrade_required")
    }

    /// 429: no provider has anything left now. If the wait is `long`, no client should wait for it: OpenAI's code for
    /// that makes agents stop and say so.
    pub fn rate_limited(message: impl Into<String>, long: bool) -> Self {
        let word = if long { "insufficient_quota" } else { "rate_limit_exceeded" };
        Refusal::new(429, message).coded(word)
    }

    /// 429: one address has presented too many wrong credentials.
    pub fn throttled(wait_s: u64) -> Self {
        let message =
            format!("Too many unknown keys came from this address. Try again in {wait_s} s with a valid key.");
        Refusal { retry_after_s: Some(wait_s), ..Refusal::new(429, message).coded("too_many_failures").without_retry() }
    }

    /// 500: llmio itself failed.
    pub fn internal(code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(500, message).coded(code)
    }

    /// 502: no provider gave a usable answer.
    pub fn bad_gateway(state: State, message: impl Into<String>) -> Self {
        Refusal::new(502, message).coded(state.name()).without_retry().ended(state)
    }

    /// 400: only an operator can repair it (a refused or empty credential, a model that its provider does not know). It
    /// is the only status at which the agents of every dialect stop at once and show the message: most retry after 401,
    /// 429 and 5xx, and Codex also after 403. Another llmio recognises the code, and tries its next target.
    pub fn needs_operator(message: impl Into<String>) -> Self {
        Refusal::new(400, message).coded("no_usable_provider").without_retry()
    }

    /// 503: llmio itself cannot serve now.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(503, message).coded(code)
    }

    /// 503: there is no memory for what the request needs, and its turn did not come.
    pub fn no_room() -> Self {
        let message = "Too many large requests are under way. Try again in a second.";
        Refusal::unavailable("busy", message).after(1)
    }

    /// 504: no provider answered in time.
    pub fn timed_out(state: State, message: impl Into<String>) -> Self {
        Refusal { status: 504, ..Refusal::bad_gateway(state, message) }
    }

    /// 508: the request has passed through too many instances of llmio.
    pub fn loop_detected(hops_max: u32) -> Self {
        let message = format!(
            "The request passed through more than {hops_max} llmios. A provider's base_url leads back here; mend the catalog."
        );
        Refusal::new(508, message).coded("loop_detected").without_retry()
    }

    /// Names the member or header that the refusal is about.
    #[must_use]
    pub fn about(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// Sets the stable code.
    #[must_use]
    pub fn coded(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Tells clients after how many seconds to try again.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Tells clients when to try again, or that it is too late for them to wait.
    #[must_use]
    pub fn back_at(mut self, until_ms: i64, wait_s: u64) -> Self {
        self.until_ms = Some(until_ms);
        let refusal = self.after(wait_s);
        if wait_s > RETRY_AFTER_MAX_S { refusal.without_retry() } else { refusal }
    }

    /// Says that the caller's own budget is spent.
    #[must_use]
    pub fn of_budget(mut self) -> Self {
        self.is_budget = true;
        self
    }

    /// Sets the end state of the record.
    #[must_use]
    pub fn ended(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Tells SDKs that a retry cannot help.
    #[must_use]
    pub fn without_retry(mut self) -> Self {
        self.should_retry = Some(false);
        self
    }

    pub(crate) fn problem(&self) -> serde_json::Value {
        let mut problem = json!({
            "type": "about:blank",
            "title": self.code.unwrap_or("invalid_request_error"),
            "status": self.status,
            "detail": self.message,
        });
        if let (Some(problems), Some(members)) = (&self.problems, problem.as_object_mut()) {
            members.insert("problems".into(), serde_json::to_value(problems).unwrap_or_default());
        }
        problem
    }
}

#[cfg(test)]
mod tests;
