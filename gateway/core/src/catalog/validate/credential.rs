//! Credentials and other values that may be secret: written out, sealed, or held elsewhere.
//!
//! No message here quotes the document.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::catalog::document::{credential_id, labels};
use crate::catalog::schema::format::Url;
use crate::catalog::schema::{Fields, Place, Report, format};
use crate::catalog::{Credential, Egress, Provider, ProxyEgress, RelayEgress, Secret, Value, seal};

use super::quota::{self, Measures};

const SOURCES: [&str; 4] = ["value", "variable", "file", "sealed"];

/// Checks a secret's own characters.
type Check = fn(&str) -> Result<(), String>;

pub(super) fn read_all(place: &Place<'_>, provider: &str, measures: Measures<'_>) -> Vec<Arc<Credential>> {
    let labels = place.value.as_array().map(|values| labels(values)).unwrap_or_default();
    let places = place.list();
    places.iter().zip(labels).map(|(place, label)| Arc::new(read(place, provider, label, measures))).collect()
}

/// Reads a credential. A wrong one is returned too, so that indexes stay those of the document.
fn read(place: &Place<'_>, provider: &str, label: String, measures: Measures<'_>) -> Credential {
    let id: Arc<str> = credential_id(provider, place.value).unwrap_or_default().into();
    let (account, value) = (id.clone(), Value::Missing("is not valid".to_owned()));
    let mut credential = Credential {
        id,
        account,
        label,
        enabled: true,
        value,
        pool: None,
        quota: None,
        egress: None,
        secrets: Arc::default(),
    };
    let value = match place.value {
        Json::String(_) => read_text(place, format::credential),
        _ => read_table(place, &mut credential, measures),
    };
    if let Some(value) = value {
        credential.value = value;
    }
    credential
}

fn read_table(place: &Place<'_>, credential: &mut Credential, measures: Measures<'_>) -> Option<Value> {
    let mut fields = place.fields()?;
    fields.field("id").and_then(|place| place.parsed(format::path_segment));
    fields.field("label").and_then(|place| place.parsed(format::label));
    credential.enabled = fields.enabled();
    let value = read_value(&mut fields, format::credential, true);
    credential.pool = fields.field("pool").and_then(|place| place.parsed(format::pool)).map(Into::into);
    credential.quota = fields.field("quota").and_then(|place| quota::read_own(&place, measures));
    credential.egress = fields.field("egress").and_then(|place| read_egress(&place));
    fields.finish();
    value
}

/// A header's value: text, which is no secret, or a table like a credential's.
pub(super) fn read_header_value(place: &Place<'_>) -> Option<Value> {
    read_secret(place, format::header_value)
}

fn read_secret(place: &Place<'_>, check: Check) -> Option<Value> {
    if place.value.is_string() {
        return read_text(place, check);
    }
    let mut fields = place.fields()?;
    // Its only possible id is known; the field is there because a stored document has it.
    fields.field("id").and_then(|place| place.text());
    let value = read_value(&mut fields, check, false);
    fields.finish();
    value
}

/// An egress: a proxy's URL, written like a credential since it may hold a password, or a relay of another llmio with
/// the key for it.
pub(super) fn read_egress(place: &Place<'_>) -> Option<Egress> {
    if place.value.is_string() {
        return read_text(place, format::proxy_url).map(proxy);
    }
    let mut fields = place.fields()?;
    let egress = if fields.has("relay") {
        let relay = fields.needed("relay").and_then(|place| place.parsed(format::http_url));
        let key = fields.field("key").map(|place| read_secret(&place, format::credential));
        let local = fields.flag("local");
        relay.zip(Some(key)).map(|(Url { scheme, authority, path }, key)| {
            let name = format!("{}{path}", authority.to_ascii_lowercase()).into();
            Egress::Relay(RelayEgress { name, tls: scheme == "https", authority, path, key: key.flatten(), local })
        })
    } else {
        // Its only possible id is known; the field is there because a stored document has it.
        fields.field("id").and_then(|place| place.text());
        read_value(&mut fields, format::proxy_url, false).map(proxy)
    };
    fields.finish();
    egress
}

fn proxy(url: Value) -> Egress {
    Egress::Proxy(ProxyEgress::new(url))
}

/// Checks that labels differ within a provider and ids within the document, since an id stands for one secret.
pub(super) fn check_unique(report: &Report, providers: &[Arc<Provider>]) {
    let mut ids: HashMap<&str, String> = HashMap::new();
    for (provider_index, provider) in providers.iter().enumerate() {
        let mut labels: HashMap<&str, usize> = HashMap::new();
        // An invalid credential and a file of credentials have no id.
        let known = |(_, credential): &(usize, &Arc<Credential>)| !credential.id.is_empty();
        for (index, credential) in provider.credentials.iter().enumerate().filter(known) {
            let path = format!("providers[{provider_index}].credentials[{index}]");
            if let Some(first) = ids.get(&*credential.id) {
                report.problem(path.clone(), format!("is the same credential as {first}; leave one out"));
            } else if let Some(first) = labels.get(credential.label.as_str()) {
                report.problem(format!("{path}.label"), format!("credentials[{first}] has this label too"));
            }
            ids.entry(&credential.id).or_insert(path);
            labels.entry(&credential.label).or_insert(index);
        }
    }
}

fn read_text(place: &Place<'_>, check: Check) -> Option<Value> {
    place.parsed(|text| match format::variable_reference(text)? {
        Some(name) => Ok(Value::Variable(name.to_owned())),
        None => check(text).map(|()| Value::Plain(Secret::new(text))),
    })
}

/// The one source of a secret among a table's fields.
fn read_value(fields: &mut Fields<'_>, check: Check, may_be_file: bool) -> Option<Value> {
    let value = fields.field("value");
    let variable = fields.field("variable");
    let sealed = fields.field("sealed");
    let file = if may_be_file { fields.field("file") } else { None };
    let sources: Vec<&str> = SOURCES.into_iter().filter(|source| fields.has(source)).collect();
    match (sources.as_slice(), fields.has("id")) {
        ([_], _) => {}
        ([], true) => {
            fields.problem_at("id", "no stored secret has this id; give its value or a variable");
            return None;
        }
        ([], false) => {
            fields.problem("needs a value or a variable");
            return None;
        }
        (several, _) => {
            fields.problem(format!("has {}; give one of them", several.join(" and ")));
            return None;
        }
    }
    if sealed.is_some() && !fields.has("id") {
        fields.problem_at("sealed", "opens only under its id; give that too");
    }
    let file = file.and_then(|place| place.parsed(format::label)).map(Value::File);
    let value = value.and_then(|place| read_text(&place, check));
    let variable = variable.and_then(|place| place.parsed(format::variable_name)).map(Value::Variable);
    let sealed = sealed.and_then(|place| place.parsed(read_sealed));
    value.or(variable).or(file).or(sealed)
}

fn read_sealed(text: &str) -> Result<Value, String> {
    if seal::is_sealed(text) {
        return Ok(Value::Sealed(text.to_owned()));
    }
    Err(seal::SealError::Malformed.to_string())
}
