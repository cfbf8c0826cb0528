//! What commands say of the server, of the folder and of their own command line.

use super::*;

#[test]
fn health_is_0_when_ok_or_degraded_and_1_without_a_server() {
    let place = Place::new();
    let message = place.fails(&["health"], 1);
    assert!(message.contains("llmio serve"), "{message}");
    assert!(!place.data().exists(), "a check makes no data folder");
    let server = place.serve();
    assert_eq!(place.ok(&["health"]), "ok\n");
    place.ok(&["catalog", "import", &place.file("llmio.toml", CATALOG)]);
    // An instance may be 100 ms late to see what another one stored.
    let degraded = |place: &Place, arguments: &[&str]| {
        eventually("the new catalog is seen", || Some(place.ok(arguments)).filter(|text| text.starts_with("degraded:")))
    };
    let report = degraded(&place, &["health"]);
    assert!(report.contains("RELAY_KEY"), "{report}");
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
    let message = place.fails(&["keys", "list"], 75);
    assert!(message.contains("data"), "{message}");
    let gone = Nobody::new();
    fs::write(place.data().join("address"), gone.address.to_string()).expect("an announcement");
    let message = place.fails(&["keys", "list"], 75);
    assert!(message.contains(&gone.address.to_string()), "{message}");
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
        let message = place.fails(arguments, 74);
        assert!(message.contains("--data"), "{message}");
    }
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
