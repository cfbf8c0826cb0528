//! Sessions of clients, made of the latest records: no index holds them, since most clients name one with every call.

use gateway_core::views::{ConversationView, ConversationsView, LookedView, at_of_id};

use super::super::database::{self, Columns, Row, Trouble, Value, text};
use crate::instance::Instance;

/// How many of the latest records are looked at.
const LOOK: i64 = 20_000;

/// How many sessions are listed.
const SESSIONS_MAX: i64 = 100;

const LIST: &str = "SELECT session, key, max(user_agent), min(at_ms), max(at_ms), count(*), sum(marks & 1), sum(marks >> 1 & 1), \
json_group_array(DISTINCT model) FILTER (WHERE model <> ''), json_group_array(DISTINCT provider) FILTER (WHERE provider IS NOT NULL), \
sum(coalesce(input_tokens, 0)), sum(coalesce(cache_read_tokens, 0)), sum(coalesce(output_tokens, 0)), sum(coalesce(cost_nano, 0)) \
FROM (SELECT session, key, user_agent, at_ms, coalesce(marks, 0) AS marks, model, provider, input_tokens, cache_read_tokens, output_tokens, cost_nano \
FROM records WHERE id < ?1 ORDER BY id DESC LIMIT ?2) \
WHERE session IS NOT NULL AND (?3 IS NULL OR key = ?3) GROUP BY session, key ORDER BY 5 DESC LIMIT ?4";

const LOOKED: &str = "SELECT id FROM records WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";

/// The sessions of the latest calls, of one key or of all.
pub(crate) async fn conversations(
    instance: &Instance,
    key: Option<String>,
    before: Option<String>,
) -> Result<ConversationsView, Trouble> {
    let before = Value::Text(before.unwrap_or_else(|| super::list::LAST.to_owned()));
    let parameters = vec![before.clone(), Value::Integer(LOOK), text(key), Value::Integer(SESSIONS_MAX)];
    let rows = database::rows(instance, LIST, parameters).await?;
    let last = database::rows(instance, LOOKED, vec![before, Value::Integer(LOOK - 1)]).await?;
    let last = last.into_iter().next().and_then(|row| Columns::of(row).text());
    let calls = LOOK.unsigned_abs();
    Ok(ConversationsView {
        sessions: rows.into_iter().map(conversation).collect(),
        looked: last.map(|id| LookedView { calls, back_to_ms: at_of_id(&id) }),
    })
}

fn conversation(row: Row) -> ConversationView {
    let mut columns = Columns::of(row);
    let list = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    ConversationView {
        session: columns.text().unwrap_or_default(),
        key: columns.text(),
        user_agent: columns.text(),
        since_ms: columns.integer().unwrap_or_default(),
        last_ms: columns.integer().unwrap_or_default(),
        calls: columns.number().unwrap_or(0),
        failed_over: columns.number().unwrap_or(0),
        not_served: columns.number().unwrap_or(0),
        models: list(columns.text()),
        providers: list(columns.text()),
        input_tokens: columns.number().unwrap_or(0),
        cache_read_tokens: columns.number().unwrap_or(0),
        output_tokens: columns.number().unwrap_or(0),
        cost_nano: columns.number().unwrap_or(0),
    }
}
