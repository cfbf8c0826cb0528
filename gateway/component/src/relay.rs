//! Step 6: hands the answer's bytes to the client as they come, shows them to the observer, and makes sure that an
//! answer that was cut never looks complete.

use gateway_core::failover::SendError;
use gateway_core::observe::{Observation, Observer};
use gateway_core::refusal::{Refusal, Reply};
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields};
use spin_sdk::wasip3::wit_bindgen::{FutureWriter, StreamWriter};
use spin_sdk::wasip3::{self, wit_future, wit_stream};

use crate::host;
use crate::incoming::Incoming;
use crate::send::{self, Answer, Rest};

/// How an answer ended.
pub(crate) struct Ended {
    /// What was seen of it.
    pub(crate) observation: Observation,
    /// Why it is not whole; `None` when it is.
    pub(crate) error: Option<SendError>,
}

type TrailersWriter = FutureWriter<Result<Option<types::Trailers>, ErrorCode>>;

/// Answers with the upstream's answer. `ended` is called once, after the client has its last byte or is gone.
pub(crate) fn answer<F>(
    answer: Answer,
    start_ms: u64,
    deadline_ms: u64,
    ended: impl FnOnce(Ended) -> F + 'static,
) -> types::Response
where
    F: Future<Output = ()>,
{
    let Answer { status, headers, mut observer, held, rest } = answer;
    let (response, mut writer, trailers) = head(status, &headers);
    wasip3::spawn(async move {
        let error = copy(held, rest, &mut writer, &mut observer, start_ms, deadline_ms).await;
        match &error {
            None => end_whole(writer, trailers).await,
            Some(SendError::ClientClosed) => drop((writer, trailers)),
            Some(error) => end_cut(writer, trailers, &observer, error).await,
        }
        ended(Ended { observation: observer.finish(), error }).await;
    });
    response
}

/// Gives the client what was held back, then the rest as it comes; returns why that is not all.
async fn copy(
    held: Vec<u8>,
    rest: Rest,
    writer: &mut StreamWriter<u8>,
    observer: &mut Observer,
    start_ms: u64,
    deadline_ms: u64,
) -> Option<SendError> {
    if !held.is_empty() && !writer.write_all(held).await.is_empty() {
        return Some(SendError::ClientClosed);
    }
    let (mut body, mut buffer, mut more) = match rest {
        Rest::Ended(end) => return end.err(),
        Rest::Reading(reading) => reading.await,
    };
    let error = loop {
        let now_ms = host::now_ms();
        if !buffer.is_empty() {
            observer.see(&buffer, now_ms.saturating_sub(start_ms));
            buffer = writer.write_all(buffer).await;
            if !buffer.is_empty() {
                // What could not be written was not received.
                break Some(SendError::ClientClosed);
            }
        }
        if !more {
            break body.end().await.err();
        }
        if now_ms > deadline_ms {
            break Some(SendError::TotalTimeout);
        }
        (more, buffer) = body.read(buffer).await;
    };
    send::give_buffer(buffer);
    error
}

async fn end_whole(writer: StreamWriter<u8>, trailers: TrailersWriter) {
    drop(writer);
    let _ = trailers.write(Ok(None)).await;
}

/// A stream's reader gets an error event in its dialect; every reader gets an unclean end.
async fn end_cut(mut writer: StreamWriter<u8>, trailers: TrailersWriter, observer: &Observer, error: &SendError) {
    if observer.is_stream() {
        let said = format!("The provider {}. The answer is incomplete.", error.describe());
        let event = Refusal::bad_gateway(error.state(), said).event();
        let close_event: &[u8] = if observer.in_event() { b"\n\n" } else { b"" };
        writer.write_all([close_event, &event].concat()).await;
    }
    drop(writer);
    let _ = trailers.write(Err(ErrorCode::HttpResponseIncomplete)).await;
}

/// Answers with something of llmio's own.
pub(crate) fn reply(incoming: &Incoming, reply: Reply) -> types::Response {
    let Reply { status, mut headers, body } = reply;
    allow_origin(incoming, &mut headers);
    whole(status, headers, body, incoming.method == "HEAD")
}

/// Lets pages of any origin read an answer, but for those of the admin API.
pub(crate) fn allow_origin(incoming: &Incoming, headers: &mut Vec<(String, Vec<u8>)>) {
    if incoming.header("origin").is_some() && !gateway_core::accept::is_admin(&incoming.path) {
        headers.push(("access-control-allow-origin".into(), b"*".to_vec()));
    }
}

/// Answers with a body that is known already.
pub(crate) fn whole(status: u16, mut headers: Vec<(String, Vec<u8>)>, body: Vec<u8>, is_head: bool) -> types::Response {
    headers.retain(|(name, _)| name != "content-length");
    if status != 204 {
        headers.push(("content-length".into(), body.len().to_string().into_bytes()));
    }
    let (response, mut writer, trailers) = head(status, &headers);
    wasip3::spawn(async move {
        if !is_head && !body.is_empty() {
            writer.write_all(body).await;
        }
        end_whole(writer, trailers).await;
    });
    response
}

/// A response head, and where its body goes. Until its end is written the body counts as cut.
fn head(status: u16, headers: &[(String, Vec<u8>)]) -> (types::Response, StreamWriter<u8>, TrailersWriter) {
    let fields = Fields::from_list(headers).unwrap_or_else(|_| one_by_one(headers));
    let (writer, contents) = wit_stream::new();
    let (trailers, trailers_reader) = wit_future::new(|| Err(ErrorCode::HttpResponseIncomplete));
    let (response, _transmitted) = types::Response::new(fields, Some(contents), trailers_reader);
    // The only status a host refuses is one outside 100 to 999; then 200 stands, and the body tells the rest.
    let _ = response.set_status_code(status);
    (response, writer, trailers)
}

/// Some upstream header is not allowed here; the others are.
fn one_by_one(headers: &[(String, Vec<u8>)]) -> Fields {
    let fields = Fields::new();
    for (name, value) in headers {
        let _ = fields.append(name, value);
    }
    fields
}
