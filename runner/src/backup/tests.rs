use super::*;
use std::path::PathBuf;
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery";

/// A data folder with a catalog, a spent limit, a body and a session.
fn folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let folder = parent.path().join("data");
    fs::create_dir(&folder).expect("a folder");
    sql(
        &folder.join("kv.sqlite"),
        "CREATE TABLE key_value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        INSERT INTO key_value VALUES ('catalog', CAST('1' AS BLOB));",
    );
    sql(
        &folder.join("store.db"),
        "CREATE TABLE quota (id TEXT, bucket INTEGER, spent INTEGER NOT NULL, PRIMARY KEY (id, bucket)) WITHOUT ROWID;
        INSERT INTO quota VALUES ('key/k/rpd', 7, 10), ('key/k/concurrent', 0, 3);
        CREATE TABLE bodies (id TEXT, body TEXT); INSERT INTO bodies VALUES ('a', 'c4n4ry-body');
        CREATE TABLE sessions (hash TEXT); INSERT INTO sessions VALUES ('c4n4ry-session');",
    );
    fs::create_dir(folder.join("files")).expect("a folder");
    for (name, text) in
        [("master.key", "c4n4ry-master"), ("token", "c4n4ry-token"), ("files/keys.txt", "c4n4ry-keys"), ("kv.made", "")]
    {
        fs::write(folder.join(name), text).expect("a file");
    }
    (parent, folder)
}

fn sql(path: &Path, text: &str) {
    Connection::open(path).and_then(|database| database.execute_batch(text)).expect("SQL");
}

fn spent(folder: &Path, id: &str) -> i64 {
    let database = Connection::open(folder.join("store.db")).expect("a database");
    database
        .query_row("SELECT coalesce(sum(spent), 0) FROM quota WHERE id = ?1", [id], |row| row.get(0))
        .expect("a sum")
}

fn make(folder: &Path, file: &Path, passphrase: Option<&str>, bodies: bool) -> Made {
    backup(folder, file, &BackupOptions { passphrase, bodies }).expect("a backup")
}

fn put(file: &Path, folder: &Path) -> Result<Restored> {
    restore(file, folder, || Ok(PASSPHRASE.to_owned()))
}

#[test]
fn a_backup_has_no_secret_and_no_body_unless_asked_to() {
    let (parent, folder) = folder();
    let file = parent.path().join("plain.tar");
    let made = make(&folder, &file, None, false);
    assert_eq!((made.left_out.as_slice(), made.secrets.len()), (["sessions", "bodies"].as_slice(), 0));
    let bytes = fs::read(&file).expect("the backup");
    assert!(!bytes.windows(6).any(|bytes| bytes == b"c4n4ry"), "a secret or a body is in it");
    assert_eq!(fs::metadata(&file).expect("metadata").permissions().mode() & 0o777, 0o600);
    let again = backup(&folder, &file, &BackupOptions { passphrase: None, bodies: false }).err().expect("it is there");
    assert!(again.to_string().contains("not replaced"), "{again}");
    let whole = parent.path().join("whole.tar");
    let made = make(&folder, &whole, Some(PASSPHRASE), true);
    assert_eq!(made.secrets, ["files/keys.txt", "master.key", "token"]);
    let text = String::from_utf8_lossy(&fs::read(&whole).expect("the backup")).into_owned();
    assert!(text.contains("c4n4ry-body") && !text.contains("c4n4ry-master") && !text.contains("c4n4ry-session"));
    assert_eq!(fs::read_dir(parent.path()).expect("the folder").count(), 3, "no drafts are left");
}

#[test]
fn a_new_folder_is_what_the_old_one_was() {
    let (parent, folder) = folder();
    let file = parent.path().join("whole.tar");
    make(&folder, &file, Some(PASSPHRASE), true);
    let new = parent.path().join("new");
    let restored = put(&file, &new).expect("a folder");
    assert!(restored.kept.is_none() && restored.has_master_key && restored.raised == 0);
    for name in ["master.key", "token", "files/keys.txt", "kv.made"] {
        assert_eq!(fs::read(new.join(name)).expect(name), fs::read(folder.join(name)).expect(name), "{name}");
    }
    assert_eq!((spent(&new, "key/k/rpd"), fs::metadata(&new).expect("it").permissions().mode() & 0o777), (10, 0o700));
    let wrong = restore(&file, &parent.path().join("none"), || Ok("wrong passphrase".to_owned())).err().expect("wrong");
    assert!(wrong.to_string().contains("does not open"), "{wrong}");
    assert!(!parent.path().join("none").exists());
}

#[test]
fn what_was_spent_since_stays_spent_and_what_was_there_is_kept() {
    let (parent, folder) = folder();
    let file = parent.path().join("plain.tar");
    make(&folder, &file, None, false);
    sql(
        &folder.join("store.db"),
        "UPDATE quota SET spent = 25 WHERE id = 'key/k/rpd'; INSERT INTO quota VALUES ('key/new/rpd', 7, 4);
        UPDATE quota SET spent = 9 WHERE id = 'key/k/concurrent';",
    );
    let restored = put(&file, &folder).expect("a folder");
    assert_eq!((spent(&folder, "key/k/rpd"), spent(&folder, "key/new/rpd"), restored.raised), (25, 4, 2));
    assert_eq!(spent(&folder, "key/k/concurrent"), 3, "calls that were under way are over");
    assert_eq!(fs::read_to_string(folder.join("master.key")).expect("its own key"), "c4n4ry-master");
    let kept = restored.kept.expect("what was there");
    assert!(kept.join("store.db").exists() && kept.parent() == folder.parent(), "{}", kept.display());
    // The other way round: less was spent there than in the backup.
    sql(&folder.join("store.db"), "UPDATE quota SET spent = 1");
    put(&file, &folder).expect("a folder");
    assert_eq!(spent(&folder, "key/k/rpd"), 10);
}

#[test]
fn a_folder_that_cannot_be_renamed_gets_the_content_in_it() {
    let (parent, folder) = folder();
    let file = parent.path().join("plain.tar");
    make(&folder, &file, None, false);
    let draft = draft_folder_in(&folder);
    archive::read(&file, draft.path()).expect("a backup");
    let kept = restore::swap(draft, &folder).expect("a swap").expect("what was there");
    assert!(kept.starts_with(&folder) && kept.join("kv.sqlite").exists() && kept.join("token").exists());
    assert!(folder.join("kv.sqlite").exists() && !folder.join("token").exists());
}

fn draft_folder_in(folder: &Path) -> TempDir {
    tempfile::Builder::new().prefix(".data.restore-").tempdir_in(folder).expect("a folder")
}

#[test]
fn what_is_no_whole_backup_changes_nothing() {
    let (parent, folder) = folder();
    let file = parent.path().join("plain.tar");
    make(&folder, &file, None, false);
    let whole = fs::read(&file).expect("the backup");
    let damaged = parent.path().join("damaged.tar");
    let mut changed = whole.clone();
    let at = whole.len() / 2;
    changed[at] ^= 1;
    for (bytes, message) in [
        (&whole[..at], "not a complete backup"),
        (changed.as_slice(), "not a complete backup"),
        (b"hello", "not a complete backup"),
    ] {
        fs::write(&damaged, bytes).expect("a file");
        let error = put(&damaged, &folder).err().expect("it is damaged");
        assert!(error.to_string().contains(message), "{error:#}");
        assert!(folder.join("kv.sqlite").exists() && folder.join("token").exists());
    }
    let held = crate::data_folder::DataFolder::open(&folder).expect("a server");
    let error = put(&file, &folder).err().expect("it is in use");
    assert_eq!(error.downcast_ref::<Exit>().map(|exit| exit.code), Some(exit::TEMPORARY));
    drop(held);
    put(&file, &folder).expect("nobody uses it now");
}
