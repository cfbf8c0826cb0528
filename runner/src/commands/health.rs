//! `llmio health`: whether a running server can serve, and serves everybody, for container health checks. It needs no token and no data
//! folder, and never starts a component: a check that takes the lock could keep the server from starting.

use super::client::Connection;
use super::output::{plain, print};
use crate::catalog_file;
use crate::data_folder;
use crate::exit::{self, Exit};
use crate::greeting::reachable;
use crate::language::{self, Language};
use crate::options::Settings;
use crate::start;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, Response, header};
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// Docker's and Kubernetes' own limits are at least a second; a server that takes longer is not ready.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// What `/readyz` answers. Both are demanded: something else that listens there is not a healthy llmio.
#[derive(Deserialize)]
struct Ready {
    status: String,
    degraded: Vec<String>,
    /// Whose calls are refused now.
    #[serde(default)]
    refusing: Vec<String>,
}

/// Prints how the server is; an error when it is not ready or not there.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let language = language::of_process();
    let address = address(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { tokio::time::timeout(ANSWER_TIMEOUT, ask(address)).await });
    let no_server = || {
        let chinese = format!("http://{address} 没有可用的服务器；请先运行 `llmio serve`，或用 --listen 指定地址");
        language.pick(
            format!("no server answers at http://{address}; start one with `llmio serve`, or say where with --listen"),
            chinese,
        )
    };
    let response = asked.context("it did not answer in time").and_then(|answer| answer).with_context(no_server)?;
    if !response.status().is_success() {
        bail!("{}", catalog_file::problems(response.body()).join("\n"));
    }
    let ready: Ready = serde_json::from_slice(response.body()).with_context(no_server)?;
    print(&report(&ready, language))?;
    if !ready.refusing.is_empty() {
        bail!(language.pick("some calls are refused", "部分请求被拒绝"));
    }
    Ok(())
}

/// Where the server is: as said, else as the server on this data folder says, else where it would listen.
fn address(settings: &Settings) -> Result<SocketAddr> {
    let said = settings.listen.filter(|address| address.port() != 0);
    let address = match said.or_else(|| data_folder::announced(&settings.data)) {
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
        let asked = |arguments: &[&str]| {
            let arguments: Vec<&str> = ["--data", path].into_iter().chain(arguments.iter().copied()).collect();
            address(&settings(&arguments)).expect("an address").to_string()
        };
        assert_eq!(asked(&["--listen", "0.0.0.0:81"]), "127.0.0.1:81");
        std::fs::write(folder.path().join("address"), "0.0.0.0:4321").expect("an announcement");
        assert_eq!(asked(&[]), "127.0.0.1:4321");
        assert_eq!(asked(&["--listen", "127.0.0.1:0"]), "127.0.0.1:4321", "port 0 says nothing");
        assert_eq!(asked(&["--listen", "127.0.0.1:82"]), "127.0.0.1:82");
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
