//! Step 6: passes the bytes of the answer to the client as they come, shows them to the observer, and makes sure that
//! an answer that was cut off never looks complete.

mod silence;

use std::pin::Pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use gateway_core::dialect::Dialect;
use gateway_core::headers;
use gateway_core::memory::{self, LITTLE_BYTES_MAX};
use gateway_core::observation::Observation;
use gateway_core::observe::Observer;
use gateway_core::outcome::SendError;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::transform::ResponseTransform;
use gateway_core::translate::Losses;

use crate::hold::{ANSWER_MS_MAX, HeldBytes};
use crate::host::body::Writer;
use crate::host::{self, StreamTimer};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::response::{self, Response};
use crate::send::{Answer, Body, Read, RestOfAnswer, read_next};
use silence::{ReadResult, Silence};

/// How relaying an answer ended.
pub(crate) struct RelayResult {
    /// What the observer saw of the answer.
    pub(crate) observation: Observation,
    /// Why the answer is not complete; `None` if it is.
    pub(crate) error: Option<SendError>,
    /// The parts of the answer that could not be read.
    pub(crate) losses: Losses,
}

/// Called once when an answer has ended: after the client has its last byte, or has left.
pub(crate) type OnEnd = Box<dyn FnOnce(RelayResult) -> Pin<Box<dyn Future<Output = ()>>>>;

/// What a call is answered with, before any of it has gone to the client.
pub(crate) enum ReadyAnswer {
    /// An answer of a provider, to be relayed.
    Answer(Box<Answer>, Terms, OnEnd),
    /// An answer whose body is known.
    Reply(Reply),
}

/// How an answer is relayed.
pub(crate) struct Terms {
    /// The dialect of the client.
    pub(crate) dialect: Dialect,
    /// The call's id.
    pub(crate) id: String,
    /// When the call began, and when it must be over, on the monotonic clock.
    pub(crate) start_ms: u64,
    pub(crate) deadline_ms: u64,
    /// After this long a silence the client gets keep-alive bytes.
    pub(crate) keep_alive_ms: u64,
    /// Whether it is a conversation, whose answer says itself where it ends.
    pub(crate) is_chat: bool,
}

/// Answers a call.
pub(crate) async fn respond(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    ready: ReadyAnswer,
    timer: StreamTimer,
) -> Response {
    match ready {
        ReadyAnswer::Reply(reply) => self::reply(incoming, reply),
        ReadyAnswer::Answer(mut answer, terms, ended) => {
            allow_origin(incoming, &mut answer.headers);
            if matches!(answer.rest, RestOfAnswer::Ended(Ok(()))) {
                return respond_whole(instance, *answer, terms, ended).await;
            }
            let (response, writer) = response::head(answer.status, std::mem::take(&mut answer.headers));
            host::spawn(give(instance.clone(), *answer, terms, ended, timer, writer));
            response
        }
    }
}

/// Answers with an answer that has come whole, and so has no silences.
async fn respond_whole(instance: &Rc<Instance>, answer: Answer, terms: Terms, ended: OnEnd) -> Response {
    let Answer { status, headers, mut observer, mut transform, held, rest, mut room } = answer;
    let (mut collected, silence) = (AllBytes(Vec::new()), Silence::none(&terms));
    let CopyResult { error, .. } =
        copy(instance, (held, rest, &mut room), &mut collected, &mut observer, &mut transform, silence).await;
    let Some(error) = error else {
        return response::whole(status, headers, collected.0, false).then(Box::new(move |is_there| {
            let error = (!is_there).then_some(SendError::ClientClosed);
            let losses = transform.losses();
            Box::pin(async move {
                ended(RelayResult { observation: observer.finish(), error, losses }).await;
                drop(room);
            })
        }));
    };
    // It turned out not to be complete.
    let (response, mut writer) = response::head(status, headers);
    let instance = instance.clone();
    host::spawn(async move {
        let is_left = !collected.0.is_empty() && !writer.write(collected.0).await.is_empty();
        if !is_left {
            end_cut(&instance, writer, &observer, &mut transform, &error, &terms).await;
        }
        let error = if is_left { SendError::ClientClosed } else { error };
        ended(RelayResult { observation: observer.finish(), error: Some(error), losses: transform.losses() }).await;
        drop(room);
    });
    response
}

/// Sends the head of a stream before there is an answer, and keep-alive bytes until there is one, since some proxies
/// cut connections that are silent for long. `line` is the rest of the call; `headers` are those that all its answers
/// have.
pub(crate) fn respond_early(
    instance: Rc<Instance>,
    incoming: &Incoming,
    headers: Vec<(String, Vec<u8>)>,
    terms: Terms,
    line: Pin<Box<dyn Future<Output = ReadyAnswer>>>,
    left: impl FnOnce() + 'static,
) -> Response {
    let mut headers = headers;
    headers.push(("content-type".to_owned(), b"text/event-stream".to_vec()));
    headers::unbuffered(&mut headers);
    allow_origin(incoming, &mut headers);
    let (response, mut writer) = response::head(200, headers);
    host::spawn(async move {
        let mut line = line;
        let ready = loop {
            if !writer.write(terms.dialect.keep_alive().to_vec()).await.is_empty() {
                // Dropping the line ends everything that it has under way.
                return left();
            }
            match select(line, Box::pin(host::wait_ms(terms.keep_alive_ms))).await {
                Either::Left((ready, _)) => break ready,
                Either::Right(((), rest)) => line = rest,
            }
        };
        match ready {
            ReadyAnswer::Answer(answer, terms, ended) => {
                give(instance, *answer, terms, ended, StreamTimer::default(), writer).await;
            }
            // The answer of the built-in provider.
            ReadyAnswer::Reply(reply) if reply.status < 300 => {
                writer.write(reply.body).await;
                writer.finish().await;
            }
            ReadyAnswer::Reply(reply) => {
                let error = serde_json::from_slice(&reply.body).unwrap_or_default();
                writer.write(terms.dialect.error_stream(&error, &terms.id)).await;
                cut(&instance, writer).await;
            }
        }
    });
    response
}

/// Relays an answer to its end.
async fn give(
    instance: Rc<Instance>,
    answer: Answer,
    terms: Terms,
    ended: OnEnd,
    timer: StreamTimer,
    mut writer: Writer,
) {
    let Answer { mut observer, mut transform, held, rest, mut room, .. } = answer;
    let silence = Silence { terms: &terms, last_ms: host::now_ms(), timer };
    let CopyResult { error, unread } =
        copy(&instance, (held, rest, &mut room), &mut writer, &mut observer, &mut transform, silence).await;
    match &error {
        None => writer.finish().await,
        Some(SendError::ClientClosed) => drop(writer),
        Some(error) => end_cut(&instance, writer, &observer, &mut transform, error, &terms).await,
    }
    ended(RelayResult { observation: observer.finish(), error, losses: transform.losses() }).await;
    if let Some(unread) = unread {
        drain(&instance, unread).await;
    }
}

/// How long a body is read on after its answer has ended. A connection can be kept only if its body was read to the
/// end.
const DRAIN_MS: u64 = 100;

/// Reads the rest of a body and drops it.
async fn drain(instance: &Instance, mut unread: Read) {
    let all = std::pin::pin!(async {
        loop {
            let (body, buffer, more) = unread.await;
            if !more {
                // However the body ends, the answer was complete before.
                let _ = body.end().await;
                return instance.buffers.give(buffer);
            }
            unread = read_next(body, buffer);
        }
    });
    select(all, std::pin::pin!(host::wait_ms(DRAIN_MS))).await;
}

/// Reads an answer to its end without a client. Returns how it ended, and the beginning of what a client would have
/// got.
pub(crate) async fn read(instance: &Instance, answer: Answer, terms: &Terms) -> (RelayResult, Vec<u8>) {
    let Answer { mut observer, mut transform, held, rest, mut room, .. } = answer;
    let silence = Silence::none(terms);
    let mut beginning = FirstBytes(Vec::new());
    let CopyResult { error, unread } =
        copy(instance, (held, rest, &mut room), &mut beginning, &mut observer, &mut transform, silence).await;
    if let Some(unread) = unread {
        drain(instance, unread).await;
    }
    (RelayResult { observation: observer.finish(), error, losses: transform.losses() }, beginning.0)
}

/// Something that receives the bytes of an answer.
trait Receiver {
    /// Takes bytes, and returns the buffer with those that were not taken, which means that nobody reads any more.
    async fn take(&mut self, bytes: Vec<u8>) -> Vec<u8>;
}

impl Receiver for Writer {
    async fn take(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.write(bytes).await
    }
}

/// The receiver of an answer that is given when all of it is there.
struct AllBytes(Vec<u8>);

impl Receiver for AllBytes {
    async fn take(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        match self.0.is_empty() {
            true => self.0 = bytes,
            false => self.0.extend(bytes),
        }
        Vec::new()
    }
}

/// The receiver of an answer that has no client. It keeps the first bytes.
struct FirstBytes(Vec<u8>);

/// More than an answer of one word needs in any dialect.
const BEGINNING_BYTES: usize = 16 << 10;

impl Receiver for FirstBytes {
    async fn take(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        self.0.extend(bytes.iter().take(BEGINNING_BYTES.saturating_sub(self.0.len())));
        bytes.clear();
        bytes
    }
}

/// How copying an answer to the client ended.
struct CopyResult {
    /// Why the client did not get all of it.
    error: Option<SendError>,
    /// The next read, if the answer ended before its body did.
    unread: Option<Read>,
}

impl From<Option<SendError>> for CopyResult {
    fn from(error: Option<SendError>) -> Self {
        CopyResult { error, unread: None }
    }
}

/// Gives the client the bytes that were held back while the answer was judged. Returns `false` if the client is gone.
async fn give_held(
    mut held: Vec<u8>,
    receiver: &mut impl Receiver,
    observer: &Observer,
    transform: &mut ResponseTransform,
) -> bool {
    held.truncate(held.len() - observer.so_far().behind_end.min(held.len()));
    if !transform.lets_pass(&held, observer.so_far()) {
        held = transform.pass(&held);
    }
    held.is_empty() || receiver.take(held).await.is_empty()
}

/// Gives the client what becomes of the bytes that were read, beside `unread` ones that wait, and returns their buffer.
async fn give_read(
    (buffer, unread, now_ms): (Vec<u8>, usize, u64),
    receiver: &mut impl Receiver,
    observer: &Observer,
    transform: &mut ResponseTransform,
    room: &mut HeldBytes,
    silence: &mut Silence<'_>,
) -> Result<Vec<u8>, SendError> {
    // Bytes that could not be written were not received.
    let taken = |left: Vec<u8>| if left.is_empty() { Ok(left) } else { Err(SendError::ClientClosed) };
    if transform.lets_pass(&buffer, observer.so_far()) {
        silence.last_ms = now_ms;
        return taken(receiver.take(buffer).await);
    }
    let passed = transform.pass(&buffer);
    if passed.is_empty() {
        return Ok(buffer);
    }
    silence.last_ms = now_ms;
    // A client that takes its time must not hold more of the instance than there is for its call.
    let kept = transform.kept() + observer.kept() + passed.capacity() + unread;
    if passed.capacity() > LITTLE_BYTES_MAX && !room.set_in_turn(kept, ANSWER_MS_MAX).await {
        return Err(SendError::NoRoomForAnswer);
    }
    taken(receiver.take(passed).await).map(|_| buffer)
}

/// Gives the client what was held back, and then the rest as it comes.
async fn copy(
    instance: &Instance,
    (held, rest, room): (Vec<u8>, RestOfAnswer, &mut HeldBytes),
    receiver: &mut impl Receiver,
    observer: &mut Observer,
    transform: &mut ResponseTransform,
    mut silence: Silence<'_>,
) -> CopyResult {
    let terms = silence.terms;
    if !give_held(held, receiver, observer, transform).await {
        return Some(SendError::ClientClosed).into();
    }
    let reading = match rest {
        RestOfAnswer::Ended(end) => {
            return write_end(Some(end), receiver, transform, observer, terms, room).await.into();
        }
        RestOfAnswer::Reading(unread) if transform.is_over(observer.so_far()) => {
            let error = write_end(Some(Ok(())), receiver, transform, observer, terms, room).await;
            return CopyResult { error, unread: Some(unread) };
        }
        RestOfAnswer::Reading(reading) => silence.next_read(reading, receiver, observer, transform).await,
    };
    let (mut body, mut buffer, mut more) = match reading {
        ReadResult::Read(read) => read,
        ReadResult::Silent => return write_end(None, receiver, transform, observer, terms, room).await.into(),
        ReadResult::Left => return Some(SendError::ClientClosed).into(),
    };
    let error = loop {
        let now_ms = host::now_ms();
        if !buffer.is_empty() {
            observer.see(&buffer, now_ms.saturating_sub(terms.start_ms));
            buffer.truncate(buffer.len() - observer.so_far().behind_end.min(buffer.len()));
            let read = (buffer, body.kept(), now_ms);
            match give_read(read, receiver, observer, transform, room, &mut silence).await {
                Ok(read) => buffer = read,
                Err(error) => return Some(error).into(),
            }
        }
        if transform.is_over(observer.so_far()) {
            let error = write_end(Some(Ok(())), receiver, transform, observer, terms, room).await;
            return CopyResult { error, unread: more.then(|| read_next(body, buffer)) };
        }
        if !more {
            let end = body.end().await;
            break write_end(Some(end), receiver, transform, observer, terms, room).await;
        }
        if now_ms > terms.deadline_ms {
            break Some(SendError::TotalTimeout);
        }
        let kept = transform.kept() + observer.kept() + body.kept();
        let waited = {
            let reading = std::pin::pin!(read_in_turn(&mut body, buffer, room, kept));
            silence.next_read(reading, receiver, observer, transform).await
        };
        match waited {
            ReadResult::Read(Some(read)) => (more, buffer) = read,
            ReadResult::Read(None) => return Some(SendError::NoRoomForAnswer).into(),
            ReadResult::Silent => return write_end(None, receiver, transform, observer, terms, room).await.into(),
            ReadResult::Left => return Some(SendError::ClientClosed).into(),
        }
    };
    instance.buffers.give(buffer);
    error.into()
}

/// Reads on as soon as there is room for what the transform and the observer hold. Returns `None` if there was none in
/// time.
async fn read_in_turn(body: &mut Body, buffer: Vec<u8>, room: &mut HeldBytes, kept: usize) -> Option<(bool, Vec<u8>)> {
    let has_room = room.set_in_turn(kept, ANSWER_MS_MAX).await;
    if has_room { Some(body.read(buffer).await) } else { None }
}

/// Writes what is left for the client when the body of the provider has ended in this way, or `None` if it has not
/// ended and is no longer waited for. Some providers end an answer properly although they failed, and others fail after
/// they have said everything.
async fn write_end(
    end: Option<Result<(), SendError>>,
    receiver: &mut impl Receiver,
    transform: &mut ResponseTransform,
    observer: &Observer,
    terms: &Terms,
    room: &mut HeldBytes,
) -> Option<SendError> {
    let seen = observer.so_far();
    let is_clean = matches!(end, Some(Ok(())));
    if let Some(Err(error)) = end
        && !(terms.is_chat && seen.is_settled)
    {
        return Some(error);
    }
    if terms.is_chat && observer.breaks_off() {
        return Some(SendError::Truncated);
    }
    if !memory::has_room_to_translate(transform.unread()) {
        return Some(SendError::NoRoomForAnswer);
    }
    let Some(mut end) = transform.end(seen) else { return Some(SendError::Truncated) };
    if !is_clean && transform.gives_events(seen) && !transform.is_between_events(seen) {
        end.extend_from_slice(b"\n\n");
    }
    if !room.set_in_turn(end.capacity(), ANSWER_MS_MAX).await {
        return Some(SendError::NoRoomForAnswer);
    }
    let is_left = !end.is_empty() && !receiver.take(end).await.is_empty();
    is_left.then_some(SendError::ClientClosed)
}

/// Ends an answer that was cut off: a stream gets an error event in its dialect, and every body an unclean end.
async fn end_cut(
    instance: &Instance,
    mut writer: Writer,
    observer: &Observer,
    transform: &mut ResponseTransform,
    error: &SendError,
    terms: &Terms,
) {
    let message = format!("The provider {}. The answer is incomplete.", error.describe());
    let event = transform.fail(&message).unwrap_or_else(|| {
        let refusal = Refusal::bad_gateway(error.state(), message);
        let event = refusal.event(terms.dialect, &terms.id);
        let close_event: &[u8] = if transform.is_between_events(observer.so_far()) { b"" } else { b"\n\n" };
        [close_event, &event].concat()
    });
    if transform.gives_events(observer.so_far()) && !event.is_empty() {
        writer.write(event).await;
    }
    cut(instance, writer).await;
}

/// How long an answer waits before it is cut on a host that drops with the connection what it has not sent yet. Its server
/// sends when it finds nothing more to send, which is a matter of its next turn.
const CUT_PAUSE_MS: u64 = 100;

/// Ends an answer so that it does not look complete, after its client has what was written.
pub(crate) async fn cut(instance: &Instance, writer: Writer) {
    if !instance.host.flushes_cuts {
        host::wait_ms(CUT_PAUSE_MS).await;
    }
    writer.cut().await;
}

/// Answers with a refusal in the caller's dialect.
pub(crate) fn refuse(incoming: &Incoming, refusal: &Refusal, shape: Shape) -> Response {
    reply(incoming, refusal.under(&incoming.base_path).reply(shape, &incoming.id))
}

/// Answers with a body of llmio's own.
pub(crate) fn reply(incoming: &Incoming, reply: Reply) -> Response {
    let Reply { status, mut headers, body } = reply;
    allow_origin(incoming, &mut headers);
    response::whole(status, headers, body, incoming.method == "HEAD")
}

/// Lets pages of any origin read an answer and all its headers, except those of the admin API and the console.
pub(crate) fn allow_origin(incoming: &Incoming, headers: &mut Vec<(String, Vec<u8>)>) {
    if incoming.header("origin").is_some() && !gateway_core::accept::is_own(&incoming.path) {
        headers.push(("access-control-allow-origin".into(), b"*".to_vec()));
        headers.push(("access-control-expose-headers".into(), b"*".to_vec()));
    }
}
