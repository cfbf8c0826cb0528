//! What a backup has to know of the component's tables: by these names and no others.

use rusqlite::Connection;

/// What clients said and were answered.
const BODIES: &[&str] = &["bodies"];

/// Those who were signed in to the console at that moment are not in a backup: it would sign them in again, wherever it
/// is restored.
const ALWAYS_OUT: &[&str] = &["sessions"];

/// Empties the tables that stay out, and gives their room back. Returns those that were not empty.
pub(super) fn empty(connection: &Connection, bodies: bool) -> rusqlite::Result<Vec<&'static str>> {
    let mut emptied = Vec::new();
    let bodies = if bodies { [].as_slice() } else { BODIES };
    for table in ALWAYS_OUT.iter().chain(bodies).copied() {
        if connection.table_exists(None, table)? && connection.execute(&format!("DELETE FROM {table}"), [])? > 0 {
            emptied.push(table);
        }
    }
    if !emptied.is_empty() {
        // What was deleted must not stand in free pages.
        connection.execute_batch("VACUUM")?;
    }
    Ok(emptied)
}

/// Whether a quota was ever spent here.
const QUOTA: &str = "quota";

/// Raises what is spent to what an older file says, entry by entry, so that restoring gives nothing back that was spent. Calls
/// under way are over. Returns how many were raised.
pub(super) fn keep_spent(connection: &Connection, older: &str) -> rusqlite::Result<usize> {
    connection.execute("ATTACH DATABASE ?1 AS older", [older])?;
    let raised = raise(connection);
    connection.execute_batch("DETACH DATABASE older")?;
    raised
}

fn raise(connection: &Connection) -> rusqlite::Result<usize> {
    if !connection.table_exists(Some("older"), QUOTA)? {
        return Ok(0);
    }
    if !connection.table_exists(Some("main"), QUOTA)? {
        let made = "SELECT sql FROM older.sqlite_schema WHERE type = 'table' AND name = ?1";
        let sql: String = connection.query_row(made, [QUOTA], |row| row.get(0))?;
        connection.execute_batch(&sql)?;
    }
    connection.execute(
        "INSERT INTO main.quota (id, bucket, spent)
         SELECT id, bucket, spent FROM older.quota WHERE id NOT LIKE '%/concurrent' AND spent > 0
         ON CONFLICT (id, bucket) DO UPDATE SET spent = excluded.spent WHERE excluded.spent > quota.spent",
        [],
    )
}
