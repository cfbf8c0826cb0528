//! `kv.sqlite` itself: how it is made and opened, and what to do where it cannot be. It is never taken for empty when it
//! is only unreadable: that would be a gateway without its keys and providers.

use crate::data_folder;
use crate::exit::{self, Exit};
use rusqlite::{Connection, ErrorCode};
use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const TABLE: &str = "CREATE TABLE IF NOT EXISTS key_value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID";

/// What is known of a data folder before its files are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FolderHistory {
    /// Nothing was kept in it.
    None,
    /// It was used, as by a command that makes a token.
    Used,
    /// A catalog was kept in it, or something that is only there beside one.
    Kept,
}

pub(super) type Content = HashMap<String, Vec<u8>>;

/// Opens the file and reads it whole. One that is not there is made, unless it was there once.
pub(super) fn open(path: &Path, journal: &str, past: FolderHistory) -> Result<(Connection, Content), Exit> {
    let is_new = past == FolderHistory::None;
    match fs::metadata(path) {
        Ok(data) if data.len() == 0 && !is_new => return Err(empty(path)),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if beside(path, "-wal").exists() {
                return Err(left_alone(path));
            }
            if past == FolderHistory::Kept {
                return Err(gone(path));
            }
            let draft = beside(path, ".new");
            make(&draft).map_err(|error| unusable(path, &error))?;
            put(&draft, path).map_err(|error| unwritable(path, &error))?;
        }
        Err(error) => return Err(unwritable(path, &error)),
    }
    let connection = connect(path, journal).map_err(|error| unusable(path, &error))?;
    if !is_new && !has_table(&connection).map_err(|error| unusable(path, &error))? {
        return Err(empty(path));
    }
    let content = read_and_fold(&connection).map_err(|error| unusable(path, &error))?;
    Ok((connection, content))
}

/// All keys and values.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Content> {
    let mut statement = connection.prepare("SELECT key, value FROM key_value")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Made aside, so that there is no moment, not even at a crash, in which the file is there without its table.
fn make(draft: &Path) -> rusqlite::Result<()> {
    for suffix in ["", "-journal"] {
        let _ = fs::remove_file(beside(draft, suffix));
    }
    let connection = Connection::open(draft)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(TABLE)?;
    connection.close().map_err(|(_, error)| error)
}

fn put(draft: &Path, path: &Path) -> io::Result<()> {
    fs::rename(draft, path)?;
    path.parent().map_or(Ok(()), data_folder::sync)
}

fn connect(path: &Path, journal: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if connection.is_readonly("main")? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        return Err(rusqlite::Error::SqliteFailure(code, Some("it is read-only".to_owned())));
    }
    connection.pragma_update(None, "journal_mode", journal)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn has_table(connection: &Connection) -> rusqlite::Result<bool> {
    connection.table_exists(None, "key_value")
}

fn read_and_fold(connection: &Connection) -> rusqlite::Result<Content> {
    connection.execute_batch(TABLE)?;
    let content = read(connection)?;
    // Best effort and without waiting, so that a copy of this one file has its table and what was there at the start.
    connection.busy_timeout(Duration::ZERO)?;
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(content)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

const TO_DO: &str = "restore a backup, or move it away (with its -wal and -shm files) to start empty";

fn empty(path: &Path) -> Exit {
    let path = path.display();
    let message = format!(
        "{path} has lost its content: this data folder was used before, but the file is empty; was it copied without \
         its -wal file? {TO_DO}"
    );
    Exit::new(exit::CONFIG, message)
}

fn left_alone(path: &Path) -> Exit {
    let path = path.display();
    let message = format!(
        "{path} is gone, but {path}-wal is still there and may hold the catalog: put the file back beside it, restore \
         a backup of both, or move {path}-wal away too to start empty"
    );
    Exit::new(exit::CONFIG, message)
}

fn gone(path: &Path) -> Exit {
    let path = path.display();
    let message = format!(
        "{path} is gone: this data folder was used before, and the file held its catalog and keys. Restore a backup of \
         it; to start empty move the whole data folder away"
    );
    Exit::new(exit::CONFIG, message)
}

fn unwritable(path: &Path, error: &dyn std::error::Error) -> Exit {
    let path = path.display();
    let message = format!(
        "{path} cannot be opened or written: {error}; make it and its folder writable for this user, see that the disk \
         has space, and start again. Nothing was changed"
    );
    Exit::new(exit::IO, message)
}

/// Only a broken file is worth restoring; one that is held or cannot be reached is as good as before.
fn unusable(path: &Path, error: &rusqlite::Error) -> Exit {
    let code = error.sqlite_error_code();
    let shown = path.display();
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let message = format!(
                "{shown} is locked by another process, perhaps a backup or the sqlite3 shell: end it and start again"
            );
            Exit::new(exit::TEMPORARY, message)
        }
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed,
        ) => unwritable(path, error),
        _ => Exit::new(exit::CONFIG, format!("{shown} cannot be read: {error}; {TO_DO}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kv.sqlite");
        (folder, path)
    }

    fn refused(path: &Path) -> Exit {
        open(path, "WAL", FolderHistory::Used).expect_err("it is refused")
    }

    #[test]
    fn a_damaged_file_is_refused_and_never_taken_for_an_empty_one() {
        let (_folder, path) = folder();
        fs::write(&path, [b'x'; 8192]).expect("a file");
        let exit = refused(&path);
        assert!(exit.code == 78 && exit.message.contains("restore a backup"), "{}", exit.message);
        assert_eq!(fs::read(&path).expect("the file").len(), 8192);
    }

    #[test]
    fn a_new_file_has_its_table_from_its_first_moment() {
        let (_folder, path) = folder();
        make(&path).expect("a file");
        let (_, content) = open(&path, "WAL", FolderHistory::Used).expect("a file with its table");
        assert!(content.is_empty());
    }

    #[test]
    fn what_was_in_the_wal_at_the_start_is_in_the_file_itself_then() {
        let (_folder, path) = folder();
        let (first, _) = open(&path, "WAL", FolderHistory::None).expect("a new file");
        first.execute_batch("INSERT INTO key_value VALUES ('catalog', x'32')").expect("a row");
        let (second, content) = open(&path, "WAL", FolderHistory::Kept).expect("as after kill -9");
        assert_eq!(content.get("catalog"), Some(&b"2".to_vec()));
        let copy = beside(&path, ".copy");
        fs::copy(&path, &copy).expect("a copy of the one file");
        assert_eq!(open(&copy, "WAL", FolderHistory::Used).expect("the copy").1, content);
        drop((first, second));
    }

    fn keep(connection: &Connection, key: usize) {
        let values = (format!("key {key}"), value(key));
        connection.execute("INSERT INTO key_value VALUES (?1, ?2)", values).expect("a row");
    }

    /// Of several pages, so that it can be there in part.
    fn value(key: usize) -> Vec<u8> {
        (0..9000).map(|at| u8::try_from((at * 7 + key * 31) % 251).expect("below 251")).collect()
    }

    /// What a disk may hold of `later` after the power went while it was being written: of each sector behind what was
    /// synced the new bytes, or none, and all behind some point missing.
    fn torn(synced: &[u8], later: &[u8], mut seed: u64) -> Vec<u8> {
        const SECTOR_BYTES: usize = 512;
        let mut torn = synced.to_vec();
        for sector in later[synced.len()..].chunks(SECTOR_BYTES) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match seed >> 59 {
                0 => break,
                1..6 => torn.resize(torn.len() + sector.len(), 0),
                6..9 => torn.resize(torn.len() + sector.len(), 0xa5),
                _ => torn.extend_from_slice(sector),
            }
        }
        torn
    }

    #[test]
    fn what_was_acknowledged_is_there_whatever_a_power_cut_leaves_of_the_rest() {
        const KEPT: usize = 3;
        let (_folder, path) = folder();
        let (connection, _) = open(&path, "WAL", FolderHistory::None).expect("a new file");
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).expect("a setting");
        assert_eq!(synchronous, 2, "FULL: each commit is on the disk before it is acknowledged");
        (0..KEPT).for_each(|key| keep(&connection, key));
        let wal = beside(&path, "-wal");
        let (file, synced) = (fs::read(&path).expect("the file"), fs::read(&wal).expect("the WAL"));
        keep(&connection, KEPT);
        let later = fs::read(&wal).expect("the WAL");
        assert!(later.len() > synced.len() + value(KEPT).len(), "it is appended to");
        for seed in 0..300 {
            let (_folder, path) = folder();
            fs::write(&path, &file).expect("a file");
            fs::write(beside(&path, "-wal"), torn(&synced, &later, seed)).expect("a WAL");
            let (connection, content) = open(&path, "WAL", FolderHistory::Kept).expect("a file that is whole");
            for key in 0..KEPT {
                assert_eq!(content.get(&format!("key {key}")), Some(&value(key)), "{seed}");
            }
            assert!(
                content.get(&format!("key {KEPT}")).is_none_or(|found| *found == value(KEPT)),
                "half a value: {seed}"
            );
            let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
            assert_eq!(sound, "ok", "{seed}");
        }
    }

    #[test]
    fn a_file_that_lost_its_content_is_refused_in_a_folder_that_was_used() {
        let (_folder, path) = folder();
        fs::write(&path, "").expect("a truncated file");
        fs::write(beside(&path, "-wal"), "what SQLite would remove").expect("its WAL");
        let exit = refused(&path);
        assert!(exit.code == 78 && exit.message.contains("-wal"), "{}", exit.message);
        assert!(beside(&path, "-wal").exists(), "nothing is touched");
        fs::remove_file(beside(&path, "-wal")).expect("the WAL");
        assert!(open(&path, "WAL", FolderHistory::None).is_ok(), "where nothing was kept there is no loss");

        let (_folder, path) = folder();
        let other = Connection::open(&path).expect("a database");
        other.execute_batch("CREATE TABLE other (x)").expect("a table");
        drop(other);
        assert_eq!(refused(&path).code, 78);
    }

    #[test]
    fn a_file_that_is_gone_is_only_made_anew_where_there_was_none() {
        let (_folder, path) = folder();
        let exit = open(&path, "WAL", FolderHistory::Kept).expect_err("it is refused");
        assert!(exit.code == 78 && exit.message.contains("Restore a backup"), "{}", exit.message);
        assert!(!path.exists());
        assert!(open(&path, "WAL", FolderHistory::Used).is_ok());
    }

    #[test]
    fn a_wal_without_its_file_is_not_removed_by_a_new_file() {
        let (_folder, path) = folder();
        fs::write(beside(&path, "-wal"), "the catalog").expect("a WAL");
        let exit = refused(&path);
        assert!(exit.code == 78 && exit.message.contains("-wal away"), "{}", exit.message);
        assert_eq!(fs::read_to_string(beside(&path, "-wal")).expect("the WAL"), "the catalog");
    }

    #[test]
    fn a_lock_gives_75_an_unusable_place_74_and_neither_says_to_restore() {
        let (_folder, path) = folder();
        fs::create_dir(&path).expect("a folder in the way");
        let exit = refused(&path);
        assert!(exit.code == 74 && !exit.message.contains("restore"), "{}", exit.message);
        let busy = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None);
        let exit = unusable(&path, &busy);
        assert!(exit.code == 75 && exit.message.contains("sqlite3 shell"), "{}", exit.message);
        assert!(!exit.message.contains("restore"), "{}", exit.message);
        let full = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
        assert_eq!(unusable(&path, &full).code, 74);
    }
}
