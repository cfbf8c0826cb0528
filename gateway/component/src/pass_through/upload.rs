//! The body of a request to a relay. It is passed on as it comes, counted, and its end is noted. Handing it to the host
//! unread would spare the copies, but then nobody could tell a client that broke off from an origin that did.

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
    /// Starts to pass the body on. Without a length only the host can tell an empty body from none, and an origin must
    /// not mistake one for the other. So requests that rarely have a body are passed on unread, and for the others a
    /// first piece is awaited.
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
            let broken = contents.end().await.unfinished(announced.is_some());
            return broken.map_or_else(|| Ok((Upload::default(), body::Reader::none())), Err);
        }
        let upload = Upload::default();
        let (writer, reader) = body::passed_on();
        let has_length = announced.is_some();
        let passing = UploadTask { instance: instance.clone(), upload: upload.clone(), open: open.clone(), has_length };
        host::spawn(passing.pass(contents, (beginning, more), writer));
        Ok((upload, reader))
    }

    /// Why the client's body did not come whole. If there is a reason, the origin is not to blame for what follows.
    pub(super) fn broken(&self) -> Option<Refusal> {
        self.0.borrow().clone()
    }
}

/// The task that passes a body on, and the call it belongs to.
struct UploadTask {
    instance: Rc<Instance>,
    upload: Upload,
    open: OpenCall,
    has_length: bool,
}

impl UploadTask {
    async fn pass(self, mut contents: body::Reader, (mut buffer, mut more): (Vec<u8>, bool), mut writer: body::Writer) {
        loop {
            if !buffer.is_empty() {
                let length = buffer.len();
                buffer = writer.write(buffer).await;
                self.open.received((length - buffer.len()) as u64);
                if !buffer.is_empty() {
                    // The origin does not take any more of the body.
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
        *self.upload.0.borrow_mut() = end.unfinished(self.has_length);
        writer.end(end).await;
    }
}
