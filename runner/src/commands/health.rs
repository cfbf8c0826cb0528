//! `llmio health`: whether a running server can serve, and serves everybody, for container health checks; and where the
//! server runs on this data folder, who of its targets, credentials and addresses is kept out of use, why and until when.
//!
//! The exit code is the check's alone. That needs no token and no data folder, and never starts a component: a check that
//! takes the lock could keep the server from starting.

mod subjects;

use super::client::{Call, Connection, JSON, with_client, with_server};
use super::clock::Clock;
use super::output::{json, plain, print, remark};
use crate::catalog_file;
use crate::data_folder;
use crate::exit::{self, Exit};
use crate::greeting::reachable;
use crate::language::{self, Language};
use crate::options::Settings;
use crate::start;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Method;
use http::{Request, Response, header};
use serde::Deserialize;
use serde_json::{Value, json as value};
use std::net::SocketAddr;
use std::time::Duration;

/// How long the server may take. Docker and Kubernetes wait at least a second themselves.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// The answer of `/readyz`. Both members are required, since another program may listen there.
#[derive(Deserialize)]
struct Ready {
    status: String,
    degraded: Vec<String>,
    /// Whose calls are refused now.
    #[serde(default)]
    refusing: Vec<String>,
}

/// The options of `llmio health`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Show only whether the server serves, not what is kept out of use
    #[arg(long)]
    quick: bool,

    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Use again what is kept out of use: one subject or all of them
    Reset {
        /// The subject, as the column `subject` shows it [default: all]
        subject: Option<String>,
        /// Print JSON instead
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, arguments: Arguments) -> Result<()> {
    let is_json = arguments.json;
    match arguments.command {
        Some(Command::Reset { subject, json }) => reset(settings, subject.as_deref(), json || is_json),
        None => show(settings, &arguments),
    }
}

/// Prints the state of the server. An error if it is not ready or does not answer.
fn show(settings: &Settings, arguments: &Arguments) -> Result<()> {
    let (language, clock) = (language::of_process(), Clock::of(settings));
    let address = address(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(ANSWER_TIMEOUT, ask(address)).await });
    let no_server = || {
        let chinese = format!("http://{address} 没有可用的服务器；请先运行 `llmio serve`，或用 --listen 指定地址");
        language.pick(
            format!("no server answers at http://{address}; start one with `llmio serve`, or say where with --listen"),
            chinese,
        )
    };
    let response = answer.context("it did not answer in time").and_then(|answer| answer).with_context(no_server)?;
    if !response.status().is_success() {
        bail!("{}", catalog_file::problems(response.body()).join("\n"));
    }
    let ready: Ready = serde_json::from_slice(response.body()).with_context(no_server)?;
    let subjects = if arguments.quick { None } else { subjects(settings, address) };
    if arguments.json {
        let mut shown: Value = serde_json::from_slice(response.body()).with_context(no_server)?;
        shown["health"] = subjects.unwrap_or_default();
        json(shown.to_string().as_bytes())?;
    } else {
        print(&report(&ready, language))?;
        let listed = subjects.and_then(|subjects| subjects::report(subjects, &clock, language));
        listed.map_or(Ok(()), |listed| print(&format!("\n{listed}")))?;
    }
    if !ready.refusing.is_empty() {
        bail!(language.pick("some calls are refused", "部分请求被拒绝"));
    }
    Ok(())
}

/// Prints who is kept out of use, if the server at this address runs on this data folder and so has its token. Any
/// other server is not asked, since it would get the token. A server that does not answer in time is no error here.
fn subjects(settings: &Settings, address: SocketAddr) -> Option<Value> {
    let running = data_folder::running_server(&settings.data).filter(|running| reachable(*running) == address)?;
    let answer = with_server(settings, running, async |client| {
        let answer = client.read::<Value>(Call::new(Method::GET, "/api/health"));
        tokio::time::timeout(ANSWER_TIMEOUT, answer).await.context("it did not answer in time")?
    });
    answer
        .map_err(|error| {
            let what =
                language::of_process().pick("what is kept out of use is not known", "无法得知哪些目标被暂停使用");
            remark(&format!("{what}: {error:#}"));
        })
        .ok()
}

/// Resets the health of one subject, or of all.
fn reset(settings: &Settings, subject: Option<&str>, as_json: bool) -> Result<()> {
    let body = subject.map_or_else(|| value!({}), |subject| value!({ "subject": subject }));
    let call = Call::new(Method::POST, "/api/health/reset").with_body(JSON, serde_json::to_vec(&body)?);
    let response = with_client(settings, async |client| client.ask(call).await)?;
    if as_json {
        return json(response.body());
    }
    let Cleared { cleared } = super::client::parsed(&response)?;
    let language = language::of_process();
    if cleared.is_empty() {
        remark(language.pick("Nothing was kept out of use.", "没有被暂停使用的目标。"));
        return Ok(());
    }
    let lines = cleared.iter().map(|subject| format!("{}\n", plain(subject))).collect::<String>();
    remark(language.pick("Used again:", "恢复使用："));
    print(&lines)
}

#[derive(Deserialize)]
struct Cleared {
    cleared: Vec<String>,
}

/// The address of the server: the given one, else that of the server on this data folder, else the default.
fn address(settings: &Settings) -> Result<SocketAddr> {
    let given = settings.listen.filter(|address| address.port() != 0);
    let address = match given.or_else(|| data_folder::announced(&settings.data)) {
        Some(address) => address,
        None => settings.listen_address(start::environment).map_err(|text| Exit::new(exit::CONFIG, text))?,
    };
    Ok(reachable(address))
}

async fn ask(address: SocketAddr) -> Result<Response<Bytes>> {
    let request = Request::get("/readyz").header(header::HOST, address.to_string());
    Connection::open(address).await?.send(request.body(Bytes::new())?).await
}

fn report(ready: &Ready, language: Language) -> String {
    let mut text = match ready.status.as_str() {
        "ok" => language.pick("ok\n", "正常\n").to_owned(),
        "degraded" => language.pick("degraded:\n", "部分功能异常：\n").to_owned(),
        other => format!("{}\n", plain(other)),
    };
    for trouble in ready.degraded.iter().chain(&ready.refusing) {
        text.push_str(&format!("  {}\n", plain(trouble)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::parsed;

    fn settings(arguments: &[&str]) -> Settings {
        parsed(&[&["health"], arguments].concat()).expect("valid arguments").settings
    }

    #[test]
    fn an_address_that_is_given_wins_over_the_announced_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().to_str().expect("a path");
        let address_of = |arguments: &[&str]| {
            let arguments: Vec<&str> = ["--data", path].into_iter().chain(arguments.iter().copied()).collect();
            address(&settings(&arguments)).expect("an address").to_string()
        };
        assert_eq!(address_of(&["--listen", "0.0.0.0:81"]), "127.0.0.1:81");
        std::fs::write(folder.path().join("address"), "0.0.0.0:4321").expect("an announcement");
        assert_eq!(address_of(&[]), "127.0.0.1:4321");
        assert_eq!(address_of(&["--listen", "127.0.0.1:0"]), "127.0.0.1:4321", "port 0 says nothing");
        assert_eq!(address_of(&["--listen", "127.0.0.1:82"]), "127.0.0.1:82");
    }

    #[test]
    fn what_is_degraded_is_told_line_by_line() {
        let ready = |status: &str, degraded| {
            let refusing = Vec::new();
            Ready { status: status.to_owned(), degraded, refusing }
        };
        let ready_but = vec!["records: disk full".into(), "providers[0]: \u{1b}[2J".into()];
        let text = report(&ready("degraded", ready_but), Language::English);
        assert_eq!(text, "degraded:\n  records: disk full\n  providers[0]: \u{fffd}[2J\n");
        assert_eq!(report(&ready("ok", Vec::new()), Language::English), "ok\n");
    }
}
