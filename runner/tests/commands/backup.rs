//! A backup of a server under load, restored and compared, and what was spent meanwhile.

use super::operating::Provider;
use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const BODY: &str = r#"{"model":"qwen3","messages":[{"role":"user","content":"Hello"}]}"#;

/// Its catalog without the limit of calls, of which a busy test makes more.
fn catalog_of(provider: &Provider) -> String {
    let catalog = provider.catalog();
    assert!(catalog.contains("rpd = 100, "), "{catalog}");
    catalog.replace("rpd = 100, ", "")
}

fn call(server: &Server, token: &str) -> u16 {
    server.post("/v1/chat/completions", token.trim(), BODY).0
}

/// The command on another data folder.
fn on(place: &Place, data: &str, arguments: &[&str]) -> String {
    place.ok(&[arguments, &["--data", data]].concat())
}

/// What is spent of the prepaid credit, in billionths of a dollar. It never resets.
fn spent(place: &Place) -> u64 {
    let listed: Value = serde_json::from_str(&place.ok(&["quota", "--json"])).expect("JSON");
    let rows = listed["quota"].as_array().expect("limits");
    rows.iter()
        .filter(|row| row["id"].as_str().is_some_and(|id| id.ends_with("/credit")))
        .filter_map(|row| row["spent"].as_u64())
        .sum()
}

/// The ids of all records of a folder.
fn records(place: &Place, data: &str) -> Vec<String> {
    let lines = on(place, data, &["records", "--json", "--limit", "100000"]);
    let id = |line: &str| serde_json::from_str::<Value>(line).ok()?["id"].as_str().map(str::to_owned);
    lines.lines().filter_map(id).collect()
}

#[test]
fn a_backup_under_load_is_restored_into_an_empty_folder_and_is_the_same() {
    let provider = Provider::new();
    let place = Place::new().with("LLMIO_BACKUP_PASSPHRASE", "correct horse battery");
    place.ok(&["catalog", "import", &place.file("llmio.toml", &catalog_of(&provider))]);
    let key = place.ok(&["keys", "create", "laptop", "--models", "qwen3"]);
    let token = place.ok(&["token"]);
    let server = place.serve();
    let (ends, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let file = place.folder.path().join("backup.tar").display().to_string();
    let before = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    assert_eq!(call(&server, &token), 200);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually("calls are recorded", || (calls.load(Ordering::Relaxed) > 20).then_some(()));
        let data = place.data().display().to_string();
        let before = eventually("they can be listed", || Some(records(&place, &data)).filter(|ids| ids.len() > 10));
        let made = place.run(&["backup", &file, "--with-secrets"]);
        ends.store(true, Ordering::Relaxed);
        assert_eq!(made.code, 0, "{}{}", made.out, made.err);
        assert!(made.err.contains("Under the passphrase: master.key, token."), "{}", made.err);
        before
    });
    let mode = fs::metadata(&file).expect("the backup").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let bytes = fs::read(&file).expect("the backup");
    for secret in ["sk-good-1234567890", key.trim(), token.trim()] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret is in it");
    }
    let message = place.fails(&["restore", &file], 75);
    assert!(message.contains("stop it first"), "{message}");
    let catalog = place.ok(&["catalog", "export"]);
    server.stop();

    let new = place.folder.path().join("new").display().to_string();
    let shown = on(&place, &new, &["restore", &file]);
    assert!(shown.contains("is as it was at "), "{shown}");
    assert_eq!(on(&place, &new, &["catalog", "export"]), catalog);
    assert_eq!(on(&place, &new, &["token"]), token);
    let restored = records(&place, &new);
    let missing: Vec<&String> = before.iter().filter(|id| !restored.contains(id)).collect();
    assert!(missing.is_empty(), "records from before the backup are missing: {missing:?}");
    fs::rename(place.data(), place.folder.path().join("old")).expect("the old folder moved away");
    fs::rename(&new, place.data()).expect("the new one in its place");
    let server = place.serve();
    assert_eq!(call(&server, &key), 200, "the old key and the sealed credential work");
}

#[test]
fn restoring_never_lowers_what_was_spent() {
    let provider = Provider::new();
    let place = Place::new();
    place.ok(&["catalog", "import", &place.file("llmio.toml", &catalog_of(&provider))]);
    let token = place.ok(&["token"]);
    let file = place.folder.path().join("backup.tar").display().to_string();
    let calls = |count: usize| {
        let server = place.serve();
        (0..count).for_each(|_| assert_eq!(call(&server, &token), 200));
        server.stop();
        spent(&place)
    };
    let first = calls(2);
    let made = place.run(&["backup", &file]);
    assert!(made.code == 0 && made.err.contains("master.key and token are not in it"), "{}{}", made.out, made.err);
    let second = calls(3);
    assert!(first > 0 && second > first, "{first} {second}");
    let shown = place.run(&["restore", &file]);
    assert!(shown.code == 0 && shown.err.contains("What was there is kept in "), "{}{}", shown.out, shown.err);
    assert_eq!(spent(&place), second);
    let server = place.serve();
    assert_eq!(call(&server, &token), 200, "its own master.key and token stayed");
}

#[test]
fn what_is_no_backup_is_refused_and_an_empty_folder_has_none() {
    let place = Place::new();
    let message = place.fails(&["backup", "backup.tar"], 78);
    assert!(message.contains("holds nothing yet"), "{message}");
    let message = place.fails(&["restore", &place.file("backup.tar", "hello")], 78);
    assert!(message.contains("not a complete backup") && !place.data().exists(), "{message}");
    place.ok(&["keys", "create", "k"]);
    let message = place.fails(&["backup", "made.tar", "--with-secrets"], 78);
    assert!(message.contains("LLMIO_BACKUP_PASSPHRASE"), "{message}");
    assert!(!place.folder.path().join("made.tar").exists());
}
