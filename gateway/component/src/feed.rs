//! Records that are sent one after the other: as a file of all that fit a filter, and as they come.

use std::rc::Rc;

use gateway_core::headers;
use gateway_core::record::{Filter, PAGE_MAX};
use gateway_core::views::{Export, RecordTail, RecordView, RecordsView};

use crate::host;
use crate::host::body::Writer;
use crate::instance::Instance;
use crate::relay;
use crate::response::{self, Response};
use crate::store::records;

/// How a record is shown to whoever asked.
pub(crate) type Shown = Box<dyn Fn(RecordView) -> RecordView>;

/// How often it is looked for new records.
const LOOK_MS: u64 = 1_000;

/// How far each look reaches back. A call has its row a second after it began, and an instance writes it at most a
/// second later.
const BACK_MS: i64 = 10_000;

/// How long a tail lasts. A reader who goes on watching connects again, and is authenticated again.
const TAIL_MS_MAX: u64 = 10 * 60_000;

/// All records that fit, newest first. They are read page by page, so that nobody waits for them and no memory holds them.
pub(crate) fn export(instance: &Rc<Instance>, mut filter: Filter, format: Export, shown: Shown) -> Response {
    let mut headers: Vec<(String, Vec<u8>)> =
        format.headers().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into();
    headers.push(("cache-control".to_owned(), b"no-store".to_vec()));
    let (response, mut writer) = response::head(200, headers);
    let instance = instance.clone();
    host::spawn(async move {
        filter.limit = PAGE_MAX;
        let mut text = format.head();
        loop {
            let Ok(page) = records::page(&instance, &filter).await else {
                return relay::cut(&instance, writer).await;
            };
            let page = RecordsView::of(page.records, page.stopped, &filter);
            page.records.into_iter().for_each(|record| text.push_str(&format.line(&shown(record))));
            if !text.is_empty() && !writer.write(std::mem::take(&mut text).into_bytes()).await.is_empty() {
                return;
            }
            match page.next {
                Some(next) => filter.before = Some(next),
                None => return writer.finish().await,
            }
        }
    });
    response
}

/// The records that come from now on, as server-sent events: each when it is seen, and again when its call has ended.
pub(crate) fn tail(instance: &Rc<Instance>, filter: Filter, shown: Shown) -> Response {
    let mut headers = vec![
        ("content-type".to_owned(), b"text/event-stream".to_vec()),
        ("cache-control".to_owned(), b"no-store".to_vec()),
    ];
    headers::unbuffered(&mut headers);
    let (response, writer) = response::head(200, headers);
    host::spawn(watch(instance.clone(), filter, shown, writer));
    response
}

async fn watch(instance: Rc<Instance>, mut filter: Filter, shown: Shown, mut writer: Writer) {
    let (start_ms, begun_ms) = (host::now_ms(), host::steady_ms());
    (filter.limit, filter.before, filter.until_ms) = (PAGE_MAX, None, None);
    let mut tail = RecordTail::default();
    let mut text = RecordTail::first();
    loop {
        if !text.is_empty() && !writer.write(std::mem::take(&mut text).into_bytes()).await.is_empty() {
            return;
        }
        if host::now_ms().saturating_sub(start_ms) > TAIL_MS_MAX {
            return writer.finish().await;
        }
        host::wait_ms(LOOK_MS).await;
        let now = host::now();
        let since_ms = now.wall_ms.saturating_sub(BACK_MS).max(now.shown_ms(begun_ms));
        let under_way = tail.under_way();
        filter.since_ms = Some(since_ms);
        let mut seen = records::list(&instance, &filter).await.unwrap_or_default();
        for id in under_way {
            if let Ok(Some(record)) = records::read(&instance, &id).await {
                seen.push(record);
            }
        }
        text.push_str(&tail.events(seen, &shown));
    }
}
