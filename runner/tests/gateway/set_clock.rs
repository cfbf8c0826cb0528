//! A wall clock that is set while the gateway runs, and between two starts of it: what was meant to last for some time
//! lasts that long. The runner alone has a clock that nobody sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{self, Builder, Gateway, Host, Request, chat, eventually};
use crate::health::limited;
use crate::upstream::{Answer, Upstream};

const HOUR_S: i64 = 3_600;
/// The library that sets the wall clock of a process.
static LIBRARY: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = folder.path().join("libwall_clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/set_clock/wall_clock.rs");
    let compiler = Path::new(env!("CARGO")).with_file_name("rustc");
    let mut compile = Command::new(if compiler.exists() { compiler } else { "rustc".into() });
    compile.args(["--edition", "2024", "--crate-type", "cdylib", "-o"]).arg(&library).arg(source);
    assert!(compile.status().expect("a compiler").success(), "the library is not compiled");
    (folder, library)
});

/// The wall clock of a gateway.
struct WallClock {
    folder: TempDir,
}

impl WallClock {
    /// One that is wrong by this.
    fn off_by(seconds: i64) -> WallClock {
        let clock = WallClock { folder: tempfile::tempdir().expect("a temporary folder") };
        clock.write(seconds);
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("set-by")
    }

    fn write(&self, seconds: i64) {
        // Whoever reads it meanwhile finds the one or the other.
        let draft = self.folder.path().join("draft");
        fs::write(&draft, seconds.to_string()).expect("a file");
        fs::rename(draft, self.file()).expect("its name");
    }

    /// Sets it to what is wrong by this.
    fn set(&self, seconds: i64) {
        self.write(seconds);
        // An instance counts its last reading on for 50 ms.
        std::thread::sleep(Duration::from_millis(60));
    }

    fn gateway(&self) -> Builder {
        let library = LIBRARY.1.to_str().expect("a path of text");
        let file = self.file();
        Gateway::on(Host::Runner)
            .env("LD_PRELOAD", library)
            .env("LLMIO_TEST_CLOCK", file.to_str().expect("a path of text"))
    }
}

fn unix_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(now.as_secs()).expect("a time")
}

/// How long everything that rests still does, in seconds, by the wall clock that the answer tells.
fn rests_s(gateway: &Gateway) -> Vec<i64> {
    let health = gateway.admin("GET", "/api/health", "").json();
    let ms = |value: &Value| value.as_i64().expect("a time");
    let left = |subject: &Value| (ms(&subject["until_ms"]) - ms(&health["now_ms"])) / 1_000;
    health["subjects"].as_array().expect("a list").iter().map(left).collect()
}

fn exchange(connection: &mut common::Connection) -> u16 {
    connection.exchange(&chat("m")).status
}

/// A key with these limits.
fn key_with(gateway: &Gateway, limits: &Value) -> String {
    let made = gateway.admin("POST", "/api/keys", &json!({ "name": "k", "limits": limits }).to_string());
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["key"].as_str().expect("a key").to_owned()
}

/// The status of a call with this key. Where the ledger is late, as on a busy machine, the call is not served and says so.
fn status(gateway: &Gateway, key: &str) -> u16 {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
    let call = || gateway.send(&Request::new("POST", "/v1/chat/completions").key(key).json(body)).status;
    eventually("the ledger answers", || Some(call()).filter(|status| *status != 503))
}

#[test]
fn a_rest_is_over_when_it_was_meant_to_be_though_the_clock_was_set_forward() {
    let clock = WallClock::off_by(0);
    let upstream = Upstream::saying("back again").then([limited("3")]);
    let gateway = clock.gateway().provider("a", &upstream).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    let start = Instant::now();
    assert_eq!(exchange(&mut connection), 429);
    clock.set(8 * HOUR_S);
    eventually("it is asked again", || (exchange(&mut connection) == 200).then_some(()));
    assert!(start.elapsed() >= Duration::from_secs(3), "asked again after {:?}", start.elapsed());
    assert_eq!(upstream.received().len(), 2, "once it was over, and not before");
}

#[test]
fn a_rest_lasts_forward_back_and_over_restarts_and_is_shown_by_the_clock_as_it_is() {
    let clock = WallClock::off_by(0);
    let upstream = Upstream::answering(limited("7200"));
    let mut gateway = clock.gateway().provider("a", &upstream).model("m", &["a/up"]).start();
    assert_eq!(gateway.send(&chat("m")).status, 429);
    eventually("the rest is published", || (!rests_s(&gateway).is_empty()).then_some(()));
    for (step, off_s) in [8 * HOUR_S, 0, 8 * HOUR_S, 30, 8 * HOUR_S].into_iter().enumerate() {
        clock.set(off_s);
        match step {
            2 => gateway.restart(),
            4 => gateway.kill_and_restart(),
            _ => {}
        }
        let refused = gateway.send(&chat("m"));
        assert_eq!(refused.status, 429, "step {step}");
        let until: jiff::Timestamp = refused.header("x-llmio-until").and_then(|at| at.parse().ok()).expect("a time");
        let left_s = [rests_s(&gateway), vec![until.as_second() - off_s - unix_s()]].concat();
        assert!(left_s.iter().all(|left_s| (6_000..=7_202).contains(left_s)), "step {step}: {left_s:?}");
    }
    assert_eq!(upstream.received().len(), 1, "nobody asked it meanwhile");
}

#[test]
fn a_rest_lasts_over_a_reboot_after_the_clock_was_set() {
    for off_s in [8 * HOUR_S, -8 * HOUR_S] {
        let clock = WallClock::off_by(0);
        let upstream = Upstream::answering(limited("7200"));
        let mut gateway = clock.gateway().provider("a", &upstream).model("m", &["a/up"]).start();
        clock.set(off_s);
        assert_eq!(gateway.send(&chat("m")).status, 429);
        eventually("the rest is published", || (!rests_s(&gateway).is_empty()).then_some(()));
        gateway.terminate();
        assert!(gateway.ended().success());
        let kept = Connection::open(gateway.data().join("kv.sqlite")).expect("its store");
        let other = "CAST(json_set(CAST(value AS TEXT), '$.boot', 'before') AS BLOB)";
        let sql = format!("UPDATE key_value SET value = {other} WHERE key = 'host/clock'");
        assert_eq!(kept.execute(&sql, []).expect("a statement"), 1, "the clock is kept");
        drop(kept);
        gateway.start_again();
        assert_eq!(gateway.send(&chat("m")).status, 429);
        let left_s = rests_s(&gateway);
        assert!(left_s.iter().all(|left_s| (6_000..=7_202).contains(left_s)), "{off_s}: {left_s:?}");
        assert_eq!(upstream.received().len(), 1, "{off_s}");
    }
}

#[test]
fn what_failed_before_the_clock_was_set_back_is_looked_at_by_one_call() {
    let clock = WallClock::off_by(8 * HOUR_S);
    let upstream = Upstream::answering(Answer::json(401, r#"{"error":{"message":"Incorrect API key provided"}}"#));
    let gateway = clock.gateway().provider("a", &upstream).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    for _ in 0..3 {
        exchange(&mut connection);
    }
    assert_eq!(upstream.received().len(), 1);
    clock.set(0);
    for _ in 0..5 {
        exchange(&mut connection);
    }
    assert_eq!(upstream.received().len(), 2, "the wrong clock may have been the reason, and was not");
}

#[test]
fn what_was_spent_counts_as_long_as_it_was_meant_to_whatever_the_clock_says() {
    for first_off_s in [0, 8 * HOUR_S, -8 * HOUR_S] {
        let clock = WallClock::off_by(first_off_s);
        let upstream = Upstream::saying("served");
        let mut gateway = clock.gateway().provider("a", &upstream).model("m", &["a/up"]).start();
        let key = key_with(&gateway, &json!({ "rolling": { "calls": 1, "hours": 5 } }));
        assert_eq!(status(&gateway, &key), 200);
        for (step, off_s) in [8, 0, -8, 0, 8].into_iter().map(|hours| hours * HOUR_S).enumerate() {
            clock.set(first_off_s + off_s);
            if step == 3 {
                gateway.kill_and_restart();
            }
            assert_eq!(status(&gateway, &key), 429, "step {step}, wrong by {first_off_s} s at first");
            let limits = gateway.admin("GET", "/api/quota", "").json();
            let resets_ms = limits["quota"][0]["resets_at_ms"].as_i64().expect("a time");
            let left_s = resets_ms / 1_000 - unix_s() - first_off_s - off_s;
            assert!((4 * HOUR_S..=5 * HOUR_S + 300).contains(&left_s), "step {step}: {left_s}");
        }
        assert_eq!(upstream.received().len(), 1);
    }
}

#[test]
fn a_machine_that_began_in_1970_loses_nothing_when_its_clock_is_set() {
    // Noon both times, so that no day ends meanwhile.
    let noon_s = 12 * HOUR_S;
    let clock = WallClock::off_by(noon_s - unix_s());
    let (served, limited) = (Upstream::saying("served"), Upstream::answering(limited("7200")));
    let builder = clock.gateway().provider("a", &served).provider("b", &limited);
    let gateway = builder.model("m", &["a/up"]).model("n", &["b/up"]).start();
    let key = key_with(&gateway, &json!({ "rolling": { "calls": 1, "hours": 5 }, "rpd": 1 }));
    assert_eq!((status(&gateway, &key), gateway.send(&chat("n")).status), (200, 429));
    eventually("the rest is published", || (!rests_s(&gateway).is_empty()).then_some(()));
    clock.set(noon_s - unix_s() % (24 * HOUR_S));
    assert_eq!((status(&gateway, &key), gateway.send(&chat("n")).status), (429, 429));
    assert_eq!((served.received().len(), limited.received().len()), (1, 1));
    let left_s = rests_s(&gateway);
    assert!(left_s.iter().all(|left_s| (6_000..=7_200).contains(left_s)), "{left_s:?}");
    let limits = gateway.admin("GET", "/api/quota", "").json();
    let names = |limit: &Value| (limit["name"].as_str().map(str::to_owned), limit["spent"].as_u64());
    let spent: Vec<_> = limits["quota"].as_array().expect("limits").iter().map(names).collect();
    assert!(spent.iter().all(|(_, spent)| *spent == Some(1)), "that day of 1970 was today: {spent:?}");
}

#[test]
fn no_record_goes_for_its_age_because_the_clock_was_set_years_ahead_by_mistake() {
    let clock = WallClock::off_by(0);
    let upstream = Upstream::saying("served");
    let mut gateway = clock.gateway().provider("a", &upstream).model("m", &["a/up"]).start();
    let call = gateway.send(&chat("m"));
    gateway.record(&call);
    let deleted = |gateway: &Gateway| {
        let maintained = gateway.admin("POST", "/api/maintain", "{}");
        assert_eq!(maintained.status, 200, "{}", maintained.text());
        maintained.json()["records_deleted"].as_u64().expect("a number")
    };
    assert_eq!(deleted(&gateway), 0);
    let years_ahead_s = 10 * 365 * 24 * HOUR_S;
    clock.set(years_ahead_s);
    assert_eq!(deleted(&gateway), 0);
    gateway.restart();
    assert_eq!(deleted(&gateway), 0);
    gateway.record(&call);
    // A day later nobody has set it right.
    gateway.terminate();
    assert!(gateway.ended().success());
    let database = Connection::open(gateway.data().join("store.db")).expect("its database");
    let sql = "UPDATE maintenance SET at_ms = at_ms - 90000000 WHERE name = 'ahead/0'";
    assert_eq!(database.execute(sql, []).expect("a statement"), 1);
    drop(database);
    gateway.start_again();
    eventually("it is believed", || {
        deleted(&gateway);
        gateway
            .records("")
            .iter()
            .all(|record| record["id"] != call.header("x-llmio-record").unwrap_or(""))
            .then_some(())
    });
}
