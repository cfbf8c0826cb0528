//! Who made which response of the Responses API: what goes on from one, or asks for it again, has to reach the same
//! provider with the same credential, since nobody else has it.

use gateway_core::call::Call;
use gateway_core::candidate::ResponseOwner;
use gateway_core::record::kept_text;
use gateway_core::refusal::Refusal;

use super::database::{self, Row, Trouble, Value, text};
use crate::host;
use crate::instance::Instance;

const SAVE: &str =
    "INSERT OR REPLACE INTO responses (id, at_ms, key, provider, credential) VALUES (?1, ?2, ?3, ?4, ?5)";

const FIND: &str = "SELECT provider, credential FROM responses WHERE id = ?1 AND (?2 IS NULL OR key = ?2)";

const SWEEP: &str =
    "DELETE FROM responses WHERE id IN (SELECT id FROM responses WHERE at_ms < ?1 LIMIT 500) RETURNING 1";

/// Before each look for a response.
const PAUSES_MS: [u64; 4] = [0, 50, 150, 300];

/// OpenAI keeps responses this long: <https://platform.openai.com/docs/guides/your-data>.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Notes who made a response, for the holder of `key`.
pub(crate) async fn save(instance: &Instance, id: String, key: &str, owner: ResponseOwner) {
    let ResponseOwner { provider, credential } = owner;
    let row = vec![
        Value::Text(id),
        Value::Integer(host::unix_ms()),
        Value::Text(key.to_owned()),
        Value::Text(provider),
        text(credential),
    ];
    if let Err(trouble @ (Trouble::Busy | Trouble::Failed(_))) = database::write(instance, SAVE, row).await {
        host::log(&format!("who made a response was not kept: {trouble}"));
    }
}

/// Who made a response; `None` where nobody knows, or where it is somebody else's. The admin's `key` is `None`. What was
/// answered a moment ago may be asked for before it is noted down, so one that is not found is looked for again.
pub(crate) async fn find(instance: &Instance, id: &str, key: Option<&str>) -> Result<Option<ResponseOwner>, Refusal> {
    for pause_ms in PAUSES_MS {
        host::wait_ms(pause_ms).await;
        let asked = vec![Value::Text(id.to_owned()), text(key.map(str::to_owned))];
        match database::rows(instance, FIND, asked).await {
            Ok(rows) => {
                let found = rows.into_iter().next().and_then(owner);
                if found.is_some() {
                    return Ok(found);
                }
            }
            Err(Trouble::Absent) => return Ok(None),
            Err(trouble) => {
                let said =
                    format!("Who made response {:?} cannot be looked up now: {trouble}. Try again.", kept_text(id));
                return Err(Refusal::unavailable("responses_unavailable", said).after(1));
            }
        }
    }
    Ok(None)
}

fn owner(row: Row) -> Option<ResponseOwner> {
    let mut values = row.values.into_iter().map(|value| match value {
        Value::Text(text) => Some(text),
        _ => None,
    });
    Some(ResponseOwner { provider: values.next()??, credential: values.next().flatten() })
}

/// Who made the response that a call goes on from, where it goes on from one.
pub(crate) async fn owner_before(
    instance: &Instance,
    call: &Call,
    key: Option<&str>,
) -> Result<Option<ResponseOwner>, Refusal> {
    match &call.previous_response {
        Some(id) => find(instance, id, key).await,
        None => Ok(None),
    }
}

/// Deletes what no provider has any more.
pub(crate) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    database::rows(instance, SWEEP, vec![Value::Integer(host::unix_ms() - KEPT_MS)]).await.map(drop)
}
