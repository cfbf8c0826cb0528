//! Files that are damaged, lost or half written: records start anew, the catalog is never taken for an empty one.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::common::{Builder, Gateway, Host, PATIENCE, chat, eventually};

const MODEL: &str = "[[providers]]\npreset = \"echo\"\n[[models]]\nname = \"kept\"\ntargets = [\"echo/x\"]\n";

fn runner() -> Builder {
    Gateway::on(Host::Runner)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", file.display()))
}

/// Overwrites the first bytes of a file, at most all it has, as a failing disk would.
fn spoil(file: &Path, bytes_max: u64) {
    let length = fs::metadata(file).expect("a file").len().min(bytes_max);
    let garbage = vec![0xa5; usize::try_from(length).expect("a small file")];
    let opened = File::options().write(true).open(file).expect("the file");
    opened.write_all_at(&garbage, 0).expect("damage");
}

/// A data folder as a gateway with the model `kept` leaves it.
fn stopped() -> Gateway {
    let mut gateway = runner().catalog(MODEL).start();
    assert_eq!(gateway.send(&chat("kept")).status, 200);
    gateway.terminate();
    assert!(gateway.ended().success());
    gateway
}

#[test]
fn a_database_that_is_damaged_while_it_is_used_loses_no_later_record() {
    let gateway = runner().start();
    gateway.record(&gateway.send(&chat("demo")));
    let file = gateway.data().join("store.db");
    spoil(&file, u64::MAX);
    spoil(&beside(&file, "-wal"), u64::MAX);
    // The head of the index, which tells every connection that what it has in memory is out of date.
    spoil(&beside(&file, "-shm"), 96);
    let later: Vec<_> = (0..20).map(|_| gateway.send(&chat("demo"))).collect();
    for response in &later {
        assert_eq!(response.status, 200);
        assert_eq!(gateway.record(response)["state"], "ok");
    }
    assert_eq!(gateway.records("").len(), later.len());
    let log = gateway.log();
    assert!(log.contains("is damaged") && !log.contains("no such table"), "{log}");
    let aside = fs::read_dir(gateway.data()).expect("the data folder").filter_map(|entry| entry.ok());
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().starts_with("store.db.corrupt-"));
    assert!(aside.count() > 0, "the damaged file is kept");
}

#[test]
fn after_a_clean_stop_each_file_has_everything_by_itself() {
    let mut gateway = stopped();
    for name in ["kv.sqlite", "store.db"] {
        let wal = beside(&gateway.data().join(name), "-wal");
        assert!(!wal.exists(), "{}", wal.display());
    }
    gateway.start_again();
    assert_eq!(gateway.send(&chat("kept")).status, 200);
    eventually("both calls are recorded", || (gateway.records("state=ok").len() == 2).then_some(()));
}

#[test]
fn a_catalog_that_lost_its_content_exits_78_and_nothing_is_served() {
    let gateway = stopped();
    let file = gateway.data().join("kv.sqlite");
    let whole = fs::read(&file).expect("the file");
    fs::write(&file, "").expect("a truncated file");
    let (code, log) = runner().run_to_end_in(&gateway.data());
    assert!(code == 78 && log.contains("lost its content") && log.contains("restore a backup"), "{code}: {log}");
    fs::remove_file(&file).expect("the file");
    Connection::open(&file).and_then(|other| other.execute_batch("CREATE TABLE x (y)")).expect("another database");
    let (code, log) = runner().run_to_end_in(&gateway.data());
    assert!(code == 78 && log.contains("lost its content"), "{code}: {log}");
    spoil(&file, u64::MAX);
    let (code, log) = runner().run_to_end_in(&gateway.data());
    assert!(code == 78 && log.contains("restore a backup"), "{code}: {log}");
    fs::write(&file, whole).expect("a backup restored");
    let mut gateway = gateway;
    gateway.start_again();
    assert_eq!(gateway.send(&chat("kept")).status, 200);
}

#[test]
fn a_catalog_that_is_gone_is_not_replaced_by_an_empty_one() {
    let gateway = stopped();
    let (file, mark) = (gateway.data().join("kv.sqlite"), gateway.data().join("kv.made"));
    let whole = fs::read(&file).expect("the file");
    let refused = || {
        let (code, log) = runner().run_to_end_in(&gateway.data());
        assert!(code == 78 && log.contains("is gone") && log.contains("Restore a backup"), "{code}: {log}");
        assert!(!file.exists());
    };
    fs::remove_file(&file).expect("the file");
    refused();
    fs::remove_file(&mark).expect("the mark");
    refused();
    fs::remove_file(gateway.data().join("store.db")).expect("the records");
    fs::write(&mark, "").expect("the mark");
    refused();
    fs::write(&file, whole).expect("a backup restored");
    let mut gateway = gateway;
    gateway.start_again();
    assert_eq!(gateway.send(&chat("kept")).status, 200);
}

#[test]
fn a_catalog_held_by_another_process_exits_75_and_is_not_damaged() {
    let gateway = stopped();
    let file = gateway.data().join("kv.sqlite");
    let other = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the file");
    other.busy_timeout(PATIENCE).expect("a connection");
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("the lock");
    let (code, log) = runner().run_to_end_in(&gateway.data());
    assert!(code == 75 && log.contains("another process") && !log.contains("restore"), "{code}: {log}");
}

#[test]
fn a_catalog_that_cannot_be_opened_exits_74_and_is_not_called_damaged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("kv.sqlite")).expect("a folder in the way");
    let (code, log) = runner().run_to_end_in(folder.path());
    assert!(code == 74 && log.contains("kv.sqlite") && !log.contains("restore"), "{code}: {log}");
}

#[test]
fn a_catalog_file_without_text_is_refused_at_the_start_and_ignored_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("llmio.toml");
    let path = file.to_str().expect("a path in UTF-8");
    fs::write(&file, " \n").expect("a blank file");
    let (code, log) = runner().arg("--catalog").arg(path).run_to_end();
    assert!(code == 78 && log.contains("is empty"), "{code}: {log}");

    fs::write(&file, MODEL).expect("a catalog");
    let gateway = runner().arg("--catalog").arg(path).start();
    for (bytes, message) in [(b"".as_slice(), "it is empty"), (b"\xff", "UTF-8")] {
        fs::write(&file, bytes).expect("no text");
        eventually("it is told", || gateway.log().contains(message).then_some(()));
        assert_eq!(gateway.send(&chat("kept")).status, 200, "the last good one stays");
        assert_eq!(gateway.send(&chat("demo")).status, 404, "the built-in catalog does not come back");
    }
    fs::write(&file, MODEL.replace("kept", "mended")).expect("a catalog");
    eventually("the mended file is served", || (gateway.send(&chat("mended")).status == 200).then_some(()));
    assert_eq!(gateway.log().matches("it is empty").count(), 1, "it is told once");
}

#[test]
fn what_an_accepted_catalog_file_lacks_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("llmio.toml");
    let with = |variable: &str| {
        format!(
            "{MODEL}[[providers]]\nname = \"x\"\nbase_url = \"https://x.example/v1\"\ncredentials = [\"${{{variable}}}\"]\n"
        )
    };
    fs::write(&file, with("MISSING_FIRST")).expect("a catalog");
    let gateway = runner().arg("--catalog").arg(file.to_str().expect("a path in UTF-8")).start();
    eventually("the start tells it", || gateway.log().contains("MISSING_FIRST").then_some(()));
    fs::write(&file, with("MISSING_LATER")).expect("a catalog");
    eventually("the change tells it", || gateway.log().contains("MISSING_LATER").then_some(()));
}
