//! Bodies on their way: bytes, and then whether these were all. Requests and answers have the same, in both directions.

use gateway_core::refusal::Refusal;
use gateway_core::state::State;
use spin_sdk::wasip3::http::types::{ErrorCode, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::{wit_future, wit_stream};

type Ending = Result<Option<Trailers>, ErrorCode>;

/// How a body ended.
pub(crate) struct End(Ending);

/// Where a body comes from.
pub(crate) struct Reader {
    stream: Option<StreamReader<u8>>,
    end: FutureReader<Ending>,
}

/// Where a body goes.
pub(crate) struct Writer {
    stream: StreamWriter<u8>,
    end: FutureWriter<Ending>,
}

/// A body of an answer to be written: unless its end is told it counts as cut.
pub(crate) fn answer() -> (Writer, Reader) {
    pipe(|| Err(ErrorCode::HttpResponseIncomplete))
}

/// A body of a request that is known as a whole: it has ended when its writer is dropped.
pub(crate) fn known() -> (Writer, Reader) {
    pipe(|| Ok(None))
}

/// A body of a request that is passed on as it comes: unless its end is told it counts as broken off.
pub(crate) fn passed_on() -> (Writer, Reader) {
    pipe(|| Err(ErrorCode::ConnectionTerminated))
}

fn pipe(unfinished: fn() -> Ending) -> (Writer, Reader) {
    let (writer, reader) = wit_stream::new();
    let (end, end_reader) = wit_future::new(unfinished);
    (Writer { stream: writer, end }, Reader { stream: Some(reader), end: end_reader })
}

impl Reader {
    /// A body that comes from the host.
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

    /// Reads into the room that a buffer has left; says whether more may come.
    pub(crate) async fn read(&mut self, buffer: Vec<u8>) -> (bool, Vec<u8>) {
        let Some(stream) = &mut self.stream else { return (false, buffer) };
        let (result, buffer) = stream.read(buffer).await;
        (matches!(result, StreamResult::Complete(_)), buffer)
    }

    /// How it ended. To be asked after the last bytes.
    pub(crate) async fn end(self) -> End {
        drop(self.stream);
        End(self.end.await)
    }

    /// For the host.
    pub(crate) fn into_parts(self) -> (Option<StreamReader<u8>>, FutureReader<Ending>) {
        (self.stream, self.end)
    }
}

impl Writer {
    /// Hands bytes on, and gives the buffer back with those that were not taken: then nobody reads any more.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.stream.write_all(bytes).await
    }

    /// These were all.
    pub(crate) async fn finish(self) {
        self.end(End(Ok(None))).await;
    }

    /// Ends an answer so that it does not look complete.
    pub(crate) async fn cut(self) {
        self.end(End(Err(ErrorCode::HttpResponseIncomplete))).await;
    }

    /// It ends as another one did.
    pub(crate) async fn end(self, End(end): End) {
        drop(self.stream);
        let _ = self.end.write(end).await;
    }
}

impl End {
    /// The host's word for why it is not whole.
    pub(crate) fn into_result(self) -> Result<(), ErrorCode> {
        self.0.map(drop)
    }

    /// Why a client's body did not come as a whole, in the host's words. It is the client's doing whatever they are.
    pub(crate) fn unfinished(&self) -> Option<Refusal> {
        self.0.as_ref().err().map(unfinished)
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
            let said = "The body ended before its announced end. Send it again.";
            Refusal::bad_request(said).ended(State::ClientClosed)
        }
    }
}
