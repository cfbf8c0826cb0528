//! The secrets of a document: sealed before it is stored, left out when it is shown, given back when asked for.
//!
//! Four operations over one walk ([`for_each`]), so that a place that may hold a secret is known to all of them
//! or to none. A stored secret is kept by naming its id, but only for the origins it was entered for: otherwise
//! changing a base URL would carry it to another host.

mod egress;

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::Document;
use crate::catalog::schema::{format, join};
use crate::catalog::seal::{self, Sealer};
use crate::catalog::{Catalog, Secret};
use crate::problem::{Problem, Problems};
use crate::providers;

const NO_SUCH_ID: &str = "no stored secret has this id; give its value or a variable";

impl Document {
    /// Prepares a document for storing: seals and validates it, and returns the problems of both at once.
    pub fn accept(
        mut self,
        previous: Option<&Document>,
        sealer: Option<&Sealer>,
        nonce: &mut dyn FnMut() -> [u8; 24],
    ) -> Result<(Document, Catalog), Problems> {
        match (self.seal(previous, sealer, nonce), self.validate()) {
            (Ok(()), Ok(catalog)) => Ok((self, catalog)),
            (Ok(()), Err(problems)) | (Err(problems), Ok(_)) => Err(problems),
            (Err(sealing), Err(others)) => Err(sealing.and(others)),
        }
    }

    /// Seals every secret that is written out, after fetching those that only name an id ([`Document::recall`]).
    /// Variable references stay as they are. On problems the document is partly sealed and must not be stored.
    pub fn seal(
        &mut self,
        previous: Option<&Document>,
        sealer: Option<&Sealer>,
        nonce: &mut dyn FnMut() -> [u8; 24],
    ) -> Result<(), Problems> {
        let mut problems = self.recall(previous).err().unwrap_or(Problems(Vec::new()));
        for_each(self, &mut |place, slot| {
            if let Err(problem) = seal_one(place, slot, sealer, nonce) {
                problems.0.push(problem);
            }
        });
        problems.into_result()
    }

    /// Fills in the secrets of the previous document, sealed or not, where this one only names their ids. This is
    /// enough for checking a document that will not be stored, and needs no master key.
    pub fn recall(&mut self, previous: Option<&Document>) -> Result<(), Problems> {
        let stored = previous.map(Stored::all).unwrap_or_default();
        let mut problems = Problems(Vec::new());
        for_each(self, &mut |place, slot| {
            if let Err(problem) = recall_one(place, slot, &stored) {
                problems.0.push(problem);
            }
        });
        problems.into_result()
    }

    /// The document as it is shown and exported: no secret, written out or sealed, but every id, label and
    /// variable reference. Storing it again keeps the secrets by their ids.
    pub fn redacted(&self) -> Document {
        let mut shown = self.clone();
        for_each(&mut shown, &mut |place, slot| {
            if matches!(place.held(slot), SecretValue::Elsewhere) {
                return;
            }
            let id = place.id(slot);
            place.replace(slot, id, None);
        });
        shown
    }

    /// The document with every sealed secret written out, for moving to another installation.
    pub fn with_secrets(&self, sealer: &Sealer) -> Result<Document, Problems> {
        let mut open = self.clone();
        let mut problems = Problems(Vec::new());
        for_each(&mut open, &mut |place, slot| {
            let SecretValue::Sealed(sealed) = place.held(slot) else {
                return;
            };
            let id = place.id(slot);
            match sealer.open(id.as_deref().unwrap_or_default(), &sealed) {
                Ok(secret) => place.replace(slot, id, Some(("value", secret.expose().to_owned()))),
                Err(error) => problems.0.push(Problem::new(place.path.clone(), error.to_string())),
            }
        });
        problems.into_result().map(|()| open)
    }
}

/// A place that may hold a secret.
struct Place {
    path: String,
    provider: String,
    origins: BTreeSet<String>,
    kind: Kind,
}

enum Kind {
    /// One of a provider's credentials, with the label it has or gets.
    Credential { label: String },
    /// The value of a header; the name in lower case.
    Header { name: String },
    /// The value of a pair in the query.
    Query { name: String },
    /// The URL of an egress proxy: the provider's, or that of the credential with this id.
    Egress { credential: Option<String> },
    /// The key for an egress relay, likewise.
    RelayKey { credential: Option<String> },
}

/// The content of such a place.
enum SecretValue {
    /// A reference, or a value that is no secret.
    Elsewhere,
    /// The secret itself.
    Plain(String),
    Sealed(String),
    /// Only the id of a stored secret.
    Kept(String),
    /// Something else. Validation reports what is wrong, and nothing of it is shown.
    Unclear,
}

impl Place {
    fn held(&self, slot: &Value) -> SecretValue {
        let map = match (slot, &self.kind) {
            (Value::String(_), Kind::Header { .. } | Kind::Query { .. }) => return SecretValue::Elsewhere,
            (Value::String(text), Kind::Credential { .. } | Kind::RelayKey { .. }) => return plain_or_reference(text),
            (Value::String(text), Kind::Egress { .. }) => return egress::held(text),
            (Value::Object(map), _) => map,
            _ => return SecretValue::Unclear,
        };
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        match (text("value"), text("sealed"), text("variable").or(text("file")), text("id")) {
            (Some(value), None, None, _) => plain_or_reference(value),
            (None, Some(sealed), None, _) => SecretValue::Sealed(sealed.to_owned()),
            (None, None, Some(_), _) => SecretValue::Elsewhere,
            (None, None, None, Some(id)) if !map.contains_key("value") => SecretValue::Kept(id.to_owned()),
            _ => SecretValue::Unclear,
        }
    }

    fn id(&self, slot: &Value) -> Option<String> {
        match &self.kind {
            Kind::Header { name } => Some(seal::header_id(&self.provider, name)),
            Kind::Query { name } => Some(seal::query_id(&self.provider, name)),
            Kind::Credential { .. } => credential_id(&self.provider, slot),
            Kind::Egress { credential } => Some(seal::egress_id(&self.provider, credential.as_deref())),
            Kind::RelayKey { credential } => Some(seal::relay_key_id(&self.provider, credential.as_deref())),
        }
    }

    /// Replaces the secret by its new form. The other members of a table stay.
    fn replace(&self, slot: &mut Value, id: Option<String>, secret: Option<(&str, String)>) {
        let mut map = Map::new();
        if let Some(id) = id {
            map.insert("id".to_owned(), Value::String(id));
        }
        if let Kind::Credential { label } = &self.kind {
            map.insert("label".to_owned(), Value::String(label.clone()));
        }
        if let Some((name, text)) = secret {
            map.insert(name.to_owned(), Value::String(text));
        }
        if let Value::Object(old) = slot {
            for (name, value) in old.iter().filter(|(name, _)| *name != "value" && *name != "sealed") {
                map.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        *slot = Value::Object(map);
    }

    /// Where a written-out secret stands: `{ value = … }` one level deeper than a string.
    fn value_path(&self, slot: &Value) -> String {
        if slot.is_object() { join(&self.path, "value") } else { self.path.clone() }
    }
}

fn plain_or_reference(text: &str) -> SecretValue {
    match format::variable_reference(text) {
        Ok(None) => SecretValue::Plain(text.to_owned()),
        Ok(Some(_)) => SecretValue::Elsewhere,
        Err(_) => SecretValue::Unclear,
    }
}

fn recall_one(place: &Place, slot: &mut Value, stored: &HashMap<String, Stored>) -> Result<(), Problem> {
    let SecretValue::Kept(id) = place.held(slot) else {
        return Ok(());
    };
    let found = stored.get(&id).ok_or_else(|| Problem::new(join(&place.path, "id"), NO_SUCH_ID))?;
    found.check_origins(place)?;
    place.replace(slot, Some(id), Some((found.form, found.text.clone())));
    Ok(())
}

fn seal_one(
    place: &Place,
    slot: &mut Value,
    sealer: Option<&Sealer>,
    nonce: &mut dyn FnMut() -> [u8; 24],
) -> Result<(), Problem> {
    let id = place.id(slot);
    let plain = match place.held(slot) {
        SecretValue::Elsewhere | SecretValue::Unclear | SecretValue::Kept(_) => return Ok(()),
        SecretValue::Sealed(sealed)
            if sealed_under(slot).is_none_or(|written| Some(written) == id.as_deref())
                && !sealer.is_some_and(|sealer| sealer.is_previous(id.as_deref().unwrap_or_default(), &sealed)) =>
        {
            return Ok(());
        }
        // A header is sealed under its provider's name: after the provider is renamed it is sealed anew. So is
        // everything that the previous master key sealed.
        SecretValue::Sealed(sealed) => open(place, slot, sealer, &sealed)?,
        SecretValue::Plain(value) => {
            checked(place, &value).map_err(|message| Problem::new(place.value_path(slot), message))?;
            Secret::new(value)
        }
    };
    let sealer = sealer.ok_or_else(|| cannot_be_stored(place))?;
    let sealed = sealer.seal(id.as_deref().unwrap_or_default(), &plain, nonce());
    place.replace(slot, id, Some(("sealed", sealed)));
    Ok(())
}

/// The id a sealed value says it was sealed under.
fn sealed_under(slot: &Value) -> Option<&str> {
    slot.get("id").and_then(Value::as_str)
}

fn open(place: &Place, slot: &Value, sealer: Option<&Sealer>, sealed: &str) -> Result<Secret, Problem> {
    let sealer = sealer.ok_or_else(|| cannot_be_stored(place))?;
    let id = sealed_under(slot).unwrap_or_default();
    sealer.open(id, sealed).map_err(|error| Problem::new(place.path.clone(), error.to_string()))
}

fn cannot_be_stored(place: &Place) -> Problem {
    Problem::new(
        place.path.clone(),
        format!(
            "cannot be stored: {}, or name a variable instead: {{ variable = \"NAME\" }}",
            seal::HOW_TO_SET_MASTER_KEY
        ),
    )
}

fn checked(place: &Place, value: &str) -> Result<(), String> {
    match place.kind {
        Kind::Credential { .. } | Kind::RelayKey { .. } => format::credential(value),
        Kind::Header { .. } | Kind::Query { .. } => format::header_value(value),
        Kind::Egress { .. } => format::proxy_url(value),
    }
}

/// A secret of the previous document.
struct Stored {
    /// The field that holds it: `value` or `sealed`.
    form: &'static str,
    text: String,
    origins: BTreeSet<String>,
}

impl Stored {
    fn all(previous: &Document) -> HashMap<String, Stored> {
        let mut all = HashMap::new();
        let mut previous = previous.clone();
        for_each(&mut previous, &mut |place, slot| {
            let (form, text) = match place.held(slot) {
                SecretValue::Plain(text) => ("value", text),
                SecretValue::Sealed(text) => ("sealed", text),
                _ => return,
            };
            if let Some(id) = place.id(slot) {
                all.insert(id, Stored { form, text, origins: place.origins.clone() });
            }
        });
        all
    }

    fn check_origins(&self, place: &Place) -> Result<(), Problem> {
        let Some(other) = place.origins.difference(&self.origins).next() else {
            return Ok(());
        };
        let known: Vec<&str> = self.origins.iter().map(String::as_str).collect();
        Err(Problem::new(
            join(&place.path, "id"),
            format!("the stored secret is for {}; give its value again to use it at {other}", known.join(" and ")),
        ))
    }
}

/// The id of a credential as written: its own, or one that follows its secret or its variable.
pub(in crate::catalog) fn credential_id(provider: &str, credential: &Value) -> Option<String> {
    let text = |name: &str| credential.get(name).and_then(Value::as_str);
    if let Some(id) = text("id") {
        return Some(id.to_owned());
    }
    if let Some(variable) = text("variable") {
        return Some(seal::credential_id("variable", provider, variable));
    }
    let value = credential.as_str().or(text("value"))?;
    match format::variable_reference(value) {
        Ok(Some(variable)) => Some(seal::credential_id("variable", provider, variable)),
        _ => Some(seal::credential_id("credential", provider, value)),
    }
}

/// A label for each of a provider's credentials: its own, the name of its variable or file, or `#` and the lowest free
/// number from its position on. It is written down when the secret is sealed, so that it does not move when another is
/// removed.
pub(in crate::catalog) fn labels(credentials: &[Value]) -> Vec<String> {
    let own = |credential: &Value| credential.get("label").and_then(Value::as_str).map(str::to_owned);
    let mut taken: BTreeSet<String> = credentials.iter().filter_map(own).collect();
    let mut labels = Vec::with_capacity(credentials.len());
    for (index, credential) in credentials.iter().enumerate() {
        let label = own(credential).unwrap_or_else(|| {
            let numbered = (index + 1..).map(|number| format!("#{number}"));
            let mut free_labels = variable_of(credential).into_iter().chain(numbered);
            free_labels.find(|label| !taken.contains(label)).unwrap_or_default()
        });
        taken.insert(label.clone());
        labels.push(label);
    }
    labels
}

fn variable_of(credential: &Value) -> Option<String> {
    let text = |name: &str| credential.get(name).and_then(Value::as_str);
    let reference = || format::variable_reference(credential.as_str().or(text("value"))?).ok().flatten();
    text("variable").or_else(reference).or(text("file")).map(str::to_owned)
}

/// Visits every place of the document that may hold a secret.
fn for_each(document: &mut Document, visit: &mut dyn FnMut(&Place, &mut Value)) {
    let Some(Value::Array(providers)) = document.sections.get_mut("providers") else {
        return;
    };
    for (index, provider) in providers.iter_mut().enumerate() {
        let name = provider.get("name").or(provider.get("preset")).and_then(Value::as_str).unwrap_or_default();
        let (name, origins) = (name.to_owned(), egress::with_readers(origins(provider), provider));
        let place = |path: String, kind| Place { path, provider: name.clone(), origins: origins.clone(), kind };
        if let Some(Value::Array(credentials)) = provider.get_mut("credentials") {
            for (at, (label, slot)) in labels(credentials).into_iter().zip(credentials).enumerate() {
                let path = format!("providers[{index}].credentials[{at}]");
                let credential = credential_id(&name, slot);
                if let Some(egress) = slot.get_mut("egress") {
                    egress::visit(egress, &join(&path, "egress"), &name, credential, visit);
                }
                visit(&place(path, Kind::Credential { label }), slot);
            }
        }
        if let Some(egress) = provider.get_mut("egress") {
            egress::visit(egress, &format!("providers[{index}].egress"), &name, None, visit);
        }
        if let Some(Value::Object(headers)) = provider.get_mut("headers") {
            for (header, slot) in headers.iter_mut() {
                let path = join(&format!("providers[{index}].headers"), header);
                visit(&place(path, Kind::Header { name: header.to_ascii_lowercase() }), slot);
            }
        }
        if let Some(Value::Object(query)) = provider.get_mut("query") {
            for (name, slot) in query.iter_mut() {
                let path = join(&format!("providers[{index}].query"), name);
                visit(&place(path, Kind::Query { name: name.clone() }), slot);
            }
        }
    }
}

/// The origins a provider's secrets may go to.
pub(super) fn origins(provider: &Value) -> BTreeSet<String> {
    let text = |name: &str| provider.get(name).and_then(Value::as_str);
    let mut urls: Vec<&str> = text("base_url").into_iter().collect();
    if let Some(Value::Object(endpoints)) = provider.get("endpoints") {
        urls.extend(endpoints.values().filter_map(Value::as_str));
    }
    if urls.is_empty() {
        let preset = text("preset").and_then(providers::preset);
        urls.extend(preset.into_iter().flat_map(|preset| preset.endpoints).map(|(_, url)| *url));
    }
    // An address that a variable holds counts as different from every address that is written down.
    let origin = |url: &str| match format::base_url(url) {
        Ok((url, _)) if !url.authority.contains('$') => Some(url.origin()),
        _ => url.contains("${").then(|| url.to_owned()),
    };
    urls.into_iter().filter_map(origin).collect()
}
