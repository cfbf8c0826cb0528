//! Who made each response of the Responses API. A request that continues a response, or asks for it, must reach the
//! same provider with the same credential, since nobody else has it.

use gateway_core::call::Call;
use gateway_core::candidate::ResponseOwner;
use gateway_core::record::kept_text;
use gateway_core::refusal::Refusal;

use super::database::{self, Columns, Row, Trouble, Value, text};
use crate::host;
use crate::instance::Instance;

const SAVE: &str =
    "INSERT OR REPLACE INTO responses (id, at_ms, key, provider, credential) VALUES (?1, ?2, ?3, ?4, ?5)";

const FIND: &str = "SELECT provider, credential FROM responses WHERE id = ?1 AND (?2 IS NULL OR key = ?2)";

const IS_KNOWN: &str = "SELECT 1 FROM responses WHERE id = ?1";

const SWEEP: &str =
    "DELETE FROM responses WHERE id IN (SELECT id FROM responses WHERE at_ms < ?1 LIMIT 500) RETURNING 1";

/// The pauses before the looks for a response.
const PAUSES_MS: [u64; 2] = [0, 50];

/// How long OpenAI stores responses: <https://platform.openai.com/docs/guides/your-data>.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Notes who made a response for the holder of `key`.
pub(crate) async fn save(instance: &Instance, id: String, key: &str, owner: ResponseOwner) {
    let ResponseOwner { provider, credential } = owner;
    let row = vec![
        Value::Text(id),
        Value::Integer(host::steady_ms()),
        Value::Text(key.to_owned()),
        Value::Text(provider),
        text(credential),
    ];
    if let Err(trouble @ (Trouble::Busy | Trouble::Failed(_))) = database::write(instance, SAVE, row).await {
        host::log(&format!("the origin of a response could not be stored, so that it cannot be read again: {trouble}"));
    }
}

/// Finds who made a response; `None` if it is unknown, or belongs to another key. The admin's `key` is `None`. A
/// response that was answered a moment ago may not be noted yet, so one that is missing is looked for again.
pub(crate) async fn find(instance: &Instance, id: &str, key: Option<&str>) -> Result<Option<ResponseOwner>, Refusal> {
    for pause_ms in PAUSES_MS {
        host::wait_ms(pause_ms).await;
        let parameters = vec![Value::Text(id.to_owned()), text(key.map(str::to_owned))];
        match database::rows(instance, FIND, parameters).await {
            Ok(rows) => {
                let found = rows.into_iter().next().and_then(owner);
                if found.is_some() {
                    return Ok(found);
                }
            }
            Err(Trouble::Absent) => return Ok(None),
            Err(trouble) => return Err(unavailable(id, &trouble)),
        }
    }
    Ok(None)
}

fn unavailable(id: &str, trouble: &Trouble) -> Refusal {
    let message = format!("Who made response {:?} cannot be looked up now: {trouble}. Try again.", kept_text(id));
    Refusal::unavailable("responses_unavailable", message).after(1)
}

/// The refusal of a response that does not exist or is not the caller's.
pub(crate) fn unknown(id: &str) -> Refusal {
    let shown = kept_text(id);
    let message = format!(
        "There is no response {shown:?} that was made through llmio with this key, or its provider is gone. Those made \
         with `store` = false, or translated from another dialect, are not kept."
    );
    Refusal::not_found("response_not_found", message)
}

fn owner(row: Row) -> Option<ResponseOwner> {
    let mut columns = Columns::of(row);
    Some(ResponseOwner { provider: columns.text()?, credential: columns.text() })
}

/// Finds who made the response that a call continues, if it continues one. A response of another key is refused: its
/// provider only knows llmio's credential, and would continue somebody else's conversation. A response that was not
/// made through llmio is left to the provider to judge.
pub(crate) async fn owner_before(
    instance: &Instance,
    call: &Call,
    key: Option<&str>,
) -> Result<Option<ResponseOwner>, Refusal> {
    let Some(id) = &call.previous_response else { return Ok(None) };
    let owner = find(instance, id, key).await?;
    if owner.is_none() && key.is_some() {
        match database::rows(instance, IS_KNOWN, vec![Value::Text(id.clone())]).await {
            Ok(rows) if !rows.is_empty() => return Err(unknown(id)),
            Ok(_) | Err(Trouble::Absent) => {}
            Err(trouble) => return Err(unavailable(id, &trouble)),
        }
    }
    Ok(owner)
}

/// Deletes what no provider stores any more.
pub(crate) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    database::rows(instance, SWEEP, vec![Value::Integer(host::steady_ms() - KEPT_MS)]).await.map(drop)
}
