//! The client commands as a person or a script runs them: the real binary, with a server on the data folder and
//! without one. What the commands print is asserted; how the gateway behaves is the gateway suite's business.

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
        let body = r#"{"model":"demo","messages":[{"role":"user","content":"Hello"}]}"#;
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
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

#[test]
fn token_prints_the_token_alone_and_makes_it_as_serve_would() {
    let place = Place::new();
    let token = place.ok(&["token"]);
    assert_eq!((token.len(), token.lines().count()), (65, 1), "{token:?}");
    let mode = fs::metadata(place.data().join("token")).expect("a token file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let server = place.serve();
    assert_eq!(place.ok(&["token"]), token);
    assert_eq!(server.chat(token.trim()).0, 200, "the server knows it");
    assert_eq!(place.ok(&["token", "--token", "given-4f9c2be81d7a63"]), "given-4f9c2be81d7a63\n");
}

#[test]
fn a_token_that_only_the_server_was_given_is_asked_for() {
    let server_place = Place::new().with("LLMIO_TOKEN", "given-4f9c2be81d7a63");
    let server = server_place.serve();
    let place = Place::on(server_place.folder);
    for arguments in [["token"].as_slice(), &["keys", "list"]] {
        let said = place.fails(arguments, 78);
        assert!(said.contains("LLMIO_TOKEN"), "{said}");
    }
    let said = place.fails(&["keys", "list", "--token", "another-1234567890"], 1);
    assert!(said.contains("LLMIO_TOKEN") && !said.contains('{'), "{said}");
    drop(server);
}

#[test]
fn a_key_made_through_a_running_server_calls_is_recorded_and_is_revoked() {
    let place = Place::new();
    let server = place.serve();
    let made = place.run(&["keys", "create", "my laptop", "--models", "demo,qwen*", "--expires", "30d"]);
    let key = made.out.trim();
    assert!(made.code == 0 && key.starts_with("sk-llmio-") && key.len() == 52, "{}{}", made.out, made.err);
    assert!(made.err.contains("my laptop") && !made.err.contains(key), "{}", made.err);
    assert_eq!(server.chat(key).0, 200);
    let listed = place.ok(&["keys", "list"]);
    assert!(
        listed.lines().any(|line| line.starts_with("my laptop  demo,qwen*  20") && line.ends_with("yes")),
        "{listed}"
    );
    assert!(!listed.contains("sha256"), "{listed}");

    let filters = ["records", "--key", "my laptop", "--model", "demo", "--status", "200", "--since", "1h", "--json"];
    let line = eventually("the call is recorded", || place.ok(&filters).lines().next().map(str::to_owned));
    let record: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&record["key"], &record["state"]), (&Value::from("my laptop"), &Value::from("ok")));
    assert_eq!(place.ok(&["records", "--json", "--state", "client_error"]), "");

    server.stop();
    let id = record["id"].as_str().expect("an id");
    let shown: Value = serde_json::from_str(&place.ok(&["records", "--data", "data", "show", id])).expect("JSON");
    assert_eq!(shown, record, "records are the same without a server");
    let table = place.ok(&["records"]);
    let [head, row] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    assert!(head.starts_with("time") && row.contains(id) && row.contains("my laptop  demo   echo/echo-"), "{table}");

    assert_eq!(place.ok(&["keys", "revoke", "my laptop"]), "Key \"my laptop\" is revoked.\n");
    let said = place.fails(&["keys", "revoke", "my laptop"], 1);
    assert!(said.contains("no key named") && said.contains("`llmio keys list`"), "{said}");
    let server = place.serve();
    assert_eq!(server.chat(key).0, 401);
}

#[test]
fn a_key_made_without_a_server_is_known_to_the_next_one() {
    let place = Place::new();
    let key = place.ok(&["keys", "create", "cron"]);
    let server = place.serve();
    assert_eq!(server.chat(key.trim()).0, 200);
    let said = place.fails(&["keys", "create", "cron"], 1);
    assert!(said.contains("keys[1].name"), "the problem is told with its path: {said}");
    let said = place.fails(&["keys", "create", "late", "--expires", "2020-01-01T00:00:00Z"], 2);
    assert!(said.contains("past"), "{said}");
}

#[test]
fn records_come_in_pages_up_to_the_limit_newest_first() {
    let place = Place::new();
    let server = place.serve();
    let token = place.ok(&["token"]);
    for _ in 0..5 {
        assert_eq!(server.chat(token.trim()).0, 200);
    }
    let ids = |arguments: &[&str]| -> Vec<String> {
        let lines = place.ok(arguments);
        let id = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["id"].as_str().map(str::to_owned);
        lines.lines().filter_map(id).collect()
    };
    let all = eventually("five records", || Some(ids(&["records", "--json"])).filter(|ids| ids.len() == 5));
    assert!(all.is_sorted_by(|newer, older| newer > older), "{all:?}");
    assert_eq!(ids(&["records", "--json", "--limit", "2"]), all[..2]);
    assert_eq!(ids(&["records", "--json", "--limit", "5000"]), all, "more than a page may be asked for");
    let said = place.fails(&["records", "--state", "nonsense"], 1);
    assert!(said.contains("client_closed"), "the states there are: {said}");
}

#[test]
fn a_cost_is_told_in_dollars_to_people_and_as_it_is_to_programs() {
    let place = Place::new();
    let priced = "models = [{ name = \"demo\", targets = [{ provider = \"echo\", price = { input = 0, output = 0.3 } }] }]\n\
                  providers = [{ preset = \"echo\" }]\n";
    place.ok(&["catalog", "import", &place.file("llmio.toml", priced)]);
    let server = place.serve();
    assert_eq!(server.chat(place.ok(&["token"]).trim()).0, 200);
    let json = ["records", "--json"];
    let line = eventually("the call is recorded", || place.ok(&json).lines().next().map(str::to_owned));
    let record: Value = serde_json::from_str(&line).expect("JSON");
    let tokens = record["output_tokens"].as_u64().expect("the echo counts");
    assert_eq!((&record["cost_nano"], &record["price"]), (&Value::from(tokens * 300), &Value::from("catalog")));
    assert!(record.get("cost_usd").is_none(), "{record}");
    let cost = format!("0.{:07}", tokens * 3);
    let cost = cost.trim_end_matches('0');
    let table = place.ok(&["records"]);
    assert!(table.lines().last().is_some_and(|row| row.ends_with(cost)), "{cost} in {table}");
    let id = record["id"].as_str().expect("an id");
    let shown: Value = serde_json::from_str(&place.ok(&["records", "show", id])).expect("JSON");
    assert_eq!(shown["cost_usd"], cost);
}

#[test]
fn a_catalog_goes_in_and_comes_out_the_same_with_and_without_a_server() {
    let place = Place::new().with("RELAY_KEY", "sk-env");
    let file = place.file("llmio.toml", CATALOG);
    assert_eq!(place.ok(&["catalog", "check", &file]), format!("{file} is valid.\n"));
    assert_eq!(place.ok(&["catalog", "import", &file]), "Catalog version 1 is in force.\n");
    let exported = place.ok(&["catalog", "export"]);
    assert!(exported.contains("label = \"first\"") && !exported.contains("canary"), "{exported}");
    assert!(place.ok(&["catalog", "export", "--with-secrets"]).contains("sk-canary-1234567890"));

    let server = place.serve();
    assert_eq!(place.ok(&["catalog", "export"]), exported);
    let json: Value = serde_json::from_str(&place.ok(&["catalog", "export", "--json"])).expect("JSON");
    assert_eq!(json["settings"]["retention_days"], 7);
    let again = place.file("again.toml", &exported);
    assert_eq!(place.ok(&["catalog", "diff", &again]), "");
    let json = place.file("again.json", &json.to_string());
    assert_eq!(place.ok(&["catalog", "diff", &json]), "");
    assert_eq!(place.ok(&["catalog", "import", &again]), "Catalog version 2 is in force.\n");
    assert!(place.ok(&["catalog", "export", "--with-secrets"]).contains("sk-canary-1234567890"), "the secret is kept");
    server.stop();
}

#[test]
fn a_diff_tells_what_an_import_would_change_and_no_secret() {
    let place = Place::new().with("RELAY_KEY", "sk-env");
    place.ok(&["catalog", "import", &place.file("llmio.toml", CATALOG)]);
    let changed = CATALOG.replace("weight = 1", "weight = 3").replace("name = \"laptop\"", "name = \"desk\"");
    let done = place.run_with_input(&["catalog", "diff", "-"], &changed);
    let expected = "providers[relay-x].credentials[first].value: a secret is given (secrets are not compared)\n\
                    models[qwen3].targets[0].weight: 1 → 3\n\
                    keys[laptop]: removed\n\
                    keys[desk]: added\n";
    assert_eq!((done.code, done.out.as_str()), (0, expected), "{}", done.err);
}

#[test]
fn an_import_keeps_what_the_file_lacks_unless_asked_to_replace_it() {
    let place = Place::new().with("OPENROUTER_API_KEY", "sk-env");
    let four_lines = "models = [{ name = \"qwen3-coder\", targets = [\"openrouter/qwen/qwen3-coder:free\"] }]\n\
                      [[providers]]\npreset = \"openrouter\"\ncredentials = [\"${OPENROUTER_API_KEY}\"]\n";
    let file = place.file("llmio.toml", four_lines);
    let import = |more: &[&str]| place.run(&[&["catalog", "import", &file], more].concat());
    let listed = || place.ok(&["keys", "list"]);
    assert_eq!(import(&[]).err, "made a new data folder, data\n", "nothing was there to be kept");
    place.ok(&["keys", "create", "laptop"]);
    assert_eq!(place.ok(&["catalog", "diff", &file]), "");
    let done = import(&[]);
    assert_eq!((done.code, done.out.as_str()), (0, "Catalog version 3 is in force.\n"), "{}", done.err);
    assert!(done.err.contains("keys") && done.err.contains("--replace"), "{}", done.err);
    assert!(listed().contains("laptop"), "a section the file lacks stays");

    let server = place.serve();
    assert_eq!(place.ok(&["catalog", "diff", &file, "--replace"]), "keys: removed\n");
    place.ok(&["catalog", "check", &file, "--replace"]);
    assert_eq!(import(&[]).code, 0);
    assert!(listed().contains("laptop"));
    let done = import(&["--replace"]);
    assert!(done.code == 0 && done.err.is_empty(), "{}", done.err);
    assert_eq!(listed(), "", "a replaced catalog has no keys");
    server.stop();
}

#[test]
fn a_catalog_is_accepted_beside_a_key_that_was_made_first() {
    let place = Place::new();
    let key = place.ok(&["keys", "create", "laptop"]);
    let providers = place.file("s1.toml", "[[providers]]\nname = \"a\"\nbase_url = \"https://a.example/v1\"\n");
    let checked = || assert_eq!(place.ok(&["catalog", "check", &providers]), format!("{providers} is valid.\n"));
    checked();
    let expected = "providers[echo]: removed\nproviders[a]: added\nmodels: removed\n";
    assert_eq!(place.ok(&["catalog", "diff", &providers]), expected, "the built-in catalog gives way");
    let server = place.serve();
    assert_eq!(server.chat(key.trim()).0, 200, "until then it is served");
    checked();
    server.stop();
    words_of_a_start(&place, &["--catalog", &providers]);

    // Earlier versions stored the built-in catalog with the first key; an export and import of it does so too.
    let exported = place.file("exported.toml", &place.ok(&["catalog", "export"]));
    place.ok(&["catalog", "import", &exported]);
    checked();
    words_of_a_start(&place, &["--catalog", &providers]);
}

#[test]
fn a_problem_in_what_is_stored_says_so_and_which_command_changes_it() {
    let place = Place::new();
    place.ok(&["keys", "create", "laptop", "--models", "demo"]);
    let file = place.file("llmio.toml", "providers = [{ preset = \"echo\" }]\nmodels = []\n");
    for arguments in [
        ["serve", "--listen", "127.0.0.1:0", "--catalog", &file].as_slice(),
        &["catalog", "check", &file],
        &["catalog", "import", &file],
    ] {
        let said = place.fails(arguments, 78);
        assert!(said.contains("in the stored `keys`") && said.contains("`llmio keys revoke NAME`"), "{said}");
    }
    place.ok(&["keys", "revoke", "laptop"]);
    place.ok(&["catalog", "import", &file]);
}

#[test]
fn a_catalog_that_does_not_validate_is_refused_line_by_line_with_78() {
    let place = Place::new();
    let text = CATALOG.replace("provider = \"relay-x\"", "provider = \"relay-y\"").replace("weight = 1", "wait = 1");
    let file = place.file("llmio.toml", &text);
    for command in ["check", "import", "diff"] {
        let said = place.fails(&["catalog", command, &file], 78);
        let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("models[0].targets[0].")).collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(said.contains("did you mean \"relay-x\"?") && !said.contains("canary"), "{said}");
    }
    assert!(place.ok(&["catalog", "export"]).contains("demo"), "nothing was changed");
    let said = place.fails(&["catalog", "check", "missing.toml"], 1);
    assert!(said.contains("missing.toml"), "{said}");
}

#[test]
fn a_catalog_is_accepted_by_the_check_exactly_where_it_is_served() {
    for (text, is_catalog) in [
        ("", false),
        (" \n\t\n", false),
        ("# nothing yet\n", true),
        ("[settings]\nzone = \"UTC\"\n", true),
        (r#" {"providers": []}"#, true),
        (r#"{"providers": [}"#, false),
        ("[[keys]]\nname = \"k\"\nhash = \"sha256:00\"\n", false),
    ] {
        let place = Place::new();
        let file = place.file("llmio.toml", text);
        for command in ["check", "import", "diff"] {
            let done = place.run(&["catalog", command, &file]);
            assert_eq!(done.code, if is_catalog { 0 } else { 78 }, "{command} {text:?}: {}", done.err);
        }
        // As it is served: a command without a server publishes the file like a start does.
        let done = place.run(&["--catalog", &file, "keys", "list"]);
        assert_eq!(done.code, if is_catalog { 0 } else { 78 }, "{text:?}: {}", done.err);
    }
}

#[test]
fn what_is_no_secret_but_looks_like_a_mistake_is_warned_of() {
    let place = Place::new().with("QUOTED", "'sk-canary-quoted'");
    let text = "[[providers]]\nname = \"a\"\nbase_url = \"https://a.example\"\n\
                credentials = [\"$KEY_A\", \"os.environ/KEY_B\", \"${QUOTED}\", \"sk-canary-good\"]\n";
    let file = place.file("llmio.toml", text);
    for command in ["check", "import"] {
        let done = place.run(&["catalog", command, &file]);
        let warnings: Vec<&str> = done.err.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert!(done.code == 0 && warnings.len() == 3, "{}", done.err);
        assert!(warnings[0].contains("credential #1") && warnings[0].contains("`${NAME}`"), "{}", done.err);
        assert!(warnings[1].contains("credential #2") && warnings[2].contains("credential QUOTED"), "{}", done.err);
        assert!(!done.err.contains("canary") && !done.err.contains("KEY_A"), "{}", done.err);
    }
}

#[test]
fn checking_a_catalog_makes_no_data_folder() {
    let place = Place::new().with("RELAY_KEY", "sk-env");
    let file = place.file("llmio.toml", CATALOG);
    let done = place.run(&["catalog", "check", &file]);
    assert_eq!((done.code, done.out), (0, format!("{file} is valid.\n")), "{}", done.err);
    assert!(done.err.is_empty() && !place.data().exists(), "{}", done.err);
}

#[test]
fn warnings_of_an_accepted_catalog_are_told_on_stderr() {
    let place = Place::new();
    let file = place.file("llmio.toml", CATALOG);
    for command in ["check", "import"] {
        let done = place.run(&["catalog", command, &file]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.err.contains("warning: provider relay-x, credential RELAY_KEY: "), "{}", done.err);
    }
}

#[test]
fn health_is_0_when_ok_or_degraded_and_1_without_a_server() {
    let place = Place::new();
    let said = place.fails(&["health"], 1);
    assert!(said.contains("llmio serve"), "{said}");
    assert!(!place.data().exists(), "a check makes no data folder");
    let server = place.serve();
    assert_eq!(place.ok(&["health"]), "ok\n");
    place.ok(&["catalog", "import", &place.file("llmio.toml", CATALOG)]);
    // An instance may be 100 ms late to see what another one stored.
    let degraded = |place: &Place, arguments: &[&str]| {
        eventually("the new catalog is seen", || Some(place.ok(arguments)).filter(|text| text.starts_with("degraded:")))
    };
    let told = degraded(&place, &["health"]);
    assert!(told.contains("RELAY_KEY"), "{told}");
    let elsewhere = Place::new();
    degraded(&elsewhere, &["health", "--listen", &server.address.to_string()]);
    assert!(!elsewhere.data().exists(), "no data folder is needed");
    server.stop();
    place.fails(&["health"], 1);
}

#[test]
fn what_listens_but_is_no_llmio_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address").to_string();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = [0; 1024];
        let read = stream.read(&mut head).expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").expect("an answer");
        String::from_utf8_lossy(&head[..read]).to_lowercase()
    });
    let place = Place::new().with("LLMIO_TOKEN", "given-4f9c2be81d7a63");
    place.fails(&["health", "--listen", &address], 1);
    assert!(!other.join().expect("its request").contains("given-"), "a health check sends no token");
}

#[test]
fn a_folder_that_is_locked_by_something_that_does_not_answer_gives_75() {
    let place = Place::new();
    place.ok(&["token"]);
    let lock = File::options().write(true).open(place.data().join("lock")).expect("the lock");
    lock.lock().expect("the lock is free");
    let said = place.fails(&["keys", "list"], 75);
    assert!(said.contains("data"), "{said}");
    let gone = Nobody::new();
    fs::write(place.data().join("address"), gone.address.to_string()).expect("an announcement");
    let said = place.fails(&["keys", "list"], 75);
    assert!(said.contains(&gone.address.to_string()), "{said}");
    drop(lock);
    place.run(&["keys", "list"]);
}

#[test]
fn a_command_waits_for_another_that_is_about_to_end() {
    let place = Place::new();
    place.ok(&["token"]);
    let lock = File::options().write(true).open(place.data().join("lock")).expect("the lock");
    lock.lock().expect("the lock is free");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| place.ok(&["keys", "create", "patient"]));
        std::thread::sleep(Duration::from_millis(500));
        drop(lock);
        assert!(waiting.join().expect("it succeeds").starts_with("sk-llmio-"));
    });
}

#[test]
fn a_data_folder_that_cannot_be_made_gives_74() {
    let place = Place::new();
    place.file("data", "a file in the way");
    for arguments in [["token"].as_slice(), &["keys", "list"], &["records"]] {
        let said = place.fails(arguments, 74);
        assert!(said.contains("--data"), "{said}");
    }
}

#[test]
fn print_toml_touches_no_store_and_its_lines_make_the_key_work() {
    let place = Place::new();
    let done = place.run(&["keys", "create", "file key", "--models", "demo", "--print-toml"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(!place.data().exists());
    let key = done.err.lines().find(|line| line.starts_with("sk-llmio-")).expect("the key on stderr");
    assert!(done.out.contains("[[keys]]") && !done.out.contains(key), "{}", done.out);
    let catalog = place.file("llmio.toml", &format!("{}{}", place.ok(&["catalog", "export"]), done.out));
    place.ok(&["catalog", "import", &catalog]);
    let server = place.serve();
    assert_eq!(server.chat(key).0, 200);
}

#[test]
fn people_with_a_chinese_locale_are_spoken_to_in_chinese() {
    let place = Place::new().with("LANG", "zh_CN.UTF-8");
    let made = place.run(&["keys", "create", "笔记本"]);
    assert!(made.err.contains("只显示这一次"), "{}", made.err);
    assert!(place.ok(&["keys", "list"]).starts_with("名称"));
    assert_eq!(place.ok(&["keys", "revoke", "笔记本"]), "密钥“笔记本”已吊销。\n");
    assert!(place.fails(&["health"], 1).contains("没有可用的服务器"));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let place = Place::new();
    for arguments in [
        ["keys"].as_slice(),
        &["records", "--since", "soon"],
        &["records", "--model", "x", "show", "y"],
        &["catalog", "import"],
        &["catalogue"],
    ] {
        place.fails(arguments, 2);
    }
    assert!(!place.data().exists());
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

#[test]
fn the_first_start_that_succeeds_greets_whatever_was_before() {
    let place = Place::new();
    place.ok(&["keys", "list"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = taken.local_addr().expect("its address").to_string();
    let said = place.fails(&["serve", "--listen", &address], 75);
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    let words = words_of_a_start(&place, &[]);
    let token = place.ok(&["token"]);
    assert!(words.contains("Bearer $(llmio token)") && words.contains("\"model\":\"demo\""), "{words}");
    assert!(!words.contains(token.trim()), "what is no terminal may be a log that many read");
    let words = words_of_a_start(&place, &[]);
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[test]
fn the_first_start_names_a_model_and_a_token_the_shell_knows() {
    let place = Place::new();
    let model = |name: &str, more: &str| format!("[[models]]\nname = \"{name}\"\n{more}targets = [\"echo/x\"]\n");
    let text = format!("[[providers]]\npreset = \"echo\"\n{}{}", model("off", "enabled = false\n"), model("mine", ""));
    let file = place.file("llmio.toml", &text);
    let words = words_of_a_start(&place, &["--catalog", &file, "--token", "given-4f9c2be81d7a63"]);
    assert!(words.contains("\"model\":\"mine\"") && words.contains("Bearer YOUR_TOKEN"), "{words}");
    assert!(!words.contains("given-") && !words.contains('$'), "{words}");
}

#[test]
fn a_kept_token_is_not_printed_while_the_server_has_another() {
    let place = Place::new();
    let token = place.ok(&["token"]);
    let place = place.with("LLMIO_TOKEN", "given-4f9c2be81d7a63");
    let server = place.serve();
    let place = Place { variables: Vec::new(), ..place };
    let said = place.fails(&["token"], 78);
    assert!(said.contains("LLMIO_TOKEN") && !said.contains(token.trim()), "{said}");
    server.stop();
    assert_eq!(place.ok(&["token"]), token, "the next server would have it");
}

#[test]
fn a_kept_token_or_key_that_protects_nothing_gives_78() {
    let place = Place::new();
    place.ok(&["token"]);
    fs::write(place.data().join("token"), "change-me\n").expect("a weak token");
    let said = place.fails(&["serve", "--listen", "0.0.0.0:0"], 78);
    assert!(said.contains("data/token has fewer than 16 characters") && !said.contains("change-me"), "{said}");
    fs::write(place.data().join("master.key"), "short\n").expect("a short key");
    let said = place.fails(&["keys", "list"], 78);
    assert!(said.contains("master.key must have 16 characters"), "{said}");
}

#[test]
fn variables_that_are_set_to_nothing_count_as_absent() {
    let place =
        Place::new().with("LLMIO_MASTER_KEY", "").with("LLMIO_MASTER_KEY_PREVIOUS", "").with("LLMIO_SECRETS", "");
    place.ok(&["catalog", "import", &place.file("llmio.toml", CATALOG)]);
    assert!(place.data().join("master.key").exists(), "one is made");
    let place = place.with("LLMIO_MASTER_KEY_PREVIOUS", "short");
    let said = place.fails(&["keys", "list"], 78);
    assert!(said.contains("LLMIO_MASTER_KEY_PREVIOUS"), "{said}");
}

#[test]
fn a_token_that_no_header_can_carry_gives_78() {
    let place = Place::new().with("LLMIO_TOKEN", "given-4f9c2be81d7a63\n");
    for arguments in [["serve", "--listen", "127.0.0.1:0"].as_slice(), &["keys", "list"]] {
        let said = place.fails(arguments, 78);
        assert!(said.contains("LLMIO_TOKEN holds a line end") && !said.contains("given-"), "{said}");
    }
}

#[test]
fn an_address_that_is_not_this_machines_gives_78() {
    let place = Place::new();
    // RFC 5737: nobody's.
    let said = place.fails(&["serve", "--listen", "192.0.2.1:0"], 78);
    assert!(said.contains("192.0.2.1") && said.contains("--listen"), "{said}");
}
