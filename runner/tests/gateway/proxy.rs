//! An egress proxy that speaks HTTP CONNECT or SOCKS5 and takes every destination to one upstream, whatever its name: so
//! a test can ask for names that exist nowhere, and only through the proxy is there an answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::upstream::Upstream;

/// What it does with a client.
#[derive(Debug, Clone)]
enum Manner {
    /// Lets everybody through.
    Open,
    /// Lets clients through that have this user and password.
    Asking(&'static str, &'static str),
    /// Lets nobody through.
    Refusing,
    /// Says nothing.
    Silent,
}

/// A proxy. It ends with the process.
pub(crate) struct Proxy {
    address: SocketAddr,
    scheme: &'static str,
    destinations: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// An HTTP proxy for everybody.
    pub(crate) fn http(to: &Upstream) -> Self {
        Proxy::start("http", Manner::Open, to)
    }

    /// A SOCKS5 proxy for everybody.
    pub(crate) fn socks5(to: &Upstream) -> Self {
        Proxy::start("socks5", Manner::Open, to)
    }

    /// A proxy of this kind that wants a user and a password.
    pub(crate) fn asking(scheme: &'static str, user: &'static str, password: &'static str, to: &Upstream) -> Self {
        Proxy::start(scheme, Manner::Asking(user, password), to)
    }

    /// A proxy of this kind that gives no connection to anybody.
    pub(crate) fn refusing(scheme: &'static str, to: &Upstream) -> Self {
        Proxy::start(scheme, Manner::Refusing, to)
    }

    /// A proxy that takes connections and says nothing.
    pub(crate) fn silent(to: &Upstream) -> Self {
        Proxy::start("http", Manner::Silent, to)
    }

    fn start(scheme: &'static str, manner: Manner, to: &Upstream) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let address = listener.local_addr().expect("a bound socket");
        let (destinations, to) = (Arc::<Mutex<Vec<String>>>::default(), to.authority());
        let serving = destinations.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serving, to, manner) = (serving.clone(), to.clone(), manner.clone());
                // One that is not spoken to as it expects hangs up.
                thread::spawn(move || serve(stream, scheme, &manner, &to, &serving));
            }
        });
        Proxy { address, scheme, destinations }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Its URL with a user and a password, as they are written in a URL.
    pub(crate) fn url_as(&self, user: &str) -> String {
        format!("{}://{user}@{}", self.scheme, self.address)
    }

    /// Host and port.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// The destination each connection asked for, as `host:port`.
    pub(crate) fn destinations(&self) -> Vec<String> {
        self.destinations.lock().expect("no thread panics with the lock").clone()
    }
}

fn serve(
    mut stream: TcpStream,
    scheme: &str,
    manner: &Manner,
    to: &str,
    destinations: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let ask = |destination: String| destinations.lock().expect("no thread panics with the lock").push(destination);
    match scheme {
        "http" => connect(&mut stream, manner, ask)?,
        _ => socks5(&mut stream, manner, ask)?,
    }
    let upstream = TcpStream::connect(to)?;
    let (mut up, mut down) = ((stream.try_clone()?, upstream.try_clone()?), (upstream, stream));
    thread::spawn(move || {
        let _ = io::copy(&mut up.0, &mut up.1);
        let _ = up.1.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut down.0, &mut down.1);
    down.1.shutdown(Shutdown::Both)
}

fn no() -> io::Error {
    io::Error::other("not let through")
}

fn connect(stream: &mut TcpStream, manner: &Manner, ask: impl FnOnce(String)) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let destination = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).ok_or_else(no)?;
    let expected = match manner {
        Manner::Asking(user, password) => {
            format!("proxy-authorization: basic {}", base64(&format!("{user}:{password}")))
        }
        _ => String::new(),
    };
    ask(destination.to_owned());
    let answer = match manner {
        Manner::Silent => {
            let _ = stream.read(&mut [0]);
            return Err(no());
        }
        Manner::Refusing => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        _ if !head.to_lowercase().contains(&expected.to_lowercase()) => {
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n"
        }
        _ => "HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n",
    };
    stream.write_all(answer.as_bytes())?;
    if answer.contains(" 200 ") { Ok(()) } else { Err(no()) }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            encoded.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    encoded
}

/// RFC 1928, and RFC 1929 for user and password.
fn socks5(stream: &mut TcpStream, manner: &Manner, ask: impl FnOnce(String)) -> io::Result<()> {
    let mut bytes = |count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).map(|()| bytes)
    };
    let methods = bytes(2)?[1];
    let offered = bytes(methods.into())?;
    let method = if matches!(manner, Manner::Asking(..)) { 2 } else { 0 };
    if !offered.contains(&method) {
        return stream.write_all(&[5, 0xff]).and(Err(no()));
    }
    stream.write_all(&[5, method])?;
    let text = |stream: &mut TcpStream| {
        let mut length = [0];
        stream.read_exact(&mut length)?;
        let mut text = vec![0; length[0].into()];
        stream.read_exact(&mut text)?;
        io::Result::Ok(String::from_utf8_lossy(&text).into_owned())
    };
    if let Manner::Asking(user, password) = manner {
        stream.read_exact(&mut [0])?;
        let is_right = (text(stream)?, text(stream)?) == ((*user).to_owned(), (*password).to_owned());
        stream.write_all(&[1, u8::from(!is_right)])?;
        if !is_right {
            return Err(no());
        }
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            stream.read_exact(&mut address)?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        _ => text(stream)?,
    };
    let mut port = [0; 2];
    stream.read_exact(&mut port)?;
    ask(format!("{host}:{}", u16::from_be_bytes(port)));
    let refused = matches!(manner, Manner::Refusing);
    stream.write_all(&[5, if refused { 4 } else { 0 }, 0, 1, 0, 0, 0, 0, 0, 0])?;
    if refused { Err(no()) } else { Ok(()) }
}
