//! Futures and streams between the tasks of a request, with the types of WASI 0.3: a future is written once, and a stream holds
//! the bytes of one write until they are read.

use std::cell::RefCell;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::messages::IncomingStream;

enum Slot<T> {
    Empty(Option<Waker>),
    Full(T),
    Taken,
}

/// A value that may be there later.
pub(crate) struct Later<T>(Rc<RefCell<Slot<T>>>);

impl<T> Clone for Later<T> {
    fn clone(&self) -> Self {
        Later(self.0.clone())
    }
}

impl<T> Later<T> {
    pub(crate) fn empty() -> Self {
        Later(Rc::new(RefCell::new(Slot::Empty(None))))
    }

    /// Fills it, unless it was filled before.
    pub(crate) fn fill(&self, value: T) {
        let mut slot = self.0.borrow_mut();
        if let Slot::Empty(waker) = &mut *slot {
            let waker = waker.take();
            *slot = Slot::Full(value);
            drop(slot);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

/// The side that gets the value.
pub struct FutureReader<T>(pub(crate) Later<T>);

/// The side that gives the value. If it is dropped without one, there is one all the same.
pub struct FutureWriter<T: 'static> {
    cell: Later<T>,
    default: Option<fn() -> T>,
}

/// A future, and the value that it has if nobody writes one.
pub fn new_future<T: 'static>(default: fn() -> T) -> (FutureWriter<T>, FutureReader<T>) {
    let cell = Later::empty();
    (FutureWriter { cell: cell.clone(), default: Some(default) }, FutureReader(cell))
}

impl<T> FutureWriter<T> {
    /// Gives the value.
    pub async fn write(mut self, value: T) -> Result<(), ()> {
        self.default = None;
        self.cell.fill(value);
        Ok(())
    }
}

impl<T: 'static> Drop for FutureWriter<T> {
    fn drop(&mut self) {
        if let Some(default) = self.default.take() {
            self.cell.fill(default());
        }
    }
}

impl<T: 'static> IntoFuture for FutureReader<T> {
    type Output = T;
    type IntoFuture = Pin<Box<dyn Future<Output = T>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(poll_fn(move |context| {
            let mut slot = self.0.0.borrow_mut();
            match std::mem::replace(&mut *slot, Slot::Taken) {
                Slot::Full(value) => Poll::Ready(value),
                Slot::Empty(_) | Slot::Taken => {
                    *slot = Slot::Empty(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        }))
    }
}

/// How a read of a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamResult {
    /// So many bytes were read.
    Complete(usize),
    /// There will be no more.
    Dropped,
}

#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    /// How many of them were read.
    at: usize,
    is_writer_gone: bool,
    is_reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    /// Takes the bytes that nobody has read.
    fn take(&mut self) -> Vec<u8> {
        let mut left = std::mem::take(&mut self.bytes);
        left.drain(..std::mem::take(&mut self.at).min(left.len()));
        left
    }
}

/// The side of a stream that is read from.
pub struct StreamReader<T>(Source, std::marker::PhantomData<T>);

enum Source {
    Pipe(Rc<RefCell<Pipe>>),
    Host(IncomingStream),
}

/// The side of a stream that is written to.
pub struct StreamWriter<T> {
    pipe: Rc<RefCell<Pipe>>,
    item: std::marker::PhantomData<T>,
}

/// A stream of bytes.
pub fn new_stream() -> (StreamWriter<u8>, StreamReader<u8>) {
    let pipe = Rc::new(RefCell::new(Pipe::default()));
    let item = std::marker::PhantomData;
    (StreamWriter { pipe: pipe.clone(), item }, StreamReader(Source::Pipe(pipe), item))
}

impl StreamWriter<u8> {
    /// Writes bytes, and returns the buffer with those that nobody took, which means that nobody reads any more.
    pub async fn write_all(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let mut unwritten = Some(bytes);
        poll_fn(|context| {
            let mut pipe = self.pipe.borrow_mut();
            if pipe.is_reader_gone {
                return Poll::Ready(unwritten.take().unwrap_or_else(|| pipe.take()));
            }
            if let Some(bytes) = unwritten.take() {
                (pipe.bytes, pipe.at) = (bytes, 0);
                pipe.reader.take().into_iter().for_each(Waker::wake);
            }
            if pipe.at == pipe.bytes.len() {
                let mut emptied = pipe.take();
                emptied.clear();
                return Poll::Ready(emptied);
            }
            pipe.writer = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl<T> Drop for StreamWriter<T> {
    fn drop(&mut self) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.is_writer_gone = true;
        pipe.reader.take().into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for StreamReader<T> {
    fn drop(&mut self) {
        if let Source::Pipe(pipe) = &self.0 {
            let mut pipe = pipe.borrow_mut();
            pipe.is_reader_gone = true;
            pipe.writer.take().into_iter().for_each(Waker::wake);
        }
    }
}

impl StreamReader<u8> {
    /// A stream of the host.
    pub(crate) fn of_host(stream: IncomingStream) -> Self {
        StreamReader(Source::Host(stream), std::marker::PhantomData)
    }

    /// Reads into the free room of a buffer.
    pub async fn read(&mut self, mut buffer: Vec<u8>) -> (StreamResult, Vec<u8>) {
        let room = (buffer.capacity() - buffer.len()).max(1);
        let result = match &mut self.0 {
            Source::Pipe(pipe) => read(pipe, &mut buffer, room).await,
            Source::Host(stream) => stream.read(&mut buffer, room).await,
        };
        (result, buffer)
    }
}

async fn read(pipe: &RefCell<Pipe>, buffer: &mut Vec<u8>, room: usize) -> StreamResult {
    poll_fn(|context| {
        let mut pipe = pipe.borrow_mut();
        let left = pipe.bytes.get(pipe.at..).unwrap_or_default();
        let count = left.len().min(room);
        if count > 0 {
            buffer.extend_from_slice(left.get(..count).unwrap_or(left));
            pipe.at += count;
            if pipe.at == pipe.bytes.len() {
                pipe.writer.take().into_iter().for_each(Waker::wake);
            }
            return Poll::Ready(StreamResult::Complete(count));
        }
        if pipe.is_writer_gone {
            return Poll::Ready(StreamResult::Dropped);
        }
        pipe.reader = Some(context.waker().clone());
        Poll::Pending
    })
    .await
}
