//! The file of another gateway: a SQLite database, of which rows are read, or a text. It is never written to.

use crate::exit::{self, Exit};
use anyhow::{Context, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every SQLite database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Nobody writes a larger configuration, and the component takes no larger body.
const TEXT_BYTES_MAX: u64 = 32 << 20;
/// How long to wait for a lock. A gateway that still uses the file holds it for a moment only.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a file holds.
pub(super) enum Content {
    /// A text, as it is.
    Text(String),
    /// The rows of a database.
    Rows {
        /// Those of the tables that are wanted.
        tables: Map<String, Value>,
        /// How many each other table has.
        counts: Map<String, Value>,
    },
}

/// Reads a file. Of a database, the rows of these tables are read.
pub(super) fn read(path: &Path, wanted_tables: &[String]) -> Result<Content> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(unreadable)?;
    let mut begin = Vec::new();
    (&mut file).take(MAGIC.len() as u64).read_to_end(&mut begin).with_context(unreadable)?;
    if begin == MAGIC {
        return read_database(path, wanted_tables).with_context(unreadable);
    }
    if file.metadata().with_context(unreadable)?.len() > TEXT_BYTES_MAX {
        return Err(Exit::new(exit::CONFIG, format!("{} is no configuration: it is too large", path.display())).into());
    }
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).with_context(unreadable)?;
    begin.extend(rest);
    let text =
        String::from_utf8(begin).ok().context("it is neither a SQLite database nor a text").with_context(unreadable)?;
    Ok(Content::Text(text.trim_start_matches('\u{feff}').to_owned()))
}

/// What is in the WAL beside a database counts too. Reading that may need a file beside it: where the folder cannot be
/// written, as when it is mounted read-only, a copy is read.
fn read_database(path: &Path, wanted_tables: &[String]) -> Result<Content> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match Connection::open_with_flags(path, flags).and_then(|connection| rows(&connection, wanted_tables)) {
        Err(error) if needs_a_copy(&error) => {}
        read => return Ok(read?),
    }
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("copy.db");
    for suffix in ["", "-wal", "-journal"] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        if suffix.is_empty() || from.exists() {
            fs::copy(&from, format!("{}{suffix}", copy.display()))?;
        }
    }
    Ok(Connection::open(&copy).and_then(|connection| rows(&connection, wanted_tables))?)
}

fn needs_a_copy(error: &rusqlite::Error) -> bool {
    let codes = [ErrorCode::CannotOpen, ErrorCode::ReadOnly, ErrorCode::PermissionDenied, ErrorCode::SystemIoFailure];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

fn rows(connection: &Connection, wanted_tables: &[String]) -> rusqlite::Result<Content> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // All tables as they were at one moment.
    let transaction = connection.unchecked_transaction()?;
    let mut names =
        transaction.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let (mut tables, mut counts) = (Map::new(), Map::new());
    for name in names {
        // A name cannot be a parameter, so it is quoted.
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        if wanted_tables.contains(&name) {
            tables.insert(name, rows_of(&transaction, &quoted)?.into());
        } else {
            let count: i64 = transaction.query_row(&format!("SELECT count(*) FROM {quoted}"), [], |row| row.get(0))?;
            counts.insert(name, count.into());
        }
    }
    Ok(Content::Rows { tables, counts })
}

fn rows_of(connection: &Connection, quoted: &str) -> rusqlite::Result<Vec<Value>> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {quoted}"))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let mut members = Map::new();
        for (index, column) in columns.iter().enumerate() {
            members.insert(column.clone(), value(row.get_ref(index)?));
        }
        Ok(Value::Object(members))
    };
    statement.query_map([], row)?.collect()
}

/// JSON may be kept as a blob, which is a text then.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "CREATE TABLE a (id INTEGER, name TEXT, info BLOB, price REAL);
        INSERT INTO a VALUES (1, 'x', CAST('{}' AS BLOB), 0.5), (2, NULL, NULL, NULL);
        CREATE TABLE \"odd \"\" name\" (id INTEGER); INSERT INTO \"odd \"\" name\" VALUES (1), (2);";

    fn read_tables(path: &Path) -> (Map<String, Value>, Map<String, Value>) {
        match read(path, &["a".to_owned()]).expect("a database") {
            Content::Rows { tables, counts } => (tables, counts),
            Content::Text(_) => panic!("it is a database"),
        }
    }

    #[test]
    fn rows_are_read_with_what_is_still_in_the_wal() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("other.db");
        let writer = Connection::open(&path).expect("a database");
        writer.pragma_update(None, "journal_mode", "WAL").expect("WAL");
        writer.execute_batch(SQL).expect("tables");
        let expected = json!([
            { "id": 1, "name": "x", "info": "{}", "price": 0.5 },
            { "id": 2, "name": null, "info": null, "price": null },
        ]);
        let (tables, counts) = read_tables(&path);
        assert_eq!((tables.get("a"), counts.get("odd \" name")), (Some(&expected), Some(&json!(2))));
        // What a process that was killed leaves behind: the file and its WAL, and nothing else.
        let left = folder.path().join("left.db");
        for suffix in ["", "-wal"] {
            fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", left.display())).expect("a copy");
        }
        assert_eq!(read_tables(&left).0.get("a"), Some(&expected));
    }

    #[test]
    fn a_text_is_a_text_and_anything_else_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("config.yaml");
        fs::write(&path, "\u{feff}model_list: []\n").expect("a file");
        assert!(matches!(read(&path, &[]), Ok(Content::Text(text)) if text == "model_list: []\n"));
        fs::write(&path, [0xff, 0xfe, 0]).expect("a file");
        let error = read(&path, &[]).err().expect("no text");
        assert!(format!("{error:#}").contains("neither a SQLite database nor a text"), "{error:#}");
        assert!(read(&folder.path().join("none"), &[]).is_err());
    }
}
