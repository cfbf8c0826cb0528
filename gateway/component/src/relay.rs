//! Step 6: hands the answer's bytes to the client as they come, shows them to the observer, and makes sure that an
//! answer that was cut never looks complete.

mod silence;

use std::pin::Pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use gateway_core::dialect::Dialect;
use gateway_core::headers;
use gateway_core::memory;
use gateway_core::observation::Observation;
use gateway_core::observe::Observer;
use gateway_core::outcome::SendError;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::transform::ResponseTransform;
use gateway_core::translate::Losses;
use spin_sdk::wasip3::http::types::{self, Fields};

use crate::hold::{ANSWER_MS_MAX, Held};
use crate::host::body::{self, Writer};
use crate::host::{self, Pulse};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::send::{Answer, Body, Read, Rest, read_next};
use silence::{Silence, Waited};

/// What goes to the client: a head, and a body that may still be written.
pub(crate) type Response = types::Response;

/// How an answer ended.
pub(crate) struct Ended {
    /// What was seen of it.
    pub(crate) observation: Observation,
    /// Why it is not whole; `None` when it is.
    pub(crate) error: Option<SendError>,
    /// What of it could not be read.
    pub(crate) losses: Losses,
}

/// What is told of the end of an answer, once, after the client has its last byte or is gone.
pub(crate) type OnEnd = Box<dyn FnOnce(Ended) -> Pin<Box<dyn Future<Output = ()>>>>;

/// What a call ends with, before any of it has gone to the client.
pub(crate) enum Ready {
    /// An upstream's answer, to be relayed.
    Answer(Box<Answer>, Terms, OnEnd),
    /// Something that is known as a whole.
    Reply(Reply),
}

/// How an answer is relayed.
pub(crate) struct Terms {
    /// What the client speaks.
    pub(crate) dialect: Dialect,
    /// The call's id.
    pub(crate) id: String,
    /// When the call began, and when it has to be over, on the monotonic clock.
    pub(crate) start_ms: u64,
    pub(crate) deadline_ms: u64,
    /// After so long a silence the client gets a sign of life.
    pub(crate) keep_alive_ms: u64,
    /// It is a conversation, which says itself how it ends.
    pub(crate) is_chat: bool,
}

/// Answers with what a call ended with.
pub(crate) fn respond(instance: &Rc<Instance>, incoming: &Incoming, ready: Ready, pulse: Pulse) -> Response {
    match ready {
        Ready::Reply(reply) => self::reply(incoming, reply),
        Ready::Answer(mut answer, terms, ended) => {
            allow_origin(incoming, &mut answer.headers);
            let (response, writer) = head(answer.status, &answer.headers);
            host::spawn(give(instance.clone(), *answer, terms, ended, pulse, writer));
            response
        }
    }
}

/// Gives a stream its head before there is an answer, and signs of life until there is one: some proxies in between cut
/// what stays silent for long. `line` is the rest of the call; `headers` are those every answer of it has.
pub(crate) fn respond_early(
    instance: Rc<Instance>,
    incoming: &Incoming,
    headers: Vec<(String, Vec<u8>)>,
    terms: Terms,
    line: Pin<Box<dyn Future<Output = Ready>>>,
    left: impl FnOnce() + 'static,
) -> Response {
    let mut headers = headers;
    headers.push(("content-type".to_owned(), b"text/event-stream".to_vec()));
    headers::unbuffered(&mut headers);
    allow_origin(incoming, &mut headers);
    let (response, mut writer) = head(200, &headers);
    host::spawn(async move {
        let mut line = line;
        let ready = loop {
            if !writer.write(terms.dialect.keep_alive().to_vec()).await.is_empty() {
                // Dropping the line ends what it has under way.
                return left();
            }
            match select(line, Box::pin(host::wait_ms(terms.keep_alive_ms))).await {
                Either::Left((ready, _)) => break ready,
                Either::Right(((), rest)) => line = rest,
            }
        };
        match ready {
            Ready::Answer(answer, terms, ended) => {
                give(instance, *answer, terms, ended, Pulse::default(), writer).await;
            }
            // The built-in provider's.
            Ready::Reply(reply) if reply.status < 300 => {
                writer.write(reply.body).await;
                writer.finish().await;
            }
            Ready::Reply(reply) => {
                let error = serde_json::from_slice(&reply.body).unwrap_or_default();
                writer.write(terms.dialect.error_stream(&error, &terms.id)).await;
                writer.cut().await;
            }
        }
    });
    response
}

/// Relays an answer to its end.
async fn give(instance: Rc<Instance>, answer: Answer, terms: Terms, ended: OnEnd, pulse: Pulse, mut writer: Writer) {
    let Answer { mut observer, mut transform, held, rest, mut room, .. } = answer;
    let silence = Silence { terms: &terms, last_ms: host::now_ms(), pulse };
    let Copied { error, unread } =
        copy(&instance, (held, rest, &mut room), &mut writer, &mut observer, &mut transform, silence).await;
    match &error {
        None => writer.finish().await,
        Some(SendError::ClientClosed) => drop(writer),
        Some(error) => end_cut(writer, &observer, &mut transform, error, &terms).await,
    }
    ended(Ended { observation: observer.finish(), error, losses: transform.losses() }).await;
    if let Some(unread) = unread {
        drain(&instance, unread).await;
    }
}

/// Behind the end of an answer its body is read on for so long: a connection can be kept only when its body has ended.
const DRAIN_MS: u64 = 100;

/// Reads what is left of a body for nobody.
async fn drain(instance: &Instance, mut unread: Read) {
    let all = std::pin::pin!(async {
        loop {
            let (body, buffer, more) = unread.await;
            if !more {
                // However it ends, the answer was whole before.
                let _ = body.end().await;
                return instance.buffers.give(buffer);
            }
            unread = read_next(body, buffer);
        }
    });
    select(all, std::pin::pin!(host::wait_ms(DRAIN_MS))).await;
}

/// Reads an answer to its end for nobody else: how it ended, and the beginning of what its client would have got.
pub(crate) async fn read(instance: &Instance, answer: Answer, terms: &Terms) -> (Ended, Vec<u8>) {
    let Answer { mut observer, mut transform, held, rest, mut room, .. } = answer;
    let silence = Silence { terms, last_ms: host::now_ms(), pulse: Pulse::default() };
    let mut beginning = Beginning(Vec::new());
    let Copied { error, unread } =
        copy(instance, (held, rest, &mut room), &mut beginning, &mut observer, &mut transform, silence).await;
    if let Some(unread) = unread {
        drain(instance, unread).await;
    }
    (Ended { observation: observer.finish(), error, losses: transform.losses() }, beginning.0)
}

/// Who gets an answer.
trait Receiver {
    /// Takes bytes, and gives the buffer back with those that were not taken: then nobody reads any more.
    async fn take(&mut self, bytes: Vec<u8>) -> Vec<u8>;
}

impl Receiver for Writer {
    async fn take(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.write(bytes).await
    }
}

/// The beginning of an answer that nobody waits for.
struct Beginning(Vec<u8>);

/// More than an answer of one word needs, in any dialect.
const BEGINNING_BYTES: usize = 16 << 10;

impl Receiver for Beginning {
    async fn take(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        self.0.extend(bytes.iter().take(BEGINNING_BYTES.saturating_sub(self.0.len())));
        bytes.clear();
        bytes
    }
}

/// How the relay of an answer went.
struct Copied {
    /// Why the client has not got all of it.
    error: Option<SendError>,
    /// The answer was over before its body was.
    unread: Option<Read>,
}

impl From<Option<SendError>> for Copied {
    fn from(error: Option<SendError>) -> Self {
        Copied { error, unread: None }
    }
}

/// Gives the client what was held back, then the rest as it comes.
async fn copy(
    instance: &Instance,
    (held, rest, room): (Vec<u8>, Rest, &mut Held),
    receiver: &mut impl Receiver,
    observer: &mut Observer,
    transform: &mut ResponseTransform,
    mut silence: Silence<'_>,
) -> Copied {
    let terms = silence.terms;
    let mut held = held;
    held.truncate(held.len() - observer.so_far().behind_end.min(held.len()));
    if !transform.lets_pass(&held, observer.so_far()) {
        held = transform.pass(&held);
    }
    if !held.is_empty() && !receiver.take(held).await.is_empty() {
        return Some(SendError::ClientClosed).into();
    }
    let reading = match rest {
        Rest::Ended(end) => return write_end(Some(end), receiver, transform, observer, terms, room).await.into(),
        Rest::Reading(unread) if transform.is_over(observer.so_far()) => {
            let error = write_end(Some(Ok(())), receiver, transform, observer, terms, room).await;
            return Copied { error, unread: Some(unread) };
        }
        Rest::Reading(reading) => silence.next_read(reading, receiver, observer, transform).await,
    };
    let (mut body, mut buffer, mut more) = match reading {
        Waited::Read(read) => read,
        Waited::Silent => return write_end(None, receiver, transform, observer, terms, room).await.into(),
        Waited::Left => return Some(SendError::ClientClosed).into(),
    };
    let error = loop {
        let now_ms = host::now_ms();
        if !buffer.is_empty() {
            observer.see(&buffer, now_ms.saturating_sub(terms.start_ms));
            buffer.truncate(buffer.len() - observer.so_far().behind_end.min(buffer.len()));
            let is_left = if transform.lets_pass(&buffer, observer.so_far()) {
                silence.last_ms = now_ms;
                buffer = receiver.take(buffer).await;
                !buffer.is_empty()
            } else {
                let passed = transform.pass(&buffer);
                if !passed.is_empty() {
                    silence.last_ms = now_ms;
                }
                !passed.is_empty() && !receiver.take(passed).await.is_empty()
            };
            if is_left {
                // What could not be written was not received.
                break Some(SendError::ClientClosed);
            }
        }
        if transform.is_over(observer.so_far()) {
            let error = write_end(Some(Ok(())), receiver, transform, observer, terms, room).await;
            return Copied { error, unread: more.then(|| read_next(body, buffer)) };
        }
        if !more {
            let end = body.end().await;
            break write_end(Some(end), receiver, transform, observer, terms, room).await;
        }
        if now_ms > terms.deadline_ms {
            break Some(SendError::TotalTimeout);
        }
        let kept = transform.kept() + observer.kept();
        let waited = {
            let reading = std::pin::pin!(read_in_turn(&mut body, buffer, room, kept));
            silence.next_read(reading, receiver, observer, transform).await
        };
        match waited {
            Waited::Read(Some(read)) => (more, buffer) = read,
            Waited::Read(None) => return Some(SendError::NoRoomForAnswer).into(),
            Waited::Silent => return write_end(None, receiver, transform, observer, terms, room).await.into(),
            Waited::Left => return Some(SendError::ClientClosed).into(),
        }
    };
    instance.buffers.give(buffer);
    error.into()
}

/// Reads on as soon as there is room for what is kept meanwhile. `None`: there was none in time.
async fn read_in_turn(body: &mut Body, buffer: Vec<u8>, room: &mut Held, kept: usize) -> Option<(bool, Vec<u8>)> {
    let has_room = room.set_in_turn(kept, ANSWER_MS_MAX).await;
    if has_room { Some(body.read(buffer).await) } else { None }
}

/// Gives the client what is still to come when the provider's body has ended so; `None`: it has not, and is no longer
/// waited for. Some providers that fall over end their answer as if it were whole, and some that have said all fall over.
async fn write_end(
    end: Option<Result<(), SendError>>,
    receiver: &mut impl Receiver,
    transform: &mut ResponseTransform,
    observer: &Observer,
    terms: &Terms,
    room: &mut Held,
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
    if !memory::has_room_to_translate(transform.kept()) {
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

/// A stream's reader gets an error event in its dialect; every reader gets an unclean end.
async fn end_cut(
    mut writer: Writer,
    observer: &Observer,
    transform: &mut ResponseTransform,
    error: &SendError,
    terms: &Terms,
) {
    let said = format!("The provider {}. The answer is incomplete.", error.describe());
    let event = transform.fail(&said).unwrap_or_else(|| {
        let refusal = Refusal::bad_gateway(error.state(), said);
        let event = refusal.event(terms.dialect, &terms.id);
        let close_event: &[u8] = if transform.is_between_events(observer.so_far()) { b"" } else { b"\n\n" };
        [close_event, &event].concat()
    });
    if transform.gives_events(observer.so_far()) && !event.is_empty() {
        writer.write(event).await;
    }
    writer.cut().await;
}

/// Answers with a refusal in the caller's shape.
pub(crate) fn refuse(incoming: &Incoming, refusal: &Refusal, shape: Shape) -> Response {
    reply(incoming, refusal.reply(shape, &incoming.id))
}

/// Answers with something of llmio's own.
pub(crate) fn reply(incoming: &Incoming, reply: Reply) -> Response {
    let Reply { status, mut headers, body } = reply;
    allow_origin(incoming, &mut headers);
    whole(status, headers, body, incoming.method == "HEAD")
}

/// Lets pages of any origin read an answer with all its headers, but for those of the admin API.
pub(crate) fn allow_origin(incoming: &Incoming, headers: &mut Vec<(String, Vec<u8>)>) {
    if incoming.header("origin").is_some() && !gateway_core::accept::is_admin(&incoming.path) {
        headers.push(("access-control-allow-origin".into(), b"*".to_vec()));
        headers.push(("access-control-expose-headers".into(), b"*".to_vec()));
    }
}

/// Answers with a body that is known already.
pub(crate) fn whole(status: u16, mut headers: Vec<(String, Vec<u8>)>, body: Vec<u8>, is_head: bool) -> Response {
    headers.retain(|(name, _)| name != "content-length");
    if status != 204 {
        headers.push(("content-length".into(), body.len().to_string().into_bytes()));
    }
    let (response, mut writer) = head(status, &headers);
    host::spawn(async move {
        if !is_head && !body.is_empty() {
            writer.write(body).await;
        }
        writer.finish().await;
    });
    response
}

/// A response head, and where its body goes. Until its end is written the body counts as cut.
pub(crate) fn head(status: u16, headers: &[(String, Vec<u8>)]) -> (Response, Writer) {
    let fields = Fields::from_list(headers).unwrap_or_else(|_| one_by_one(headers));
    let (writer, contents) = body::answer();
    let (stream, end) = contents.into_parts();
    let (response, _transmitted) = types::Response::new(fields, stream, end);
    // The only status a host refuses is one outside 100 to 999; then 200 stands, and the body tells the rest.
    let _ = response.set_status_code(status);
    (response, writer)
}

/// Some upstream header is not allowed here; the others are.
fn one_by_one(headers: &[(String, Vec<u8>)]) -> Fields {
    let fields = Fields::new();
    for (name, value) in headers {
        let _ = fields.append(name, value);
    }
    fields
}
