//! Reads what the calls of one key used, by day and model, from the index of records by key. The rows themselves, which are
//! long, are not read. The statements are in files of their own, because a test checks how SQLite runs them.

use gateway_core::spending::{Period, Used, UsedOf};

use super::database::{self, Row, Trouble, Value};
use super::records::id_at;
use crate::instance::Instance;

const BY_MODEL: &str = include_str!("usage/by_model.sql");
const BY_DAY: &str = include_str!("usage/by_day.sql");

/// The sums of each day of the period, and of each day and model.
pub(crate) async fn read(instance: &Instance, key: &str, period: &Period) -> Result<Vec<UsedOf>, Trouble> {
    let spans: Vec<[String; 2]> =
        period.days().into_iter().map(|day| [id_at(day.from_ms), id_at(day.until_ms)]).collect();
    let spans = serde_json::to_string(&spans).unwrap_or_default();
    let mut found = Vec::new();
    for statement in [BY_DAY, BY_MODEL] {
        let parameters = vec![Value::Text(key.to_owned()), Value::Text(spans.clone())];
        found.extend(database::rows(instance, statement, parameters).await?.into_iter().filter_map(used));
    }
    Ok(found)
}

fn used(row: Row) -> Option<UsedOf> {
    let mut values = row.values.into_iter();
    let number = |values: &mut std::vec::IntoIter<Value>| match values.next()? {
        Value::Integer(number) => u64::try_from(number).ok(),
        _ => None,
    };
    let day = usize::try_from(number(&mut values)?).ok()?;
    let model = match values.next()? {
        Value::Text(model) => Some(model),
        _ => None,
    };
    let used = Used {
        calls: number(&mut values)?,
        input_tokens: number(&mut values)?,
        cache_read_tokens: number(&mut values)?,
        output_tokens: number(&mut values)?,
        cost_nano: number(&mut values)?,
        unpriced_calls: number(&mut values)?,
    };
    Some(UsedOf { day, model, used })
}
