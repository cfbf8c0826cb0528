//! Sessions of the console, and the one-time links that open one. In the database and not in key-value: which of two that
//! use the same link is first, and whether a session that was ended is gone for every instance, must be certain.

use gateway_core::authenticate::session::hash;
use gateway_core::refusal::Refusal;

use super::database::{self, Columns, Row, Trouble, Value, text};
use crate::host;
use crate::instance::Instance;

/// Waits for the row, since the next page is requested right after signing in.
const SAVE: &str = "INSERT INTO sessions (hash, is_link, key, proof, at_ms, until_ms, client, user_agent) \
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING 1";

const FIND: &str = "SELECT key, proof FROM sessions WHERE hash = ?1 AND is_link = 0 AND until_ms > ?2";

const USE_LINK: &str = "DELETE FROM sessions WHERE hash = ?1 AND is_link = 1 AND until_ms > ?2 RETURNING key, proof";

const LIST: &str = "SELECT hash, key, at_ms, until_ms, client, user_agent FROM sessions \
WHERE is_link = 0 AND until_ms > ?1 ORDER BY at_ms DESC, hash LIMIT 500";

const END: &str = "DELETE FROM sessions WHERE hash = ?1 AND is_link = 0 RETURNING 1";

const END_NAMED: &str = "DELETE FROM sessions WHERE is_link = 0 AND substr(hash, 1, length(?1)) = ?1 RETURNING 1";

const SWEEP: &str =
    "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE until_ms <= ?1 LIMIT 500) RETURNING 1";

/// A session or a link as it is kept, without its secret.
pub(crate) struct Opened {
    /// The key that it was opened with; nothing where that was the admin token.
    pub(crate) key: Option<String>,
    /// What ties it to that credential.
    pub(crate) proof: String,
}

/// One to be kept.
pub(crate) struct New<'a> {
    pub(crate) secret: &'a str,
    pub(crate) is_link: bool,
    pub(crate) opened: Opened,
    pub(crate) at_ms: i64,
    /// When it ends, on the steady clock.
    pub(crate) until_ms: i64,
    pub(crate) client: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// Keeps a session or a link.
pub(crate) async fn save(instance: &Instance, new: New<'_>) -> Result<(), Refusal> {
    let row = vec![
        Value::Text(hash(new.secret)),
        Value::Integer(new.is_link.into()),
        text(new.opened.key),
        Value::Text(new.opened.proof),
        Value::Integer(new.at_ms),
        Value::Integer(new.until_ms),
        text(new.client),
        text(new.user_agent),
    ];
    database::rows(instance, SAVE, row).await.map(drop).map_err(|trouble| unavailable(&trouble))
}

/// The session of this secret, unless it has ended.
pub(crate) async fn find(instance: &Instance, secret: &str) -> Result<Option<Opened>, Refusal> {
    one(instance, FIND, secret).await
}

/// Uses up the link of this secret; of two that do so at once one gets it.
pub(crate) async fn use_link(instance: &Instance, secret: &str) -> Result<Option<Opened>, Refusal> {
    one(instance, USE_LINK, secret).await
}

async fn one(instance: &Instance, sql: &str, secret: &str) -> Result<Option<Opened>, Refusal> {
    let parameters = vec![Value::Text(hash(secret)), Value::Integer(host::steady_ms())];
    let rows = database::rows(instance, sql, parameters).await.map_err(|trouble| unavailable(&trouble))?;
    Ok(rows.into_iter().next().and_then(opened))
}

/// A session as it is listed, with the hash of its secret.
pub(crate) struct Listed {
    pub(crate) hash: String,
    pub(crate) key: Option<String>,
    pub(crate) at_ms: i64,
    pub(crate) until_ms: i64,
    pub(crate) client: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// Those that have not ended, newest first.
pub(crate) async fn list(instance: &Instance) -> Result<Vec<Listed>, Refusal> {
    let rows = database::rows(instance, LIST, vec![Value::Integer(host::steady_ms())]).await;
    Ok(rows.map_err(|trouble| unavailable(&trouble))?.into_iter().filter_map(listed).collect())
}

/// Ends the session of this secret.
pub(crate) async fn end(instance: &Instance, secret: &str) -> Result<(), Refusal> {
    let parameters = vec![Value::Text(hash(secret))];
    database::rows(instance, END, parameters).await.map(drop).map_err(|trouble| unavailable(&trouble))
}

/// Ends the session of this name; says whether there was one.
pub(crate) async fn end_named(instance: &Instance, id: &str) -> Result<bool, Refusal> {
    let ended = database::rows(instance, END_NAMED, vec![Value::Text(id.to_owned())]).await;
    Ok(!ended.map_err(|trouble| unavailable(&trouble))?.is_empty())
}

/// Deletes what has ended.
pub(crate) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    database::rows(instance, SWEEP, vec![Value::Integer(host::steady_ms())]).await.map(drop)
}

fn unavailable(trouble: &Trouble) -> Refusal {
    let message =
        format!("Sessions cannot be kept or looked up now: {trouble}. The API takes the admin token as before.");
    Refusal::unavailable("sessions_unavailable", message).after(1)
}

fn opened(row: Row) -> Option<Opened> {
    let mut columns = Columns::of(row);
    Some(Opened { key: columns.text(), proof: columns.text()? })
}

fn listed(row: Row) -> Option<Listed> {
    let mut columns = Columns::of(row);
    Some(Listed {
        hash: columns.text()?,
        key: columns.text(),
        at_ms: columns.integer()?,
        until_ms: host::now().shown_ms(columns.integer()?),
        client: columns.text(),
        user_agent: columns.text(),
    })
}
