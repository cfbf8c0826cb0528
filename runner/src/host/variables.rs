//! spin:variables: the facts the host tells the component (`design/host.md`), and the variables a catalog refers to.

#[cfg(feature = "wasi-0-2")]
mod v2;

use super::Interfaces;
use crate::bindings::variables::{Error, Host, HostWithStore};
use crate::instance::State;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use wasmtime::component::Accessor;

/// Names that the host itself answers. They are never looked up elsewhere, so that the environment cannot pretend to be
/// the host.
const FACTS: [&str; 16] = [
    "base_path",
    "boot",
    CATALOG,
    "catalog_path",
    "catalog_trouble",
    CATALOG_VERSION,
    "draining",
    "files",
    "host_metrics",
    "master_key",
    "master_key_previous",
    "public_url",
    "secrets",
    "store_trouble",
    "token",
    "trusted_proxies",
];

/// The text of the catalog file.
const CATALOG: &str = "catalog";

/// Changes with the text, so that the component need not read the text to notice a change.
const CATALOG_VERSION: &str = "catalog_version";

/// The name under which the component asks whether a file has changed that it was given.
const FILES: &str = "files";

/// Before the name of a file whose text it asks for.
const FILE_PREFIX: &str = "file:";

/// The folder in which container platforms mount secrets.
pub(super) const SECRETS_FOLDER: &str = "/run/secrets";

/// The variables of the process.
pub(crate) struct Variables {
    facts: RwLock<HashMap<&'static str, Arc<str>>>,
    /// The folder of secrets; `None` when imitating Spin, which only knows declared variables.
    secrets: Option<PathBuf>,
}

/// What `spin.toml` declares with an empty default.
const EMPTY_UNDER_SPIN: [&str; 7] =
    ["token", "master_key", "master_key_previous", "public_url", "base_path", "trusted_proxies", "catalog"];

impl Variables {
    /// The variables of the runner: facts, then the environment, then mounted secrets.
    pub(crate) fn new() -> Variables {
        Variables { facts: RwLock::default(), secrets: Some(PathBuf::from(SECRETS_FOLDER)) }
    }

    /// The variables of Spin with this project's `spin.toml`: only declared ones, all of which have a default.
    pub(crate) fn declared_only() -> Variables {
        let variables = Variables { facts: RwLock::default(), secrets: None };
        for name in EMPTY_UNDER_SPIN {
            variables.set(name, "");
        }
        variables.set("secrets", "{}");
        variables
    }

    /// Sets a fact. The component sees it when it looks next.
    pub(crate) fn set(&self, name: &'static str, value: impl Into<Arc<str>>) {
        debug_assert!(FACTS.contains(&name), "{name} is not listed as a fact");
        self.facts.write().unwrap_or_else(PoisonError::into_inner).insert(name, value.into());
    }

    /// Sets the text of the catalog file.
    pub(crate) fn set_catalog(&self, text: impl Into<Arc<str>>) {
        let mut facts = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        facts.insert(CATALOG, text.into());
        // Spin has no such variable.
        if self.secrets.is_some() {
            let before: u64 = facts.get(CATALOG_VERSION).and_then(|version| version.parse().ok()).unwrap_or(0);
            facts.insert(CATALOG_VERSION, (before + 1).to_string().into());
        }
    }

    /// The value; `None` if there is no such variable.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        if let Some(value) = self.facts.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Some(value.to_string());
        }
        let secrets = self.secrets.as_deref()?;
        if !may_be_looked_up(name) {
            return None;
        }
        std::env::var(name).ok().or_else(|| mounted(secrets, name))
    }
}

/// The credential of the provider that the environment names. It is the only variable of llmio's own that a catalog may
/// refer to.
pub(crate) const API_KEY: &str = "LLMIO_API_KEY";

/// Whether a catalog may refer to this variable: any one, except those that protect the gateway itself.
fn may_be_looked_up(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain && !FACTS.contains(&name) && upper != "TOKEN" && (name == API_KEY || !upper.starts_with("LLMIO_"))
}

fn mounted(secrets: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(secrets.join(name.to_ascii_lowercase())).ok()?;
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl Host for &mut State {}

impl<T> HostWithStore<T> for Interfaces {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, Error>> {
        let stores = accessor.with(|mut access| access.get().stores.clone());
        // The value is made now, and not when it was last asked for.
        if name == "store_trouble" && !stores.quirks {
            return Ok(Ok(stores.store_trouble()));
        }
        if let Some(files) = stores.files.as_ref() {
            if name == FILES {
                return Ok(Ok(files.generation()));
            }
            if let Some(path) = name.strip_prefix(FILE_PREFIX) {
                return Ok(files.text(path).map_err(Error::Provider));
            }
        }
        Ok(stores.variables.get(&name).ok_or(Error::Undefined(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_first_and_undefined_names_are_undefined() {
        let variables = Variables::new();
        assert_eq!(variables.get("boot"), None);
        variables.set("boot", "b1");
        assert_eq!(variables.get("boot").as_deref(), Some("b1"));
        assert_eq!(variables.get("LLMIO_TEST_NO_SUCH_VARIABLE"), None);
    }

    #[test]
    fn the_environment_is_looked_up_but_not_what_protects_the_gateway() {
        let variables = Variables::new();
        assert_eq!(variables.get("PATH"), std::env::var("PATH").ok());
        assert!(may_be_looked_up(API_KEY) && !may_be_looked_up("llmio_api_key"));
        for name in
            ["TOKEN", "token", "Token", "LLMIO_TOKEN", "llmio_master_key", "master_key", "", "a/b", "../x", "A B"]
        {
            assert!(!may_be_looked_up(name), "{name:?} must not be looked up");
        }
    }

    #[test]
    fn a_mounted_secret_is_found_under_its_lower_case_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("llm_key_of_test"), "sk-1\n").expect("a file");
        let variables = Variables { facts: RwLock::default(), secrets: Some(folder.path().to_owned()) };
        assert_eq!(variables.get("LLM_KEY_OF_TEST").as_deref(), Some("sk-1"));
        assert_eq!(variables.get("OTHER_KEY_OF_TEST"), None);
    }

    #[test]
    fn imitating_spin_only_declared_variables_exist() {
        let variables = Variables::declared_only();
        assert_eq!(variables.get("secrets").as_deref(), Some("{}"));
        assert_eq!(variables.get("token").as_deref(), Some(""));
        assert_eq!(variables.get("PATH"), None);
        assert_eq!(variables.get("boot"), None);
    }

    #[test]
    fn imitating_spin_the_variables_are_those_of_its_manifest() {
        let manifest: toml::Table = include_str!("../../../spin.toml").parse().expect("TOML");
        let declared = manifest["variables"].as_table().expect("variables");
        let handed_on = manifest["component"]["gateway"]["variables"].as_table().expect("those of the component");
        for (name, variable) in declared {
            assert_eq!(handed_on[name].as_str(), Some(format!("{{{{ {name} }}}}").as_str()));
            let default = variable["default"].as_str().expect("a default");
            assert_eq!(Variables::declared_only().get(name).as_deref(), Some(default), "{name}");
        }
        assert_eq!((declared.len(), handed_on.len()), (EMPTY_UNDER_SPIN.len() + 1, declared.len()));
    }

    #[test]
    fn every_catalog_has_a_version_of_its_own_which_spin_does_not_know() {
        let (own, spin) = (Variables::new(), Variables::declared_only());
        let versions = ["", "a", "", "a"].map(|text| {
            own.set_catalog(text);
            spin.set_catalog(text);
            assert_eq!([&own, &spin].map(|each| each.get(CATALOG)), [Some(text.to_owned()), Some(text.to_owned())]);
            assert_eq!(spin.get(CATALOG_VERSION), None);
            own.get(CATALOG_VERSION).expect("a version")
        });
        assert_eq!(std::collections::HashSet::from(versions).len(), 4);
    }
}
