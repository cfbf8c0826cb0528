//! A relay's request body: goes on as it comes, is counted, and its end is known. Not handed to the host unread, which
//! would spare the copies: then nobody could tell a client that broke off from an origin that did.

use std::cell::RefCell;
use std::rc::Rc;

use gateway_core::refusal::Refusal;
use spin_sdk::wasip3::http::types::{self, ErrorCode};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::{self, wit_future, wit_stream};

use crate::incoming::{Contents, Incoming, unfinished};
use crate::proxy::OpenCall;
use crate::send;

type Trailers = Result<Option<types::Trailers>, ErrorCode>;

/// What the origin reads. Where there is no stream the request has a length of 0.
pub(super) type Outgoing = (Option<StreamReader<u8>>, FutureReader<Trailers>);

/// A client's body on its way to the origin.
#[derive(Clone, Default)]
pub(super) struct Upload(Rc<RefCell<Option<Refusal>>>);

impl Upload {
    /// Starts to pass the body on. Without a length only the host can tell an empty body from none, which an origin must
    /// not take for one: so requests that seldom have any go on unread, and of the others a first piece is waited for.
    pub(super) async fn start(incoming: &Incoming, open: &OpenCall) -> Result<(Upload, Outgoing), Refusal> {
        let announced = incoming.announced();
        let contents = incoming.contents().filter(|_| announced != Some(0));
        let Some((mut stream, trailers)) = contents else { return Ok((Upload::default(), nothing())) };
        if announced.is_none() && !matches!(incoming.method.as_str(), "POST" | "PUT" | "PATCH") {
            return Ok((Upload::default(), (Some(stream), trailers)));
        }
        let (mut more, mut beginning) = (true, send::take_buffer());
        if announced.is_none() {
            (more, beginning) = read(&mut stream, beginning).await;
        }
        if beginning.is_empty() && !more {
            return trailers.await.map(|_| (Upload::default(), nothing())).map_err(|code| unfinished(&code));
        }
        let upload = Upload::default();
        let (writer, reader) = wit_stream::new();
        // Unless its end is told a body counts as broken off.
        let (end, end_reader) = wit_future::new(|| Err(ErrorCode::ConnectionTerminated));
        wasip3::spawn(pass(((stream, trailers), beginning, more), (writer, end), upload.clone(), open.clone()));
        Ok((upload, (Some(reader), end_reader)))
    }

    /// Why the client's body did not come as a whole, where it did not: then nothing that follows is the origin's doing.
    pub(super) fn broken(&self) -> Option<Refusal> {
        self.0.borrow().clone()
    }
}

fn nothing() -> Outgoing {
    let (_end, end_reader) = wit_future::new(|| Ok(None));
    (None, end_reader)
}

async fn read(stream: &mut StreamReader<u8>, mut buffer: Vec<u8>) -> (bool, Vec<u8>) {
    buffer.clear();
    let (result, buffer) = stream.read(buffer).await;
    (matches!(result, StreamResult::Complete(_)), buffer)
}

async fn pass(
    ((mut stream, trailers), mut buffer, mut more): (Contents, Vec<u8>, bool),
    (mut writer, end): (StreamWriter<u8>, FutureWriter<Trailers>),
    upload: Upload,
    open: OpenCall,
) {
    loop {
        if !buffer.is_empty() {
            let length = buffer.len();
            buffer = writer.write_all(buffer).await;
            open.received((length - buffer.len()) as u64);
            if !buffer.is_empty() {
                // The origin takes no more of it.
                return;
            }
        }
        if !more {
            break;
        }
        (more, buffer) = read(&mut stream, buffer).await;
    }
    send::give_buffer(buffer);
    let ended = trailers.await;
    *upload.0.borrow_mut() = ended.as_ref().err().map(unfinished);
    drop(writer);
    let _ = end.write(ended).await;
}
