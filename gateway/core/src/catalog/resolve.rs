//! Filling a [`Catalog`]'s secrets in: opened with the master key, or read from variables.
//!
//! A missing secret disables its credential and is reported, but the catalog is still accepted: a variable that is
//! missing on one host must not stop all other providers.

use std::collections::HashMap;
use std::sync::Arc;

use super::schema::format;
use super::seal::{account, egress_id, header_id, query_id, relay_key_id};
use super::{Catalog, Egress, Provider, RelayEgress, Sealer, Secret, Value};
use crate::redact::Secrets;

impl Catalog {
    /// Turns every [`Value::Sealed`] and [`Value::Variable`] into `Plain` or `Missing`. Called once for each
    /// accepted version, before it is used; `variable` gives the variable of a name, if it is set.
    pub fn resolve(&mut self, sealer: Option<&Sealer>, variable: &dyn Fn(&str) -> Option<String>) {
        let source = Source { sealer, variable };
        for provider in &mut self.providers {
            source.resolve_provider(Arc::make_mut(provider));
        }
        self.link_targets();
    }

    /// Targets hold their provider, so each gets the provider with its secrets filled in.
    pub(super) fn link_targets(&mut self) {
        let resolved: HashMap<&str, &Arc<Provider>> =
            self.providers.iter().map(|provider| (&*provider.name, provider)).collect();
        for model in &mut self.models {
            for target in &mut Arc::make_mut(model).targets {
                if let Some(provider) = resolved.get(&*target.provider.name) {
                    Arc::make_mut(target).provider = Arc::clone(provider);
                }
            }
        }
    }

    /// The variables the catalog names and has not read yet, each once, sorted.
    pub fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .values()
            .filter_map(|(_, value)| match value {
                Value::Variable(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The missing secrets and why, each with its place: `provider relay-x, credential first`.
    pub fn missing(&self) -> Vec<(String, String)> {
        self.values()
            .filter_map(|(place, value)| match value {
                Value::Missing(reason) => Some((place, reason.clone())),
                _ => None,
            })
            .collect()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (String, &Value)> {
        self.providers.iter().flat_map(|provider| {
            let name = &provider.name;
            let credentials = provider.credentials.iter().map(move |credential| {
                (format!("provider {name}, credential {}", credential.label), &credential.value)
            });
            let headers = provider
                .headers
                .iter()
                .map(move |(header, value)| (format!("provider {name}, header {header}"), value));
            let query =
                provider.query.iter().map(move |(pair, value)| (format!("provider {name}, query {pair}"), value));
            let own = provider.egress.iter().filter_map(Egress::secret);
            let own = own.map(move |secret| (format!("provider {name}, egress"), secret));
            let others = provider.credentials.iter().filter_map(move |credential| {
                let place = format!("provider {name}, credential {}, egress", credential.label);
                Some((place, credential.egress.as_ref()?.secret()?))
            });
            credentials.chain(headers).chain(query).chain(own).chain(others)
        })
    }
}

struct Source<'a> {
    sealer: Option<&'a Sealer>,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Source<'_> {
    fn resolve_provider(&self, provider: &mut Provider) {
        let home = provider.home().to_owned();
        let Provider { name, credentials, headers, query, egress, secret_headers, secret_query, secrets, .. } =
            provider;
        self.resolve_egress(egress, name, None);
        for (header, value) in headers.iter_mut() {
            self.resolve(value, &header_id(name, header), format::header_value);
        }
        for (pair, value) in query.iter_mut() {
            self.resolve(value, &query_id(name, pair), format::header_value);
        }
        let secret = headers.iter().filter(|(header, _)| secret_headers.contains(header));
        let secret = secret.chain(query.iter().filter(|(pair, _)| secret_query.contains(pair)));
        let mut own = Secrets::default();
        secret.filter_map(|(_, value)| value.known()).for_each(|value| own.add(value.expose()));
        let with_egress = |own: &Secrets, egress: &Option<Egress>| {
            let mut secrets = own.clone();
            egress.iter().flat_map(Egress::secret_parts).for_each(|secret| secrets.add(&secret));
            secrets
        };
        *secrets = with_egress(&own, egress).into();
        for credential in credentials {
            let credential = Arc::make_mut(credential);
            self.resolve(&mut credential.value, &credential.id, format::credential);
            self.resolve_egress(&mut credential.egress, name, Some(&*credential.id));
            let mut secrets = Secrets::default();
            if let Value::Plain(secret) = &credential.value {
                credential.account = account(&home, secret.expose()).into();
                secrets.add(secret.expose());
            }
            secrets
                .add_all(&with_egress(&own, if credential.egress.is_some() { &credential.egress } else { &*egress }));
            credential.secrets = secrets.into();
        }
    }

    fn resolve_egress(&self, egress: &mut Option<Egress>, provider: &str, credential: Option<&str>) {
        match egress {
            Some(Egress::Proxy(proxy)) => {
                self.resolve(&mut proxy.url, &egress_id(provider, credential), format::proxy_url);
            }
            Some(Egress::Relay(RelayEgress { key: Some(key), .. })) => {
                self.resolve(key, &relay_key_id(provider, credential), format::credential);
            }
            Some(Egress::Relay(_)) | None => {}
        }
    }

    fn resolve(&self, value: &mut Value, id: &str, check: fn(&str) -> Result<(), String>) {
        let found = match value {
            Value::Plain(_) | Value::Missing(_) => return,
            Value::Sealed(sealed) => self.open(id, sealed),
            Value::Variable(name) => self.read(name, check),
            Value::File(_) => Err("It is in a file that was not read.".to_owned()),
        };
        *value = found.map_or_else(Value::Missing, Value::Plain);
    }

    fn open(&self, id: &str, sealed: &str) -> Result<Secret, String> {
        let Some(sealer) = self.sealer else {
            return Err("It is sealed and there is no master_key; set the one it was sealed with.".to_owned());
        };
        sealer.open(id, sealed).map_err(|error| format!("It could not be opened: {error}."))
    }

    fn read(&self, name: &str, check: fn(&str) -> Result<(), String>) -> Result<Secret, String> {
        let text = (self.variable)(name).ok_or_else(|| {
            format!(
                "The variable {name} is not set; set it, or put {name} into the JSON object of the variable `secrets`."
            )
        })?;
        // Files that hold one secret usually end in a line break.
        let text = text.trim();
        check(text).map_err(|message| format!("The variable {name} holds no usable secret: it {message}."))?;
        Ok(Secret::new(text))
    }
}
