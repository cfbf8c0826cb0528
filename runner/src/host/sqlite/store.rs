//! The database file: how it is opened, and what happens if it is damaged.

use super::statement::is_damage;
use crate::log;
use anyhow::{Result, ensure};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Before 3.51.3 a WAL reset could corrupt the database.
const VERSION_MIN: i32 = 3_051_003;
/// The largest file that is checked at the start. Checking a larger one would delay it, so its damage is found in use.
const CHECKED_BYTES_MAX: u64 = 32 << 20;
/// How long a reader waits for a lock: not long, since it holds a thread.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);
/// How long one attempt of the writer waits for a lock. It tries again for much longer, and answers those who wait in
/// between.
pub(super) const BUSY_TIMEOUT_WRITER: Duration = Duration::from_millis(25);
const STATEMENTS_CACHED: usize = 64;

/// Refuses versions of SQLite that are known to lose data.
pub(super) fn assert_version() -> Result<()> {
    let version = rusqlite::version();
    ensure!(rusqlite::version_number() >= VERSION_MIN, "SQLite {version} is too old: 3.51.3 or later is needed");
    Ok(())
}

/// Opens or creates the file. A damaged one is set aside and a new one created, since records must not stop traffic.
pub(super) fn open_or_replace(file: &Path) -> rusqlite::Result<Connection> {
    match open_checked(file) {
        Err(error) if error.sqlite_error_code().is_some_and(is_damage) => {
            set_aside(file, &error);
            open_checked(file)
        }
        opened => opened,
    }
}

/// Renames a damaged file and the files that belong to it.
pub(super) fn set_aside(file: &Path, error: &rusqlite::Error) {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let aside = |file: &Path, suffix: &str| PathBuf::from(format!("{}.corrupt-{time}{suffix}", file.display()));
    let kept = aside(file, "");
    match std::fs::rename(file, &kept) {
        Ok(()) => log::warn(format_args!(
            "{} is damaged ({error}); it was moved to {} and records start anew",
            file.display(),
            kept.display()
        )),
        Err(cause) => log::warn(format_args!("{} is damaged ({error}) and cannot be moved: {cause}", file.display())),
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let _ = std::fs::rename(format!("{}{suffix}", file.display()), aside(file, suffix));
    }
}

/// Opens a connection for reading. The file must exist.
pub(super) fn open_to_read(file: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open_checked(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_TIMEOUT_WRITER)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // Only possible before the first table: lets retention give space back without rewriting the file.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // Readers and the writer do not wait for each other.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Safe against crashes; a power cut may cost the last rows, never the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    if std::fs::metadata(file).is_ok_and(|data| data.len() <= CHECKED_BYTES_MAX) {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(damaged, Some(verdict)));
        }
    }
    Ok(connection)
}
/// Whether a file contains any table. One that cannot be read counts as not empty.
pub(crate) fn has_rows(file: &Path) -> bool {
    file.exists() && read_rows(file).unwrap_or(true)
}

fn read_rows(file: &Path) -> rusqlite::Result<bool> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut tables =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let tables = tables.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    for table in tables {
        // A name cannot be a parameter, so it is quoted.
        let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{}\")", table.replace('"', "\"\""));
        if connection.query_row(&sql, [], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}
