//! `llmio keys`: make, change, rotate, list and revoke what clients call with. A key is shown once, when it is made or
//! rotated; the gateway keeps its hash only.

mod catalog_lines;
mod key_settings;

use super::client::{Call, Client, JSON, encoded, parsed, with_client};
use super::clock::Clock;
use super::output::{json, plain, print, remark};
use super::table::{Align, layout};
use crate::exit::{Exit, USAGE};
use crate::language::{self, Language};
use crate::options::Settings;
use anyhow::Result;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use key_settings::{Changes, KeySettings};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What can be done with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key and print it; it is shown only once
    Create(Box<Create>),
    /// Change what a key may do; what is not given stays as it is
    Set(Box<Set>),
    /// Give a key a new secret and print it; the old one is good for a day
    Rotate {
        /// Name of the key
        name: String,
        /// How long the old secret is good beside the new one: 1h, 7d, or 0s to refuse it at once
        #[arg(long, value_name = "TIME", default_value = "24h")]
        keep: String,
        /// Print JSON instead
        #[arg(long)]
        json: bool,
    },
    /// List all keys
    List {
        /// Print JSON instead
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key: calls with it are refused from now on
    Revoke {
        /// Name of the key
        name: String,
    },
}

/// A key to be made.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Name of the key, such as the project or person it is for
    name: String,

    #[command(flatten)]
    key_settings: KeySettings,

    /// Store nothing; print the lines for a catalog file to stdout and the key to stderr
    #[arg(long)]
    print_toml: bool,

    /// Print JSON instead
    #[arg(long, conflicts_with = "print_toml")]
    json: bool,
}

/// A key to be changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// Name of the key
    name: String,

    #[command(flatten)]
    changes: Changes,

    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct CreatedKey {
    key: String,
    previous: Option<Previous>,
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
    #[serde(default)]
    limits: Map<String, Value>,
    previous: Option<Previous>,
}

/// The secret that a key had before it was rotated.
#[derive(Debug, Deserialize)]
struct Previous {
    until: String,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, command: Command) -> Result<()> {
    let clock = Clock::of(settings);
    match command {
        Command::Create(arguments) => {
            let Create { name, key_settings, print_toml, json } = *arguments;
            let members = key_settings.members(&clock)?;
            match print_toml {
                true => print_lines(&name, members),
                false => with_client(settings, async |client| create(client, name, members, json).await),
            }
        }
        Command::Set(arguments) => {
            let Set { name, changes, json } = *arguments;
            let patch = changes.patch(&clock)?;
            if patch.is_empty() {
                let text = language::of_process().pick(
                    "nothing to change was given; `llmio keys set --help` lists what can be",
                    "没有给出要修改的内容；`llmio keys set --help` 可列出可修改的项目",
                );
                return Err(Exit::new(USAGE, text).into());
            }
            with_client(settings, async |client| set(client, &name, &patch, (&clock, json)).await)
        }
        Command::Rotate { name, keep, json } => {
            with_client(settings, async |client| rotate(client, &name, &keep, (&clock, json)).await)
        }
        Command::List { json } => with_client(settings, async |client| list(client, &clock, json).await),
        Command::Revoke { name } => with_client(settings, async |client| revoke(client, &name).await),
    }
}

async fn create(client: &mut Client, name: String, members: Map<String, Value>, as_json: bool) -> Result<()> {
    let mut body = Map::from_iter([("name".to_owned(), Value::String(name.clone()))]);
    body.extend(members);
    let call = Call::new(Method::POST, "/api/keys").with_body(JSON, serde_json::to_vec(&body)?);
    let response = client.ask(call).await?;
    let made: CreatedKey = parsed(&response)?;
    print_secret(&response, &made, as_json)?;
    let name = plain(&name);
    let english =
        format!("This is the only time the key \"{name}\" is shown. Clients send it as `Authorization: Bearer KEY`.");
    let chinese = format!("密钥“{name}”只显示这一次，请妥善保存。客户端以 `Authorization: Bearer 密钥` 发送。");
    remark(&language::of_process().pick(english, chinese));
    Ok(())
}

async fn rotate(client: &mut Client, name: &str, keep: &str, (clock, as_json): (&Clock, bool)) -> Result<()> {
    let body = serde_json::to_vec(&serde_json::json!({ "keep": keep }))?;
    let call = Call::new(Method::POST, format!("/api/keys/{}/rotate", encoded(name))).with_body(JSON, body);
    let response = of_key(client, name, call).await?;
    let made: CreatedKey = parsed(&response)?;
    print_secret(&response, &made, as_json)?;
    let name = plain(name);
    let (english, chinese) = match &made.previous {
        Some(previous) => {
            let until = plain(&clock.show_text(&previous.until));
            (
                format!(
                    "This is the only time the new secret of \"{name}\" is shown. The old one is good until {until}."
                ),
                format!("“{name}”的新密钥只显示这一次。旧密钥在 {until} 之前仍可使用。"),
            )
        }
        None => (
            format!("This is the only time the new secret of \"{name}\" is shown. The old one is refused from now on."),
            format!("“{name}”的新密钥只显示这一次。旧密钥即刻失效。"),
        ),
    };
    remark(&language::of_process().pick(english, chinese));
    Ok(())
}

/// The secret goes to stdout alone and once, so that a script can take it.
fn print_secret(response: &Response<Bytes>, made: &CreatedKey, as_json: bool) -> Result<()> {
    if as_json { json(response.body()) } else { print(&format!("{}\n", made.key)) }
}

async fn set(
    client: &mut Client,
    name: &str,
    patch: &Map<String, Value>,
    (clock, as_json): (&Clock, bool),
) -> Result<()> {
    let call = Call::new(Method::PATCH, format!("/api/keys/{}", encoded(name)));
    let response = of_key(client, name, call.with_body(JSON, serde_json::to_vec(patch)?)).await?;
    if as_json {
        return json(response.body());
    }
    let key: Key = parsed(&response)?;
    print(&table(&[key], clock, language::of_process()))
}

async fn list(client: &mut Client, clock: &Clock, as_json: bool) -> Result<()> {
    let response = client.ask(Call::new(Method::GET, "/api/keys")).await?;
    if as_json {
        return json(response.body());
    }
    let listed: KeyList = parsed(&response)?;
    let language = language::of_process();
    if listed.keys.is_empty() {
        remark(language.pick(
            "There are no keys; `llmio keys create NAME` makes one.",
            "还没有密钥；运行 `llmio keys create 名称` 创建。",
        ));
        return Ok(());
    }
    print(&table(&listed.keys, clock, language))
}

async fn revoke(client: &mut Client, name: &str) -> Result<()> {
    of_key(client, name, Call::new(Method::DELETE, format!("/api/keys/{}", encoded(name)))).await?;
    let name = plain(name);
    let text = language::of_process().pick(format!("Key \"{name}\" is revoked.\n"), format!("密钥“{name}”已吊销。\n"));
    print(&text)
}

/// Sends a request about a key that may not exist.
async fn of_key(client: &mut Client, name: &str, call: Call) -> Result<Response<Bytes>> {
    let response = client.send(call).await?;
    match response.status() {
        StatusCode::NOT_FOUND => {
            let name = plain(name);
            let english = format!("there is no key named \"{name}\"; `llmio keys list` shows them");
            let chinese = format!("没有名为“{name}”的密钥；`llmio keys list` 可列出全部密钥");
            anyhow::bail!(language::of_process().pick(english, chinese));
        }
        status if status.is_success() => Ok(response),
        _ => Err(client.refused(&response)),
    }
}

/// The lines go to stdout alone, so that `>> llmio.toml` adds them, and not the key, to a catalog file.
fn print_lines(name: &str, members: Map<String, Value>) -> Result<()> {
    let key = catalog_lines::new_key();
    let lines = catalog_lines::lines(name, &key, members)?;
    let hint = language::of_process().pick(
        "The key, shown this once; the lines hold only its hash:",
        "密钥如下，只显示这一次；配置行中只有它的哈希：",
    );
    remark(&format!("{hint}\n{key}"));
    print(&lines)
}

fn table(keys: &[Key], clock: &Clock, language: Language) -> String {
    let head = language.pick(
        ["name", "models", "expires", "limits", "old secret until", "enabled"],
        ["名称", "模型", "过期时间", "限额", "旧密钥有效至", "启用"],
    );
    let rows: Vec<[String; 6]> = keys
        .iter()
        .map(|key| {
            let models = key.models.as_ref().map_or_else(|| "*".to_owned(), |models| models.join(","));
            let never = || language.pick("never", "永不").to_owned();
            let expires = key.expires.as_deref().map_or_else(never, |expires| clock.show_text(expires));
            let old = key.previous.as_ref().filter(|previous| !is_over(&previous.until, clock));
            let old = old.map(|previous| clock.show_text(&previous.until)).unwrap_or_default();
            let standing = standing(key, clock, language).to_owned();
            [key.name.clone(), models, expires, limits(&key.limits), old, standing]
        })
        .collect();
    layout(head.map(|name| (name, Align::Left)), &rows)
}

/// `rpm 20, budget 5 USD/day`.
fn limits(limits: &Map<String, Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let limit = |(name, most): (&String, &Value)| match most {
        Value::Array(several) => {
            several.iter().map(|most| format!("{name} {}", text(most))).collect::<Vec<_>>().join(", ")
        }
        one => format!("{name} {}", text(one)),
    };
    limits.iter().map(limit).collect::<Vec<_>>().join(", ")
}

fn is_over(time: &str, clock: &Clock) -> bool {
    time.parse::<jiff::Timestamp>().is_ok_and(|time| time <= clock.now)
}

fn standing(key: &Key, clock: &Clock, language: Language) -> &'static str {
    match key.enabled.unwrap_or(true) {
        false => language.pick("no", "否"),
        true if key.expires.as_deref().is_some_and(|expires| is_over(expires, clock)) => {
            language.pick("expired", "已过期")
        }
        true => language.pick("yes", "是"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn keys_are_listed_with_what_they_may_and_whether_they_still_work() {
        let keys = serde_json::json!([
            { "name": "laptop", "models": ["qwen3-*", "demo"], "expires": "2027-01-01T00:00:00Z",
              "previous": { "until": "2026-11-24T12:00:00Z" } },
            { "name": "old", "expires": "2026-01-01T00:00:00Z", "previous": { "until": "2026-11-23T12:00:00Z" } },
            { "name": "off", "models": [], "enabled": false, "limits": { "rpm": 1, "budget": ["1 USD/day", "9 USD/week"] } }
        ]);
        let keys: Vec<Key> = serde_json::from_value(keys).expect("keys");
        let local = Clock::at("2026-11-23T12:00:00Z", TimeZone::fixed(jiff::tz::offset(8)), false);
        let expected = "name    models        expires              limits                                      old secret until     enabled\n\
                        laptop  qwen3-*,demo  2027-01-01 08:00:00                                              2026-11-24 20:00:00  yes\n\
                        old     *             2026-01-01 08:00:00                                                                   expired\n\
                        off                   never                rpm 1, budget 1 USD/day, budget 9 USD/week                       no\n";
        assert_eq!(table(&keys, &local, Language::English), expected);
        assert!(table(&keys, &local, Language::Chinese).starts_with("名称    模型"));
    }
}
