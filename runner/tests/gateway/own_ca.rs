//! Upstreams with a certificate of an operator's own authority.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::common::{Builder, Gateway, Host, chat};
use crate::upstream::completion;

/// A server that is known by an authority nobody else knows, and the authority's certificate in a folder.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: TempDir,
    says: Arc<Mutex<Says>>,
}

/// What it answers, whatever it is asked, and what it was asked.
#[derive(Default)]
struct Says {
    head: String,
    body: String,
    heads: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Server {
        let mut authority = CertificateParams::new([]).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&key, &authority).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a private key");
        let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .expect("a server configuration");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("a file");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("a bound socket").port();
        let server = Server { port, folder, says: Arc::default() };
        server.answer("200 OK", &completion("Trusted"));
        let says = Arc::clone(&server.says);
        thread::spawn(move || serve(&listener, &Arc::new(config), &says));
        server
    }

    /// Answers so from now on: the status line without its version, with more headers perhaps, and a body of JSON.
    pub(crate) fn answer(&self, head: &str, body: &str) {
        let mut says = self.says.lock().expect("no other panic");
        (says.head, says.body) = (head.to_owned(), body.to_owned());
    }

    /// The heads of the requests that came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.says.lock().expect("no other panic").heads.clone()
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn gateway(&self) -> Builder {
        self.gateway_with("")
    }

    /// The same with a line more in its provider.
    fn gateway_with(&self, line: &str) -> Builder {
        let port = self.port;
        Gateway::on(Host::Runner)
            .catalog(&format!(
                "[[providers]]\nname = \"a\"\nbase_url = \"https://localhost:{port}/v1\"\ncredentials = [\"sk\"]\nlocal = true\n{line}\n"
            ))
            .model("m", &["a/up"])
    }
}

fn serve(listener: &TcpListener, config: &Arc<ServerConfig>, says: &Arc<Mutex<Says>>) {
    for stream in listener.incoming().flatten() {
        let connection = ServerConnection::new(config.clone()).expect("a connection");
        let mut stream = StreamOwned::new(connection, stream);
        let says = Arc::clone(says);
        thread::spawn(move || {
            let mut head = Vec::new();
            let mut piece = [0; 4096];
            while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(length) if length > 0 => head.extend_from_slice(&piece[..length]),
                    _ => return,
                }
            }
            let mut says = says.lock().expect("no other panic");
            says.heads.push(String::from_utf8_lossy(&head).into_owned());
            let Says { head, body, .. } = &*says;
            let head =
                format!("HTTP/1.1 {head}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length");
            let _ = write!(stream, "{head}: {}\r\n\r\n{body}", body.len()).and_then(|()| stream.flush());
        });
    }
}

#[test]
fn an_authority_of_ones_own_is_trusted_by_flag_file_and_folder() {
    let server = Server::start();
    let file = server.ca().display().to_string();
    let folder = server.folder.path().display().to_string();
    let ways = [
        server.gateway().arg("--ca").arg(&file),
        server.gateway().env("LLMIO_CA", &file),
        server.gateway().env("SSL_CERT_FILE", &file),
        server.gateway().env("SSL_CERT_DIR", &folder),
    ];
    for (index, way) in ways.into_iter().enumerate() {
        let response = way.start().send(&chat("m"));
        assert_eq!(response.status, 200, "{index}: {}", response.text());
        assert!(response.text().contains("Trusted"));
    }
}

#[test]
fn an_authority_of_one_provider_is_trusted_for_that_one_alone() {
    let (server, other) = (Server::start(), Server::start());
    let own = format!("ca = {:?}", server.ca().display().to_string());
    let stranger = format!(
        "[[providers]]\nname = \"b\"\nbase_url = \"https://localhost:{}/v1\"\nlocal = true\nca = {:?}\n",
        other.port,
        server.ca().display().to_string()
    );
    let gateway = server.gateway_with(&own).catalog(&stranger).model("n", &["b/up"]).start();
    let response = gateway.send(&chat("m"));
    assert!(response.text().contains("Trusted"), "{}", response.text());
    let refused = gateway.send(&chat("n"));
    assert_eq!(gateway.record(&refused)["state"], "tls_error", "{}", refused.text());
    let absent = server.gateway_with("ca = \"/absent.pem\"").start();
    let refused = absent.send(&chat("m"));
    assert_eq!(absent.record(&refused)["state"], "tls_error", "{}", refused.text());
    assert!(absent.log().contains("the catalog's ca /absent.pem cannot be used"), "{}", absent.log());
}

#[test]
fn a_stranger_is_not_trusted_whatever_other_authority_is() {
    let (server, other) = (Server::start(), Server::start());
    for way in [server.gateway(), server.gateway().arg("--ca").arg(other.ca().display().to_string())] {
        let gateway = way.start();
        let response = gateway.send(&chat("m"));
        assert_eq!(response.status, 502, "{}", response.text());
        assert_eq!(gateway.record(&response)["state"], "tls_error");
    }
}

#[test]
fn a_file_of_authorities_that_cannot_be_read_is_refused_at_the_start() {
    let (code, message) = Gateway::on(Host::Runner).arg("--ca").arg("absent.pem").run_to_end();
    assert!(code == 78 && message.contains("--ca absent.pem"), "{code}: {message}");
}
