//! The server under load: this binary as a child process on a folder of its own.

use crate::commands::client::Connection;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, header};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The admin token, which callers present too.
pub(super) const TOKEN: &str = "soak-5d0c2be81d7a63f1";

const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(30);
const PAGE: u64 = 500;

/// A running server; killed when it is dropped.
pub(super) struct Server {
    folder: TempDir,
    child: Child,
    address: SocketAddr,
    since: Instant,
}

/// What the process uses at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    /// Since the start.
    pub(super) at: Duration,
    /// Resident memory.
    pub(super) memory_kib: u64,
    /// Open descriptors.
    pub(super) descriptors: u64,
}

#[derive(Deserialize)]
struct Page {
    records: Vec<serde_json::Value>,
    next: Option<String>,
}

impl Server {
    /// Starts one whose only provider listens at this address.
    pub(super) async fn start(provider: SocketAddr) -> Result<Server> {
        let folder = tempfile::tempdir()?;
        let catalog = folder.path().join("llmio.toml");
        fs::write(&catalog, catalog_of(provider))?;
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(std::env::current_exe()?)
            .args(["serve", "--faults", "--listen", "127.0.0.1:0", "--catalog"])
            .arg(&catalog)
            .arg("--data")
            .arg(folder.path().join("data"))
            .env("LLMIO_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server { folder, child, address, since: Instant::now() };
        server.address = server.announced().await?;
        Ok(server)
    }

    async fn announced(&mut self) -> Result<SocketAddr> {
        let file = self.folder.path().join("data/address");
        while self.since.elapsed() < START_MAX {
            if let Some(address) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) {
                return Ok(address);
            }
            if self.child.try_wait()?.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the server did not start:\n{}", self.log())
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it uses now; an error when it is gone.
    pub(super) fn sample(&self) -> Result<Sample> {
        let process = format!("/proc/{}", self.child.id());
        let status =
            fs::read_to_string(format!("{process}/status")).context("the server is gone, or this is no Linux")?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the server is gone")?;
        let memory_kib = memory.trim().trim_end_matches(" kB").parse()?;
        let descriptors = fs::read_dir(format!("{process}/fd"))?.count() as u64;
        Ok(Sample { at: self.since.elapsed(), memory_kib, descriptors })
    }

    /// How many records there are.
    pub(super) async fn count_records(&self) -> Result<u64> {
        let (mut count, mut before) = (0, String::new());
        loop {
            let request = Request::get(format!("/api/records?limit={PAGE}{before}"));
            let request = request.header(header::HOST, self.address.to_string());
            let request = request.header(header::AUTHORIZATION, format!("Bearer {TOKEN}")).body(Bytes::new())?;
            let response = Connection::open(self.address).await?.send(request).await?;
            let page: Page = serde_json::from_slice(response.body())?;
            count += page.records.len() as u64;
            match page.next {
                Some(next) => before = format!("&before={next}"),
                None => return Ok(count),
            }
        }
    }

    /// Ends it and returns what is unusual in its log.
    pub(super) async fn stop(mut self) -> Result<String> {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(process, Signal::TERM)?;
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if since.elapsed() > STOP_MAX => bail!("the server does not end:\n{}", self.log()),
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let log = self.log();
        let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        let panics = count("panicked");
        let traps = count("an instance trapped");
        Ok(format!("log: {traps} traps, {panics} panics; ended with {status}\n"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn catalog_of(provider: SocketAddr) -> String {
    let provider_of = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nbase_url = \"http://{provider}/{name}/v1\"\nlocal = true\n\
             credentials = [\"sk-{name}-first\", \"sk-{name}-second\"]\n"
        )
    };
    let model = "[[models]]\nname = \"m\"\ntargets = [\"a/up\", \"b/up\"]\n";
    format!("{}{}{model}", provider_of("a"), provider_of("b"))
}
