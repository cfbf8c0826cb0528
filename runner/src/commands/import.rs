//! `llmio import`: takes what another gateway stores into the catalog. The command reads the file; the component
//! decides what it means and what becomes of it.

mod file;
mod first;
mod report;

pub(crate) use first::is_old_token;
pub(super) use first::take_over;

use super::client::{Call, Client, JSON, with_client, with_passing_client};
use super::output::{json, print, remark};
use crate::language;
use crate::options::Settings;
use crate::start;
use anyhow::Result;
use file::Content;
use http::Method;
use report::{KnownFormats, Outcome};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

const PATH: &str = "/api/import";
const KINDS: [&str; 6] = ["llmio", "litellm", "new-api", "one-api", "gpt-load", "claude-code-router"];

/// What is imported.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Go llmio's llmio.db, LiteLLM's config.yaml, the database or an export of new-api or one-api, gpt-load's database, or
    /// the config.json of Claude Code Router
    file: PathBuf,

    /// Store what is taken; without this it is only shown
    #[arg(long)]
    apply: bool,

    /// What the file is [default: what its content says]
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    kind: Option<String>,

    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, arguments: &Arguments) -> Result<()> {
    let work = async |client: &mut Client| {
        let known: KnownFormats = client.read(Call::new(Method::GET, PATH)).await?;
        let content = file::read(&arguments.file, &known.tables())?;
        let old = start::too_short_token(settings);
        let body = body(content, arguments.kind.as_deref(), arguments.apply, old);
        client.ask(Call::new(Method::POST, PATH).with_body(JSON, body)).await
    };
    let response = if arguments.apply { with_client(settings, work)? } else { with_passing_client(settings, work)? };
    if arguments.json {
        return json(response.body());
    }
    let outcome: Outcome = super::client::parsed(&response)?;
    let language = language::of_process();
    print(&outcome.report(language))?;
    outcome.warnings(language).iter().for_each(|warning| remark(warning));
    remark(&outcome.ending(language, &shown(&arguments.file)));
    Ok(())
}

/// The body of the request. It holds the content of the file and never its path.
fn body(content: Content, kind: Option<&str>, apply: bool, token: Option<String>) -> String {
    let mut body = Map::new();
    body.insert("apply".to_owned(), apply.into());
    body.extend(kind.map(|kind| ("kind".to_owned(), kind.into())));
    body.extend(token.map(|token| ("token".to_owned(), token.into())));
    match content {
        Content::Text(text) => {
            body.insert("text".to_owned(), text.into());
        }
        Content::Rows { tables, counts } => {
            body.insert("tables".to_owned(), tables.into());
            body.insert("counts".to_owned(), counts.into());
        }
    }
    Value::Object(body).to_string()
}

fn shown(file: &Path) -> String {
    super::output::plain(&file.display().to_string())
}
