//! Records: the list, and one of them.

use gateway_console::frame::Reader;
use gateway_console::pages::{self, RecordPage, RecordsPage, Suggested};
use gateway_core::record::Filter;
use gateway_core::refusal::Refusal;
use gateway_core::uri::decode_parameter;
use gateway_core::views::RecordsView;

use super::{Answer, Visit};
use crate::admin::{self, unavailable};
use crate::store::records;

/// Every call that the reader may see, narrowed by the address.
pub(super) async fn list(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let Visit { instance, frame, .. } = visit;
    let (query, filter) = pages::filter(&visit.query, &frame.reader, visit.incoming.at_ms)?;
    let found = records::list(instance, &filter).await.map_err(unavailable)?;
    let found = found.into_iter().map(|record| pages::seen_by(&frame.reader, record)).collect();
    let found = RecordsView::of(found, &filter);
    let last_ms = if found.records.is_empty() {
        let newest = Filter { key: pages::own_key(&frame.reader), limit: 1, ..Filter::default() };
        records::list(instance, &newest).await.map_err(unavailable)?.first().map(|record| record.at_ms)
    } else {
        None
    };
    Ok(visit.page(&RecordsPage::of(frame, &query, &found, suggested(visit), last_ms)))
}

/// Names to choose from: of keys only those that the reader may know.
fn suggested(visit: &Visit<'_>) -> Suggested {
    let catalog = &visit.snapshot.catalog;
    if visit.frame.reader != Reader::Admin {
        return Suggested::default();
    }
    Suggested {
        models: catalog.models.iter().map(|model| model.name.to_string()).collect(),
        providers: catalog.providers.iter().map(|provider| provider.name.to_string()).collect(),
        keys: catalog.keys.iter().map(|key| key.name.to_string()).collect(),
    }
}

/// One call. Another key's is none that its reader could know of.
pub(super) async fn read(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    let record = admin::record(visit.instance, &id).await?;
    let is_own = pages::own_key(&visit.frame.reader).is_none_or(|key| record.key.as_deref() == Some(key.as_str()));
    if !is_own {
        return Err(admin::no_record(&id));
    }
    let record = pages::seen_by(&visit.frame.reader, record);
    Ok(visit.page(&RecordPage::of(&visit.frame, &record)))
}
