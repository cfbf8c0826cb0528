//! The host's own calls of the component's public API: it knows these few paths and nothing of what is stored.

use crate::call;
use crate::gateway::Stores;
use crate::inbound::{self, RequestBody};
use crate::instance::{Dispatch, Instances};
use crate::log;
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use std::time::Duration;
use uuid::Uuid;

/// Each is a call of the component; a cut reports hundreds, and they share half a second.
const REPORTS_AT_ONCE: usize = 16;

/// Those that are over for their clients are told of together: there may be thousands, and few lack a record.
const DELIVERED_AT_ONCE: usize = 250;

/// Before a report that failed is made again.
const REPORT_PAUSES: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(500)];

/// A request to the admin API, with the admin token.
pub(crate) fn request(
    stores: &Stores,
    method: Method,
    path: &str,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Result<Request<Bytes>> {
    let body = body.into();
    let mut token = HeaderValue::try_from(format!("Bearer {}", stores.token))?;
    token.set_sensitive(true);
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::HOST, "localhost").header(header::AUTHORIZATION, token);
    let request = request.header(header::CONTENT_TYPE, content_type).header(header::CONTENT_LENGTH, body.len());
    Ok(request.body(body)?)
}

/// Sends a request of the host through an instance, without a listener in between.
pub(crate) async fn send(instances: &Instances, quirks: bool, request: Request<Bytes>) -> Result<Response<Bytes>> {
    dispatch(instances, quirks, request, false).await
}

async fn dispatch(
    instances: &Instances,
    quirks: bool,
    request: Request<Bytes>,
    is_report: bool,
) -> Result<Response<Bytes>> {
    let (mut head, body) = request.into_parts();
    let id = inbound::new_id();
    inbound::shape(&mut head, id, Some(HeaderValue::from_static("127.0.0.1:0")), quirks);
    let uri = head.uri.clone();
    // Never recorded: a report that traps must not be reported in turn, which would go on without end.
    let (method, bytes) = (head.method.clone(), body.len() as u64);
    let request = call::Request { id, recorded: false, method, uri: uri.clone(), bytes };
    let body = RequestBody::whole(body);
    let answer = instances.send(Dispatch { request, head, body, is_report, fault: None }).await;
    let (head, body) = inbound::respond(&instances.stores().refusals, answer, uri.path(), id).into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// Tells the component of calls that ended without it. Boxed: an instance that traps here ends in this function too.
pub(crate) fn report_ended<'a>(
    instances: &'a Instances,
    ids: &'a [Uuid],
    state: &'static str,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    let reports = futures_util::stream::iter(ids.chunks(1));
    Box::pin(reports.for_each_concurrent(REPORTS_AT_ONCE, move |id| report(instances, id, state, false)))
}

/// Tells the component of calls that are over for their clients, of which the instance that trapped has recorded most.
pub(crate) fn report_delivered<'a>(
    instances: &'a Instances,
    ids: &'a [Uuid],
    state: &'static str,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    let reports = futures_util::stream::iter(ids.chunks(DELIVERED_AT_ONCE));
    Box::pin(reports.for_each(move |ids| report(instances, ids, state, true)))
}

async fn report(instances: &Instances, ids: &[Uuid], state: &str, is_delivered: bool) {
    let mut delivered = tell(instances, ids, state, is_delivered).await;
    // The instance that was told may trap in its turn; the next one need not.
    for pause in REPORT_PAUSES {
        if delivered.is_ok() {
            return;
        }
        tokio::time::sleep(pause).await;
        delivered = tell(instances, ids, state, is_delivered).await;
    }
    if let Err(error) = delivered {
        let shown: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        log::warn(format_args!("{} ended as {state}; not recorded: {error:#}", shown.join(", ")));
    }
}

async fn tell(instances: &Instances, ids: &[Uuid], state: &str, is_delivered: bool) -> Result<()> {
    let at_ms = jiff::Timestamp::now().as_millisecond();
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    let body = serde_json::json!({ "ids": ids, "state": state, "at": at_ms, "delivered": is_delivered }).to_string();
    let stores = instances.stores();
    let request = request(stores, Method::POST, "/api/records/ended", "application/json", body)?;
    let response = dispatch(instances, stores.quirks, request, true).await?;
    ensure!(response.status().is_success(), "the component answered {}", response.status());
    Ok(())
}

/// Periodic work of the component: retention, sweeps.
pub(crate) fn maintain(stores: &Stores) -> Result<Request<Bytes>> {
    request(stores, Method::POST, "/api/maintain", "application/json", "{}")
}
