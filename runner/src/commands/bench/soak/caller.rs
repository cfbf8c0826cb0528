//! A client that calls again and again, each time in another manner.

use super::server::TOKEN;
use anyhow::Result;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, header};
use http_body::Frame;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rand::RngExt;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LARGE_BYTES: usize = 2 << 20;
/// The longest pause between two calls.
const PAUSE_MS_MAX: u64 = 60;
/// No call of this load takes so long; one that does is counted as cut, and its record tells why.
const CALL_MAX: Duration = Duration::from_secs(60);

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct Tally {
    good: u64,
    refused: u64,
    cut: u64,
    left: u64,
}

impl Tally {
    /// All of them.
    pub(super) fn requests(&self) -> u64 {
        self.good + self.refused + self.cut + self.left
    }

    /// Adds another caller's.
    pub(super) fn add(&mut self, other: &Tally) {
        self.good += other.good;
        self.refused += other.refused;
        self.cut += other.cut;
        self.left += other.left;
    }

    fn count(&mut self, end: Result<End>) {
        match end {
            Ok(End::Good) => self.good += 1,
            Ok(End::Refused) => self.refused += 1,
            Ok(End::Left) => self.left += 1,
            Err(_) => self.cut += 1,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { good, refused, cut, left } = self;
        let all = self.requests();
        write!(formatter, "requests: {all} ({good} answered, {refused} refused, {cut} cut, {left} left by the client)")
    }
}

enum End {
    Good,
    Refused,
    Left,
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallStyle {
    Plain,
    Streamed,
    Large,
    Chunked,
    Leaving,
    Trapping,
}

impl CallStyle {
    fn drawn() -> CallStyle {
        match rand::rng().random_range(0..1000) {
            0..5 => CallStyle::Trapping,
            5..35 => CallStyle::Large,
            35..85 => CallStyle::Chunked,
            85..185 => CallStyle::Leaving,
            185..485 => CallStyle::Streamed,
            _ => CallStyle::Plain,
        }
    }

    fn body(self) -> String {
        let streamed = matches!(self, CallStyle::Streamed | CallStyle::Leaving);
        let content = if self == CallStyle::Large { "x".repeat(LARGE_BYTES) } else { "Hello".to_owned() };
        let stream = if streamed { r#""stream":true,"# } else { "" };
        format!(r#"{{"model":"m",{stream}"messages":[{{"role":"user","content":"{content}"}}]}}"#)
    }
}

type Chunks = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// One client.
pub(super) struct Caller {
    address: SocketAddr,
    tally: Tally,
}

impl Caller {
    /// A client that has not called yet.
    pub(super) fn new(address: SocketAddr) -> Caller {
        Caller { address, tally: Tally::default() }
    }

    /// Calls until this time and returns what came of it.
    pub(super) async fn call_until(mut self, until: Instant) -> Tally {
        while Instant::now() < until {
            let end = timeout(CALL_MAX, self.call(CallStyle::drawn())).await;
            self.tally.count(end.unwrap_or_else(|late| Err(late.into())));
            let pause = rand::rng().random_range(0..PAUSE_MS_MAX);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.tally
    }

    /// Each call opens a connection, so that what connections leave behind shows too.
    async fn call(&self, manner: CallStyle) -> Result<End> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let mut request = Request::post("/v1/chat/completions")
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .header(header::CONTENT_TYPE, "application/json");
        if manner == CallStyle::Trapping {
            request = request.header("x-llmio-fault", "trap");
        }
        let body = Bytes::from(manner.body());
        let body: Either<Full<Bytes>, Chunks> = match manner {
            CallStyle::Chunked => {
                let (first, second) = (body.slice(..body.len() / 2), body.slice(body.len() / 2..));
                Either::Right(StreamBody::new(stream::iter(vec![Ok(Frame::data(first)), Ok(Frame::data(second))])))
            }
            _ => Either::Left(Full::new(body)),
        };
        let (head, mut body) = sender.send_request(request.body(body)?).await?.into_parts();
        if manner == CallStyle::Leaving {
            body.frame().await.transpose()?;
            driver.abort();
            return Ok(End::Left);
        }
        body.collect().await?;
        Ok(if head.status.is_success() { End::Good } else { End::Refused })
    }
}
