//! `llmio catalog`: moves the configuration between files and the gateway. Only the component knows what a catalog
//! means and whether it is valid; the command reads and writes files.

mod diff;
mod file;

use super::client::{Call, Client, JSON, TOML, with_client, with_passing_client};
use super::output::{print, remark};
use crate::catalog_file;
use crate::exit::{self, Exit};
use crate::language::{self, Language};
use crate::options::Settings;
use anyhow::{Context, Result};
use bytes::Bytes;
use diff::Differences;
use file::CatalogText;
use http::{Method, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the catalog in force, as TOML
    Export {
        /// Print JSON instead
        #[arg(long)]
        json: bool,
        /// Write out the stored secrets, for moving to another installation
        #[arg(long)]
        with_secrets: bool,
    },
    /// Store the sections of a file in place of the stored ones; those it lacks stay, usually the keys
    Import(Import),
    /// Check whether a file would be accepted; changes nothing
    Check(Import),
    /// Show what importing a file would change; secrets are neither shown nor compared
    Diff(Import),
}

/// The options of an import.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// TOML or JSON file; - for standard input
    file: PathBuf,

    /// Replace the stored catalog as a whole: the sections the file lacks are deleted, keys too
    #[arg(long)]
    replace: bool,
}

/// The component's answer for a catalog that it accepts.
#[derive(Deserialize)]
struct AcceptedCatalog {
    version: Option<u64>,
    /// The sections that stay because the file lacks them.
    #[serde(default)]
    kept: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, command: Command) -> Result<()> {
    match command {
        Command::Export { json, with_secrets } => {
            with_client(settings, async |client| export(client, json, with_secrets).await)
        }
        Command::Import(Import { file, replace }) => {
            let text = file::read(&file)?;
            with_client(settings, async |client| import(client, &text, replace).await)
        }
        Command::Check(Import { file, replace }) => {
            let text = file::read(&file)?;
            with_passing_client(settings, async |client| check(client, &text, replace).await)
        }
        Command::Diff(Import { file, replace }) => {
            let text = file::read(&file)?;
            with_client(settings, async |client| diff(client, &text, replace).await)
        }
    }
}

async fn export(client: &mut Client, json: bool, with_secrets: bool) -> Result<()> {
    let path = if with_secrets { "/api/catalog?with_secrets=true" } else { "/api/catalog" };
    let accept = if json { JSON } else { TOML };
    let response = client.ask(Call { accept, ..Call::new(Method::GET, path) }).await?;
    let text = if json {
        let catalog: Value = serde_json::from_slice(response.body())
            .context("the catalog that the server sent could not be read; is the server another version?")?;
        format!("{catalog:#}\n")
    } else {
        // JSON comes back where TOML cannot express a value.
        let is_toml =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == TOML.as_bytes());
        anyhow::ensure!(is_toml, "TOML cannot express this catalog; export it with --json");
        String::from_utf8(response.body().to_vec())
            .context("the catalog that the server sent is not UTF-8; export it with --json")?
    };
    print(&text)?;
    if with_secrets {
        remark(language::of_process().pick(
            "The catalog above holds secrets in the clear; keep it like a password.",
            "以上配置含明文密钥，请像密码一样保管。",
        ));
    }
    Ok(())
}

async fn import(client: &mut Client, text: &CatalogText, replace: bool) -> Result<()> {
    let method = if replace { Method::PUT } else { Method::PATCH };
    let call = Call::new(method, "/api/catalog").with_body(text.content_type(), text.bytes());
    let accepted: AcceptedCatalog = judged(client, call, text).await?;
    let version = accepted.version.context("the answer names no version; is the server another version?")?;
    let (english, chinese) =
        (format!("Catalog version {version} is in force.\n"), format!("配置版本 {version} 已生效。\n"));
    print(&language::of_process().pick(english, chinese))?;
    if !accepted.kept.is_empty() {
        let kept = accepted.kept.join(", ");
        let english = format!("Kept, as the file does not have them: {kept}. `--replace` deletes them.");
        let chinese = format!("文件中没有以下部分，予以保留：{kept}。使用 `--replace` 会将其删除。");
        remark(&language::of_process().pick(english, chinese));
    }
    warn(&accepted.warnings);
    Ok(())
}

async fn check(client: &mut Client, text: &CatalogText, replace: bool) -> Result<()> {
    let accepted: AcceptedCatalog = judged(client, posted("/api/catalog/check", text, replace), text).await?;
    let name = text.name();
    print(&language::of_process().pick(format!("{name} is valid.\n"), format!("{name} 有效。\n")))?;
    warn(&accepted.warnings);
    Ok(())
}

async fn diff(client: &mut Client, text: &CatalogText, replace: bool) -> Result<()> {
    let differences: Differences = judged(client, posted("/api/catalog/diff", text, replace), text).await?;
    let language = language::of_process();
    if differences.is_empty() {
        remark(language.pick("Importing it would change nothing.", "导入后没有任何变化。"));
    }
    print(&differences.report(language))
}

fn posted(path: &str, text: &CatalogText, replace: bool) -> Call {
    let query = if replace { "?replace=true" } else { "" };
    Call::new(Method::POST, format!("{path}{query}")).with_body(text.content_type(), text.bytes())
}

async fn judged<T: DeserializeOwned>(client: &mut Client, call: Call, text: &CatalogText) -> Result<T> {
    let response = client.send(call).await?;
    match response.status() {
        StatusCode::UNPROCESSABLE_ENTITY => Err(refused(text, &response, language::of_process()).into()),
        status if status.is_success() => serde_json::from_slice(response.body())
            .context("the server's answer could not be read; is the server another version?"),
        _ => Err(client.refused(&response)),
    }
}

/// Every problem on its own line, with its path.
fn refused(text: &CatalogText, response: &Response<Bytes>, language: Language) -> Exit {
    let name = text.name();
    let head =
        language.pick(format!("{name} is refused; nothing was changed:"), format!("{name} 未被接受，未作任何更改："));
    Exit::new(exit::CONFIG, format!("{head}\n{}", catalog_file::problems(response.body()).join("\n")))
}

fn warn(warnings: &[String]) {
    let prefix = language::of_process().pick("warning", "警告");
    warnings.iter().for_each(|warning| remark(&format!("{prefix}: {}", super::output::plain(warning))));
}
