//! Which files and batches each key has made, and where they are kept.

use gateway_core::call::Call;
use gateway_core::candidate::ResponseOwner;
use gateway_core::catalog::Catalog;
use gateway_core::dialect::Dialect;
use gateway_core::endpoint::Kept;
use gateway_core::kept::{self, KeptObject, ListRequest};
use gateway_core::memory;
use gateway_core::refusal::Refusal;

use super::database::{self, Columns, Row, Trouble, Value, text};
use super::responses;
use crate::instance::Instance;

/// What is named again keeps its place and its maker, and what was checked of it stays so.
const SAVE: &str = "INSERT INTO kept (key, kind, dialect, id, provider, credential, is_input, purpose, object, is_final) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id, key) DO UPDATE SET \
                    object = coalesce(excluded.object, object), purpose = coalesce(purpose, excluded.purpose), \
                    is_final = max(is_final, excluded.is_final) RETURNING 1";

const FIND: &str = "SELECT key, id, provider, credential, is_input, object, is_final FROM kept \
                    WHERE id = ?1 AND (?2 IS NULL OR key = ?2) AND kind = ?3 AND dialect = ?4 LIMIT 1";

const FIND_FILE: &str = "SELECT ?2 IS NULL OR key = ?2, provider, credential FROM kept WHERE id = ?1 AND kind = 'file' \
                         ORDER BY key = ?2 DESC LIMIT 2";

const NEWEST: &str = "SELECT key, id, provider, credential, is_input, object, is_final FROM kept \
                      WHERE (?1 IS NULL OR key = ?1) AND kind = ?2 AND dialect = ?3 AND (?4 IS NULL OR purpose = ?4) \
                      AND (?5 IS NULL OR number < (SELECT number FROM kept WHERE id = ?5 AND (?1 IS NULL OR key = ?1))) \
                      AND (?6 IS NULL OR number > (SELECT number FROM kept WHERE id = ?6 AND (?1 IS NULL OR key = ?1))) \
                      ORDER BY number DESC LIMIT ?7";

const OLDEST: &str = "SELECT key, id, provider, credential, is_input, object, is_final FROM kept \
                      WHERE (?1 IS NULL OR key = ?1) AND kind = ?2 AND dialect = ?3 AND (?4 IS NULL OR purpose = ?4) \
                      AND (?5 IS NULL OR number > (SELECT number FROM kept WHERE id = ?5 AND (?1 IS NULL OR key = ?1))) \
                      AND (?6 IS NULL OR number < (SELECT number FROM kept WHERE id = ?6 AND (?1 IS NULL OR key = ?1))) \
                      ORDER BY number LIMIT ?7";

const DELETE: &str = "DELETE FROM kept WHERE key = ?1 AND id = ?2 RETURNING 1";

/// A file or a batch that a key has made.
pub(crate) struct KeptRow {
    /// The name of the key.
    pub(crate) key: String,
    pub(crate) id: String,
    /// Where it is kept.
    pub(crate) owner: ResponseOwner,
    /// Whether a batch may be made of it.
    pub(crate) is_input: bool,
    /// How its provider described it last.
    pub(crate) object: Option<String>,
    /// Whether that will not change any more.
    pub(crate) is_final: bool,
}

/// Notes what `owner` keeps for the key, before anybody is told of it: without its row nobody could reach it again.
pub(crate) async fn save(
    instance: &Instance,
    (key, dialect): (&str, Dialect),
    object: &KeptObject,
    owner: &ResponseOwner,
    is_input: bool,
) -> Result<(), Refusal> {
    let row = vec![
        Value::Text(key.to_owned()),
        Value::Text(object.kept.word().to_owned()),
        Value::Text(dialect.name().to_owned()),
        Value::Text(object.id.clone()),
        Value::Text(owner.provider.clone()),
        text(owner.credential.clone()),
        Value::Integer(i64::from(is_input)),
        text(object.purpose.clone()),
        text(object.text.clone()),
        Value::Integer(i64::from(object.is_final)),
    ];
    database::rows(instance, SAVE, row).await.map(drop).map_err(|trouble| unavailable(&trouble))
}

/// Finds one; `None` if there is none, or it belongs to another key. The admin's `key` is `None`.
pub(crate) async fn find(
    instance: &Instance,
    (what, dialect): (Kept, Dialect),
    id: &str,
    key: Option<&str>,
) -> Result<Option<KeptRow>, Refusal> {
    let kind = Value::Text(what.word().to_owned());
    let parameters = vec![Value::Text(id.to_owned()), of_key(key), kind, Value::Text(dialect.name().to_owned())];
    let rows = database::rows(instance, FIND, parameters).await.map_err(|trouble| unavailable(&trouble))?;
    Ok(rows.into_iter().next().and_then(read))
}

/// Finds who made the response that a call continues, or who keeps the files that it names. A file of another key is
/// refused: its provider knows llmio's credential alone, and would read it to anybody.
pub(crate) async fn owner_of_call(
    instance: &Instance,
    call: &Call,
    key: Option<&str>,
    catalog: &Catalog,
) -> Result<Option<ResponseOwner>, Refusal> {
    let owner = responses::owner_before(instance, call, key).await?;
    if !catalog.providers.iter().any(|provider| provider.forward_files) {
        return Ok(owner);
    }
    if !memory::has_room_to_copy(call.body.len()) {
        return Err(Refusal::no_room());
    }
    let keeper = keeper_of_all(instance, kept::file_ids(&call.body)?, key).await?;
    match (owner, keeper) {
        (Some(owner), Some(keeper)) if owner != keeper => Err(kept::kept_elsewhere()),
        (owner, keeper) => Ok(owner.or(keeper)),
    }
}

/// The account that keeps all of these files. What was not made through llmio is left to the provider to judge.
pub(crate) async fn keeper_of_all(
    instance: &Instance,
    ids: Vec<String>,
    key: Option<&str>,
) -> Result<Option<ResponseOwner>, Refusal> {
    let mut owners = Vec::new();
    for id in ids {
        let found = database::rows(instance, FIND_FILE, vec![Value::Text(id.clone()), of_key(key)]).await;
        let found = found.map_err(|trouble| unavailable(&trouble))?;
        if found.is_empty() {
            continue;
        }
        // One of several keys may have it from an account of its own.
        let own = found.into_iter().map(Columns::of).find_map(|mut columns| {
            let is_own = columns.integer()? != 0;
            let owner = ResponseOwner { provider: columns.text()?, credential: columns.text() };
            is_own.then_some(owner)
        });
        owners.push((id, own));
    }
    kept::owner_of_all(owners)
}

/// Those of a key, and whether there are more.
pub(crate) async fn list(
    instance: &Instance,
    (what, dialect): (Kept, Dialect),
    key: Option<&str>,
    asked: &ListRequest,
) -> Result<(Vec<KeptRow>, bool), Refusal> {
    let parameters = vec![
        of_key(key),
        Value::Text(what.word().to_owned()),
        Value::Text(dialect.name().to_owned()),
        text(asked.purpose.clone()),
        text(asked.after.clone()),
        text(asked.before.clone()),
        Value::Integer(i64::try_from(asked.limit).unwrap_or(i64::MAX).saturating_add(1)),
    ];
    let sql = if asked.oldest_first { OLDEST } else { NEWEST };
    let rows = database::rows(instance, sql, parameters).await.map_err(|trouble| unavailable(&trouble))?;
    let has_more = rows.len() > asked.limit;
    Ok((rows.into_iter().take(asked.limit).filter_map(read).collect(), has_more))
}

/// Forgets one.
pub(crate) async fn delete(instance: &Instance, row: &KeptRow) -> Result<(), Refusal> {
    let parameters = vec![Value::Text(row.key.clone()), Value::Text(row.id.clone())];
    database::rows(instance, DELETE, parameters).await.map(drop).map_err(|trouble| unavailable(&trouble))
}

fn of_key(key: Option<&str>) -> Value {
    text(key.map(str::to_owned))
}

fn read(row: Row) -> Option<KeptRow> {
    let mut columns = Columns::of(row);
    let (key, id) = (columns.text()?, columns.text()?);
    let owner = ResponseOwner { provider: columns.text()?, credential: columns.text() };
    let is_input = columns.integer()? != 0;
    Some(KeptRow { key, id, owner, is_input, object: columns.text(), is_final: columns.integer()? != 0 })
}

fn unavailable(trouble: &Trouble) -> Refusal {
    let message = format!("Whose files and batches these are cannot be looked up now: {trouble}. Try again.");
    Refusal::unavailable("files_unavailable", message).after(1)
}
