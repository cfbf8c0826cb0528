//! LiteLLM's `config.yaml`: deployments under public names. Deployments with one address and the same models become one
//! provider with a pool of credentials.

mod deployment;
mod router;

use serde_json::{Map, Value, json};

use super::draft::{Draft, literal, reference};
use super::row::Row;
use deployment::Deployment;

/// Parts of the file that say how LiteLLM itself runs.
const NOT_TAKEN: [(&str, &str); 4] = [
    ("include", "other files: import each of them too"),
    ("mcp_servers", "tools that LiteLLM serves"),
    ("guardrails", "checks that LiteLLM makes"),
    ("vector_store_registry", "stores that LiteLLM serves"),
];

pub(super) fn read(draft: &mut Draft, config: &Map<String, Value>) {
    let config = Row(config);
    let variables = config.object("environment_variables");
    let texts = Texts { variables: &variables, credentials: credentials(config) };
    let list = config.json("model_list");
    let entries = list.as_ref().and_then(Value::as_array).into_iter().flatten();
    let mut deployments: Vec<Deployment> = Vec::new();
    for (at, entry) in entries.enumerate() {
        let from = format!("model_list[{at}]");
        match entry
            .as_object()
            .ok_or("it is no table".to_owned())
            .and_then(|entry| Deployment::of(entry, &from, &texts))
        {
            Ok(deployment) => deployments.push(deployment),
            Err(why) => draft.left(from, why),
        }
    }
    deployment::add(draft, &deployments);
    let (router, litellm) = (config.object("router_settings"), config.object("litellm_settings"));
    router::read(draft, Row(&router), Row(&litellm));
    general(draft, Row(&config.object("general_settings")), &texts);
    for (name, what) in NOT_TAKEN {
        if config.0.contains_key(name) {
            draft.left(name, what);
        }
    }
}

/// The texts of the file, of which some stand elsewhere.
struct Texts<'c> {
    /// Variables that the file itself sets.
    variables: &'c Map<String, Value>,
    /// Named credentials, by name.
    credentials: Map<String, Value>,
}

impl Texts<'_> {
    /// A text of the catalog: what `os.environ/` names, the value that the file gives it, or the text itself.
    fn of(&self, text: &str) -> String {
        let Some(name) = text.strip_prefix("os.environ/") else { return literal(text) };
        match self.variables.get(name).and_then(Value::as_str) {
            Some(value) if !value.starts_with("os.environ/") => literal(value),
            _ => reference(name),
        }
    }

    /// The same for a secret, which is a reference as a whole or not at all.
    fn secret(&self, text: &str) -> String {
        match text.strip_prefix("os.environ/") {
            Some(_) => self.of(text),
            None => text.to_owned(),
        }
    }
}

/// `credential_list`: what deployments refer to by `litellm_credential_name`.
fn credentials(config: Row<'_>) -> Map<String, Value> {
    let list = config.json("credential_list");
    let entries = list.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let named = entries.filter_map(|entry| {
        let entry = Row(entry);
        Some((entry.text("credential_name")?.to_owned(), entry.json("credential_values")?))
    });
    named.collect()
}

/// `general_settings`: only the master key matters, which clients use as their own.
fn general(draft: &mut Draft, settings: Row<'_>, texts: &Texts<'_>) {
    if let Some(key) = settings.text("master_key").map(|key| texts.secret(key)) {
        if key.starts_with("${") {
            let name = key.trim_start_matches("${").trim_end_matches('}');
            let why = format!(
                "it stands in the variable {name}, which an import does not read; `llmio keys create` makes a key"
            );
            draft.left("general_settings.master_key", why);
        } else {
            draft.key("master_key", "general_settings.master_key", &key, Map::new());
            let why = "LiteLLM's master key goes on working as the key of a client, without the rights of an admin";
            draft.changed("keys[master_key]", why);
        }
    }
    if settings.text("database_url").is_some() {
        draft.left("general_settings.database_url", "virtual keys and budgets are in that database, which is not read");
    }
    let known = ["master_key", "database_url", "store_model_in_db"];
    let others: Vec<&str> = settings.0.keys().map(String::as_str).filter(|name| !known.contains(name)).collect();
    if !others.is_empty() {
        draft.left("general_settings", format!("how LiteLLM itself runs: {}", others.join(", ")));
    }
}

/// A table of one limit, where it is a whole number above 0.
fn limit(row: Row<'_>, name: &str) -> Option<(String, Value)> {
    row.integer(name).filter(|count| *count > 0).map(|count| (name.to_owned(), json!(count)))
}
