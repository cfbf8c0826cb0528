//! The client commands as a person or a script runs them: the real binary, with a server on the data folder and
//! without one. What the commands print is asserted; how the gateway behaves is the gateway suite's business.

mod backup;
mod catalog;
mod doctor;
mod import;
mod keys;
mod operating;
mod records;
mod running;
mod start;

use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing that is waited for takes this long, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(30);

const CATALOG: &str = r#"
[settings]
retention_days = 7

[[providers]]
name = "relay-x"
base_url = "https://relay.example/v1"
credentials = [{ value = "sk-canary-1234567890", label = "first" }, "${RELAY_KEY}"]

[[models]]
name = "qwen3"
targets = [{ provider = "relay-x", model = "up", weight = 1 }]

[[keys]]
name = "laptop"
hash = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
expires = 2099-01-01T00:00:00Z
"#;

/// A data folder and what is run on it.
struct Place {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
    /// Where a server would be looked for: on the usual port the developer's own may listen.
    nobody: Nobody,
}

/// A port that is taken and not listened on: it refuses connections, and nobody else gets it.
struct Nobody {
    address: SocketAddr,
    _socket: socket2::Socket,
}

/// How a command ended.
struct Done {
    code: i32,
    out: String,
    err: String,
}

/// `llmio serve` on a place; killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Nobody {
    fn new() -> Nobody {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a loopback port");
        let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("a bound socket");
        Nobody { address, _socket: socket }
    }
}

impl Place {
    fn new() -> Place {
        Place::on(tempfile::tempdir().expect("a temporary folder"))
    }

    fn on(folder: TempDir) -> Place {
        Place { folder, variables: Vec::new(), nobody: Nobody::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Place {
        self.variables.push((name, value.into()));
        self
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    /// The binary with nothing of this test's own environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmio"));
        command.env_clear().env("TZ", "UTC").env("PORT", self.nobody.address.port().to_string());
        command.current_dir(self.folder.path()).args(arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.run_with_input(arguments, "")
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("room in the pipe");
        let output = child.wait_with_output().expect("its output");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What a command prints when it succeeds.
    fn ok(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.out, done.err);
        done.out
    }

    /// What a command prints to stderr when it ends with this code; nothing may stand on stdout then.
    fn fails(&self, arguments: &[&str], code: i32) -> String {
        let done = self.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{arguments:?}: {}", done.err);
        done.err
    }

    fn serve(&self) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut greeting).expect("a greeting");
        // The greeting comes after the announcement.
        let address = fs::read_to_string(self.data().join("address")).expect("an announced address");
        Server { child, address: address.parse().expect("an address") }
    }
}

impl Server {
    /// The status and body of a chat with `demo`.
    fn chat(&self, key: &str) -> (u16, String) {
        self.post("/v1/chat/completions", key, r#"{"model":"demo","messages":[{"role":"user","content":"Hello"}]}"#)
    }

    /// The status and answer of a request with this body.
    fn post(&self, path: &str, key: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("a request sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer)
    }

    /// Ends it as a supervisor does, and waits.
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
        let status = self.child.wait().expect("an end");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a start prints to stdout until it is asked to end.
fn words_of_a_start(place: &Place, arguments: &[&str]) -> String {
    let _ = fs::remove_file(place.data().join("address"));
    let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
    let mut child = place.command(&arguments).stdout(Stdio::piped()).spawn().expect("the binary starts");
    eventually("it listens", || place.data().join("address").exists().then_some(()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
    let mut words = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut words).expect("UTF-8");
    assert!(child.wait().expect("an end").success());
    words
}
