//! `llmio keys`: make, list and revoke what clients call with. A key is shown once, when it is made; the gateway keeps
//! its hash only.

mod catalog_lines;

use super::client::{Call, Client, JSON, encoded, with_client};
use super::moment::Moment;
use super::output::{plain, print, remark};
use super::table::{Align, layout};
use crate::exit::{Exit, USAGE};
use crate::language::{self, Language};
use crate::options::Settings;
use anyhow::Result;
use catalog_lines::Entry;
use http::{Method, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// What can be done with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key and print it; it is shown only once
    Create(Create),
    /// List all keys
    List,
    /// Revoke a key: calls with it are refused from now on
    Revoke {
        /// Name of the key
        name: String,
    },
}

/// A key to be made.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The key")]
pub(crate) struct Create {
    /// Name of the key, such as the project or person it is for
    name: String,

    /// Models it may use, with trailing * as a pattern [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,

    /// When it expires: 30d, 12h, 2027-01-01T00:00:00Z [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<Moment>,

    /// Store nothing; print the lines for a catalog file to stdout and the key to stderr
    #[arg(long)]
    print_toml: bool,
}

#[derive(Deserialize)]
struct CreatedKey {
    key: String,
}

#[derive(Deserialize)]
struct KeyList {
    keys: Vec<Key>,
}

/// A key as it is listed; what this version does not know of it is left out.
#[derive(Debug, Deserialize)]
struct Key {
    name: String,
    models: Option<Vec<String>>,
    expires: Option<String>,
    enabled: Option<bool>,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, command: Command) -> Result<()> {
    match command {
        Command::Create(wanted) => {
            let expires = wanted.expires.map(|moment| expiry(moment, Timestamp::now())).transpose()?;
            let entry = Entry::new(wanted.name, wanted.models, expires);
            match wanted.print_toml {
                true => print_lines(entry),
                false => with_client(settings, async |client| create(client, &entry).await),
            }
        }
        Command::List => with_client(settings, list),
        Command::Revoke { name } => with_client(settings, async |client| revoke(client, &name).await),
    }
}

async fn create(client: &mut Client, entry: &Entry) -> Result<()> {
    let call = Call::new(Method::POST, "/api/keys").with_body(JSON, serde_json::to_vec(entry)?);
    let made: CreatedKey = client.read(call).await?;
    print(&format!("{}\n", made.key))?;
    let name = plain(entry.name());
    let english =
        format!("This is the only time the key \"{name}\" is shown. Clients send it as `Authorization: Bearer KEY`.");
    let chinese = format!("密钥“{name}”只显示这一次，请妥善保存。客户端以 `Authorization: Bearer 密钥` 发送。");
    remark(&language::of_process().pick(english, chinese));
    Ok(())
}

async fn list(client: &mut Client) -> Result<()> {
    let listed: KeyList = client.read(Call::new(Method::GET, "/api/keys")).await?;
    let language = language::of_process();
    if listed.keys.is_empty() {
        remark(language.pick(
            "There are no keys; `llmio keys create NAME` makes one.",
            "还没有密钥；运行 `llmio keys create 名称` 创建。",
        ));
        return Ok(());
    }
    print(&table(&listed.keys, Timestamp::now(), language))
}

async fn revoke(client: &mut Client, name: &str) -> Result<()> {
    let response = client.send(Call::new(Method::DELETE, format!("/api/keys/{}", encoded(name)))).await?;
    let name = plain(name);
    match response.status() {
        StatusCode::NOT_FOUND => {
            let english = format!("there is no key named \"{name}\"; `llmio keys list` shows them");
            let chinese = format!("没有名为“{name}”的密钥；`llmio keys list` 可列出全部密钥");
            anyhow::bail!(language::of_process().pick(english, chinese));
        }
        status if status.is_success() => {}
        _ => return Err(client.refused(&response)),
    }
    let text = language::of_process().pick(format!("Key \"{name}\" is revoked.\n"), format!("密钥“{name}”已吊销。\n"));
    print(&text)
}

/// The lines go to stdout alone, so that `>> llmio.toml` adds them to a catalog file and the key not.
fn print_lines(entry: Entry) -> Result<()> {
    let key = catalog_lines::new_key();
    let lines = entry.with_hash_of(&key).to_toml()?;
    let hint = language::of_process().pick(
        "The key, shown this once; the lines hold only its hash:",
        "密钥如下，只显示这一次；配置行中只有它的哈希：",
    );
    remark(&format!("{hint}\n{key}"));
    print(&lines)
}

fn expiry(moment: Moment, now: Timestamp) -> Result<Timestamp, Exit> {
    let expires =
        moment.after(now, &TimeZone::system()).map_err(|text| Exit::new(USAGE, format!("--expires: {text}")))?;
    if expires <= now {
        return Err(Exit::new(USAGE, format!("--expires: {expires:.0} is in the past; the key could never be used")));
    }
    Ok(expires)
}

fn table(keys: &[Key], now: Timestamp, language: Language) -> String {
    let head = language.pick(["name", "models", "expires", "enabled"], ["名称", "模型", "过期时间", "启用"]);
    let rows: Vec<[String; 4]> = keys
        .iter()
        .map(|key| {
            let models = key.models.as_ref().map_or_else(|| "*".to_owned(), |models| models.join(","));
            let expires = key.expires.clone().unwrap_or_else(|| language.pick("never", "永不").to_owned());
            [key.name.clone(), models, expires, standing(key, now, language).to_owned()]
        })
        .collect();
    layout(head.map(|name| (name, Align::Left)), &rows)
}

fn standing(key: &Key, now: Timestamp, language: Language) -> &'static str {
    let expires = key.expires.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    match key.enabled.unwrap_or(true) {
        false => language.pick("no", "否"),
        true if expires.is_some_and(|expires| expires <= now) => language.pick("expired", "已过期"),
        true => language.pick("yes", "是"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn keys_are_listed_with_what_they_may_and_whether_they_still_work() {
        let keys = serde_json::json!([
            { "name": "laptop", "models": ["qwen3-*", "demo"], "expires": "2027-01-01T00:00:00Z" },
            { "name": "old", "expires": "2026-01-01T00:00:00Z" },
            { "name": "off", "models": [], "enabled": false, "limits": { "rpm": 1 } }
        ]);
        let keys: Vec<Key> = serde_json::from_value(keys).expect("keys");
        let expected = "name    models        expires               enabled\n\
                        laptop  qwen3-*,demo  2027-01-01T00:00:00Z  yes\n\
                        old     *             2026-01-01T00:00:00Z  expired\n\
                        off                   never                 no\n";
        assert_eq!(table(&keys, now(), Language::English), expected);
        assert!(table(&keys, now(), Language::Chinese).starts_with("名称    模型"));
    }

    #[test]
    fn a_key_that_could_never_be_used_is_refused_as_a_usage_error() {
        let moment = "2026-11-23T11:59:59Z".parse().expect("a moment");
        let exit = expiry(moment, now()).expect_err("a time in the past");
        assert_eq!(exit.code, 2);
        assert!(exit.message.contains("--expires"), "{}", exit.message);
        let moment = "30d".parse().expect("a moment");
        assert_eq!(expiry(moment, now()).expect("a time").to_string(), "2026-12-23T12:00:00Z");
    }
}
