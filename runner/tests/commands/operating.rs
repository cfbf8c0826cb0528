//! What an operator does without editing files: keys changed and rotated, quotas, health, tests and routes, through the real
//! binary on a server with a provider behind it.

use super::*;
use serde_json::json;
use std::thread;

/// A provider that answers every key but one.
pub(super) struct Provider(pub(super) SocketAddr);

/// The key it refuses.
const REFUSED: &str = "sk-refused-1234567890";

impl Provider {
    pub(super) fn new() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        Provider(address)
    }

    /// A catalog with this provider twice: once with a key it takes, once with the one it refuses.
    pub(super) fn catalog(&self) -> String {
        let Provider(address) = self;
        format!(
            r#"
[[providers]]
name = "good"
base_url = "http://{address}/v1"
local = true
credentials = [{{ value = "sk-good-1234567890", label = "first" }}]
quota = {{ rpd = 100, credit = "10 USD" }}

[[providers]]
name = "bad"
base_url = "http://{address}/v1"
local = true
credentials = [{{ value = "{REFUSED}", label = "second" }}]

[[models]]
name = "qwen3"
targets = [
    {{ provider = "bad", model = "up" }},
    {{ provider = "good", model = "up", tier = 2, price = {{ input = 1, output = 2, currency = "USD" }} }},
]

[[models]]
name = "gone"
targets = [{{ provider = "good", model = "up", enabled = false }}]
"#
        )
    }
}

fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(&stream);
    loop {
        let (mut is_refused, mut length) = (false, 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            is_refused |= line.contains(REFUSED);
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let message = json!({ "role": "assistant", "content": "OK" });
        let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
        let usage = json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 });
        let (status, body) = match is_refused {
            true => (401, json!({ "error": { "message": "Incorrect API key provided", "code": "invalid_api_key" } })),
            false => (200, json!({ "id": "c-1", "object": "chat.completion", "choices": [choice], "usage": usage })),
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if (&stream).write_all([head, body].concat().as_bytes()).is_err() {
            return;
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The row of a table that begins so, its cells apart.
fn row(table: &str, beginning: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.starts_with(beginning)).unwrap_or_else(|| panic!("{beginning}: {table}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_key_is_made_with_limits_changed_and_rotated_without_editing_files() {
    let place = Place::new();
    let server = place.serve();
    let create = ["keys", "create", "k", "--models", "demo", "--rpm", "50", "--tpd", "90000", "--expires", "30d"];
    let key = place.ok(&create).trim().to_owned();
    assert_eq!(server.chat(&key).0, 200);
    let listed = row(&place.ok(&["keys", "list"]), "k ");
    assert_eq!((&listed[1], &listed[3], &listed[4]), (&"demo".into(), &"rpm 50, tpd 90000".into(), &"yes".into()));
    let set = place.ok(&["keys", "set", "k", "--rpm", "none", "--tpd", "80000", "--models", "*", "--expires", "never"]);
    assert_eq!(row(&set, "k "), ["k", "*", "never", "tpd 80000", "yes"]);
    place.ok(&["keys", "set", "k", "--disable"]);
    assert_eq!(server.chat(&key).0, 401, "in force when the command returns");
    let shown = parsed(&place.ok(&["keys", "set", "k", "--enable", "--json"]));
    assert_eq!(shown, json!({ "name": "k", "limits": { "tpd": 80000 } }));

    let rotated = place.run(&["keys", "rotate", "k"]);
    let new = rotated.out.trim();
    assert!(rotated.code == 0 && new.len() == 52 && new != key, "{}{}", rotated.out, rotated.err);
    assert!(rotated.err.contains("The old one is good until ") && !rotated.err.contains(new), "{}", rotated.err);
    assert_eq!((server.chat(&key).0, server.chat(new).0), (200, 200));
    let listed = place.ok(&["keys", "list"]);
    assert!(!listed.contains(new) && !listed.contains("sha256"), "{listed}");
    assert_eq!(row(&listed, "k ").len(), 6, "{listed}");
    let again = parsed(&place.ok(&["keys", "rotate", "k", "--keep", "0s", "--json"]));
    assert_eq!(again.get("previous"), None);
    assert_eq!((server.chat(new).0, server.chat(again["key"].as_str().expect("a key")).0), (401, 200));
    let listed = parsed(&place.ok(&["keys", "list", "--json"]));
    assert_eq!(listed, json!({ "keys": [{ "name": "k", "limits": { "tpd": 80000 } }] }));
}

#[test]
fn what_cannot_be_done_with_a_key_is_told_with_what_to_do() {
    let place = Place::new();
    place.ok(&["keys", "create", "k"]);
    let message = place.fails(&["keys", "set", "k"], 2);
    assert!(message.contains("nothing to change") && message.contains("--help"), "{message}");
    for arguments in [["keys", "set", "l", "--rpm", "1"].as_slice(), &["keys", "rotate", "l"]] {
        let message = place.fails(arguments, 1);
        assert!(message.contains("no key named \"l\"") && message.contains("`llmio keys list`"), "{message}");
    }
    let message = place.fails(&["keys", "set", "k", "--budget", "5 dollars"], 1);
    assert!(message.contains("keys[0].limits.budget") && message.contains("\"5 USD/day\""), "{message}");
    let message = place.fails(&["keys", "rotate", "k", "--keep", "long"], 1);
    assert!(message.contains("`keep` must be a duration"), "{message}");
    let message = place.fails(&["keys", "set", "k", "--rpm", "lots"], 2);
    assert!(message.contains("`none` takes it away"), "{message}");
}

#[test]
fn print_toml_writes_limits_too() {
    let place = Place::new();
    let budget = ["--budget", "5 USD/day", "--budget", "9 USD/week"];
    let lines = place.ok(&[["keys", "create", "k", "--print-toml", "--rpm", "3"].as_slice(), &budget[..2]].concat());
    let file = place.file("llmio.toml", &lines);
    assert_eq!(place.ok(&["catalog", "check", &file]), format!("{file} is valid.\n"));
    assert!(lines.contains("rpm = 3") && lines.contains("budget = \"5 USD/day\""), "{lines}");
}

#[test]
fn quotas_are_listed_and_what_is_spent_is_set() {
    let provider = Provider::new();
    let place = Place::new().with("LLMIO_UTC", "true");
    let output = place.run(&["quota"]);
    assert!(
        output.code == 0 && output.out.is_empty() && output.err.contains("There are no limits"),
        "{}{}",
        output.out,
        output.err
    );
    place.ok(&["catalog", "import", &place.file("llmio.toml", &provider.catalog())]);
    let server = place.serve();
    let table = place.ok(&["quota"]);
    let rpd = row(&table, "good (credential first)  rpd");
    assert_eq!((&rpd[1..4], rpd.len()), (["rpd", "0", "100"].map(str::to_owned).as_slice(), 6), "{table}");
    assert!(rpd[4].ends_with(" 00:00:00Z"), "UTC was asked for: {table}");
    let credit = row(&table, "good (credential first)  credit");
    assert_eq!(credit[1..4], ["credit", "0 USD", "10 USD"]);
    let id = credit.last().expect("an id");
    let set = place.ok(&["quota", "set", id, "2.5"]);
    assert_eq!(row(&set, "good (credential first)  credit")[1..4], ["credit", "2.5 USD", "10 USD"]);
    let shown = parsed(&place.ok(&["quota", "set", rpd.last().expect("an id"), "99", "--json"]));
    assert_eq!((&shown["spent"], &shown["unit"]), (&json!(99), &json!("calls")));
    let listed = parsed(&place.ok(&["quota", "--json"]));
    assert_eq!(listed["quota"][1]["spent"], 2_500_000_000_u64, "{listed}");
    let message = place.fails(&["quota", "set", "key/nobody/rpm", "1"], 1);
    assert!(
        message.contains("no limit with the id \"key/nobody/rpm\"") && message.contains("`llmio quota`"),
        "{message}"
    );
    let message = place.fails(&["quota", "set", id, "-1"], 2);
    assert!(!message.is_empty(), "{message}");
    server.stop();
    assert_eq!(row(&place.ok(&["quota"]), "good (credential first)  rpd")[2], "99", "the same without a server");
}

#[test]
fn health_tells_who_rests_and_reset_takes_it_back() {
    let provider = Provider::new();
    let place = Place::new();
    place.ok(&["catalog", "import", &place.file("llmio.toml", &provider.catalog())]);
    let server = place.serve();
    let token = place.ok(&["token"]);
    let body = r#"{"model":"qwen3","messages":[{"role":"user","content":"Hello"}]}"#;
    assert_eq!(server.post("/v1/chat/completions", token.trim(), body).0, 200);
    let table = eventually("the refused credential rests", || {
        Some(place.ok(&["health"])).filter(|text| text.contains("credential/"))
    });
    assert!(table.starts_with("ok\n\nKept out of use"), "{table}");
    let cells = row(&table, "credential ");
    assert_eq!((&cells[1], &cells[2]), (&"bad second".into(), &"refused, rests".into()), "{table}");
    assert!(cells[5].contains("401") && !table.contains(REFUSED), "{table}");
    assert_eq!(place.ok(&["health", "--quick"]), "ok\n");
    let shown = parsed(&place.ok(&["health", "--json"]));
    assert_eq!((&shown["status"], &shown["health"]["subjects"][0]["trouble"]), (&json!("ok"), &json!("resting")));
    // Where only the address is known nobody is asked, and the token stays here.
    let elsewhere = Place::new().with("LLMIO_TOKEN", "given-4f9c2be81d7a63");
    assert_eq!(elsewhere.ok(&["health", "--listen", &server.address.to_string()]), "ok\n");

    let subject = cells.last().expect("a subject");
    assert_eq!(place.ok(&["health", "reset", subject]), format!("{subject}\n"));
    assert_eq!(place.ok(&["health"]), "ok\n");
    let message = place.fails(&["health", "reset", subject], 1);
    assert!(message.contains("is in no trouble"), "{message}");
    assert_eq!(place.ok(&["health", "reset"]), "");
    assert_eq!(parsed(&place.ok(&["health", "reset", "--json"])), json!({ "cleared": [] }));
}

#[test]
fn targets_are_tested_one_or_all_and_fail_with_the_providers_words() {
    let provider = Provider::new();
    let place = Place::new();
    place.ok(&["catalog", "import", &place.file("llmio.toml", &provider.catalog())]);
    let _server = place.serve();
    let one = place.ok(&["test", "qwen3", "good"]);
    let cells = row(&one, "good/up");
    assert_eq!(cells[1..4], ["first", "passed", "200"]);
    let all = place.run(&["test", "qwen3"]);
    assert_eq!(all.code, 1, "{}{}", all.out, all.err);
    assert_eq!(row(&all.out, "bad/up")[1..4], ["second", "failed (credential)", "401"]);
    assert_eq!(row(&all.out, "good/up")[2], "passed");
    assert!(all.err.contains("bad/up: ") && all.err.contains("Incorrect API key"), "{}", all.err);
    assert!(all.err.ends_with("llmio: 1 of 2 did not pass\n"), "{}", all.err);
    let lines = place.run(&["test", "qwen3", "bad/up", "--json"]);
    let shown = parsed(&lines.out);
    assert_eq!((lines.code, &shown["passed"], &shown["status"]), (1, &json!(false), &json!(401)));
    let record = shown["record"].as_str().expect("a record");
    eventually("it is recorded as a test", || {
        let shown = place.run(&["records", "show", record]);
        (shown.code == 0 && shown.out.contains("\"test\"")).then_some(())
    });
    for (arguments, message) in [
        (["test", "qwen4"].as_slice(), "qwen4"),
        (&["test", "qwen3", "nobody"], "It has bad/up, good/up"),
        (&["test", "qwen3", "good", "--credential", "third"], "It has first"),
    ] {
        let error = place.fails(arguments, 1);
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
}

#[test]
fn a_route_is_told_with_every_reason_and_nothing_is_sent() {
    let provider = Provider::new();
    let place = Place::new().with("TZ", "Asia/Shanghai");
    place.ok(&["catalog", "import", &place.file("llmio.toml", &provider.catalog())]);
    let server = place.serve();
    let report = place.ok(&["route", "qwen3"]);
    assert!(report.starts_with("Model qwen3, ordered by strategy weighted."), "{report}");
    assert_eq!(row(&report, "1  bad/up"), ["1", "bad/up", "1", "1", "second"]);
    assert_eq!(row(&report, "2  good/up"), ["2", "good/up", "2", "1", "first"]);
    assert_eq!(place.run(&["test", "qwen3", "bad"]).code, 1);
    let report = eventually("its credential rests", || {
        Some(place.ok(&["route", "qwen3"])).filter(|report| report.contains("Not considered:"))
    });
    let cells = row(&report, "bad/up");
    assert_eq!(cells[1], "every credential was refused and rests", "{report}");
    let local = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
    assert!(cells[2].starts_with(&local.strftime("%Y-%m-").to_string()), "a local time: {report}");
    let shown = parsed(&place.ok(&["route", "qwen3", "--json", "--utc"]));
    assert_eq!(shown["decision"]["skipped"][0]["reason"], "credentials_resting", "{shown}");

    let none = place.run(&["route", "gone"]);
    assert_eq!(none.code, 1);
    assert_eq!(row(&none.out, "good/up")[1], "it is disabled", "{}", none.out);
    assert!(
        none.out.contains("A client would be told:\n") && none.err.contains("no target"),
        "{}{}",
        none.out,
        none.err
    );
    place.ok(&["keys", "create", "k", "--models", "gone"]);
    let refused = place.run(&["route", "qwen3", "--key", "k"]);
    assert!(refused.code == 1 && refused.out.contains("403 Key \"k\" may not use"), "{}", refused.out);
    for (arguments, message) in
        [(["route", "qwen4"].as_slice(), "qwen4"), (&["route", "qwen3", "--key", "l"], "no key named \"l\"")]
    {
        let error = place.fails(arguments, 1);
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
    server.stop();
}

#[test]
fn times_are_local_and_utc_is_marked() {
    let zoned = Place::new().with("TZ", "Asia/Shanghai");
    let key = zoned.ok(&["keys", "create", "k", "--expires", "2099-01-01T00:00:00"]);
    assert!(key.starts_with("sk-llmio-"));
    assert_eq!(row(&zoned.ok(&["keys", "list"]), "k ")[2], "2099-01-01 00:00:00", "as it was written");
    assert_eq!(row(&zoned.ok(&["keys", "list", "--utc"]), "k ")[2], "2098-12-31 16:00:00Z");
    assert_eq!(parsed(&zoned.ok(&["keys", "list", "--json"]))["keys"][0]["expires"], "2098-12-31T16:00:00Z");
}
