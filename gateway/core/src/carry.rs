//! What crosses between the component and llmio's own runner as one message, where `wasi:http` takes dozens of calls of the
//! host: a request with its small body, a request to be sent, the head of its answer with what has come of the body, and an
//! answer whose body is known. `host.md` says how messages pass, and what becomes of a host that knows none.
//!
//! A message is a sequence of numbers and of bytes with their length in front, and ends with a body. Nothing in it says what
//! is what, so that both sides must agree on the version, which is a part of the store's name.

#[cfg(test)]
mod tests;

/// The name of the key-value store that messages pass through. It ends with the version of the messages.
pub const STORE: &str = "llmio-carry-1";

/// Larger messages are not written. Bodies that cross are far smaller, and heads are limited by the host.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A number takes this many bytes with seven bits each, so that a message is a text if all that it holds are texts.
const NUMBER_BYTES: usize = 4;
const NUMBER_MAX: u64 = (1 << (7 * NUMBER_BYTES)) - 1;

/// A header list: names in lower case, with their values.
pub type Headers = Vec<(String, Vec<u8>)>;

/// A request of a client.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The method in capitals.
    pub method: String,
    /// The path with its query.
    pub target: String,
    /// The host that it names, with the port.
    pub authority: String,
    /// The headers.
    pub headers: Headers,
    /// The body, if it crossed too.
    pub body: Option<Vec<u8>>,
}

/// Reads a request; `None` if the message is none.
pub fn request(mut message: Vec<u8>) -> Option<Request> {
    let mut rest = Unread(&message);
    let (method, target, authority) = (rest.string()?, rest.string()?, rest.string()?);
    let (headers, has_body) = (rest.headers()?, rest.number()? == 1);
    let body_begins = message.len() - rest.0.len();
    let body = has_body.then(|| message.split_off(body_begins));
    Some(Request { method, target, authority, headers, body })
}

/// A request to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'s> {
    /// The method in capitals.
    pub method: &'s str,
    /// Whether it goes over TLS.
    pub tls: bool,
    /// Whether a private address is allowed.
    pub local: bool,
    /// The host, with its port.
    pub authority: &'s str,
    /// The path with its query.
    pub path: &'s str,
    /// How long to wait for the connection, the first byte, and between two bytes, in milliseconds.
    pub limits_ms: [u64; 3],
    /// The id of the call it belongs to.
    pub call: Option<&'s str>,
    /// The address of the proxy to send it through.
    pub proxy: Option<&'s str>,
    /// A file of CA certificates to trust as well.
    pub ca: Option<&'s str>,
    /// The headers.
    pub headers: &'s [(String, Vec<u8>)],
    /// The body.
    pub body: &'s [u8],
}

impl Sent<'_> {
    /// The message, behind `key`; `None` if it holds anything that is no text, or is too long.
    pub fn message(&self, key: &str) -> Option<String> {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 2 * NUMBER_BYTES).sum();
        let mut message = Message(Vec::with_capacity(key.len() + headers + self.body.len() + 512));
        message.0.extend_from_slice(key.as_bytes());
        message.number(u64::from(self.tls) | u64::from(self.local) << 1);
        [self.method, self.authority, self.path].iter().for_each(|text| message.bytes(text.as_bytes()));
        self.limits_ms.iter().for_each(|ms| message.number(*ms));
        // None of these is ever empty.
        let optional = [self.call, self.proxy, self.ca];
        optional.iter().for_each(|text| message.bytes(text.unwrap_or_default().as_bytes()));
        message.headers(self.headers);
        String::from_utf8(message.end(self.body)?).ok()
    }
}

/// What the host says about a request that was sent, or about the rest of its answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The head has come, and as much of the body as was there.
    Head {
        /// The status.
        status: u16,
        /// The headers.
        headers: Headers,
        /// The beginning of the body.
        body: Vec<u8>,
        /// The key of the rest; `None` if the body is complete.
        rest: Option<String>,
    },
    /// More of the body has come.
    Chunk {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether more may follow.
        more: bool,
    },
    /// It failed, with this code and text.
    Failed(u64, String),
    /// The request was not taken because of this part of it, in words.
    Refused(String),
}

/// Reads what the host says; `None` if the message is none.
pub fn answer(mut message: Vec<u8>) -> Option<Answer> {
    let mut rest = Unread(&message);
    Some(match rest.number()? {
        0 => {
            let status = u16::try_from(rest.number()?).ok()?;
            let (headers, key) = (rest.headers()?, rest.string()?);
            let body_begins = message.len() - rest.0.len();
            let body = message.split_off(body_begins);
            Answer::Head { status, headers, body, rest: Some(key).filter(|key| !key.is_empty()) }
        }
        1 => {
            let more = rest.number()? == 1;
            Answer::Chunk { bytes: rest.0.to_vec(), more }
        }
        2 => Answer::Failed(rest.number()?, rest.string()?),
        3 => Answer::Refused(rest.string()?),
        _ => return None,
    })
}

/// The message of an answer to a client; `None` if it is too long.
pub fn response(status: u16, headers: &[(String, Vec<u8>)], body: &[u8]) -> Option<Vec<u8>> {
    let mut message = Message(Vec::with_capacity(body.len() + 1024));
    message.number(status.into());
    message.headers(headers);
    message.end(body)
}

/// A message that is being written.
struct Message(Vec<u8>);

impl Message {
    /// A larger number becomes the largest one, which a time limit may be.
    fn number(&mut self, number: u64) {
        let number = number.min(NUMBER_MAX);
        let part = |place: usize| (number >> (7 * (NUMBER_BYTES - 1 - place))) as u8 & 0x7f;
        self.0.extend_from_slice(&[part(0), part(1), part(2), part(3)]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn headers(&mut self, headers: &[(String, Vec<u8>)]) {
        self.number(headers.len() as u64);
        for (name, value) in headers {
            self.bytes(name.as_bytes());
            self.bytes(value);
        }
    }

    fn end(mut self, body: &[u8]) -> Option<Vec<u8>> {
        self.0.extend_from_slice(body);
        (self.0.len() <= MESSAGE_BYTES_MAX).then_some(self.0)
    }
}

/// What is left of a message that is being read.
struct Unread<'m>(&'m [u8]);

impl<'m> Unread<'m> {
    fn number(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<NUMBER_BYTES>()?;
        if bytes.iter().any(|byte| *byte > 0x7f) {
            return None;
        }
        self.0 = rest;
        Some(bytes.iter().fold(0, |number, byte| number << 7 | u64::from(*byte)))
    }

    fn bytes(&mut self) -> Option<&'m [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn string(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn headers(&mut self) -> Option<Headers> {
        let count = usize::try_from(self.number()?).ok()?;
        // Each takes at least its two lengths, so that a message cannot claim more memory than it has bytes.
        let mut headers = Vec::with_capacity(count.min(self.0.len() / (2 * NUMBER_BYTES)));
        for _ in 0..count {
            headers.push((self.string()?, self.bytes()?.to_vec()));
        }
        Some(headers)
    }
}
