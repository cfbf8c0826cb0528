//! The answers that the host gives if a request does not reach the component, or if the component gives no answer. The
//! host knows no dialect: it gets these bodies at its start, and uses those of the longest prefix of the requested
//! path.

use std::collections::BTreeMap;

use serde::Serialize;

use super::shape;
use crate::headers::set_apart;
use crate::refusal::{Refusal, Reply};

/// The placeholder for the call's id in a body.
pub const ID_PLACE: &str = "00000000-0000-0000-0000-000000000000";

/// Path prefixes below which errors have one shape. The first is the beginning of every path.
const PREFIXES: [&str; 8] =
    ["/", "/api/", "/openai/", "/v1/messages", "/v1/v1/messages", "/anthropic/", "/v1beta/", "/gemini/"];

/// The host's answers for paths with one prefix.
#[derive(Debug, Serialize)]
pub struct PathAnswers {
    /// The prefix of the path.
    pub prefix: &'static str,
    /// The answers, by the host's name for the reason.
    pub answers: BTreeMap<&'static str, Answer>,
}

/// A whole answer.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with [`ID_PLACE`] where the call's id belongs.
    pub body: String,
}

/// All answers, for every prefix.
pub fn answers() -> Vec<PathAnswers> {
    let refusals = refusals();
    let below = |prefix| {
        let shape = shape(prefix, &[], None);
        let answers = refusals.iter().map(|(name, refusal)| (*name, answer(refusal.reply(shape, ID_PLACE))));
        PathAnswers { prefix, answers: answers.collect() }
    };
    PREFIXES.into_iter().map(below).collect()
}

fn refusals() -> [(&'static str, Refusal); 8] {
    let bad = |code, message: &str| Refusal::bad_request(message).coded(code);
    let too_large = bad("head_too_large", "The request's head is larger than 64 KiB, or has more than 128 headers.");
    let coded = bad(
        "unsupported_transfer_coding",
        "The body comes in a transfer coding that is not understood. Send it as it is, or in chunks.",
    );
    let busy = "llmio has as many connections as it may have. Try again in a second.";
    let memory =
        "llmio has no memory left for another call of this size until others have ended. Try again in two seconds.";
    [
        ("trapped", Refusal::internal("guest_trap", "llmio stopped while it handled this request. Send it again.")),
        ("failed", Refusal::internal("internal_error", "llmio could not answer; its log says why.")),
        (
            "host_missing",
            bad("invalid_host", "An HTTP/1.1 request needs exactly one Host header, with a host and nothing else."),
        ),
        (
            "head_unreadable",
            bad("invalid_head", "The request's head is not valid HTTP/1.1. Nothing of it was handled."),
        ),
        ("body_coded", Refusal { status: 501, ..coded }),
        ("head_too_large", Refusal { status: 431, ..too_large }.without_retry()),
        ("busy", Refusal::unavailable("too_many_connections", busy).after(1)),
        ("memory_short", Refusal::unavailable("memory_short", memory).after(2)),
    ]
}

fn answer(mut reply: Reply) -> Answer {
    set_apart(&mut reply.headers);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let headers = reply.headers.into_iter().map(|(name, value)| (name, text(value))).collect();
    Answer { status: reply.status, headers, body: text(reply.body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::ROUTES;
    use crate::endpoint::Needs;

    fn prefix_of(path: &str) -> &'static str {
        let fitting = PREFIXES.into_iter().filter(|prefix| path.starts_with(prefix));
        fitting.max_by_key(|prefix| prefix.len()).expect("every path begins with a slash")
    }

    #[test]
    fn below_its_prefix_every_route_has_the_shape_its_own_errors_have() {
        for route in ROUTES.iter().filter(|route| route.needs != Needs::Nothing) {
            let (path, prefix) = (route.path, prefix_of(route.path));
            assert_eq!(shape(path, &[], None), shape(prefix, &[], None), "{path} is below {prefix}");
        }
    }

    #[test]
    fn each_answer_is_in_the_dialect_of_its_prefix() {
        let answers = answers();
        let body = |prefix: &str, name: &str| -> serde_json::Value {
            let below = answers.iter().find(|below| below.prefix == prefix).expect("a prefix");
            serde_json::from_str(&below.answers[name].body).expect("JSON")
        };
        assert_eq!(body("/", "trapped")["error"]["code"], "guest_trap");
        let anthropic = body("/v1/messages", "trapped");
        assert_eq!((&anthropic["type"], &anthropic["request_id"]), (&"error".into(), &ID_PLACE.into()));
        assert_eq!(body("/v1beta/", "busy")["error"]["status"], "UNAVAILABLE");
        assert_eq!(body("/api/", "head_too_large")["status"], 431);
    }
}
