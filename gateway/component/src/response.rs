//! The answer to a request as the host gets it: as a message or through `wasi:http` if its body is known, and otherwise as a
//! head whose body is still written.

use std::pin::Pin;

use gateway_core::headers;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields};

use crate::carry::Call;
use crate::host;
use crate::host::body::{self, Writer};
use crate::instance::Instance;

/// The response to the client.
pub(crate) enum Response {
    /// A response whose body is known.
    Whole(Box<WholeResponse>),
    /// A head, and a body that may still be written.
    Begun(types::Response),
}

/// A response whose body is known.
pub(crate) struct WholeResponse {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    on_end: Option<OnDelivered>,
}

/// Called once when the client has been given all of a response, or has left before. It is told which.
pub(crate) type OnDelivered = Box<dyn FnOnce(bool) -> Pin<Box<dyn Future<Output = ()>>>>;

impl Response {
    /// Gives the response to the host.
    pub(crate) async fn give(self, instance: &Instance, call: Option<Call>) -> Result<types::Response, ErrorCode> {
        let mut whole = match self {
            Response::Begun(response) => return Ok(response),
            Response::Whole(whole) => whole,
        };
        if let (Some(carrier), Some(call)) = (&instance.carrier, call)
            && let Some(is_there) = carrier.answer(&call, whole.status, &whole.headers, &whole.body).await
        {
            if let Some(on_end) = whole.on_end.take() {
                host::spawn(on_end(is_there));
            }
            // The host has the response, and does not look at this.
            return Err(ErrorCode::InternalError(None));
        }
        Ok(whole.begin())
    }

    /// The same response, after which this is called.
    pub(crate) fn then(self, on_end: OnDelivered) -> Self {
        match self {
            Response::Whole(whole) => Response::Whole(Box::new(WholeResponse { on_end: Some(on_end), ..*whole })),
            begun @ Response::Begun(_) => begun,
        }
    }
}

impl WholeResponse {
    fn begin(self) -> types::Response {
        let WholeResponse { status, headers, body, on_end } = self;
        let (response, writer) = begin(status, &headers);
        host::spawn(async move {
            let is_given = writer.give(body).await;
            if let Some(on_end) = on_end {
                on_end(is_given).await;
            }
        });
        response
    }
}

/// Answers with a body that is already known.
pub(crate) fn whole(status: u16, mut headers: Vec<(String, Vec<u8>)>, body: Vec<u8>, is_head: bool) -> Response {
    headers::set_apart(&mut headers);
    page(status, headers, body, is_head)
}

/// Answers with a page of the console, the one sort of answer that says itself what it may do.
pub(crate) fn page(status: u16, mut headers: Vec<(String, Vec<u8>)>, mut body: Vec<u8>, is_head: bool) -> Response {
    headers.retain(|(name, _)| name != "content-length");
    if status != 204 {
        headers.push(("content-length".into(), body.len().to_string().into_bytes()));
    }
    if is_head {
        body.clear();
    }
    Response::Whole(Box::new(WholeResponse { status, headers, body, on_end: None }))
}

/// A response head, and the writer of its body. Until its end is written, the body counts as cut off. No browser takes the
/// answer for a page of the console.
pub(crate) fn head(status: u16, mut headers: Vec<(String, Vec<u8>)>) -> (Response, Writer) {
    headers::set_apart(&mut headers);
    head_as_it_is(status, &headers)
}

/// The same for a page of the console that comes in pieces.
pub(crate) fn head_as_it_is(status: u16, headers: &[(String, Vec<u8>)]) -> (Response, Writer) {
    let (response, writer) = begin(status, headers);
    (Response::Begun(response), writer)
}

fn begin(status: u16, headers: &[(String, Vec<u8>)]) -> (types::Response, Writer) {
    let fields = Fields::from_list(headers).unwrap_or_else(|_| one_by_one(headers));
    let (writer, contents) = body::answer();
    let (stream, end) = contents.into_parts();
    let (response, _transmitted) = types::Response::new(fields, stream, end);
    // It is 200 if nobody says anything else. A host only refuses a status outside 100 to 999. Then it stays 200 too, and
    // the body tells the rest.
    if status != 200 {
        let _ = response.set_status_code(status);
    }
    (response, writer)
}

/// Adds the headers one by one, because the host refused one of them and the others are fine.
fn one_by_one(headers: &[(String, Vec<u8>)]) -> Fields {
    let fields = Fields::new();
    for (name, value) in headers {
        let _ = fields.append(name, value);
    }
    fields
}
