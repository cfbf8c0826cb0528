//! Step 4: the request for one target. The body is the client's bytes with the value of `model` replaced, `session_id`
//! left out and nothing else touched; the headers are an allow-list, so a credential or cookie of the client can never travel on.

mod body;
mod headers;
mod passage;
mod usage_chunk;

pub use body::body_for;
pub use headers::{HOPS, HOPS_MAX, downstream, hops, upstream};
pub use passage::Passage;
pub use usage_chunk::UsageChunk;

use crate::accept::{Call, Operation};
use crate::catalog::{Auth, Catalog, Credential, Endpoint, Provider, ProviderKind, Target, Value};
use crate::dialect::Dialect;
use crate::failover::Attempt;
use crate::refusal::Refusal;
use crate::route::name_asked;

/// What is to be sent to a provider.
#[derive(Debug)]
pub struct Outgoing {
    /// `true` for `https`.
    pub tls: bool,
    /// Host and optional port.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Headers, names in lower case, `content-length` among them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// The address may be private.
    pub local: bool,
    /// What the provider answers in.
    pub dialect: Dialect,
    /// What becomes of its answer.
    pub passage: Passage,
}

/// One attempt's destination.
#[derive(Debug)]
pub enum Destination {
    /// Over HTTP.
    Http(Outgoing),
    /// The built-in provider answers, under this model name.
    Echo(String),
}

/// What an attempt's indexes stand for.
#[derive(Debug, Clone, Copy)]
pub struct Named<'c> {
    /// The target.
    pub target: &'c Target,
    /// The provider.
    pub provider: &'c Provider,
    /// The provider's own name for the model.
    pub upstream_model: &'c str,
    /// The credential, where one is used.
    pub credential: Option<&'c Credential>,
}

/// Looks up what an attempt's indexes stand for, of a call that asked for the model at `ask_model` by the name `asked`.
/// `None` only for an attempt of another catalog.
pub fn named<'c>(attempt: Attempt, ask_model: usize, asked: &'c str, catalog: &'c Catalog) -> Option<Named<'c>> {
    let model = catalog.models.get(attempt.model)?;
    let target = model.targets.get(attempt.target)?;
    let provider = catalog.providers.get(target.provider)?;
    let credential = match attempt.credential {
        None => None,
        Some(index) => Some(provider.credentials.get(index)?),
    };
    let asked = name_asked(ask_model, asked, attempt.model, model);
    Some(Named { target, provider, upstream_model: target.model.as_deref().unwrap_or(asked), credential })
}

/// Makes the request of `call` for one target.
pub fn request(call: &Call, client_headers: &[(String, Vec<u8>)], to: Named<'_>) -> Result<Destination, Refusal> {
    if matches!(to.provider.kind, ProviderKind::Echo) {
        return Ok(Destination::Echo(to.upstream_model.to_owned()));
    }
    let dialect = call.operation.dialect();
    let Some(endpoint) = to.provider.endpoint(dialect) else {
        let said = format!("Provider {:?} has no endpoint for {}. Mend the catalog.", to.provider.name, dialect.name());
        return Err(Refusal::unavailable("no_endpoint", said));
    };
    let body = body_for(call, to.upstream_model);
    let mut headers = upstream(client_headers, to.provider, dialect, body.len());
    let mut model = String::new();
    push_encoded(&mut model, to.upstream_model, b"/");
    let mut path = format!("{}{}", endpoint.path, call.operation.path(&model));
    let alt_sse = (call.operation == Operation::StreamGenerate && !call.as_array).then_some("alt=sse");
    for pair in call.query.into_iter().chain(alt_sse) {
        push_pair(&mut path, pair);
    }
    present(to, endpoint, &mut headers, &mut path);
    let Endpoint { tls, authority, .. } = endpoint;
    Ok(Destination::Http(Outgoing {
        tls: *tls,
        authority: authority.clone(),
        path,
        headers,
        body,
        local: to.provider.local,
        dialect,
        passage: if call.usage_edit.is_some() { Passage::WithoutUsage(UsageChunk::default()) } else { Passage::AsIs },
    }))
}

fn push_pair(path: &mut String, pair: &str) {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(pair);
}

/// Presents the credential the way its provider wants it.
fn present(to: Named<'_>, at: &Endpoint, headers: &mut Vec<(String, Vec<u8>)>, path: &mut String) {
    let Some(Value::Plain(secret)) = to.credential.map(|credential| &credential.value) else { return };
    let secret = secret.expose();
    let (name, value) = match to.provider.auth.unwrap_or(at.dialect.auth()) {
        Auth::Bearer => ("authorization", format!("Bearer {secret}")),
        Auth::XApiKey => ("x-api-key", secret.to_owned()),
        Auth::ApiKey => ("api-key", secret.to_owned()),
        Auth::XGoogApiKey => ("x-goog-api-key", secret.to_owned()),
        Auth::Query => {
            push_pair(path, "key=");
            push_encoded(path, secret, b"");
            return;
        }
    };
    headers.push((name.to_owned(), value.into_bytes()));
}

/// Takes the credential out of what its provider wrote: some repeat it, or the URL it stood in, in their errors. Other
/// credentials were never sent there.
pub fn hide_secret(text: &mut Vec<u8>, credential: Option<&Credential>) {
    let Some(Value::Plain(secret)) = credential.map(|credential| &credential.value) else { return };
    let mut encoded = String::new();
    push_encoded(&mut encoded, secret.expose(), b"");
    for written in [secret.expose(), &encoded] {
        while let Some(at) =
            memchr::memmem::find(text, written.as_bytes()).filter(|_| written.len() >= HIDDEN_BYTES_MIN)
        {
            text.splice(at..at + written.len(), *HIDDEN);
        }
    }
}

/// The same for a text.
pub fn without_secret(text: &str, credential: Option<&Credential>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    hide_secret(&mut bytes, credential);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What stands in the place of a credential.
const HIDDEN: &[u8; 12] = b"(credential)";

/// A shorter credential protects nothing, and its characters are part of many words.
const HIDDEN_BYTES_MIN: usize = 8;

/// Percent-encodes everything but the unreserved characters of RFC 3986 and those of `kept`.
fn push_encoded(path: &mut String, text: &str, kept: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests;
