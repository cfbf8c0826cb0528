//! `llmio doctor` on an installation that is well, and on some that are not.

use super::operating::Provider;
use super::*;
use serde_json::json;

/// What it says, and whether that is all well.
fn doctor(place: &Place, arguments: &[&str]) -> (bool, String, String) {
    let done = place.run(&[&["doctor"], arguments].concat());
    assert!(matches!(done.code, 0 | 1), "{}{}", done.out, done.err);
    (done.code == 0, done.out, done.err)
}

/// A provider of this name at this address.
fn provider_at(name: &str, url: &str) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\nbase_url = \"{url}\"\nlocal = true\ncredentials = [\"sk-c4n4ry-1234567890\"]\n"
    )
}

/// The one thing that is wrong, and what to do about it.
fn only_wrong(place: &Place, arguments: &[&str]) -> (Value, String, String) {
    let (is_well, report, _) = doctor(place, &[arguments, &["--json"]].concat());
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((is_well, &report["ok"]), (false, &json!(false)), "{report}");
    let checks = report["checks"].as_array().expect("checks");
    let wrong: Vec<&Value> = checks.iter().filter(|check| check["ok"] == false).collect();
    assert_eq!(wrong.len(), 1, "{report}");
    let text = |name: &str| wrong[0][name].as_str().expect("a text").to_owned();
    (wrong[0]["check"].clone(), text("said"), text("do"))
}

#[test]
fn an_installation_that_is_well_says_so_with_and_without_a_server() {
    let fresh = Place::new();
    let (is_well, report, _) = doctor(&fresh, &["--listen", "127.0.0.1:0"]);
    assert!(is_well && report.contains("is not there yet") && !fresh.data().exists(), "{report}");
    let provider = Provider::new();
    let place = Place::new();
    place.ok(&["catalog", "import", &place.file("llmio.toml", &provider.catalog())]);
    let (is_well, report, err) = doctor(&place, &["--listen", "127.0.0.1:0"]);
    assert!(is_well && err.is_empty(), "{report}{err}");
    let server = place.serve();
    let (is_well, report, err) = doctor(&place, &[]);
    assert!(is_well && err.is_empty(), "{report}{err}");
    for line in [
        "ok     data folder: ",
        "ok     permissions: ",
        "ok     files: kv.sqlite is whole",
        "ok     disk: ",
        "ok     server: http://",
        "ok     token: ",
        "ok     descriptors: ",
        "ok     catalog: valid",
        "ok     TLS: http://",
        "ok     clock: ",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
    assert!(!report.contains("sk-good"), "{report}");
    let chinese = place.command(&["doctor"]).env("LANG", "zh_CN.UTF-8").output().expect("its output");
    assert!(String::from_utf8_lossy(&chinese.stdout).starts_with("正常  数据目录"), "{chinese:?}");
    server.stop();
}

#[test]
fn a_port_that_another_process_has_is_told() {
    let place = Place::new();
    place.ok(&["keys", "create", "k"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = taken.local_addr().expect("its address").to_string();
    let (check, message, todo) = only_wrong(&place, &["--listen", &address]);
    assert!(
        check == "port" && message.contains(&address) && todo.contains("another process listens there"),
        "{message} {todo}"
    );
}

#[test]
fn secrets_that_others_can_read_are_told() {
    let place = Place::new();
    place.ok(&["keys", "create", "k"]);
    let key = place.data().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    let (check, message, todo) = only_wrong(&place, &["--listen", "127.0.0.1:0"]);
    assert!(
        check == "permissions" && message.contains("master.key") && todo.starts_with("chmod 600 "),
        "{message} {todo}"
    );
}

#[test]
fn a_damaged_file_and_a_lost_key_are_told() {
    let place = Place::new();
    place.ok(&["keys", "create", "k"]);
    let path = place.data().join("kv.sqlite");
    let whole = fs::read(&path).expect("the file");
    fs::write(&path, [b'x'; 8192]).expect("a damaged file");
    let (is_well, report, err) = doctor(&place, &["--listen", "127.0.0.1:0"]);
    assert!(
        !is_well && report.contains("wrong  files: kv.sqlite cannot be used") && report.contains("llmio restore"),
        "{report}"
    );
    assert!(err.contains("are wrong"), "{err}");
    assert_eq!(fs::read(&path).expect("the file"), [b'x'; 8192], "nothing is changed");
    fs::write(&path, whole).expect("the file as it was");
    fs::remove_file(place.data().join("master.key")).expect("the key");
    let (check, message, todo) = only_wrong(&place, &["--listen", "127.0.0.1:0"]);
    assert!(
        check == "files" && message.contains("master.key is gone") && todo.contains("LLMIO_MASTER_KEY"),
        "{message}"
    );
}

#[test]
fn providers_that_are_not_reached_are_told_with_what_helps() {
    let (place, nobody) = (Place::new(), Nobody::new());
    let gone = provider_at("gone", &format!("http://{}/v1", nobody.address));
    place.ok(&["catalog", "import", &place.file("llmio.toml", &gone)]);
    let (check, message, todo) = only_wrong(&place, &["--listen", "127.0.0.1:0"]);
    assert!(
        check == "tls" && message.contains("(gone): there is no connection") && todo.contains("firewall"),
        "{message} {todo}"
    );

    let Provider(address) = Provider::new();
    let plain = provider_at("plain", &format!("https://{address}/v1"));
    place.ok(&["catalog", "import", &place.file("llmio.toml", &plain)]);
    let (check, message, todo) = only_wrong(&place, &["--listen", "127.0.0.1:0"]);
    assert!(check == "tls" && message.contains("TLS fails") && todo.contains("http://"), "{message} {todo}");

    let proxied = provider_at("proxied", "https://relay.example/v1");
    let proxied = format!("{proxied}egress = \"http://user:c4n4ry@{}\"\n", nobody.address);
    place.ok(&["catalog", "import", &place.file("llmio.toml", &proxied)]);
    let (check, message, _) = only_wrong(&place, &["--listen", "127.0.0.1:0"]);
    assert!(check == "proxy" && message.contains("egress of proxied") && !message.contains("c4n4ry"), "{message}");
}

#[test]
fn a_weak_token_that_others_could_guess_is_told() {
    let place = Place::new().with("TOKEN", "123456");
    let (check, message, todo) = only_wrong(&place, &["--listen", "0.0.0.0:0"]);
    assert!(
        check == "token" && message.contains("TOKEN has fewer than 16") && todo.contains("16 or more"),
        "{message}"
    );
    assert!(doctor(&place, &["--listen", "127.0.0.1:0"]).0, "on loopback nobody else can try");
}

/// A provider that says it is the first day of the year.
fn of_another_time() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // All that was asked: what is left unread when a connection is closed would take the answer along.
            let is_last = |line: &std::io::Result<String>| !line.as_ref().is_ok_and(|line| !line.is_empty());
            let _ = BufReader::new(&stream).lines().find(is_last);
            let answer = "HTTP/1.1 404 Not Found\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_clock_that_is_not_that_of_providers_is_told() {
    let place = Place::new();
    let catalog = provider_at("other", &format!("http://{}/v1", of_another_time()));
    place.ok(&["catalog", "import", &place.file("llmio.toml", &catalog)]);
    let (check, message, todo) = only_wrong(&place, &["--listen", "127.0.0.1:0"]);
    assert!(
        check == "clock" && message.contains("ahead of what providers say") && todo.contains("NTP"),
        "{message} {todo}"
    );
}
