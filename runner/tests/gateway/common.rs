//! The gateway under test: `Gateway::on(host).provider(…).model(…).start()`, then `.send(…)` and `.record(…)`.
//!
//! A child process and not the server in this one: only so can a test kill it, lock its files from outside and see
//! exit codes; and a trap or leak of one test cannot reach another.

mod client;

pub(crate) use client::{Connection, End, Request, Response, source_address};

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::upstream::Upstream;

/// The admin token of every gateway under test.
pub(crate) const TOKEN: &str = "admin-4f9c2be81d7a63";

/// Nothing that is waited for takes this long, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the component runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// llmio's own runner.
    Runner,
    /// The runner imitating Spin 4.1.
    Spin,
    /// The runner imitating a host of WASI 0.2.
    #[cfg(feature = "wasi-0-2")]
    Wasi02,
}

/// A gateway about to start.
pub(crate) struct Builder {
    host: Host,
    catalog: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// The data of another gateway whose database it shares.
    beside: Option<PathBuf>,
}

/// A running gateway. It is killed when it is dropped, and tells its log when the test failed.
pub(crate) struct Gateway {
    builder: Builder,
    folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    /// A gateway on this host; nothing is started yet.
    pub(crate) fn on(host: Host) -> Builder {
        Builder {
            host,
            catalog: String::new(),
            arguments: Vec::new(),
            variables: vec![("LLMIO_TOKEN".to_owned(), TOKEN.to_owned())],
            beside: None,
        }
    }
}

impl Builder {
    /// Adds a provider: this upstream, with one credential that is made of its name.
    pub(crate) fn provider(self, name: &str, upstream: &Upstream) -> Self {
        let (url, key) = (upstream.url(), upstream_key(name));
        self.catalog(&format!(
            "[[providers]]\nname = \"{name}\"\nbase_url = \"{url}/v1\"\ncredentials = [\"{key}\"]\nlocal = true\n"
        ))
    }

    /// Adds a model whose targets (`provider/upstream-model`) are tried in this order.
    pub(crate) fn model(self, name: &str, targets: &[&str]) -> Self {
        self.model_with(name, "", targets)
    }

    /// The same with more fields of the model, as TOML lines.
    pub(crate) fn model_with(self, name: &str, fields: &str, targets: &[&str]) -> Self {
        let mut text = format!("[[models]]\nname = \"{name}\"\n{fields}\n");
        for (index, target) in targets.iter().enumerate() {
            let (provider, model) = target.split_once('/').expect("provider/upstream-model");
            let tier = index + 1;
            let _ = writeln!(text, "[[models.targets]]\nprovider = \"{provider}\"\nmodel = \"{model}\"\ntier = {tier}");
        }
        self.catalog(&text)
    }

    /// Adds text to the catalog that is stored before the test begins.
    pub(crate) fn catalog(mut self, toml: &str) -> Self {
        self.catalog.push_str(toml);
        self.catalog.push('\n');
        self
    }

    /// Adds an argument of the command line.
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets it share the database of another gateway, and begin with that one's catalog.
    pub(crate) fn beside(mut self, other: &Gateway) -> Self {
        self.beside = Some(other.data());
        self
    }

    /// Leaves the admin token to the gateway.
    pub(crate) fn without_token(mut self) -> Self {
        self.variables.retain(|(name, _)| name != "LLMIO_TOKEN");
        self
    }

    /// Starts it, waits until it listens and stores the catalog.
    pub(crate) fn start(self) -> Gateway {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some(other) = &self.beside {
            let data = folder.path().join("data");
            fs::create_dir(&data).expect("its data folder");
            std::os::unix::fs::symlink(other.join("store.db"), data.join("store.db")).expect("a link");
            fs::copy(other.join("kv.sqlite"), data.join("kv.sqlite")).expect("a copy");
        }
        let (child, address) = spawn(&self, folder.path());
        let gateway = Gateway { builder: self, folder, child, address };
        if !gateway.builder.catalog.is_empty() {
            let stored = gateway.put_catalog(&gateway.builder.catalog);
            assert_eq!(stored.status, 200, "the test's catalog is refused: {}", stored.text());
        }
        gateway
    }

    /// Runs it where it is expected to end by itself; returns its exit code and what it wrote to stderr.
    pub(crate) fn run_to_end(self) -> (i32, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.run_to_end_in(&folder.path().join("data"))
    }

    /// The same on a data folder that is there already.
    pub(crate) fn run_to_end_in(self, data: &Path) -> (i32, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = command(&self, data, folder.path()).spawn().expect("the binary starts");
        let ended = within(PATIENCE, || child.try_wait().expect("a child of ours"));
        if ended.is_none() {
            let _ = child.kill();
        }
        let log = fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
        let status = ended.unwrap_or_else(|| panic!("it did not end by itself:\n{log}"));
        (status.code().unwrap_or(-1), log)
    }
}

impl Gateway {
    /// Sends a request on a connection of its own and reads the whole answer, however it ends.
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.open(request).finish()
    }

    /// Sends a request on a connection of its own; the answer is read piece by piece.
    pub(crate) fn open(&self, request: &Request) -> Connection {
        let mut connection = self.connect();
        connection.send(request);
        connection
    }

    /// A connection that has sent nothing yet.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address, None)
    }

    /// A connection that comes from another address of the loopback network.
    pub(crate) fn connect_from(&self, index: u16) -> Connection {
        Connection::open(self.address, Some(source_address(index)))
    }

    /// A request to the admin API.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &str) -> Response {
        let mut request = Request::new(method, path).key(TOKEN);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        self.send(&request)
    }

    /// Waits until no instance can serve a catalog older than the last one stored: each looks at it again after 100 ms
    /// (`host.md`), sooner only when it would refuse a model or key.
    pub(crate) fn settled(self) -> Self {
        std::thread::sleep(Duration::from_millis(150));
        self
    }

    /// Replaces the stored catalog, in TOML or JSON.
    pub(crate) fn put_catalog(&self, text: &str) -> Response {
        self.send(&Request::new("PUT", "/api/catalog").key(TOKEN).body(text))
    }

    /// The record of an answer, once the call has ended.
    pub(crate) fn record(&self, response: &Response) -> Value {
        self.record_by_id(response.header("x-llmio-record").expect("an answer names its record"))
    }

    /// The record of this id, once its call has ended.
    pub(crate) fn record_by_id(&self, id: &str) -> Value {
        eventually(&format!("record {id} has ended"), || {
            let response = self.admin("GET", &format!("/api/records/{id}"), "");
            let ended = response.status == 200 && response.json()["state"] != "running";
            ended.then(|| response.json())
        })
    }

    /// The records this query gives.
    pub(crate) fn records(&self, query: &str) -> Vec<Value> {
        let response = self.admin("GET", &format!("/api/records?{query}"), "");
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["records"].as_array().expect("a list of records").clone()
    }

    /// Makes a key that may use these models (all when there are none) and returns it.
    pub(crate) fn new_key(&self, name: &str, models: &[&str]) -> String {
        let mut body = serde_json::json!({ "name": name });
        if !models.is_empty() {
            body["models"] = models.into();
        }
        let response = self.admin("POST", "/api/keys", &body.to_string());
        assert_eq!(response.status, 201, "{}", response.text());
        response.json()["key"].as_str().expect("a key").to_owned()
    }

    /// The folder it keeps everything in.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout")).expect("its stdout")
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).expect("its stderr")
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("a process of ours");
    }

    /// Its process.
    pub(crate) fn process(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually("the gateway has ended", || self.child.try_wait().expect("a child of ours"))
    }

    /// Kills it without a word and starts it again on the same data.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
        self.start_again();
    }

    /// Lets it end in its host's way and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        self.terminate();
        let ended = self.ended();
        // Spin catches no signal.
        let is_expected = if self.builder.host != Host::Runner { ended.signal() == Some(15) } else { ended.success() };
        assert!(is_expected, "{ended}");
        self.start_again();
    }

    /// Starts it again on the same data after it has ended.
    pub(crate) fn start_again(&mut self) {
        let (child, address) = spawn(&self.builder, self.folder.path());
        (self.child, self.address) = (child, address);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            tell_log(&fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default());
        }
    }
}

#[expect(clippy::print_stderr, reason = "cargo shows what a failed test printed")]
fn tell_log(log: &str) {
    eprintln!("--- what the gateway wrote to stderr ---\n{log}---");
}

/// The credential [`Builder::provider`] gives a provider.
pub(crate) fn upstream_key(provider: &str) -> String {
    format!("sk-upstream-{provider}-c4n4ry")
}

/// A chat call of `model`.
pub(crate) fn chat(model: &str) -> Request {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]}}"#);
    Request::new("POST", "/v1/chat/completions").key(TOKEN).json(body)
}

/// A chat call of `model` whose answer is to be streamed, with its usage.
pub(crate) fn streamed_chat(model: &str) -> Request {
    let options = r#""stream":true,"stream_options":{"include_usage":true}"#;
    let body = format!(r#"{{"model":"{model}",{options},"messages":[{{"role":"user","content":"Hello"}}]}}"#);
    Request::new("POST", "/v1/chat/completions").key(TOKEN).json(body)
}

/// Makes so many calls of `demo` one after the other on each of so many connections at once, and says how many were served.
pub(crate) fn served_at_once(gateway: &Gateway, clients: usize, calls: usize) -> usize {
    let client = || {
        let mut connection = gateway.connect();
        (0..calls).filter(|_| connection.exchange(&chat("demo")).status == 200).count()
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).sum()
    })
}

/// Looks again and again until there is something, and fails with `what` when there never is.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
}

/// Makes a call with a key that has limits until it is answered with this status, and says how many calls that took. While
/// the ledger does not answer in time, as on a busy machine, such calls are refused with 503, and what they have reserved is
/// given back a moment later. A call that is served where none should be fails the test.
pub(crate) fn limited_call(gateway: &Gateway, request: &Request, status: u16) -> u64 {
    let mut calls = 0;
    eventually(&format!("it is answered with {status}"), || {
        calls += 1;
        let answer = gateway.send(request);
        assert!(answer.status == status || [429, 503].contains(&answer.status), "{status}: {}", answer.text());
        (answer.status == status).then_some(calls)
    })
}

/// Waits until a day that has just begun, or has long to go: what is spent of a day is forgotten when it ends (UTC).
pub(crate) fn clear_of_midnight() {
    let left_s = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        86_400 - since.as_secs() % 86_400
    };
    while left_s() < 60 {
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Looks again and again until there is something or the time is over. A look may itself take longer than is left, so
/// only one that began when the time was over is the last.
fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let late = start.elapsed() > limit;
        match look() {
            Some(found) => return Some(found),
            None if late => return None,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The binary under test: the one cargo built for these tests, or another, such as the static one that is shipped.
pub(crate) fn binary() -> PathBuf {
    let named = std::env::var_os("LLMIO_TEST_BINARY");
    let binary = named.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_llmio")), PathBuf::from);
    // It is started in another folder.
    binary.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", binary.display()))
}

fn command(builder: &Builder, data: &Path, logs: &Path) -> Command {
    let mut command = Command::new(binary());
    let file =
        |name: &str| File::options().create(true).append(true).open(logs.join(name)).expect("a file for its output");
    // The environment of whoever runs the tests must not reach it.
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LLMIO_GUEST_STDERR", "true");
    // Several instances, and no more where there are many cores: what is counted by each would multiply.
    command.env("LLMIO_THREADS", "2");
    command.env("LLMIO_DATA", data).current_dir(logs).stdout(file("stdout")).stderr(file("stderr"));
    if !builder.arguments.iter().any(|argument| argument == "--listen") {
        command.env("LLMIO_LISTEN", "127.0.0.1:0");
    }
    let quirks = match builder.host {
        Host::Spin => Some("spin"),
        Host::Runner => std::env::var("LLMIO_TEST_CROSSING").is_ok_and(|way| way == "parts").then_some("parts"),
        #[cfg(feature = "wasi-0-2")]
        Host::Wasi02 => Some("wasi-0.2"),
    };
    let is_given = builder.arguments.iter().any(|argument| argument == "--host-quirks");
    if let Some(quirks) = quirks.filter(|_| !is_given) {
        command.args(["--host-quirks", quirks]);
    }
    command.args(&builder.arguments).envs(builder.variables.iter().map(|(name, value)| (name, value)));
    command
}

/// Starts the binary and waits until it says where it listens, which it does after it listens.
fn spawn(builder: &Builder, folder: &Path) -> (Child, SocketAddr) {
    let data = folder.join("data");
    let announced = data.join("address");
    // After a kill it is still there and names the port of the process that is gone.
    let _ = fs::remove_file(&announced);
    let mut child = command(builder, &data, folder).spawn().expect("the binary starts");
    let address = within(PATIENCE, || {
        let ended = child.try_wait().expect("a child of ours");
        let address = fs::read_to_string(&announced).ok().and_then(|text| text.trim().parse().ok());
        address.map(Ok).or(ended.map(Err))
    });
    match address {
        Some(Ok(address)) => (child, address),
        other => {
            let _ = child.kill();
            let log = fs::read_to_string(folder.join("stderr")).unwrap_or_default();
            panic!("the gateway did not start ({other:?}):\n{log}");
        }
    }
}
