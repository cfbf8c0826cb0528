//! A provider that does what a script says, byte for byte: answers in order, stalls, drips, cuts, resets. Raw sockets
//! and threads, because an HTTP library would not let one misbehave. It keeps every request it got, and notices when
//! its client hangs up.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::common::PATIENCE;

/// Between two pieces of a drip.
const DRIP_EVERY: Duration = Duration::from_millis(20);

/// One thing an answer does.
#[derive(Debug, Clone)]
enum Step {
    /// Sends these bytes, at once.
    Send(Vec<u8>),
    /// Waits for [`Upstream::release`], or until the client hangs up.
    Wait,
    /// Sends these bytes again and again until the client hangs up.
    Drip(Vec<u8>),
    /// Closes the connection.
    Cut,
    /// Closes it with a reset.
    Reset,
}

/// A scripted answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer(Vec<Step>);

impl Answer {
    /// Nothing at all yet: what follows decides.
    pub(crate) fn nothing() -> Self {
        Answer(Vec::new())
    }

    /// A whole JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Answer::whole(status, "content-type: application/json", body)
    }

    /// A whole answer with these header lines and its content-length.
    pub(crate) fn whole(status: u16, headers: &str, body: &str) -> Self {
        Answer::announcing(status, headers, body.len()).raw(body)
    }

    /// A head that announces a body of this length; the body is up to what follows.
    pub(crate) fn announcing(status: u16, headers: &str, length: usize) -> Self {
        Answer::nothing().raw(format!("HTTP/1.1 {status} Scripted\r\n{headers}\r\ncontent-length: {length}\r\n\r\n"))
    }

    /// The head of an event stream in chunks.
    pub(crate) fn stream() -> Self {
        Answer::nothing()
            .raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    /// Adds bytes as they are.
    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    /// Adds a chunk.
    pub(crate) fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        self.raw(chunked(bytes.as_ref()))
    }

    /// Adds the last chunk, which ends the body.
    pub(crate) fn end(self) -> Self {
        self.raw("0\r\n\r\n")
    }

    /// Sends all that was added so far at once, so that a busy machine makes no gap in it.
    pub(crate) fn in_one_write(self) -> Self {
        let bytes = self.0.into_iter().flat_map(|step| match step {
            Step::Send(bytes) => bytes,
            other => panic!("{other:?} sends nothing"),
        });
        Answer(vec![Step::Send(bytes.collect())])
    }

    /// Waits here for [`Upstream::release`].
    pub(crate) fn wait(mut self) -> Self {
        self.0.push(Step::Wait);
        self
    }

    /// Sends this chunk again and again until the client hangs up.
    pub(crate) fn drip(mut self, bytes: &str) -> Self {
        self.0.push(Step::Drip(chunked(bytes.as_bytes())));
        self
    }

    /// Closes the connection here.
    pub(crate) fn cut(mut self) -> Self {
        self.0.push(Step::Cut);
        self
    }

    /// Resets the connection here.
    pub(crate) fn reset(mut self) -> Self {
        self.0.push(Step::Reset);
        self
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Method, path and version.
    pub(crate) line: String,
    /// Names in lower case, in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, without framing.
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// The path, with its query.
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// The server. It ends with the process; its threads wait on sockets and cost nothing.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// A port that nobody else gets: not listened on it refuses connections, and with a full queue it says nothing.
    reserved: Option<socket2::Socket>,
    /// What its queue is full of.
    queued: Vec<TcpStream>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    usual: Option<Answer>,
    next: VecDeque<Answer>,
    /// What callers with each `authorization` get.
    refused: Vec<(String, Answer)>,
    /// What is answered at each path.
    at: Vec<(String, Answer)>,
    received: Vec<Received>,
    connections: usize,
    closed: usize,
    released: usize,
    hung_up: usize,
}

impl Upstream {
    /// Answers every call like this.
    pub(crate) fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let address = listener.local_addr().expect("a bound socket");
        let state = State { usual: Some(answer), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        listen(listener, &shared);
        Upstream { address, shared, reserved: None, queued: Vec::new() }
    }

    /// Answers every call with a completion that says `text`.
    pub(crate) fn saying(text: &str) -> Self {
        Upstream::answering(Answer::json(200, &completion(text)))
    }

    /// A port where nobody listens.
    pub(crate) fn absent() -> Self {
        let (socket, address) = bound();
        // Kept until the process ends, whatever becomes of this: given back, another test's server would get the port.
        std::mem::forget(socket);
        Upstream { address, shared: Arc::default(), reserved: None, queued: Vec::new() }
    }

    /// A host that is switched off: who connects to it hears nothing at all.
    pub(crate) fn switched_off() -> Self {
        let (socket, address) = bound();
        socket.listen(0).expect("a socket that listens");
        // Linux drops who comes to a full queue.
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let queued: Vec<TcpStream> = std::iter::from_fn(connect).take(16).collect();
        assert!(queued.len() < 16, "its queue is never full");
        Upstream { address, shared: Arc::default(), reserved: Some(socket), queued }
    }

    /// Switches it on: it answers every call like this from now on.
    pub(crate) fn switch_on(&mut self, answer: Answer) {
        self.shared.state().usual = Some(answer);
        let socket = self.reserved.take().expect("it is off");
        socket.listen(128).expect("a longer queue");
        self.queued.clear();
        listen(socket.into(), &self.shared);
    }

    /// Answers the next calls with these, in their order, before the usual answer.
    pub(crate) fn then(self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.shared.state().next.extend(answers);
        self
    }

    /// Answers every call with this `authorization` like that, whatever the others get.
    pub(crate) fn refusing(self, authorization: &str, answer: Answer) -> Self {
        self.shared.state().refused.push((authorization.to_owned(), answer));
        self
    }

    /// Answers every request for this path like that.
    pub(crate) fn at(self, path: &str, answer: Answer) -> Self {
        self.shared.state().at.push((path.to_owned(), answer));
        self
    }

    /// The requests for this path so far.
    pub(crate) fn asked_at(&self, path: &str) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.path() == path).collect()
    }

    /// Its address as a base URL without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What requests name as their host.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Lets the first answer that waits, or the next one that will, go on.
    pub(crate) fn release(&self) {
        self.shared.state().released += 1;
        self.shared.changed.notify_all();
    }

    /// Every request so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// The only request; anything else fails the test.
    pub(crate) fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "exactly one request was to arrive");
        received.remove(0)
    }

    /// Waits until so many requests have arrived.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let enough = self.shared.wait(PATIENCE, |state| state.received.len() >= count);
        assert!(enough, "{count} requests did not arrive");
    }

    /// Waits until it has closed so many connections.
    pub(crate) fn wait_for_closed(&self, count: usize) {
        let enough = self.shared.wait(PATIENCE, |state| state.closed >= count);
        assert!(enough, "{count} connections were not closed");
    }

    /// Whether a client hangs up on a running answer before the limit.
    pub(crate) fn is_hung_up_within(&self, limit: Duration) -> bool {
        self.shared.wait(limit, |state| state.hung_up > 0)
    }
}

/// A loopback port that is ours and not listened on.
fn bound() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a loopback port");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("a bound socket");
    (socket, address)
}

fn listen(listener: TcpListener, shared: &Arc<Shared>) {
    let serving = shared.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = serving.clone();
            shared.state().connections += 1;
            thread::spawn(move || serve(stream, &shared));
        }
    });
}

impl State {
    fn answer_for(&mut self, received: &Received) -> Option<Answer> {
        if let Some((_, answer)) = self.at.iter().find(|(path, _)| path == received.path()) {
            return Some(answer.clone());
        }
        let authorization = received.header("authorization").unwrap_or_default();
        match self.refused.iter().find(|(refused, _)| refused == authorization) {
            Some((_, answer)) => Some(answer.clone()),
            None => self.next.pop_front().or_else(|| self.usual.clone()),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the lock")
    }

    fn wait(&self, limit: Duration, done: impl Fn(&State) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), limit, |state| !done(state));
        let (_state, timeout) = waited.expect("no thread panics with the lock");
        !timeout.timed_out()
    }
}

/// Serves one connection: one thread reads requests and sees the hang-up, this one plays the answers.
fn serve(stream: TcpStream, shared: &Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let stream = Arc::new(stream);
    let (arrived, requests) = mpsc::channel();
    let reader = {
        let (stream, shared) = (stream.clone(), shared.clone());
        thread::spawn(move || {
            read_requests(&stream, &shared, &arrived);
            // An answer that waits looks for the missing sender when it is woken.
            drop(arrived);
            let _state = shared.state();
            shared.changed.notify_all();
        })
    };
    while let Ok(received) = requests.recv() {
        let answer = shared.state().answer_for(&received);
        let answer = answer.unwrap_or_else(|| Answer::nothing().reset());
        let how = play(answer, &stream, shared, &requests);
        if matches!(how, Played::Whole) {
            continue;
        }
        if matches!(how, Played::HungUp) {
            shared.state().hung_up += 1;
            shared.changed.notify_all();
        }
        if matches!(how, Played::Reset) {
            // With no linger the last close of the socket is a reset. The reader holds it too and must let go first.
            let _ = socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Read);
        } else {
            let _ = stream.shutdown(Shutdown::Both);
            shared.state().closed += 1;
            shared.changed.notify_all();
        }
        break;
    }
    let _ = reader.join();
}

enum Played {
    Whole,
    Closed,
    Reset,
    HungUp,
}

fn play(answer: Answer, mut stream: &TcpStream, shared: &Shared, requests: &Receiver<Received>) -> Played {
    for step in answer.0 {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return Played::HungUp;
                }
            }
            Step::Wait => match wait_for_release(shared, requests) {
                Waited::Released => {}
                Waited::HungUp => return Played::HungUp,
                Waited::InVain => return Played::Closed,
            },
            Step::Drip(bytes) => {
                while !is_gone(requests) && stream.write_all(&bytes).is_ok() {
                    thread::sleep(DRIP_EVERY);
                }
                return Played::HungUp;
            }
            Step::Cut => return Played::Closed,
            Step::Reset => return Played::Reset,
        }
    }
    Played::Whole
}

enum Waited {
    Released,
    HungUp,
    /// Neither came in time. That is no hang-up: a test that waits for one as long must not see it.
    InVain,
}

fn wait_for_release(shared: &Shared, requests: &Receiver<Received>) -> Waited {
    let in_time = shared.wait(PATIENCE, |state| state.released > 0 || is_gone(requests));
    let mut state = shared.state();
    if state.released > 0 {
        state.released -= 1;
    }
    match in_time {
        _ if is_gone(requests) => Waited::HungUp,
        true => Waited::Released,
        false => Waited::InVain,
    }
}

/// The reader ends with the connection, and its sender with it.
fn is_gone(requests: &Receiver<Received>) -> bool {
    matches!(requests.try_recv(), Err(mpsc::TryRecvError::Disconnected))
}

fn read_requests(stream: &TcpStream, shared: &Shared, arrived: &Sender<Received>) {
    let mut reader = BufReader::new(stream);
    while let Some(received) = read_request(&mut reader) {
        shared.state().received.push(received.clone());
        shared.changed.notify_all();
        if arrived.send(received).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Received> {
    let line = read_line(reader)?;
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let header = read_line(reader)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut received = Received { line, headers, body: Vec::new() };
    // The gateway always knows the length; a chunked request would be a mistake, and is kept as one.
    let length = received.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    received.body = vec![0; length];
    reader.read_exact(&mut received.body).ok()?;
    Some(received)
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(length) if length > 0 => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}

fn chunked(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// A chat completion that says `text` and used 11 and 7 tokens.
pub(crate) fn completion(text: &str) -> String {
    let message = serde_json::json!({ "role": "assistant", "content": text });
    let choice = serde_json::json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let usage = serde_json::json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 });
    serde_json::json!({ "id": "c-1", "object": "chat.completion", "choices": [choice], "usage": usage }).to_string()
}

/// One event of a chat stream that says `text`.
pub(crate) fn event(text: &str) -> String {
    let choice = serde_json::json!({ "index": 0, "delta": { "content": text }, "finish_reason": null });
    format!("data: {}\n\n", serde_json::json!({ "id": "c-1", "object": "chat.completion.chunk", "choices": [choice] }))
}

/// The events that end a chat stream: the finish, usage of 11 and 7 tokens, and the end marker.
pub(crate) fn last_events() -> String {
    let finish = serde_json::json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    let usage = serde_json::json!({ "choices": [], "usage": { "prompt_tokens": 11, "completion_tokens": 7 } });
    format!("data: {finish}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}
