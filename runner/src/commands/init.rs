//! `llmio init`: from a provider's name and a key to a catalog file that serves, after a call that shows it. It asks on a
//! terminal for what it was not given, and tries everything on a gateway of its own that is gone afterwards.

use super::client::{Call, Client, JSON, TOML, with_scratch_client};
use super::output::{plain, print, remark};
use super::provide::{CatalogDraft, MODEL, Offer, PROVIDER, draft_request, key_reference, variable};
use crate::exit::{self, Exit};
use crate::greeting;
use crate::host::variables::API_KEY;
use crate::language;
use crate::options::Settings;
use crate::start;
use anyhow::{Context, Result};
use http::Method;
use serde::Deserialize;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most names in a list to choose from.
const SHOWN_MAX: usize = 20;

/// Answers that may be given in advance.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The catalog file to write; it must not exist
    #[arg(default_value = "llmio.toml")]
    file: PathBuf,

    /// Preset (openrouter, deepseek, …) or base URL [default: $LLMIO_PROVIDER, or asked for]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,

    /// One of its models, by the provider's own name [default: $LLMIO_MODEL, or asked for]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

#[derive(Deserialize)]
struct Presets {
    presets: Vec<String>,
}

#[derive(Deserialize)]
struct Report {
    passed: bool,
    target: String,
    error: Option<String>,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, arguments: &Arguments) -> Result<()> {
    if arguments.file.exists() {
        let file = arguments.file.display();
        let english = format!("{file} exists and is not overwritten; name another file or move it away");
        let chinese = format!("{file} 已存在，不会覆盖；请换一个文件名，或先移走它");
        return Err(Exit::new(exit::CONFIG, language::of_process().pick(english, chinese)).into());
    }
    let catalog = with_scratch_client(settings, async |client| check_catalog(client, arguments).await)?;
    write(&arguments.file, &catalog.text)?;
    print(&next_steps(settings, &arguments.file, &catalog.model))
}

/// A catalog that has served a call, and the model of that call.
struct CheckedCatalog {
    text: String,
    model: String,
}

async fn check_catalog(client: &mut Client, arguments: &Arguments) -> Result<CheckedCatalog> {
    let language = language::of_process();
    let provider = match arguments.provider.clone().or_else(|| variable(PROVIDER)) {
        Some(provider) => provider,
        None => ask_provider(client).await?,
    };
    let credential = match variable(API_KEY) {
        Some(_) => Some(key_reference()),
        None => ask_key(&provider)?,
    };
    let drafted = draft(client, &provider, credential.as_deref(), None).await?;
    let model = match arguments.model.clone().or_else(|| variable(MODEL)) {
        Some(model) => model,
        None => ask_model(client, &drafted.provider).await?,
    };
    let drafted = draft(client, &provider, credential.as_deref(), Some(&model)).await?;
    remark(&language.pick(format!("Calling {model} …"), format!("正在调用 {model} …")));
    let call = json!({ "model": model }).to_string();
    let report: Report = client.read(Call::new(Method::POST, "/api/targets/test").with_body(JSON, call)).await?;
    if !report.passed {
        let error = plain(&report.error.unwrap_or_default());
        let english = format!("{} did not answer: {error}\nNothing was written.", report.target);
        let chinese = format!("{} 没有正常应答：{error}\n未写入任何文件。", report.target);
        anyhow::bail!(language.pick(english, chinese));
    }
    Ok(CheckedCatalog { text: drafted.catalog, model })
}

/// A catalog for the provider, in force in the gateway of the client.
async fn draft(
    client: &mut Client,
    provider: &str,
    credential: Option<&str>,
    model: Option<&str>,
) -> Result<CatalogDraft> {
    let call =
        Call::new(Method::POST, "/api/catalog/draft").with_body(JSON, draft_request(provider, credential, model));
    let drafted: CatalogDraft = client.read(call).await?;
    client.ask(Call::new(Method::PUT, "/api/catalog").with_body(TOML, drafted.catalog.clone())).await?;
    Ok(drafted)
}

async fn ask_provider(client: &mut Client) -> Result<String> {
    let Presets { presets } = client.read(Call::new(Method::GET, "/api/presets")).await?;
    let (names, language) = (presets.join(", "), language::of_process());
    remark(&language.pick(format!("Providers known by name: {names}"), format!("内置的服务商：{names}")));
    ask_for(language.pick("Provider (a name, or a base URL): ", "服务商（名称或 base URL）："), PROVIDER, None)
}

/// Asks for a credential, which is not shown while it is typed.
fn ask_key(provider: &str) -> Result<Option<String>> {
    let language = language::of_process();
    if !io::stdin().is_terminal() {
        // A server on this machine needs none.
        return Ok(None);
    }
    let english = format!("API key for {provider} (not shown; nothing if it needs none): ");
    let chinese = format!("{provider} 的 API key（输入不显示；不需要则直接回车）：");
    let key = rpassword::prompt_password(language.pick(english, chinese)).context("the key cannot be read")?;
    Ok(Some(key.trim().to_owned()).filter(|key| !key.is_empty()))
}

async fn ask_model(client: &mut Client, provider: &str) -> Result<String> {
    let language = language::of_process();
    let offer: Option<Offer> = match client.read(Call::new(Method::GET, Offer::path(provider))).await {
        Ok(offer) => Some(offer),
        Err(error) => {
            remark(&plain(&format!("{error:#}")));
            None
        }
    };
    let (models, suggested) = offer.map_or((Vec::new(), None), |offer| (offer.models, offer.suggested));
    match suggested {
        // Without a terminal nobody can choose, and any model shows whether it works.
        Some(model) if !io::stdin().is_terminal() => Ok(model),
        suggested => {
            if !models.is_empty() {
                let shown = models.iter().take(SHOWN_MAX).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
                let more = if models.len() > SHOWN_MAX { ", …" } else { "" };
                let count = models.len();
                let english = format!("It lists {count} models: {shown}{more}");
                remark(&language.pick(english, format!("共 {count} 个模型：{shown}{more}")));
            }
            let hint = suggested.as_ref().map_or_else(String::new, |name| format!(" [{}]", plain(name)));
            let (english, chinese) = (format!("Model to serve{hint}: "), format!("要提供的模型{hint}："));
            ask_for(&language.pick(english, chinese), MODEL, suggested)
        }
    }
}

/// The answer to a question on the terminal. `name` is the variable that holds the answer where there is no terminal.
fn ask_for(prompt: &str, name: &str, default: Option<String>) -> Result<String> {
    let language = language::of_process();
    let missing = || {
        let english = format!("{name} is missing: set it, or run `llmio init` on a terminal");
        let chinese = format!("缺少 {name}：请设置该变量，或在终端里运行 `llmio init`");
        Exit::new(exit::CONFIG, language.pick(english, chinese))
    };
    if !io::stdin().is_terminal() {
        return Err(missing().into());
    }
    let mut stderr = io::stderr().lock();
    stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush()).context("the terminal cannot be written to")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("the terminal cannot be read")?;
    let line = line.trim();
    if line.is_empty() { default.ok_or_else(|| missing().into()) } else { Ok(line.to_owned()) }
}

/// Writes a file that only its owner can read, since it may contain a key. Never overwrites one.
fn write(file: &Path, text: &str) -> Result<()> {
    let cannot = || format!("{} cannot be written", file.display());
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).with_context(cannot)?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).with_context(cannot)
}

fn next_steps(settings: &Settings, file: &Path, model: &str) -> String {
    let shown = file.display();
    let head = language::of_process().pick(
        format!("{model} answered. {shown} is written; start with it, then call it:"),
        format!("{model} 已正常应答，已写入 {shown}。启动并调用："),
    );
    let address = settings.listen_address(start::environment).map(greeting::reachable);
    let url = address.map_or_else(|_| "http://127.0.0.1:7070".to_owned(), |address| format!("http://{address}"));
    let curl = greeting::curl(&url, "$(llmio token)", model);
    format!("{head}\n  llmio --catalog {shown}\n  {curl}\n")
}
