//! Who sealed which reasoning. Only hashes of seals are kept.

use std::collections::HashMap;

use gateway_core::call::Call;
use gateway_core::reasoning_seals::{Makers, SealId, SealMaker, in_request};

use super::database::{self, Columns, Row, Trouble, Value, text};
use crate::host;
use crate::instance::Instance;

const SAVE: &str = "INSERT OR REPLACE INTO seals (id, at_ms, place, account, profile) \
                    SELECT value, ?2, ?3, ?4, ?5 FROM json_each(?1)";

const FIND: &str = "SELECT id, place, account, profile FROM seals WHERE id IN (SELECT value FROM json_each(?1))";

const SWEEP: &str = "DELETE FROM seals WHERE id IN (SELECT id FROM seals WHERE at_ms < ?1 LIMIT 2000) RETURNING 1";

/// The rows that one statement of a sweep deletes at most, and how many statements there are.
const SWEEP_ROWS: usize = 2000;
const SWEEPS_MAX: usize = 50;

/// The pauses before the looks for a maker.
const PAUSES_MS: [u64; 2] = [0, 50];

/// A look that takes longer is given up: the conversation then goes on as if nobody knew who sealed what.
const FIND_MS_MAX: u64 = 2_000;

/// A conversation that has rested for longer than this is sent as it is.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Notes who sealed what an answer holds.
pub(crate) async fn save(instance: &Instance, seals: &[SealId], maker: SealMaker) {
    let SealMaker { place, account, profile } = maker;
    let now_ms = Value::Integer(host::steady_ms());
    let row = vec![list(seals), now_ms, Value::Text(place), text(account), Value::Text(profile)];
    if let Err(trouble @ (Trouble::Busy | Trouble::Failed(_))) = database::write(instance, SAVE, row).await {
        host::log(&format!("the origin of an answer's sealed reasoning could not be stored: {trouble}"));
    }
}

/// Finds who sealed the reasoning in a call. An answer that ended a moment ago may not be noted yet, so the last seal is
/// looked for again. Nothing that goes wrong here keeps a call from being served.
pub(crate) async fn makers(instance: &Instance, call: &Call) -> Makers {
    let seals = if call.operation.holds_conversation() { in_request(&call.body) } else { Vec::new() };
    let Some(last) = seals.last() else { return Makers::default() };
    let mut known = HashMap::new();
    for pause_ms in PAUSES_MS {
        host::wait_ms(pause_ms).await;
        match database::rows_within(instance, FIND, vec![list(&seals)], FIND_MS_MAX).await {
            Ok(rows) => known = rows.into_iter().filter_map(maker).collect(),
            Err(_) => break,
        }
        if known.contains_key(last) {
            break;
        }
    }
    Makers::new(&seals, known)
}

fn list(seals: &[SealId]) -> Value {
    let ids: Vec<String> = seals.iter().map(|SealId(id)| id.to_string()).collect();
    Value::Text(format!("[{}]", ids.join(",")))
}

fn maker(row: Row) -> Option<(SealId, SealMaker)> {
    let mut columns = Columns::of(row);
    let id = SealId(columns.integer()?);
    Some((id, SealMaker { place: columns.text()?, account: columns.text(), profile: columns.text()? }))
}

/// Deletes what is no longer kept.
pub(crate) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    for _ in 0..SWEEPS_MAX {
        let swept = database::rows(instance, SWEEP, vec![Value::Integer(host::steady_ms() - KEPT_MS)]).await?;
        if swept.len() < SWEEP_ROWS {
            break;
        }
    }
    Ok(())
}
