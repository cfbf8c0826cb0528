//! A relay's request body: goes on as it comes, is counted, and its end is known. Not handed to the host unread, which
//! would spare the copies: then nobody could tell a client that broke off from an origin that did.

use std::cell::RefCell;
use std::rc::Rc;

use gateway_core::refusal::Refusal;

use crate::host::{self, body};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::proxy::OpenCall;

/// A client's body on its way to the origin.
#[derive(Clone, Default)]
pub(super) struct Upload(Rc<RefCell<Option<Refusal>>>);

impl Upload {
    /// Starts to pass the body on. Without a length only the host can tell an empty body from none, which an origin must
    /// not take for one: so requests that seldom have any go on unread, and of the others a first piece is waited for.
    pub(super) async fn start(
        instance: &Rc<Instance>,
        incoming: &Incoming,
        open: &OpenCall,
    ) -> Result<(Upload, body::Reader), Refusal> {
        let announced = incoming.announced();
        let contents = incoming.contents().filter(|_| announced != Some(0));
        let Some(mut contents) = contents else { return Ok((Upload::default(), body::Reader::none())) };
        if announced.is_none() && !matches!(incoming.method.as_str(), "POST" | "PUT" | "PATCH") {
            return Ok((Upload::default(), contents));
        }
        let (mut more, mut beginning) = (true, instance.buffers.take());
        if announced.is_none() {
            (more, beginning) = contents.read(beginning).await;
        }
        if beginning.is_empty() && !more {
            let broken = contents.end().await.unfinished();
            return broken.map_or_else(|| Ok((Upload::default(), body::Reader::none())), Err);
        }
        let upload = Upload::default();
        let (writer, reader) = body::passed_on();
        let passing = Passing { instance: instance.clone(), upload: upload.clone(), open: open.clone() };
        host::spawn(passing.pass(contents, (beginning, more), writer));
        Ok((upload, reader))
    }

    /// Why the client's body did not come as a whole, where it did not: then nothing that follows is the origin's doing.
    pub(super) fn broken(&self) -> Option<Refusal> {
        self.0.borrow().clone()
    }
}

/// Who hands a body on, and who is told of it.
struct Passing {
    instance: Rc<Instance>,
    upload: Upload,
    open: OpenCall,
}

impl Passing {
    async fn pass(self, mut contents: body::Reader, (mut buffer, mut more): (Vec<u8>, bool), mut writer: body::Writer) {
        loop {
            if !buffer.is_empty() {
                let length = buffer.len();
                buffer = writer.write(buffer).await;
                self.open.received((length - buffer.len()) as u64);
                if !buffer.is_empty() {
                    // The origin takes no more of it.
                    return;
                }
            }
            if !more {
                break;
            }
            buffer.clear();
            (more, buffer) = contents.read(buffer).await;
        }
        self.instance.buffers.give(buffer);
        let end = contents.end().await;
        *self.upload.0.borrow_mut() = end.unfinished();
        writer.end(end).await;
    }
}
