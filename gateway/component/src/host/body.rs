//! Bodies of requests and answers, in both directions: a stream of bytes, followed by whether the body is complete.

use gateway_core::refusal::Refusal;
use gateway_core::state::State;
use spin_sdk::wasip3::http::types::{ErrorCode, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::{wit_future, wit_stream};

type Ending = Result<Option<Trailers>, ErrorCode>;

/// How a body ended.
pub(crate) struct End(Ending);

/// The side of a body that is read from.
pub(crate) struct Reader {
    stream: Option<StreamReader<u8>>,
    end: FutureReader<Ending>,
}

/// The side of a body that is written to.
pub(crate) struct Writer {
    stream: StreamWriter<u8>,
    end: FutureWriter<Ending>,
}

/// A body for an answer. If its writer is dropped without an end, the answer counts as cut off.
pub(crate) fn answer() -> (Writer, Reader) {
    pipe(|| Err(ErrorCode::HttpResponseIncomplete))
}

/// A body for a request whose bytes are all known. Dropping its writer ends it properly.
pub(crate) fn known() -> (Writer, Reader) {
    pipe(|| Ok(None))
}

/// A body for a request that is passed on as it comes. If its writer is dropped without an end, it counts as broken
/// off.
pub(crate) fn passed_on() -> (Writer, Reader) {
    pipe(|| Err(ErrorCode::ConnectionTerminated))
}

fn pipe(unfinished: fn() -> Ending) -> (Writer, Reader) {
    let (writer, reader) = wit_stream::new();
    let (end, end_reader) = wit_future::new(unfinished);
    (Writer { stream: writer, end }, Reader { stream: Some(reader), end: end_reader })
}

impl Reader {
    /// The reader of a body that the host provides.
    pub(crate) fn of((stream, end): (StreamReader<u8>, FutureReader<Ending>)) -> Self {
        Reader { stream: Some(stream), end }
    }

    /// A message without a body.
    pub(crate) fn none() -> Self {
        let (_end, end) = wit_future::new(|| Ok(None));
        Reader { stream: None, end }
    }

    /// Whether the message has no body.
    pub(crate) fn is_none(&self) -> bool {
        self.stream.is_none()
    }

    /// Reads into the free room of a buffer. Returns whether more may come, and the buffer.
    pub(crate) async fn read(&mut self, buffer: Vec<u8>) -> (bool, Vec<u8>) {
        let Some(stream) = &mut self.stream else { return (false, buffer) };
        let (result, buffer) = stream.read(buffer).await;
        (matches!(result, StreamResult::Complete(_)), buffer)
    }

    /// How the body ended. Call it after the last bytes.
    pub(crate) async fn end(self) -> End {
        drop(self.stream);
        End(self.end.await)
    }

    /// The parts that the host's interface takes.
    pub(crate) fn into_parts(self) -> (Option<StreamReader<u8>>, FutureReader<Ending>) {
        (self.stream, self.end)
    }
}

impl Writer {
    /// Writes bytes, and returns the buffer with those that were not taken, which means that nobody reads any more.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.stream.write_all(bytes).await
    }

    /// Writes all of a body and ends it. Returns whether somebody has read it.
    pub(crate) async fn give(mut self, bytes: Vec<u8>) -> bool {
        let is_given = bytes.is_empty() || self.write(bytes).await.is_empty();
        if is_given {
            self.finish().await;
        }
        is_given
    }

    /// Ends the body properly.
    pub(crate) async fn finish(self) {
        self.end(End(Ok(None))).await;
    }

    /// Ends an answer so that it does not look complete.
    pub(crate) async fn cut(self) {
        self.end(End(Err(ErrorCode::HttpResponseIncomplete))).await;
    }

    /// Ends the body in the way that another one ended.
    pub(crate) async fn end(self, End(end): End) {
        drop(self.stream);
        let _ = self.end.write(end).await;
    }
}

impl End {
    /// The host's error code if the body is not complete.
    pub(crate) fn into_result(self) -> Result<(), ErrorCode> {
        self.0.map(drop)
    }

    /// The refusal of a client's body that did not come whole. Whatever the host's error code, the client caused it. A body
    /// whose length was announced can only end too early, although some hosts say of that as well that it is no HTTP.
    pub(crate) fn unfinished(&self, has_length: bool) -> Option<Refusal> {
        self.0.as_ref().err().map(|code| match code {
            ErrorCode::HttpProtocolError if has_length => broken_off(),
            code => unfinished(code),
        })
    }
}

/// The refusal of a body whose client left before it was whole.
pub(crate) fn broken_off() -> Refusal {
    unfinished(&ErrorCode::ConnectionTerminated)
}

fn unfinished(code: &ErrorCode) -> Refusal {
    match code {
        ErrorCode::ConnectionReadTimeout => Refusal::too_slow(),
        ErrorCode::HttpProtocolError => {
            Refusal::bad_request("The body's length or chunks are not valid HTTP. Send it again.")
        }
        _ => {
            let message = "The body ended before its announced end. Send it again.";
            Refusal::bad_request(message).ended(State::ClientClosed)
        }
    }
}
