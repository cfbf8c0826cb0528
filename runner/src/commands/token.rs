//! `llmio token`: the admin token and nothing else on stdout, so that a script can take it. No component is started:
//! the token is the host's.

use super::client::Connection;
use super::output::print;
use crate::data_folder::{self, DataFolder};
use crate::exit::{self, Exit};
use crate::language;
use crate::options::Settings;
use crate::start;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use std::net::SocketAddr;
use std::time::Duration;

/// A server that takes longer to refuse a token has other troubles, and the token is likely its own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Prints the token; on a fresh data folder it is made, as `serve` would.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    start::prepare_process();
    let configured = start::configured_token(settings).map(|configured| configured.token);
    let token = match configured.filter(|token| !token.is_empty()) {
        Some(token) => token,
        None => kept(settings)?,
    };
    print(&format!("{token}\n"))
}

/// A token that is there can be read while a server runs; only making one needs the folder for ourselves.
fn kept(settings: &Settings) -> Result<String> {
    let server = data_folder::running_server(&settings.data);
    match (data_folder::kept_token(&settings.data)?, server) {
        (Some(token), Some(address)) if is_refused(address, &token) => Err(given_elsewhere().into()),
        (Some(token), _) => Ok(token),
        (None, Some(_)) => Err(given_elsewhere().into()),
        (None, None) => DataFolder::open(&settings.data)?.token(),
    }
}

/// Whether the server says that this is not its token. A server that cannot be asked is assumed to have it, since it
/// gets the stored token at its next start.
fn is_refused(address: SocketAddr, token: &str) -> bool {
    let answered = || -> Result<StatusCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answered = async { tokio::time::timeout(ANSWER_TIMEOUT, ask(address, token)).await };
        runtime.block_on(answered).context("the component did not answer in time")?
    };
    let refusals = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
    answered().is_ok_and(|status| refusals.contains(&status))
}

async fn ask(address: SocketAddr, token: &str) -> Result<StatusCode> {
    let request = Request::get("/api/keys").header(header::HOST, address.to_string());
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}")).body(Bytes::new())?;
    Ok(Connection::open(address).await?.send(request).await?.status())
}

fn given_elsewhere() -> Exit {
    let english = "the running server was given its token by --token, LLMIO_TOKEN or TOKEN; it is kept nowhere else";
    let chinese = "正在运行的服务器的令牌来自 --token、LLMIO_TOKEN 或 TOKEN，没有保存在别处";
    Exit::new(exit::CONFIG, language::of_process().pick(english, chinese))
}
