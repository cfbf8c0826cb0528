//! The statements with which guests created the schema, kept for creating it again. An instance migrates once, so a
//! file that is replaced while it runs would have no tables, and every record would be lost until a restart.

use super::statement::{Statement, is_trouble};
use crate::log;
use rusqlite::Connection;
use std::sync::Arc;

/// The most statements that are kept. The component has a handful.
const STATEMENTS_MAX: usize = 256;

/// The statements that made the schema, in the order in which they ran first.
#[derive(Default)]
pub(super) struct Schema(Vec<Arc<str>>);

impl Schema {
    /// Keeps a committed statement if it creates something or adds a column.
    pub(super) fn remember(&mut self, statement: &Statement) {
        let sql = &statement.sql;
        let begins =
            |word: &str| sql.trim_start().get(..word.len()).is_some_and(|verb| verb.eq_ignore_ascii_case(word));
        let creates = begins("CREATE") || begins("ALTER");
        if creates && self.0.len() < STATEMENTS_MAX && !self.0.contains(sql) {
            self.0.push(sql.clone());
        }
    }

    /// Creates the schema in an empty file. Any other file is left unchanged.
    pub(super) fn create_if_empty(&self, connection: &Connection) -> rusqlite::Result<()> {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
        if self.0.is_empty() || connection.query_row("SELECT count(*) FROM sqlite_schema", [], count)? > 0 {
            return Ok(());
        }
        // In one transaction, since a file with a part of the schema would count as complete.
        let transaction = connection.unchecked_transaction()?;
        for sql in &self.0 {
            match transaction.execute_batch(sql) {
                Err(error) if error.sqlite_error_code().is_some_and(is_trouble) => return Err(error),
                Err(error) => log::warn(format_args!("a part of the new file's schema was not created: {error}")),
                Ok(()) => {}
            }
        }
        transaction.commit()
    }
}
