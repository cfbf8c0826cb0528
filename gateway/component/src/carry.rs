//! The faster way between the component and llmio's own runner: a key-value store that only the runner has, through which
//! whole messages pass. `wasi:http` takes a call of the host for each part of a request and several for each body. See
//! `host.md`; what a message looks like is core's [`carry`](gateway_core::carry).

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use gateway_core::carry::{self, Answer, Headers, Request, STORE, Sent};
use spin_sdk::key_value::Store;
use spin_sdk::wasip3::http::types::{DnsErrorPayload, ErrorCode, TlsAlertReceivedPayload};

/// The largest body that crosses within a message, in either direction. A larger one crosses in pieces.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 10;

/// What the key of a request to be sent begins with. The rest of it is the request.
const SEND: &str = "s";

/// What the path of a request begins with whose head crosses as a message. Such a host gives every path of a client its slash.
const CARRIED: char = '?';

/// The store that messages pass through.
pub(crate) struct Carrier(Store);

/// A request that crosses as a message: the key of its answer.
pub(crate) struct Call(String);

/// Why a request was not sent, or not answered.
pub(crate) enum Failure {
    /// The host's error.
    Code(ErrorCode),
    /// The host does not take this part of the request.
    Refused(String),
}

impl Carrier {
    /// The store, if the host has it. From then on the host makes use of it too.
    pub(crate) async fn open() -> Option<Rc<Self>> {
        Some(Rc::new(Carrier(Store::open(STORE).await.ok()?)))
    }

    /// The request behind a path that stands for one. Each is given once.
    pub(crate) async fn request(&self, path: &str) -> Option<(Call, Request)> {
        let message = if path.starts_with(CARRIED) { self.0.get(path).await.ok()?? } else { return None };
        Some((Call(path.to_owned()), carry::request(message)?))
    }

    /// Gives a request its answer. Returns whether its client is still there; `None` if the answer cannot cross.
    pub(crate) async fn answer(
        &self,
        call: &Call,
        status: u16,
        headers: &[(String, Vec<u8>)],
        body: &[u8],
    ) -> Option<bool> {
        if body.len() > BODY_BYTES_MAX {
            return None;
        }
        let message = carry::response(status, headers, body)?;
        Some(self.0.set(&call.0, message).await.is_ok())
    }

    /// The message that sends a request; `None` if it must be sent in another way.
    pub(crate) fn message(sent: &Sent<'_>) -> Option<String> {
        if sent.body.len() > BODY_BYTES_MAX { None } else { sent.message(SEND) }
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(self: &Rc<Self>, message: &str) -> Result<(u16, Headers, Arriving), Failure> {
        match self.ask(message).await {
            Some(Answer::Head { status, headers, body, rest }) => {
                let rest = rest.map(|key| Rest { carrier: self.clone(), key });
                Ok((status, headers, Arriving { first: body, rest, failed: None }))
            }
            Some(Answer::Failed(code, detail)) => Err(Failure::Code(error_code(code, detail))),
            Some(Answer::Refused(part)) => Err(Failure::Refused(part)),
            Some(Answer::Chunk { .. }) | None => Err(Failure::Code(ErrorCode::ConfigurationError)),
        }
    }

    async fn ask(&self, key: &str) -> Option<Answer> {
        carry::answer(self.0.get(key).await.ok()??)
    }
}

/// The body of an answer.
pub(crate) struct Arriving {
    /// What came with the head, until it is read.
    first: Vec<u8>,
    /// Where more comes from, if there is more.
    rest: Option<Rest>,
    failed: Option<ErrorCode>,
}

impl Arriving {
    /// Reads into the free room of a buffer. Returns whether more may come, and the buffer.
    pub(crate) async fn read(&mut self, mut buffer: Vec<u8>) -> (bool, Vec<u8>) {
        if !self.first.is_empty() {
            buffer.extend_from_slice(&std::mem::take(&mut self.first));
            return (self.rest.is_some(), buffer);
        }
        let Some(rest) = &self.rest else { return (false, buffer) };
        let more = match rest.carrier.ask(&rest.key).await {
            Some(Answer::Chunk { bytes, more }) => {
                buffer.extend_from_slice(&bytes);
                more
            }
            Some(Answer::Failed(code, detail)) => {
                self.failed = Some(error_code(code, detail));
                false
            }
            Some(Answer::Head { .. } | Answer::Refused(_)) | None => {
                self.failed = Some(ErrorCode::HttpResponseIncomplete);
                false
            }
        };
        if !more && let Some(rest) = self.rest.take() {
            rest.forget();
        }
        (more, buffer)
    }

    /// How the body ended. Call it after the last bytes.
    pub(crate) fn end(self) -> Result<(), ErrorCode> {
        self.failed.map_or(Ok(()), Err)
    }
}

/// The rest of an answer, which the host keeps. Dropping it ends the exchange.
struct Rest {
    carrier: Rc<Carrier>,
    key: String,
}

impl Rest {
    /// The host has nothing left of it.
    fn forget(mut self) {
        self.key.clear();
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if self.key.is_empty() {
            return;
        }
        // The host forgets it at once, so that there is nothing to wait for.
        let forgotten = pin!(self.carrier.0.delete(&self.key));
        let _ = forgotten.poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// The error codes of `wasi:http` that have a number in messages. Any other one is told in words.
fn error_code(code: u64, detail: String) -> ErrorCode {
    match code {
        1 => ErrorCode::DnsTimeout,
        2 => ErrorCode::DnsError(DnsErrorPayload { rcode: Some(detail), info_code: None }),
        3 => ErrorCode::DestinationNotFound,
        4 => ErrorCode::DestinationUnavailable,
        5 => ErrorCode::DestinationIpProhibited,
        6 => ErrorCode::DestinationIpUnroutable,
        7 => ErrorCode::ConnectionRefused,
        8 => ErrorCode::ConnectionTerminated,
        9 => ErrorCode::ConnectionTimeout,
        10 => ErrorCode::ConnectionReadTimeout,
        11 => ErrorCode::ConnectionWriteTimeout,
        12 => ErrorCode::ConnectionLimitReached,
        13 => ErrorCode::TlsProtocolError,
        14 => ErrorCode::TlsCertificateError,
        15 => ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload { alert_id: None, alert_message: Some(detail) }),
        16 => ErrorCode::HttpRequestDenied,
        17 => ErrorCode::HttpRequestUriInvalid,
        18 => ErrorCode::HttpResponseIncomplete,
        19 => ErrorCode::HttpResponseHeaderSectionSize(None),
        20 => ErrorCode::HttpResponseTimeout,
        21 => ErrorCode::HttpProtocolError,
        22 => ErrorCode::ConfigurationError,
        _ => ErrorCode::InternalError(Some(detail)),
    }
}
