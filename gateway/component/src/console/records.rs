//! Records: the list, and one of them.

use gateway_console::frame::Reader;
use gateway_console::pages::{self, ConversationsPage, Counted, RecordPage, RecordsPage, StoredBodies, Suggested};
use gateway_console::query::Query;
use gateway_core::bodies::What;
use gateway_core::record::Filter;
use gateway_core::refusal::Refusal;
use gateway_core::uri::{decode_parameter, encode_parameter};
use gateway_core::views::{Export, RecordView, RecordsView};

use super::{Answer, Visit};
use crate::admin::{self, bodies, unavailable};
use crate::feed;
use crate::response;
use crate::store::records::{self, Page};
use crate::store::stats;

/// Every call that the reader may see, narrowed by the address.
pub(super) async fn list(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let Visit { instance, frame, .. } = visit;
    let (query, filter) = pages::filter(&visit.query, &frame.reader, visit.incoming.at.wall_ms)?;
    let Page { records: found, stopped } = records::page(instance, &filter).await.map_err(unavailable)?;
    let found = found.into_iter().map(|record| pages::seen_by(&frame.reader, record)).collect();
    let found = RecordsView::of(found, stopped, &filter);
    let last_ms = if found.records.is_empty() {
        let newest = Filter { key: pages::own_key(&frame.reader), limit: 1, ..Filter::default() };
        records::list(instance, &newest).await.map_err(unavailable)?.first().map(|record| record.at_ms)
    } else {
        None
    };
    let counted = counted(visit, &filter).await;
    Ok(visit.page(&RecordsPage::of(frame, &query, &found, suggested(visit), (last_ms, counted.as_ref()))))
}

/// What the calls of these filters come to. Where that cannot be read, the list stands without it.
async fn counted(visit: &Visit<'_>, filter: &Filter) -> Option<Counted> {
    let zone = &visit.snapshot.catalog.settings.zone;
    let period = pages::countable(filter, zone, visit.incoming.at.wall_ms)?;
    let by_step = stats::by_step(visit.instance, &period).await.ok()?;
    Some(Counted { period, by_step, by_series: Vec::new(), calls_before: 0 })
}

/// Sessions of clients, of those calls that the reader may see.
pub(super) async fn conversations(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let key = pages::own_key(&visit.frame.reader);
    let found = records::conversations(visit.instance, key, None).await.map_err(unavailable)?;
    Ok(visit.page(&ConversationsPage::of(&visit.frame, &found)))
}

/// The calls that fit, as a file.
pub(super) fn export(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let (format, query) = Export::parse(visit.incoming.query.as_deref().unwrap_or_default())?;
    let query = Query::parse(&query).unwrap_or_default();
    let (_, filter) = pages::filter(&query, &visit.frame.reader, visit.incoming.at.wall_ms)?;
    Ok(Answer::Pieces(feed::export(visit.instance, filter, format, shown(visit))))
}

/// The calls that come from now on.
pub(super) fn tail(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let (_, filter) = pages::filter(&visit.query, &visit.frame.reader, visit.incoming.at.wall_ms)?;
    Ok(Answer::Pieces(feed::tail(visit.instance, filter, shown(visit))))
}

/// A record as the reader may see it.
fn shown(visit: &Visit<'_>) -> feed::Shown {
    let reader = visit.frame.reader.clone();
    Box::new(move |record| pages::seen_by(&reader, record))
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

/// One call. For a reader, a call of another key does not exist.
pub(super) async fn read(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    let record = pages::seen_by(&visit.frame.reader, own(visit, &id).await?);
    let stored_bodies = stored_bodies(visit, &id).await;
    Ok(visit.page(&RecordPage::of(&visit.frame, &record, &stored_bodies, &visit.query)))
}

/// The record of this id, if the reader may see it.
async fn own(visit: &Visit<'_>, id: &str) -> Result<RecordView, Refusal> {
    admin::own_record(visit.instance, id, pages::own_key(&visit.frame.reader).as_deref()).await
}

/// What was said in a call that the reader may see. Where it cannot be read, the rest of the page stands without it.
async fn stored_bodies(visit: &Visit<'_>, id: &str) -> StoredBodies {
    if pages::own_key(&visit.frame.reader).is_some_and(|key| !bodies::may_see(visit.snapshot, &key)) {
        return StoredBodies::Hidden;
    }
    match bodies::opened(visit.instance, id).await {
        Ok(Ok(bodies)) => StoredBodies::Kept(bodies),
        Ok(Err(gone)) => StoredBodies::Gone(gone),
        Err(_) => StoredBodies::Unread,
    }
}

/// One body, as a file.
pub(super) async fn download(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    own(visit, &id).await?;
    let what = visit.query.get("what").and_then(What::named);
    let kept = match stored_bodies(visit, &id).await {
        StoredBodies::Kept(kept) => kept,
        StoredBodies::Gone(_) | StoredBodies::Hidden | StoredBodies::Unread => Vec::new(),
    };
    let body = what.and_then(|what| kept.into_iter().find(|body| body.what == what));
    let body = body.ok_or_else(|| Refusal::not_found("bodies_not_there", "There is no such body, or not for you."))?;
    let ending = if body.what == What::Events { "txt" } else { "json" };
    let name = format!("attachment; filename=\"{}-{}.{ending}\"", body.what.name(), id.replace(['"', '\\'], ""));
    let headers = [
        ("content-type", "text/plain; charset=utf-8".to_owned()),
        ("content-disposition", name),
        ("cache-control", "no-store".to_owned()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).into();
    let is_head = visit.incoming.method == "HEAD";
    Ok(Answer::Pieces(response::whole(200, headers, body.text.into_bytes(), is_head)))
}

/// Deletes what was said in a call.
pub(super) async fn forget(visit: &Visit<'_>, parameter: &str) -> Result<Answer, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    own(visit, &id).await?;
    let _form = visit.form().await?;
    bodies::forget(visit.instance, visit.incoming, visit.snapshot, id.clone()).await?;
    Ok(visit.to(&format!("records/{}#said", encode_parameter(&id))))
}
