//! Pages of records. What is kept in the order of time is read in that order; what is failed over, not served or slow has an
//! index of its own. Any other filter is held against the records of such an order, so many of them and so long: a filter that
//! hardly any record fits must not read through all there are.

use gateway_core::record::{FAILED_OVER, Filter, NOT_SERVED, PAGE_MAX};
use gateway_core::views::RecordView;

use super::super::database::{self, Columns, Trouble, Value, text};
use super::{id_at, view};
use crate::host;
use crate::instance::Instance;

/// How many records are looked at for a page, in steps, and after how long no further step begins.
const LOOKS: [i64; 3] = [1_000, 4_000, 15_000];
const LOOK_MS_MAX: u64 = 50;

/// A page of records.
pub(crate) struct Page {
    /// The records that fit, newest first.
    pub(crate) records: Vec<RecordView>,
    /// The look was ended at this record, after so many of them.
    pub(crate) stopped: Option<(String, u64)>,
}

/// The last record of a step.
macro_rules! look {
    ($source:literal) => {
        concat!("SELECT id FROM records ", $source, " id < ?1 AND id >= ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3")
    };
}

/// The records of a step that fit.
macro_rules! list {
    ($source:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM records ",
            $source,
            " id < ?1 AND id >= ?2 \
AND (?4 IS NULL OR at_ms >= ?4) AND (?5 IS NULL OR at_ms < ?5) AND (?6 IS NULL OR key = ?6) AND (?7 IS NULL OR model = ?7) AND (?8 IS NULL OR provider = ?8) \
AND (?9 IS NULL OR upstream_model = ?9) AND (?10 IS NULL OR state = ?10) AND (?11 IS NULL OR status = ?11) \
AND (?12 IS NULL OR session = ?12) AND (?13 IS NULL OR endpoint = ?13) AND (?14 IS NULL OR streamed = ?14) \
AND (?15 IS NULL OR client = ?15) AND (?16 = 0 OR marks & ?16 = ?16) AND (?17 = 0 OR marks & ?17 = 0) \
AND (?18 IS NULL OR instr(attempts, ?18) > 0) \
AND (?19 IS NULL OR model LIKE ?19 ESCAPE '\\' OR error LIKE ?19 ESCAPE '\\' OR client LIKE ?19 ESCAPE '\\' OR user_agent LIKE ?19 ESCAPE '\\' \
OR (instr(attempts, '\"error\":') > 0 AND json_valid(attempts) AND EXISTS (SELECT 1 FROM json_each(attempts) WHERE value ->> 'error' LIKE ?19 ESCAPE '\\'))) \
AND (?20 IS NULL OR key IS NOT ?20) AND (?21 IS NULL OR model IS NOT ?21) AND (?22 IS NULL OR provider IS NOT ?22) \
AND (?23 IS NULL OR state <> ?23) AND (?24 IS NULL OR client IS NOT ?24) \
ORDER BY id DESC LIMIT ?3"
        )
    };
}

/// The statements of an order: the last record of a step, and its records that fit.
const ALL: [&str; 2] = [look!("WHERE"), list!("WHERE")];
const THOSE_FAILED_OVER: [&str; 2] = [
    look!("INDEXED BY records_failed_over WHERE marks & 1 AND"),
    list!("INDEXED BY records_failed_over WHERE marks & 1 AND"),
];
const THOSE_NOT_SERVED: [&str; 2] = [
    look!("INDEXED BY records_not_served WHERE marks & 2 AND"),
    list!("INDEXED BY records_not_served WHERE marks & 2 AND"),
];
const THOSE_SLOW: [&str; 2] =
    [look!("INDEXED BY records_slow WHERE marks & 8 AND"), list!("INDEXED BY records_slow WHERE marks & 8 AND")];

/// Before the first id and after the last one.
const FIRST: &str = "";
pub(super) const LAST: &str = "~";

/// Reads a page of records, newest first.
pub(crate) async fn page(instance: &Instance, filter: &Filter) -> Result<Page, Trouble> {
    let [look, list] = match filter.mark() {
        Some(FAILED_OVER) => THOSE_FAILED_OVER,
        Some(NOT_SERVED) => THOSE_NOT_SERVED,
        Some(_) => THOSE_SLOW,
        None => ALL,
    };
    let (mut upper, lower) = ends(filter);
    let limit = usize::try_from(filter.limit.clamp(1, PAGE_MAX)).unwrap_or_default();
    let (mut records, mut looked): (Vec<RecordView>, u64) = (Vec::new(), 0);
    if filter.takes_all() {
        let parameters = parameters(filter, (&upper, &lower), limit);
        records = database::rows(instance, list, parameters).await?.into_iter().map(view).collect();
        return Ok(Page { records, stopped: None });
    }
    let start_ms = host::now_ms();
    for count in LOOKS {
        let step = vec![Value::Text(upper.clone()), Value::Text(lower.clone()), Value::Integer(count - 1)];
        let end = database::rows(instance, look, step).await?.into_iter().next();
        let end = end.and_then(|row| Columns::of(row).text());
        let from = end.as_deref().unwrap_or(&lower);
        let parameters = parameters(filter, (&upper, from), limit - records.len());
        records.extend(database::rows(instance, list, parameters).await?.into_iter().map(view));
        let Some(end) = end.filter(|_| records.len() < limit) else { return Ok(Page { records, stopped: None }) };
        looked = looked.saturating_add_signed(count);
        upper = end;
        if host::now_ms().saturating_sub(start_ms) > LOOK_MS_MAX {
            break;
        }
    }
    Ok(Page { records, stopped: Some((upper, looked)) })
}

/// Reads records for whoever asks for few and for all.
pub(crate) async fn list(instance: &Instance, filter: &Filter) -> Result<Vec<RecordView>, Trouble> {
    page(instance, filter).await.map(|page| page.records)
}

/// Between which ids the records lie. Ids sort by time, so a span of time is a range of the table and needs no index.
fn ends(filter: &Filter) -> (String, String) {
    let until = filter.until_ms.map(|until_ms| id_at(until_ms.saturating_add(super::ID_SLACK_MS)));
    let since = filter.since_ms.map(|since_ms| id_at(since_ms.saturating_sub(super::ID_SLACK_MS)));
    // Behind the record itself, and before any other.
    let after = filter.after.as_ref().map(|after| format!("{after} "));
    let upper = filter.before.clone().into_iter().chain(until).min();
    let lower = after.into_iter().chain(since).max();
    (upper.unwrap_or_else(|| LAST.to_owned()), lower.unwrap_or_else(|| FIRST.to_owned()))
}

fn parameters(filter: &Filter, (upper, lower): (&str, &str), limit: usize) -> Vec<Value> {
    let integer = |value: Option<i64>| value.map_or(Value::Null, Value::Integer);
    let named = |value: &Option<String>| text(value.clone());
    let not = &filter.not;
    let (marked, unmarked) = filter.marks();
    vec![
        Value::Text(upper.to_owned()),
        Value::Text(lower.to_owned()),
        Value::Integer(i64::try_from(limit).unwrap_or(PAGE_MAX)),
        integer(filter.since_ms),
        integer(filter.until_ms),
        named(&filter.key),
        named(&filter.model),
        named(&filter.provider),
        named(&filter.upstream_model),
        text(filter.state.map(|state| state.name().to_owned())),
        integer(filter.status),
        named(&filter.session),
        named(&filter.endpoint),
        integer(filter.streamed.map(i64::from)),
        named(&filter.client),
        Value::Integer(marked),
        Value::Integer(unmarked),
        text(filter.attempt_at.as_deref().map(attempt_at)),
        text(filter.text.as_deref().map(within)),
        named(&not.key),
        named(&not.model),
        named(&not.provider),
        text(not.state.map(|state| state.name().to_owned())),
        named(&not.client),
    ]
}

/// How an attempt at a provider stands in a record's attempts, which are JSON without spaces.
fn attempt_at(provider: &str) -> String {
    format!("\"provider\":{}", serde_json::Value::from(provider))
}

/// A pattern of SQL that fits what holds this text.
fn within(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
