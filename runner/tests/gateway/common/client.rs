//! A client that hides nothing: it shows status, headers, each chunk as it arrives, and whether the end was clean.
//! An HTTP library would retry, decode and call a cut stream an error, where the cut is the very thing to be seen.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// A request, written as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Body>,
}

#[derive(Debug, Clone)]
enum Body {
    /// With a content-length.
    Whole(Vec<u8>),
    /// In chunks, without one.
    Chunked(Vec<u8>),
    /// Only its length is told; nothing follows.
    Announced(usize),
}

impl Request {
    /// A request without credential and body.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let headers = vec![("host".to_owned(), b"localhost".to_vec())];
        Request { method: method.to_owned(), path: path.to_owned(), headers, body: None }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Names this host, and no other.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.headers.retain(|(name, _)| name != "host");
        self.header("host", host)
    }

    /// Presents this credential, and no other, as OpenAI clients do.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.headers.retain(|(name, _)| name != "authorization");
        self.header("authorization", format!("Bearer {key}"))
    }

    /// Takes the credential away.
    pub(crate) fn without_key(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "authorization");
        self
    }

    /// Sends it elsewhere.
    pub(crate) fn to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Gives it this body.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body::Whole(body.into()));
        self
    }

    /// Gives it this JSON body.
    pub(crate) fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Gives it this body, in chunks.
    pub(crate) fn chunked(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body::Chunked(body.into()));
        self
    }

    /// Announces a body and sends none of it.
    pub(crate) fn announcing(mut self, bytes: usize) -> Self {
        self.body = Some(Body::Announced(bytes));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        match &self.body {
            None => bytes.extend(b"\r\n"),
            Some(Body::Announced(length)) => bytes.extend(format!("content-length: {length}\r\n\r\n").bytes()),
            Some(Body::Whole(body)) => {
                bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(body);
            }
            Some(Body::Chunked(body)) => {
                bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in body.chunks(1 << 20) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend([chunk, b"\r\n"].concat());
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Where its head or its last chunk said.
    Clean,
    /// Before that: the client knows that something is missing.
    Cut,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// The status.
    pub(crate) status: u16,
    /// The headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Every byte of the body that came.
    pub(crate) body: Vec<u8>,
    /// How it ended.
    pub(crate) end: End,
}

impl Response {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The message of an error in OpenAI's shape, whose every member must be there.
    pub(crate) fn openai_error(&self) -> OpenaiError {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body = self.json();
        let error = body["error"].as_object().unwrap_or_else(|| panic!("not OpenAI's shape: {body}"));
        for member in ["message", "type", "param", "code"] {
            assert!(error.contains_key(member), "`{member}` is missing: {body}");
        }
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        OpenaiError { message: text("message"), kind: text("type"), param: text("param"), code: text("code") }
    }

    /// The `detail` of problem details, whose every member must be there.
    pub(crate) fn problem_detail(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        assert!(body["title"].is_string() && body["type"].is_string(), "{body}");
        body["detail"].as_str().unwrap_or_else(|| panic!("no detail: {body}")).to_owned()
    }
}

/// An error in OpenAI's shape; what is `null` is empty here.
#[derive(Debug)]
pub(crate) struct OpenaiError {
    pub(crate) message: String,
    pub(crate) kind: String,
    pub(crate) param: String,
    pub(crate) code: String,
}

/// Longer than an answer of 32 MiB takes to begin that is translated beside others like it, while the machine builds as well.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the gateway, kept alive as long as answers end cleanly.
pub(crate) struct Connection {
    stream: Arc<TcpStream>,
    buffer: Vec<u8>,
    writer: Option<JoinHandle<()>>,
    head: Option<Head>,
    is_head: bool,
}

#[derive(Debug, Clone)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    left: Left,
}

/// What is still to come of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(usize),
    Chunks,
    UntilClose,
    Ended(End),
}

/// An address of the loopback network that no other index has.
pub(crate) fn source_address(index: u16) -> Ipv4Addr {
    let [high, low] = index.to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

impl Connection {
    /// Connects, from `source` where one is given.
    pub(crate) fn open(address: SocketAddr, source: Option<Ipv4Addr>) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        if let Some(source) = source {
            socket.bind(&SocketAddr::from((source, 0)).into()).expect("a loopback address");
        }
        socket.connect(&address.into()).expect("the gateway listens");
        let stream: TcpStream = socket.into();
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(ANSWER_PATIENCE)).expect("a socket");
        Connection { stream: Arc::new(stream), buffer: Vec::new(), writer: None, head: None, is_head: false }
    }

    /// Sends a request; the answer's head is read by whatever asks for it first.
    pub(crate) fn send(&mut self, request: &Request) {
        self.is_head = request.method == "HEAD";
        self.send_raw(request.bytes());
    }

    /// Sends bytes as they are. Large ones go on while the answer is read, which may come before their end.
    pub(crate) fn send_raw(&mut self, bytes: Vec<u8>) {
        self.head = None;
        if bytes.len() < 64 << 10 {
            // A gateway that has hung up by now has answered before; that is read next.
            let _ = (&*self.stream).write_all(&bytes);
            return;
        }
        let stream = self.stream.clone();
        self.writer = Some(std::thread::spawn(move || {
            let _ = (&*stream).write_all(&bytes);
        }));
    }

    /// Sends a request and reads the whole answer; the connection can be used again.
    pub(crate) fn exchange(&mut self, request: &Request) -> Response {
        self.send(request);
        self.read_whole()
    }

    /// Sends the rest of a request and reads the whole answer.
    pub(crate) fn exchange_raw(&mut self, rest: Vec<u8>) -> Response {
        self.send_raw(rest);
        self.read_whole()
    }

    /// The status, once the head is here.
    pub(crate) fn status(&mut self) -> u16 {
        self.head().status
    }

    /// The status; `None` where the connection closes without one.
    pub(crate) fn try_status(&mut self) -> Option<u16> {
        while self.head.is_none() && find(&self.buffer, b"\r\n\r\n").is_none() {
            self.fill()?;
        }
        Some(self.status())
    }

    /// A header, once the head is here.
    pub(crate) fn header(&mut self, name: &str) -> Option<String> {
        value_of(&self.head().headers, name).map(str::to_owned)
    }

    /// The next piece of the body as it arrives; `None` at its end.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        let left = self.head().left;
        let (piece, left) = match left {
            Left::Ended(_) | Left::Bytes(0) => (Vec::new(), left.at_end()),
            Left::Bytes(length) => match self.some(length) {
                Some(piece) => {
                    let left = Left::Bytes(length - piece.len());
                    (piece, left)
                }
                None => (Vec::new(), Left::Ended(End::Cut)),
            },
            Left::UntilClose => match self.some(usize::MAX) {
                Some(piece) => (piece, left),
                None => (Vec::new(), Left::Ended(End::Clean)),
            },
            Left::Chunks => self.chunk().unwrap_or((Vec::new(), Left::Ended(End::Cut))),
        };
        if let Some(head) = &mut self.head {
            head.left = left;
        }
        (!piece.is_empty()).then_some(piece)
    }

    /// Reads until `text` has come; returns all bytes since the last call.
    pub(crate) fn read_until(&mut self, text: &str) -> Vec<u8> {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            let piece = self.next();
            seen.extend(piece.unwrap_or_else(|| panic!("ended before {text:?}: {}", String::from_utf8_lossy(&seen))));
        }
        seen
    }

    /// Reads the rest of the answer and closes the connection.
    pub(crate) fn finish(mut self) -> Response {
        self.read_whole()
    }

    fn read_whole(&mut self) -> Response {
        let mut body = Vec::new();
        while let Some(piece) = self.next() {
            body.extend(piece);
        }
        let Head { status, headers, left } = self.head().clone();
        let end = if left.at_end() == Left::Ended(End::Clean) { End::Clean } else { End::Cut };
        if let Some(writer) = self.writer.take() {
            // An answer that came early leaves the rest of the body unread on the other side.
            let _ = self.stream.shutdown(std::net::Shutdown::Write);
            writer.join().expect("the writer does not panic");
        }
        Response { status, headers, body, end }
    }

    fn head(&mut self) -> &Head {
        if self.head.is_none() {
            let head = loop {
                let lines = self.lines_to_blank();
                let head = parse_head(&lines, self.is_head);
                if head.status >= 200 {
                    break head;
                }
            };
            self.head = Some(head);
        }
        self.head.as_ref().expect("just read")
    }

    fn lines_to_blank(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return String::from_utf8_lossy(&head).into_owned();
            }
            if self.fill().is_none() {
                panic!("no answer: the connection closed after {:?}", String::from_utf8_lossy(&self.buffer));
            }
        }
    }

    /// One chunk and what is left after it; `None` when the connection ends within it.
    fn chunk(&mut self) -> Option<(Vec<u8>, Left)> {
        let length = usize::from_str_radix(self.line()?.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            while !self.line()?.is_empty() {}
            return Some((Vec::new(), Left::Ended(End::Clean)));
        }
        while self.buffer.len() < length + 2 {
            self.fill()?;
        }
        let piece = self.buffer.drain(..length).collect();
        let end: Vec<u8> = self.buffer.drain(..2).collect();
        (end == b"\r\n").then_some((piece, Left::Chunks))
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.fill()?;
        }
    }

    /// What has come, at most so many bytes; `None` at the end of the connection.
    fn some(&mut self, most: usize) -> Option<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill()?;
        }
        let length = self.buffer.len().min(most);
        Some(self.buffer.drain(..length).collect())
    }

    fn fill(&mut self) -> Option<()> {
        let mut piece = [0; 16 << 10];
        loop {
            match (&*self.stream).read(&mut piece) {
                Ok(0) => return None,
                Ok(length) => {
                    self.buffer.extend(&piece[..length]);
                    return Some(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    panic!("nothing came for {ANSWER_PATIENCE:?}")
                }
                // Reset: an end like any other, and surely not a clean one.
                Err(_) => return None,
            }
        }
    }
}

impl Left {
    fn at_end(self) -> Left {
        if self == Left::Bytes(0) { Left::Ended(End::Clean) } else { self }
    }
}

fn parse_head(text: &str, is_head: bool) -> Head {
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let status: u16 = status.unwrap_or_else(|| panic!("no status line: {text:?}"));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = value_of(&headers, "content-length").map(|length| length.parse().expect("a length"));
    let chunked = value_of(&headers, "transfer-encoding") == Some("chunked");
    let left = match length {
        _ if is_head || matches!(status, 204 | 304) => Left::Ended(End::Clean),
        _ if chunked => Left::Chunks,
        Some(length) => Left::Bytes(length),
        None => Left::UntilClose,
    };
    Head { status, headers, left }
}

fn value_of<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
