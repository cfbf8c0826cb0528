//! The secrets of an egress, and who else reads the secrets that pass through it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Kind, Place, SecretValue, plain_or_reference};
use crate::catalog::schema::{format, join};

/// A proxy's URL is a secret where it holds a user and a password.
pub(super) fn held(text: &str) -> SecretValue {
    match (plain_or_reference(text), format::proxy_url(text)) {
        (SecretValue::Plain(_), Ok(())) if !text.contains('@') => SecretValue::Elsewhere,
        (SecretValue::Plain(_), Err(_)) => SecretValue::Unclear,
        (held, _) => held,
    }
}

/// A proxy's URL says itself where its password goes; the key for a relay goes to the relay.
pub(super) fn visit(
    egress: &mut Value,
    path: &str,
    provider: &str,
    credential: Option<String>,
    found: &mut dyn FnMut(&Place, &mut Value),
) {
    let provider = provider.to_owned();
    if egress.get("relay").is_none() {
        let (path, kind) = (path.to_owned(), Kind::Egress { credential });
        return found(&Place { path, provider, origins: BTreeSet::new(), kind }, egress);
    }
    let origins = relay_origin(egress).into_iter().collect();
    if let Some(key) = egress.get_mut("key") {
        let (path, kind) = (join(path, "key"), Kind::RelayKey { credential });
        found(&Place { path, provider, origins, kind }, key);
    }
}

fn relay_origin(egress: &Value) -> Option<String> {
    let url = egress.get("relay")?.as_str()?;
    Some(format::http_url(url).ok()?.origin())
}

/// Who reads requests on this egress besides the provider: a relay, and a proxy if the connection is not encrypted. A
/// URL that is given anew counts as different from the one that is stored under its id.
fn reader(egress: &Value, is_plain: bool) -> Option<String> {
    let text = |name: &str| egress.get(name).and_then(Value::as_str);
    let kept = || text("id").or(text("variable")).filter(|_| egress.get("value").is_none());
    let shown = egress.as_str().filter(|url| !url.contains('@'));
    let proxy = || format!("the proxy {}", shown.or_else(kept).unwrap_or("that is given"));
    relay_origin(egress).or_else(|| is_plain.then(proxy))
}

/// The origins a provider's secrets may go to, and who else reads them on their way there.
pub(super) fn with_readers(mut origins: BTreeSet<String>, provider: &Value) -> BTreeSet<String> {
    let is_plain = origins.iter().any(|origin| origin.starts_with("http://"));
    let credentials = provider.get("credentials").and_then(Value::as_array).into_iter().flatten();
    let egresses = std::iter::once(provider).chain(credentials).filter_map(|each| each.get("egress"));
    origins.extend(egresses.filter_map(|egress| reader(egress, is_plain)));
    origins
}
