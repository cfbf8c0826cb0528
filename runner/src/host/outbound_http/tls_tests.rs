//! TLS and HTTP/2 against a server of our own: real certificates, made for the test.

use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What reached the server.
#[derive(Default)]
pub(super) struct HandshakeLog {
    connections: AtomicUsize,
    pub(super) requests: AtomicUsize,
}

pub(super) struct Server {
    pub(super) port: u16,
    certificate: CertificateDer<'static>,
    /// For whoever else is to be known by its certificate.
    pub(super) acceptor: TlsAcceptor,
    pub(super) seen: Arc<HandshakeLog>,
}

/// A certificate of this name, and who shows it: a server that speaks the first of `protocols` the client offers.
pub(super) fn identity(parameters: CertificateParams, protocols: &[&str]) -> (CertificateDer<'static>, TlsAcceptor) {
    let key = KeyPair::generate().expect("a key");
    let certified = CertifiedKey { cert: parameters.self_signed(&key).expect("a certificate"), signing_key: key };
    let certificate = certified.cert.der().clone();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a private key");
    let mut config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a server configuration");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    (certificate, TlsAcceptor::from(Arc::new(config)))
}

/// A server on loopback.
pub(super) async fn server(parameters: CertificateParams, protocols: &[&str]) -> Server {
    let (certificate, acceptor) = identity(parameters, protocols);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let seen = Arc::<HandshakeLog>::default();
    tokio::spawn(accept(listener, acceptor.clone(), seen.clone()));
    Server { port, certificate, acceptor, seen }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, seen: Arc<HandshakeLog>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, seen) = (acceptor.clone(), seen.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            seen.connections.fetch_add(1, Ordering::Relaxed);
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let service = service_fn(move |_: Request<Incoming>| {
                seen.requests.fetch_add(1, Ordering::Relaxed);
                async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"served")))) }
            });
            let stream = TokioIo::new(stream);
            let _ = if h2 {
                hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
            } else {
                hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await
            };
        });
    }
}

pub(super) fn named(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("certificate parameters")
}

pub(super) fn trusting(certificate: &CertificateDer<'static>) -> TlsConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    TlsConfig::with_roots(roots).expect("a TLS configuration")
}

pub(super) fn trusting_all(servers: &[&Server]) -> TlsConfig {
    let mut roots = RootCertStore::empty();
    servers.iter().for_each(|server| roots.add(server.certificate.clone()).expect("a root"));
    TlsConfig::with_roots(roots).expect("a TLS configuration")
}

pub(super) fn client(tls: &TlsConfig) -> Clients {
    Clients::new(Connector::new(Duration::from_secs(30), true, None, &tls.clone().into()))
}

pub(super) async fn get(client: &Clients, port: u16) -> Result<(http::Version, Bytes), Error> {
    let body = Full::new(Bytes::new()).map_err(Error::from).boxed_unsync();
    let request = Request::get(format!("https://localhost:{port}/")).body(body).expect("a request");
    let limits = Limits::of(None, false);
    let (response, _turn) = exchange(client, request, &Upstream::default(), &limits).await?;
    let version = response.version();
    let body = response.into_body().collect().await.map_err(|error| failure::of_body(&error))?;
    Ok((version, body.to_bytes()))
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn http_2_is_spoken_where_it_is_offered_with_many_requests_a_connection() {
    block_on(async {
        let server = server(named("localhost"), &["h2", "http/1.1"]).await;
        let client = client(&trusting(&server.certificate));
        let first = get(&client, server.port).await.expect("an answer");
        assert_eq!(first, (http::Version::HTTP_2, Bytes::from_static(b"served")));
        let more = futures_util::future::join_all((0..20).map(|_| get(&client, server.port))).await;
        assert!(more.iter().all(Result::is_ok), "{more:?}");
        assert_eq!(server.seen.connections.load(Ordering::Relaxed), 1);
        assert_eq!(server.seen.requests.load(Ordering::Relaxed), 21);
    });
}

#[test]
fn http_1_1_is_spoken_where_the_server_offers_nothing_else() {
    block_on(async {
        let server = server(named("localhost"), &["http/1.1"]).await;
        let client = client(&trusting(&server.certificate));
        for _ in 0..3 {
            assert_eq!(get(&client, server.port).await.expect("an answer").0, http::Version::HTTP_11);
        }
        assert_eq!(server.seen.connections.load(Ordering::Relaxed), 1, "the connection is kept");
    });
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_gets_no_request() {
    block_on(async {
        let mut expired = named("localhost");
        expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
        expired.not_before = rcgen::date_time_ymd(2019, 1, 1);
        for (what, parameters) in [("expired", expired), ("wrong name", named("other.example"))] {
            let server = server(parameters, &["h2"]).await;
            let refused = get(&client(&trusting(&server.certificate)), server.port).await;
            assert!(matches!(refused, Err(Error::TlsCertificateError)), "{what}: {refused:?}");
            assert_eq!(server.seen.requests.load(Ordering::Relaxed), 0, "{what}");
        }
        let server = server(named("localhost"), &["h2"]).await;
        let refused = get(&client(&TlsConfig::new(&OwnRoots::new()).expect("a TLS configuration")), server.port).await;
        assert!(matches!(refused, Err(Error::TlsCertificateError)), "self-signed: {refused:?}");
        assert_eq!(server.seen.requests.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_server_that_speaks_no_tls_is_a_protocol_error_and_not_a_refusal() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.writable().await.expect("a writable stream");
            let _ = stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        let failed = get(&client(&TlsConfig::new(&OwnRoots::new()).expect("a TLS configuration")), port).await;
        assert!(matches!(failed, Err(Error::TlsProtocolError)), "{failed:?}");
    });
}
