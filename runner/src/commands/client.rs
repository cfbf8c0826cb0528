//! How a command reaches the component's `/api`: through the server that runs on the data folder, else through a
//! component started in this process without a listener. Commands do not know which, and never open the stores
//! themselves.

mod connection;

pub(super) use connection::Connection;

use super::output::remark;
use super::serve::first_catalog;
use crate::admin;
use crate::catalog_file;
use crate::data_folder;
use crate::exit::{self, Exit};
use crate::gateway::Handle;
use crate::language;
use crate::options::Settings;
use crate::start::{self, StartedGateway};
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a request may take. A large catalog in a slow container is checked within this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a locked folder without an answering server is waited for: a server may be starting, or another command
/// running.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) const JSON: &str = "application/json";
pub(super) const TOML: &str = "application/toml";

/// A way to the component's `/api`.
pub(super) struct Client {
    token: String,
    way: Transport,
}

enum Transport {
    Server { connection: Connection, host: String },
    Here { started: Box<StartedGateway>, handle: Handle },
}

/// A request of a command.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    /// The media type to accept, if the component has several.
    pub(super) accept: &'static str,
}

impl Call {
    /// A request without a body.
    pub(super) fn new(method: Method, path: impl Into<String>) -> Call {
        Call { method, path: path.into(), content_type: JSON, body: Bytes::new(), accept: JSON }
    }

    /// The same with a body.
    pub(super) fn with_body(self, content_type: &'static str, body: impl Into<Bytes>) -> Call {
        Call { content_type, body: body.into(), ..self }
    }
}

/// Runs a command's work with a client, then ends whatever was started for it.
pub(super) fn with_client<T>(settings: &Settings, work: impl AsyncFnOnce(&mut Client) -> Result<T>) -> Result<T> {
    work_on(settings, true, work)
}

/// Runs the work with the server at this address, which uses the data folder. No component is started.
pub(super) fn with_server<T>(
    settings: &Settings,
    address: SocketAddr,
    work: impl AsyncFnOnce(&mut Client) -> Result<T>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { work(&mut Client::of_server(settings, address).await?).await })
}

/// The same for work that keeps nothing: a missing data folder is not created, so that a repository of catalogs stays
/// clean.
pub(super) fn with_passing_client<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&mut Client) -> Result<T>,
) -> Result<T> {
    if settings.data.exists() {
        return with_client(settings, work);
    }
    let folder = tempfile::tempdir()?;
    work_on(&Settings { data: folder.path().to_owned(), ..settings.clone() }, false, work)
}

/// The same with an empty gateway that exists only for this work.
pub(super) fn with_scratch_client<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&mut Client) -> Result<T>,
) -> Result<T> {
    let folder = tempfile::tempdir()?;
    work_on(&Settings { data: folder.path().to_owned(), catalog: None, ..settings.clone() }, false, work)
}

fn work_on<T>(settings: &Settings, keeps: bool, work: impl AsyncFnOnce(&mut Client) -> Result<T>) -> Result<T> {
    start::prepare_process();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = Client::open(settings, keeps).await?;
        let done = work(&mut client).await;
        let closed = client.close();
        let done = done?;
        closed.map(|()| done)
    })
}

/// One part of a path or a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Client {
    async fn open(settings: &Settings, keeps: bool) -> Result<Client> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let opened = match data_folder::running_server(&settings.data) {
                Some(address) => Client::of_server(settings, address).await,
                None => Client::of_component(settings, keeps).await,
            };
            match opened {
                Err(error) if is_temporary(&error) && Instant::now() < deadline => sleep(LOOK_EVERY).await,
                other => return other,
            }
        }
    }

    async fn of_server(settings: &Settings, address: SocketAddr) -> Result<Client> {
        let connection = Connection::open(address).await.map_err(|error| unreachable(settings, address, &error))?;
        let configured = start::configured_token(settings).map(|configured| configured.token);
        let token = match configured.filter(|token| !token.is_empty()) {
            Some(token) => token,
            None => data_folder::kept_token(&settings.data)?.ok_or_else(|| no_token(settings))?,
        };
        Ok(Client { token, way: Transport::Server { connection, host: address.to_string() } })
    }

    async fn of_component(settings: &Settings, keeps: bool) -> Result<Client> {
        let alone = Settings { threads: Some(1), ..settings.clone() };
        let started = Box::new(start::start(&alone, None)?);
        if keeps && started.folder.is_new() {
            let folder = started.folder.path().display();
            let (english, chinese) = (format!("made a new data folder, {folder}"), format!("已新建数据目录 {folder}"));
            remark(&language::of_process().pick(english, chinese));
        }
        let handle = started.gateway.handle()?;
        if let Some(path) = &settings.catalog {
            first_catalog(&handle, path).await?;
        }
        // As at every start: the calls that an earlier process left unfinished are recorded as interrupted.
        let maintain = admin::maintain(handle.stores())?;
        let maintained =
            timeout(ANSWER_TIMEOUT, handle.send(maintain)).await.context("the component did not answer in time")??;
        anyhow::ensure!(maintained.status().is_success(), "{}", message(&maintained));
        Ok(Client { token: handle.stores().token.clone(), way: Transport::Here { started, handle } })
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    pub(super) async fn send(&mut self, call: Call) -> Result<Response<Bytes>> {
        let request = self.request(call)?;
        let answer = async {
            match &mut self.way {
                Transport::Server { connection, .. } => connection.send(request).await,
                Transport::Here { handle, .. } => handle.send(request).await,
            }
        };
        timeout(ANSWER_TIMEOUT, answer).await.context("llmio did not answer in time; try again")?
    }

    /// Sends a request. An unsuccessful answer is an error with the component's message.
    pub(super) async fn ask(&mut self, call: Call) -> Result<Response<Bytes>> {
        let response = self.send(call).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(&response)) }
    }

    /// Sends a request and parses the JSON of the answer.
    pub(super) async fn read<T: serde::de::DeserializeOwned>(&mut self, call: Call) -> Result<T> {
        let response = self.ask(call).await?;
        parsed(&response)
    }

    /// The error of an unsuccessful answer.
    pub(super) fn refused(&self, response: &Response<Bytes>) -> anyhow::Error {
        let message = message(response);
        match (response.status(), &self.way) {
            (StatusCode::UNAUTHORIZED, Transport::Server { .. }) => anyhow::anyhow!(
                "{message}\nThe running server has another admin token: set LLMIO_TOKEN to the one it was started with"
            ),
            _ => anyhow::anyhow!("{message}"),
        }
    }

    fn request(&self, call: Call) -> Result<Request<Bytes>> {
        let host = match &self.way {
            Transport::Server { host, .. } => host,
            Transport::Here { .. } => "localhost",
        };
        let unsendable =
            |_| Exit::new(exit::CONFIG, "the admin token has a character that no HTTP header can carry; take it out");
        let mut token = HeaderValue::try_from(format!("Bearer {}", self.token)).map_err(unsendable)?;
        token.set_sensitive(true);
        let request = Request::builder().method(call.method).uri(call.path).header(header::HOST, host);
        let request = request.header(header::AUTHORIZATION, token).header(header::ACCEPT, call.accept);
        let request = request.header(header::CONTENT_TYPE, call.content_type);
        let request = request.header(header::CONTENT_LENGTH, call.body.len());
        Ok(request.body(call.body)?)
    }

    fn close(self) -> Result<()> {
        match self.way {
            Transport::Server { .. } => Ok(()),
            Transport::Here { started, handle } => {
                drop(handle);
                let StartedGateway { gateway, folder, .. } = *started;
                let closed = gateway.close();
                // Unlocked only now that everything is written.
                drop(folder);
                closed
            }
        }
    }
}

/// The JSON of an answer.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(response: &Response<Bytes>) -> Result<T> {
    serde_json::from_slice(response.body())
        .context("the server's answer could not be read; is the server another version?")
}

/// The message of an answer, line by line, or its status if it has none.
fn message(response: &Response<Bytes>) -> String {
    let lines = catalog_file::problems(response.body()).join("\n");
    if lines.trim().is_empty() { format!("llmio answered {}", response.status()) } else { lines }
}

fn is_temporary(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Exit>().is_some_and(|exit| exit.code == exit::TEMPORARY)
}

fn unreachable(settings: &Settings, address: SocketAddr, error: &anyhow::Error) -> Exit {
    let folder = settings.data.display();
    let english = format!(
        "the llmio that uses {folder} does not answer at http://{address}: {error:#}; try again, or end that process"
    );
    let chinese = format!("正在使用 {folder} 的 llmio 在 http://{address} 没有应答：{error:#}；请重试，或结束该进程");
    Exit::new(exit::TEMPORARY, language::of_process().pick(english, chinese))
}

fn no_token(settings: &Settings) -> Exit {
    let folder = settings.data.display();
    let english = format!("{folder} holds no token: the server was started with its own; set LLMIO_TOKEN to the same");
    let chinese = format!("{folder} 中没有令牌：服务器使用的是启动时设置的令牌；请将 LLMIO_TOKEN 设为同一个值");
    Exit::new(exit::CONFIG, language::of_process().pick(english, chinese))
}
