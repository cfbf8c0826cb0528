//! The process: what it refuses at its start, what it prints, and how it ends.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use rustix::process::Signal;

use crate::common::{End, Gateway, Host, Request, TOKEN, binary, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

fn runner() -> crate::common::Builder {
    Gateway::on(Host::Runner)
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_told_who_is_there() {
    let gateway = runner().start();
    let (code, log) = runner().run_to_end_in(&gateway.data());
    assert_eq!(code, 75, "{log}");
    assert!(log.contains("another llmio uses") && log.contains("it serves http://127.0.0.1:"), "{log}");
    assert!(log.contains("--data DIR"), "{log}");
    assert_eq!(gateway.send(&chat("demo")).status, 200, "the first one is not disturbed");
}

#[test]
fn a_weak_token_beyond_loopback_exits_78_and_is_not_repeated() {
    for token in ["fifteen-letters", "change-me-change-me", "at-least-16-characters", ""] {
        let (code, log) = runner().arg("--listen").arg("0.0.0.0:0").env("LLMIO_TOKEN", token).run_to_end();
        assert_eq!(code, 78, "{token:?}: {log}");
        assert!(log.contains("16 or more random characters"), "{log}");
        assert!(token.is_empty() || !log.contains(token), "the token is repeated: {log}");
    }
}

#[test]
fn a_data_folder_that_cannot_be_written_exits_74_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let (code, log) = runner().run_to_end_in(&file.join("data"));
    assert!(code == 74 && log.contains("--data DIR"), "{code}: {log}");
}

#[test]
fn a_port_in_use_is_told() {
    let gateway = runner().start();
    let address = gateway.address().to_string();
    let (code, log) = runner().arg("--listen").arg(address.as_str()).run_to_end();
    assert!(code == 75 && log.contains(&address), "{code}: {log}");
}

#[test]
fn a_stream_under_way_is_finished_when_the_process_is_asked_to_end() {
    let answer = Answer::stream().chunk(event("one")).wait().chunk(event("two")).chunk(last_events()).end();
    let upstream = Upstream::answering(answer);
    let mut gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    stream.read_until("one");
    gateway.terminate();
    eventually("new connections are refused", || TcpStream::connect(gateway.address()).is_err().then_some(()));
    upstream.release();
    let rest = stream.finish();
    assert_eq!((rest.text(), rest.end), (format!("{}{}", event("two"), last_events()), End::Clean));
    assert!(gateway.ended().success());
    gateway.start_again();
    assert_eq!(gateway.record_by_id(&id)["state"], "ok", "what is queued is written before the end");
}

#[test]
fn a_stream_that_outlasts_the_grace_is_cut_and_recorded_as_drained() {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait());
    let mut gateway = runner().provider("a", &upstream).model("m", &["a/up"]).arg("--drain").arg("1").start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    stream.read_until("one");
    gateway.terminate();
    assert_eq!(stream.finish().end, End::Cut);
    assert!(gateway.ended().success());
    gateway.start_again();
    assert_eq!(gateway.record_by_id(&id)["state"], "drained");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait());
    let mut gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    stream.read_until("one");
    gateway.terminate();
    eventually("the first signal is heard", || gateway.log().contains("a second signal").then_some(()));
    gateway.terminate();
    assert!(gateway.ended().success());
    assert_eq!(stream.finish().end, End::Cut);
}

#[test]
fn the_help_names_every_flag_and_its_variable() {
    let output = std::process::Command::new(binary()).arg("--help").output().expect("it starts");
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    // However wide the terminal is, a line break within a sentence is a space.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let flags =
        ["data", "listen", "catalog", "token", "master-key", "master-key-previous", "secrets", "threads", "drain"];
    for flag in flags {
        assert!(help.contains(&format!("--{flag} <")), "--{flag} is missing:\n{help}");
        let variable = format!("LLMIO_{}", flag.replace('-', "_").to_uppercase());
        assert!(help.contains(&format!("[env: {variable}")), "{variable} is missing:\n{help}");
    }
    assert!(help.contains("$PORT") && help.contains("$TOKEN"), "{help}");
}

#[test]
fn the_curl_line_of_the_first_start_works_as_it_is() {
    let mut gateway = runner().without_token().start();
    // The address is announced before the greeting is printed.
    let greeting = eventually("the greeting", || {
        Some(gateway.stdout()).filter(|text| text.lines().any(|line| line.starts_with("curl ")) && text.ends_with('\n'))
    });
    let curl = greeting.lines().find(|line| line.starts_with("curl ")).unwrap_or_else(|| panic!("{greeting}"));
    let token = fs::read_to_string(gateway.data().join("token")).expect("a token").trim().to_owned();
    assert!(!greeting.contains(&token), "what is no terminal may be a log that many read");
    let (_, command) = curl.split_once("Bearer $(llmio ").expect("a command that prints the token");
    let arguments: Vec<_> =
        command.split(')').next().expect("its end").split(' ').map(|part| part.replace('\'', "")).collect();
    let printed = Command::new(env!("CARGO_BIN_EXE_llmio")).env_clear().args(arguments).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&printed.stdout).trim(), token);
    let body = &curl[curl.find("'{").expect("a body") + 1..curl.len() - 1];
    let request = Request::new("POST", "/v1/chat/completions").key(&token).json(body);
    let response = gateway.send(&request);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["choices"][0]["message"]["content"], "You said: Hello");
    assert_eq!(gateway.send(&chat("demo").key(TOKEN)).status, 401, "no other token is known");
    gateway.restart();
    let printed = eventually("a greeting of the second start", || {
        Some(gateway.stdout()).filter(|text| text.len() > greeting.len() && text.ends_with('\n'))
    });
    assert!(!printed[greeting.len()..].contains(&token), "later starts do not repeat the token");
    assert_eq!(gateway.send(&request).status, 200, "the token is kept");
}

#[test]
fn quit_drains_like_terminate() {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait().chunk(last_events()).end());
    let mut gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    stream.read_until("one");
    gateway.signal(Signal::QUIT);
    eventually("it drains", || gateway.log().contains("asked to end").then_some(()));
    upstream.release();
    assert_eq!(stream.finish().end, End::Clean);
    assert!(gateway.ended().success());
}

#[test]
fn connect_is_answered_405_whatever_it_asks_for() {
    let gateway = runner().start();
    for target in ["example.com:443", "localhost:80"] {
        let response = gateway.send(&Request::new("CONNECT", target).key(TOKEN));
        assert_eq!(response.status, 405, "{target}: {}", response.text());
        assert!(response.header("allow").is_some());
    }
}
