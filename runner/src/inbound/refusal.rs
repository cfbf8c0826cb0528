//! What a client is answered if its request cannot reach the component, or if the component gives no answer. The
//! component provides these answers by path prefix (`GET /api/host`), since it alone knows the caller's dialect. Until
//! then there is one plain line for each reason.

use super::body::ResponseBody;
use crate::admin;
use crate::gateway::Handle;
use anyhow::{Context, Result, ensure};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the host answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The instance died before it answered.
    Trapped,
    /// The component returned an error code.
    Failed,
    /// The request does not name exactly one host.
    HostMissing,
    /// The body has a content coding that llmio does not decode.
    BodyCoded,
    /// The request is not HTTP/1.1.
    HeadUnreadable,
    /// The head is over its limits.
    HeadTooLarge,
    /// The connections are at their limit.
    Busy,
    /// The memory of the process is nearly used up.
    MemoryShort,
}

impl Refusal {
    /// The component's name for the reason, and the answer until the component has provided its own.
    fn plain(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Refusal::Trapped => {
                ("trapped", StatusCode::INTERNAL_SERVER_ERROR, "llmio stopped while it handled this request")
            }
            Refusal::Failed => ("failed", StatusCode::INTERNAL_SERVER_ERROR, "llmio could not answer"),
            Refusal::HostMissing => {
                ("host_missing", StatusCode::BAD_REQUEST, "an HTTP/1.1 request needs exactly one Host header")
            }
            Refusal::BodyCoded => (
                "body_coded",
                StatusCode::NOT_IMPLEMENTED,
                "the body comes in a transfer coding that is not understood",
            ),
            Refusal::HeadUnreadable => {
                ("head_unreadable", StatusCode::BAD_REQUEST, "the request's head is not valid HTTP/1.1")
            }
            Refusal::HeadTooLarge => {
                ("head_too_large", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large")
            }
            Refusal::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE, "llmio has as many connections as it may have"),
            Refusal::MemoryShort => {
                ("memory_short", StatusCode::SERVICE_UNAVAILABLE, "llmio has no memory left for another call")
            }
        }
    }
}

/// The component's answers, once it has provided them.
#[derive(Default)]
pub(crate) struct Refusals(OnceLock<Host>);

/// What the component answers to `GET /api/host`.
#[derive(Deserialize)]
struct Host {
    id_place: String,
    answers: Vec<PathAnswers>,
    trusted_proxies: Vec<String>,
}

#[derive(Deserialize)]
struct PathAnswers {
    prefix: String,
    answers: HashMap<String, Answer>,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Refusals {
    /// Asks the component for its answers and for the trusted proxies. Call it from time to time, since catalogs
    /// change.
    pub(crate) async fn learn(gateway: &Handle) -> Result<()> {
        let stores = gateway.stores();
        let request = admin::request(stores, Method::GET, "/api/host", "application/json", "")?;
        let response =
            timeout(ANSWER_TIMEOUT, gateway.send(request)).await.context("the component did not answer in time")??;
        ensure!(response.status().is_success(), "the component answered {}", response.status());
        let host: Host = serde_json::from_slice(response.body())?;
        stores.admission.trust(&host.trusted_proxies);
        // The answers are the same each time.
        let _ = stores.refusals.0.set(host);
        Ok(())
    }

    /// The answer to the request of this path and id.
    pub(crate) fn answer(&self, refusal: Refusal, path: &str, id: Uuid) -> Response<ResponseBody> {
        let (name, status, message) = refusal.plain();
        let own = self.0.get().and_then(|host| host.answer(name, path, id));
        own.unwrap_or_else(|| {
            let mut response = Response::new(ResponseBody::text(format!("{message}\n")));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            response
        })
    }
}

impl Host {
    fn answer(&self, name: &str, path: &str, id: Uuid) -> Option<Response<ResponseBody>> {
        let fitting = self.answers.iter().filter(|below| path.starts_with(&below.prefix));
        let answer = fitting.max_by_key(|below| below.prefix.len())?.answers.get(name)?;
        let body = answer.body.replace(&self.id_place, &id.to_string());
        let mut response = Response::new(ResponseBody::text(body));
        *response.status_mut() = StatusCode::from_u16(answer.status).ok()?;
        for (name, value) in &answer.headers {
            let (name, value) = (HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
            response.headers_mut().append(name, value);
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    const ID: Uuid = Uuid::from_u128(7);

    fn text(response: Response<ResponseBody>) -> (u16, String) {
        let status = response.status().as_u16();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let body = runtime.block_on(response.into_body().collect()).expect("a body of the host's own").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn before_the_component_has_told_its_words_a_plain_line_serves() {
        let (status, body) = text(Refusals::default().answer(Refusal::Trapped, "/v1/messages", ID));
        assert_eq!((status, body.as_str()), (500, "llmio stopped while it handled this request\n"));
    }

    #[test]
    fn the_longest_prefix_that_fits_has_the_words_and_the_id_stands_in_them() {
        let refusals = Refusals::default();
        let answers = r#"{"id_place": "ID", "trusted_proxies": [], "answers": [
            {"prefix": "/", "answers": {"trapped": {"status": 500, "headers": [], "body": "any ID"}}},
            {"prefix": "/v1/", "answers": {"trapped": {"status": 503, "headers": [["retry-after", "1"]], "body": "ID!"}}}
        ]}"#;
        assert!(refusals.0.set(serde_json::from_str(answers).expect("JSON")).is_ok());
        let response = refusals.answer(Refusal::Trapped, "/v1/models", ID);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(text(response), (503, format!("{ID}!")));
        assert_eq!(text(refusals.answer(Refusal::Trapped, "/x", ID)), (500, format!("any {ID}")));
        assert_eq!(text(refusals.answer(Refusal::HeadTooLarge, "/x", ID)).0, 431, "one it did not tell");
    }
}
