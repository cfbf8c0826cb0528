//! Failures in a row by subject, where an instance serves one request and could not count them. A failure writes a row, the
//! first success after some deletes it, and a call that goes well while nothing fails writes nothing. Shares of failures
//! are not known there, since they need a count of what went well.

use std::collections::BTreeMap;
use std::rc::Rc;

use gateway_core::health::{FAILURES_KEPT_MS, Subject};

use super::database::{self, Columns, Row, Trouble, Value};
use super::health;
use crate::host;
use crate::instance::Instance;

/// No more than there are subjects in trouble at most.
const READ: &str = "SELECT subject, in_a_row, at_ms FROM failures ORDER BY at_ms DESC LIMIT 1024";

/// One statement, so that of two failures at the same time both count.
const COUNT: &str = "INSERT INTO failures (subject, in_a_row, at_ms) VALUES (?1, 1, ?2) \
ON CONFLICT (subject) DO UPDATE SET at_ms = excluded.at_ms, \
in_a_row = CASE WHEN at_ms < ?3 THEN 1 ELSE in_a_row + 1 END";

const END: &str = "DELETE FROM failures WHERE subject = ?1";

const SWEEP: &str = "DELETE FROM failures WHERE at_ms < ?1";

/// Takes over what was counted.
pub(super) async fn recall(instance: &Instance) {
    for row in database::rows(instance, READ, Vec::new()).await.unwrap_or_default() {
        if let Some((subject, in_a_row, at_ms)) = counted(row) {
            health::recall_failing(instance, subject, in_a_row, at_ms);
        }
    }
}

fn counted(row: Row) -> Option<(Subject, u32, i64)> {
    let mut columns = Columns::of(row);
    let subject = Subject::parse(&columns.text()?)?;
    Some((subject, u32::try_from(columns.integer()?).ok()?, columns.integer()?))
}

/// Notes which subjects failed in a row before, and which do now.
pub(super) fn changed(instance: &Rc<Instance>, before: &BTreeMap<Subject, u32>, now: &BTreeMap<Subject, u32>) {
    let is_more = |(subject, count): &(&Subject, &u32)| before.get(*subject).is_none_or(|known| known < *count);
    let failed: Vec<String> = now.iter().filter(is_more).map(|(subject, _)| subject.key()).collect();
    let over: Vec<String> = before.keys().filter(|subject| !now.contains_key(*subject)).map(Subject::key).collect();
    if failed.is_empty() && over.is_empty() {
        return;
    }
    let instance = instance.clone();
    host::spawn(async move {
        if let Err(trouble @ (Trouble::Busy | Trouble::Failed(_))) = write(&instance, failed, over).await {
            host::log(&format!("failures in a row were not counted: {trouble}"));
        }
    });
}

async fn write(instance: &Instance, failed: Vec<String>, over: Vec<String>) -> Result<(), Trouble> {
    let now_ms = host::steady_ms();
    let has_failed = !failed.is_empty();
    for subject in failed {
        let row =
            vec![Value::Text(subject), Value::Integer(now_ms), Value::Integer(now_ms.saturating_sub(FAILURES_KEPT_MS))];
        database::write(instance, COUNT, row).await?;
    }
    for subject in over {
        database::write(instance, END, vec![Value::Text(subject)]).await?;
    }
    if has_failed {
        health::tell_first(instance).await;
    }
    Ok(())
}

/// Forgets those of long ago.
pub(super) async fn sweep(instance: &Instance) -> Result<(), Trouble> {
    let oldest = host::steady_ms().saturating_sub(FAILURES_KEPT_MS);
    database::write(instance, SWEEP, vec![Value::Integer(oldest)]).await
}
