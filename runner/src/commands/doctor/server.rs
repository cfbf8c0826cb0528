//! The server: whether it runs and is well, or could listen; its token; how many connections it can have.

use super::{Check, Finding};
use crate::catalog_file;
use crate::commands::client::Connection;
use crate::data_folder;
use crate::greeting::reachable;
use crate::options::Settings;
use crate::start;
use crate::token;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, header};
use rustix::process::{Resource, getrlimit};
use serde_json::Value;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// With fewer descriptors the doctor warns. Half of them are for clients.
const DESCRIPTORS_MIN: u64 = 1024;

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let running = data_folder::running_server(&settings.data);
    let address = settings.listen_address(start::environment);
    match (running, &address) {
        (Some(address), _) => findings.extend(running_server(address)),
        (None, Ok(address)) => findings.push(port(*address)),
        (None, Err(message)) => {
            findings.push(Finding::wrong(Check::Port, message.clone(), "set it to a port, or take it away"))
        }
    }
    findings.extend(token_of(settings, running.or(address.ok())));
    findings.extend(descriptors());
    findings
}

fn running_server(address: SocketAddr) -> Vec<Finding> {
    let readiness = || -> Result<(bool, Bytes)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let readiness = runtime.block_on(async { tokio::time::timeout(ANSWER_TIMEOUT, ready(address)).await });
        readiness.context("it did not answer in time")?
    };
    let shown = format!("http://{}", reachable(address));
    match readiness() {
        Err(error) => {
            let todo = "see its log; end it and start it again";
            vec![Finding::wrong(Check::Server, format!("{shown} does not answer: {error:#}"), todo)]
        }
        Ok((false, body)) => {
            let message = format!("{shown} serves nobody: {}", catalog_file::problems(&body).join("; "));
            vec![Finding::wrong(Check::Server, message, "see its log")]
        }
        Ok((true, body)) => {
            let readiness: Value = serde_json::from_slice(&body).unwrap_or_default();
            let texts = |name: &str| -> Vec<String> {
                let texts = readiness.get(name).and_then(Value::as_array).into_iter().flatten();
                texts.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let troubles: Vec<String> = texts("degraded").into_iter().chain(texts("refusing")).collect();
            if troubles.is_empty() {
                return vec![Finding::ok(Check::Server, format!("{shown} serves all calls"))];
            }
            let wrong =
                |message: String| Finding::wrong(Check::Server, message, "`llmio health` tells when it is over");
            troubles.into_iter().map(wrong).collect()
        }
    }
}

async fn ready(address: SocketAddr) -> Result<(bool, Bytes)> {
    let request = Request::get("/readyz").header(header::HOST, address.to_string());
    let answer = Connection::open(address).await?.send(request.body(Bytes::new())?).await?;
    Ok((answer.status().is_success(), answer.into_body()))
}

fn port(address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(Check::Port, format!("no server runs, and {address} is free")),
        Err(error) => {
            let todo = match error.kind() {
                ErrorKind::AddrInUse => "another process listens there: end it, or give --listen another port",
                ErrorKind::PermissionDenied => "ports below 1024 are for root: give --listen a higher one",
                _ => "give --listen an address of this machine, or 0.0.0.0 for all",
            };
            Finding::wrong(Check::Port, format!("{address} cannot be listened on: {error}"), todo)
        }
    }
}

fn token_of(settings: &Settings, address: Option<SocketAddr>) -> Option<Finding> {
    let configured = start::configured_token(settings).filter(|configured| !configured.token.is_empty());
    let (token, name) = match configured {
        Some(configured) => (configured.token, configured.name.to_owned()),
        None => match data_folder::kept_token(&settings.data) {
            Ok(kept) => (kept?, "the token in the data folder".to_owned()),
            Err(exit) => return Some(Finding::wrong(Check::Token, exit.message, "run this as the server's user")),
        },
    };
    let is_open = address.is_some_and(|address| token::is_beyond_loopback(address.ip()));
    match token::unsendable(&token).or_else(|| token::weakness(&token).filter(|_| is_open)) {
        Some(why) => {
            let todo = "set one of 16 or more random characters, or take it away and one is made";
            Some(Finding::wrong(Check::Token, format!("{name} {why}"), todo))
        }
        None => Some(Finding::ok(Check::Token, format!("{name} is good"))),
    }
}

fn descriptors() -> Option<Finding> {
    let most = getrlimit(Resource::Nofile).current?;
    let message = format!("{most} files and connections at once");
    Some(match most {
        ..DESCRIPTORS_MIN => {
            Finding::wrong(Check::Descriptors, message, "raise `ulimit -n`, or LimitNOFILE of the service")
        }
        _ => Finding::ok(Check::Descriptors, message),
    })
}
