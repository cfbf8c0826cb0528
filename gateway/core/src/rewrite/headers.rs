//! Which headers are passed on: an allow-list upstream, and a deny-list downstream.

use crate::catalog::Provider;
use crate::dialect::Dialect;
use crate::headers::{HOP_BY_HOP, HOPS, OF_ORIGIN, hops, nominated};

/// Client headers that are passed on. All others, above all credentials and cookies, are not.
const ALLOWED: [&str; 4] = ["content-type", "accept", "idempotency-key", "traceparent"];

/// Client headers that only providers of this dialect get.
fn allowed_by(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => &["openai-beta"],
        Dialect::Anthropic => &["anthropic-version", "anthropic-beta"],
        Dialect::Gemini => &[],
    }
}

/// The value if the client names none: <https://platform.claude.com/docs/en/api/versioning>.
const ANTHROPIC_VERSION: &[u8] = b"2023-06-01";

/// Other upstream headers that the client does not get: those of the upstream's own server, and those that name the
/// account of the credential.
const DROPPED: [&str; 8] = [
    "server",
    "date",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "request-id",
    "x-request-id",
    "x-upstream-request-id",
];

/// Prefixes of upstream headers that the client does not get: llmio itself says which pages may read its answers, and
/// the record and target of another llmio would be mistaken for this one's.
const DROPPED_PREFIXES: [&str; 2] = ["access-control-", "x-llmio-"];

/// The headers of a request to `provider`, without the credential. Headers of one dialect mean nothing in another that
/// the request is translated into.
pub fn upstream(
    client: &[(String, Vec<u8>)],
    provider: &Provider,
    spoken: Dialect,
    dialect: Dialect,
    body_bytes: usize,
) -> Vec<(String, Vec<u8>)> {
    let mut headers: Vec<(String, Vec<u8>)> = Vec::with_capacity(ALLOWED.len() + provider.headers.len() + 8);
    let allowed = |name: &str| {
        ALLOWED.contains(&name)
            || (spoken == dialect && allowed_by(dialect).contains(&name))
            || provider.forward_headers.iter().any(|forwarded| forwarded == name)
    };
    headers.extend(client.iter().filter(|(name, _)| allowed(name)).cloned());
    if spoken != dialect {
        headers.retain(|(name, _)| name != "content-type");
    }
    let mut default = |name: &str, value: &[u8]| {
        if !headers.iter().any(|(present, _)| present == name) {
            headers.push((name.to_owned(), value.to_vec()));
        }
    };
    default("content-type", b"application/json");
    if dialect == Dialect::Anthropic {
        default("anthropic-version", ANTHROPIC_VERSION);
    }
    headers.push(("content-length".into(), body_bytes.to_string().into_bytes()));
    // A compressed answer could not be observed without decompressing it.
    headers.push(("accept-encoding".into(), b"identity".to_vec()));
    headers.push(("user-agent".into(), concat!("llmio/", env!("CARGO_PKG_VERSION")).as_bytes().to_vec()));
    headers.push((HOPS.into(), (hops(client) + 1).to_string().into_bytes()));
    let known = provider.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.known()?.expose())));
    put(&mut headers, known);
    headers
}

/// Puts these in, each in the place of another of its name.
pub(super) fn put<'h>(headers: &mut Vec<(String, Vec<u8>)>, more: impl Iterator<Item = (&'h str, &'h str)>) {
    for (name, value) in more {
        headers.retain(|(present, _)| present != name);
        headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }
}

/// The upstream's response headers as the client gets them, with the upstream's own request id under another name.
pub fn downstream(mut upstream: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let id = upstream.iter().find(|(name, _)| name == "x-request-id" || name == "request-id").map(|(_, id)| id.clone());
    let nominated = nominated(&upstream);
    let dropped = |name: &str| {
        HOP_BY_HOP.contains(&name)
            || nominated.iter().any(|nominated| nominated == name)
            || DROPPED.contains(&name)
            || OF_ORIGIN.contains(&name)
            || DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    upstream.retain(|(name, _)| !dropped(name));
    if let Some(id) = id {
        upstream.push(("x-upstream-request-id".into(), id));
    }
    upstream
}
