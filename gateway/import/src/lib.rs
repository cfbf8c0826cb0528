//! What another gateway keeps, as a part of a catalog: its providers, models and keys, and a report of what was taken,
//! changed and left.
//!
//! The caller reads the file and hands over its rows or its text ([`ImportRequest`]); this crate decides what they
//! mean, in one file for each source. The result is laid onto the stored catalog ([`Draft::onto`]) without overwriting
//! anything. What the catalog would refuse is left out and reported, so that one bad row does not keep the others back.
//! No sentence of a report holds a secret.

mod address;
mod channel_types;
mod claude_code_router;
mod draft;
mod gpt_load;
mod litellm;
mod llmio;
mod merge;
mod new_api;
mod report;
mod row;
mod view;
mod yaml;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use draft::Draft;
pub use merge::{Imported, Judge};
pub use report::{Entry, Report};
pub use view::{ImportView, ImportsView};

use row::Row;

/// A gateway that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// llmio as it was written in Go: its `llmio.db`.
    Llmio,
    /// LiteLLM's `config.yaml`.
    Litellm,
    /// new-api's database or an export of its channels.
    NewApi,
    /// one-api's database or an export of its channels.
    OneApi,
    /// gpt-load's database.
    GptLoad,
    /// The `config.json` of Claude Code Router.
    ClaudeCodeRouter,
}

/// What is known about a source before it is read.
#[derive(Debug, Serialize)]
pub struct KnownFormat {
    /// The source.
    pub kind: Kind,
    /// What people call its file.
    pub file: &'static str,
    /// The tables that are read, where it is a database. Of other tables only the size is reported.
    pub tables: &'static [&'static str],
}

/// Every source, in the order of the documentation.
pub const KNOWN: [KnownFormat; 6] = [
    KnownFormat { kind: Kind::Llmio, file: "llmio.db", tables: llmio::TABLES },
    KnownFormat { kind: Kind::Litellm, file: "config.yaml", tables: &[] },
    KnownFormat { kind: Kind::NewApi, file: "one-api.db", tables: new_api::TABLES },
    KnownFormat { kind: Kind::OneApi, file: "one-api.db", tables: new_api::TABLES },
    KnownFormat { kind: Kind::GptLoad, file: "gpt-load.db", tables: gpt_load::TABLES },
    KnownFormat { kind: Kind::ClaudeCodeRouter, file: "config.json", tables: &[] },
];

/// What was read from the file of another gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportRequest {
    /// Which gateway it is from. Default: its content decides.
    pub kind: Option<Kind>,
    /// Stores the result. Default: only reports what would be taken.
    pub apply: bool,
    /// The rows of a database, by table.
    pub tables: BTreeMap<String, Vec<Map<String, Value>>>,
    /// How many rows its other tables have.
    pub counts: BTreeMap<String, u64>,
    /// The text of a file in YAML or JSON.
    pub text: Option<String>,
    /// What Go llmio had as its `TOKEN`, where it is too short to be an admin token: it becomes a key.
    pub token: Option<String>,
}

impl ImportRequest {
    /// What the source has, in words of the catalog. The error is a sentence for whoever gave the file.
    pub fn draft(&self) -> Result<Draft, String> {
        let parsed = self.text.as_deref().map(parse).transpose()?;
        let kind = match self.kind {
            Some(kind) => kind,
            None => found(&self.tables, parsed.as_ref()).ok_or_else(unknown)?,
        };
        let mut draft = Draft::of(kind);
        match (kind, parsed) {
            (Kind::Llmio, None) => llmio::read(&mut draft, self),
            (Kind::GptLoad, None) => gpt_load::read(&mut draft, self),
            (Kind::NewApi | Kind::OneApi, None) => new_api::read(&mut draft, self),
            (Kind::NewApi | Kind::OneApi, Some(export)) => new_api::read(&mut draft, &exported(self, export)),
            (Kind::Litellm, Some(Value::Object(config))) => litellm::read(&mut draft, &config),
            (Kind::ClaudeCodeRouter, Some(Value::Object(config))) => claude_code_router::read(&mut draft, &config),
            _ => return Err(format!("This is not a file of {}: {}.", kind.title(), kind.expected())),
        }
        draft.count_others(&self.counts);
        Ok(draft)
    }

    fn rows(&self, table: &str) -> impl Iterator<Item = Row<'_>> {
        self.tables.get(table).into_iter().flatten().map(Row)
    }
}

impl Kind {
    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Llmio => "llmio (Go)",
            Self::Litellm => "LiteLLM",
            Self::NewApi => "new-api",
            Self::OneApi => "one-api",
            Self::GptLoad => "gpt-load",
            Self::ClaudeCodeRouter => "Claude Code Router",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Llmio => "its `llmio.db` has the table `model_with_providers`",
            Self::Litellm => "its `config.yaml` has a `model_list`",
            Self::NewApi | Self::OneApi => "its database has the tables `channels` and `tokens`, an export `channels`",
            Self::GptLoad => "its database has the tables `groups` and `api_keys`",
            Self::ClaudeCodeRouter => "its `config.json` has `Providers`",
        }
    }
}

/// YAML holds JSON too, but its reader is slower and knows fewer names for what is wrong.
fn parse(text: &str) -> Result<Value, String> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    // The text there may be a secret, so only its place is reported.
    yaml::read(text)
        .map_err(|at| format!("The text is neither JSON nor YAML; see line {} column {}.", at.line, at.column))
}

/// Which gateway a content is from, judged by its names.
fn found(tables: &BTreeMap<String, Vec<Map<String, Value>>>, text: Option<&Value>) -> Option<Kind> {
    if let Some(text) = text {
        if text.get("model_list").is_some() {
            return Some(Kind::Litellm);
        }
        if text.get("Providers").is_some() {
            return Some(Kind::ClaudeCodeRouter);
        }
        let channels = channels_of(text)?;
        return Some(kind_of_channels(channels.iter().filter_map(Value::as_object)));
    }
    let has = |name: &str| tables.contains_key(name);
    if has("model_with_providers") {
        Some(Kind::Llmio)
    } else if has("channels") {
        Some(kind_of_channels(tables.get("channels").into_iter().flatten()))
    } else if has("groups") && has("api_keys") {
        Some(Kind::GptLoad)
    } else {
        None
    }
}

/// The two number their channels differently. Each has columns that the other lacks.
fn kind_of_channels<'r>(mut channels: impl Iterator<Item = &'r Map<String, Value>>) -> Kind {
    const OF_NEW_API: [&str; 5] = ["auto_ban", "channel_info", "setting", "tag", "other_info"];
    match channels.next() {
        Some(channel) if OF_NEW_API.iter().all(|column| !channel.contains_key(*column)) => Kind::OneApi,
        _ => Kind::NewApi,
    }
}

/// The channels of an export: a list, or one inside of what the API answers.
fn channels_of(export: &Value) -> Option<&Vec<Value>> {
    let data = export.get("data").unwrap_or(export);
    let list = ["channels", "items"].iter().find_map(|name| data.get(*name)).unwrap_or(data).as_array()?;
    let is_channel = |value: &Value| value.get("models").is_some() && value.get("type").is_some();
    list.iter().all(is_channel).then_some(list).filter(|list| !list.is_empty())
}

/// An export as the tables that it would be.
fn exported(request: &ImportRequest, export: Value) -> ImportRequest {
    let rows = |list: Option<&Vec<Value>>| -> Vec<Map<String, Value>> {
        list.into_iter().flatten().filter_map(Value::as_object).cloned().collect()
    };
    let channels = rows(channels_of(&export));
    let named = |name: &str| rows(export.get(name).and_then(Value::as_array));
    let tables = [("channels", channels), ("tokens", named("tokens")), ("options", named("options"))];
    let tables = tables.into_iter().map(|(name, rows)| (name.to_owned(), rows)).collect();
    ImportRequest { kind: request.kind, tables, ..ImportRequest::default() }
}

fn unknown() -> String {
    let files: Vec<String> = KNOWN.iter().map(|known| format!("{} ({})", known.kind.title(), known.file)).collect();
    format!("This is not a file of a gateway that can be imported. Those are {}.", files.join(", "))
}

#[cfg(test)]
mod tests;
