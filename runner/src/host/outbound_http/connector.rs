//! Connections: name look-up, address check, TCP or an egress proxy, and TLS, all within one time limit. hyper-util's
//! connector looks names up and connects with happy eyeballs, hyper-rustls does TLS; the policy between them is
//! llmio's.

use super::Net;
use super::address::{is_address_in_disguise, is_public};
use super::kept::{KeptStream, Peers};
use super::names::Names;
use super::proxy::{Proxy, ThroughProxy};
use crate::descriptors;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// The time limit passed while the name was looked up.
    LookUpTimeout,
    /// The time limit passed during TCP or TLS.
    Timeout,
    /// The name has no address.
    LookUp(std::io::Error),
    /// No address of the name may be connected to.
    Prohibited,
    /// The egress proxy cannot be reached.
    Proxy(String),
    /// The egress proxy cannot reach the destination.
    Tunnel(String),
    /// TCP or TLS failed.
    Failed(Box<dyn StdError + Send + Sync>),
}

impl fmt::Display for NoConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoConnection::LookUpTimeout => formatter.write_str("the name look-up took too long"),
            NoConnection::Timeout => formatter.write_str("connecting took too long"),
            NoConnection::LookUp(error) => write!(formatter, "the name cannot be looked up: {error}"),
            NoConnection::Prohibited => formatter.write_str("the address is not public"),
            NoConnection::Proxy(why) | NoConnection::Tunnel(why) => write!(formatter, "the egress proxy {why}"),
            NoConnection::Failed(error) => write!(formatter, "no connection: {error}"),
        }
    }
}

impl StdError for NoConnection {}

/// A connection before the destination's own TLS. To an `https` proxy it is encrypted already.
pub(super) type Wire = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Makes the connections of one client.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Transport>,
    resolver: Resolver,
    is_proxied: bool,
    timeout: Duration,
    peers: Peers,
}

/// How bytes reach a destination.
#[derive(Clone)]
enum Transport {
    Direct(HttpConnector<Resolver>),
    Through(ThroughProxy),
}

impl Connector {
    /// `local` allows any address, because the request names exactly one host and port. The same holds for a proxy that
    /// the catalog names, whose address may be private whatever the destination's is.
    pub(super) fn new(timeout: Duration, local: bool, proxy: Option<Proxy>, net: &Net) -> Connector {
        let Net { tls, names } = net;
        // A little less than the whole limit, so that a slow look-up can be told from a slow connection.
        let resolver = Resolver::new(names.clone(), local, timeout / 10 * 9);
        let is_proxied = proxy.is_some();
        let way = match proxy {
            None => Transport::Direct(tcp(resolver.clone(), timeout)),
            Some(proxy) => {
                let to_proxy = tcp(Resolver { local: true, ..resolver.clone() }, timeout);
                let https = HttpsConnectorBuilder::new().with_tls_config(tls.config.clone()).https_or_http();
                Transport::Through(ThroughProxy::new(proxy, https.enable_http1().wrap_connector(to_proxy), timeout))
            }
        };
        let https = HttpsConnectorBuilder::new().with_tls_config(tls.config.clone()).https_or_http();
        let https = https.enable_all_versions().wrap_connector(way);
        Connector { https, resolver, is_proxied, timeout, peers: Peers::default() }
    }

    /// Whether a destination is known to be forbidden before any name is resolved.
    fn is_prohibited(&self, host: &str) -> bool {
        match literal(host) {
            // An address never reaches the resolver.
            Some(address) => !self.resolver.allows(address),
            // The proxy resolves names itself, and would understand such a name as the address it is.
            None => self.is_proxied && !self.resolver.local && is_address_in_disguise(host),
        }
    }
}

fn tcp(resolver: Resolver, timeout: Duration) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    tcp.set_connect_timeout(Some(timeout));
    tcp
}

/// Returns the connection, unless it took a descriptor that is reserved; then it is closed.
fn unreserved(stream: TokioIo<TcpStream>) -> io::Result<TokioIo<TcpStream>> {
    if descriptors::is_reserved(stream.inner()) {
        return Err(Errno::MFILE.into());
    }
    Ok(stream)
}

impl Service<Uri> for Transport {
    type Response = Wire;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Transport::Direct(tcp) => tcp.poll_ready(context).map_err(Into::into),
            Transport::Through(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Transport::Direct(tcp) => {
                let connecting = tcp.call(uri);
                Box::pin(async move { Ok(MaybeHttpsStream::Http(unreserved(connecting.await?)?)) })
            }
            Transport::Through(proxy) => {
                let connecting = proxy.clone().connect(uri);
                Box::pin(async move { Ok(connecting.await?) })
            }
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<KeptStream>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        self.https.poll_ready(context).map_err(NoConnection::Failed)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if uri.host().is_some_and(|host| self.is_prohibited(host)) {
            return Box::pin(std::future::ready(Err(NoConnection::Prohibited)));
        }
        let peer = self.peers.of(&uri.to_string());
        let (connecting, timeout) = (self.https.call(uri), self.timeout);
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(KeptStream::new(stream, peer))),
                Ok(Err(error)) => Err(cause(error)),
                Err(_) => Err(NoConnection::Timeout),
            }
        })
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The connector's own error, if the chain of causes contains one. The layers in between wrap it.
pub(super) fn cause(error: Box<dyn StdError + Send + Sync>) -> NoConnection {
    let mut link: Option<&(dyn StdError + 'static)> = Some(error.as_ref());
    while let Some(current) = link {
        match current.downcast_ref::<NoConnection>() {
            Some(NoConnection::Prohibited) => return NoConnection::Prohibited,
            Some(NoConnection::LookUp(cause)) => {
                return NoConnection::LookUp(std::io::Error::new(cause.kind(), cause.to_string()));
            }
            Some(NoConnection::LookUpTimeout) => return NoConnection::LookUpTimeout,
            Some(NoConnection::Proxy(why)) => return NoConnection::Proxy(why.clone()),
            Some(NoConnection::Tunnel(why)) => return NoConnection::Tunnel(why.clone()),
            Some(NoConnection::Timeout | NoConnection::Failed(_)) | None => link = current.source(),
        }
    }
    NoConnection::Failed(error)
}

/// Resolves names, and removes the addresses that may not be connected to.
#[derive(Clone)]
pub(super) struct Resolver {
    names: Names,
    local: bool,
    timeout: Duration,
}

impl Resolver {
    pub(super) fn new(names: Names, local: bool, timeout: Duration) -> Resolver {
        Resolver { names, local, timeout }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.local || is_public(address)
    }

    fn allowed(&self, found: Vec<SocketAddr>) -> Result<std::vec::IntoIter<SocketAddr>, NoConnection> {
        let allowed: Vec<_> = found.into_iter().filter(|address| self.allows(address.ip())).collect();
        if allowed.is_empty() { Err(NoConnection::Prohibited) } else { Ok(allowed.into_iter()) }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let looking_up = tokio::time::timeout(resolver.timeout, resolver.names.look_up(name.as_str()));
            let found = looking_up.await.map_err(|_| NoConnection::LookUpTimeout)?;
            resolver.allowed(found.map_err(NoConnection::LookUp)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::trust::{OwnRoots, TlsConfig};
    use super::*;

    fn connect(uri: &str, local: bool, limit: Duration) -> Result<(), NoConnection> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let tls = TlsConfig::new(&OwnRoots::new()).expect("a TLS configuration");
        let mut connector = Connector::new(limit, local, None, &tls.into());
        let uri: Uri = uri.parse().expect("the test's address is valid");
        runtime.block_on(connector.call(uri)).map(|_| ())
    }

    #[test]
    fn a_private_address_is_refused_unsent_unless_the_request_is_local() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let limit = Duration::from_secs(10);
        for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "127.1", "0x7f000001", "2130706433"] {
            let refused = connect(&format!("http://{host}:{port}/"), false, limit);
            assert!(matches!(refused, Err(NoConnection::Prohibited)), "{host}: {refused:?}");
        }
        assert!(connect(&format!("http://127.0.0.1:{port}/"), true, limit).is_ok());
        assert!(listener.accept().is_ok(), "the local request");
        listener.set_nonblocking(true).expect("a socket option");
        assert!(listener.accept().is_err(), "and no other connection");
    }

    #[test]
    fn a_mixed_answer_of_the_resolver_keeps_only_what_is_public() {
        let found = ["10.0.0.1:0", "1.1.1.1:0", "[::1]:0"].map(|text| text.parse().expect("an address"));
        let resolver = Resolver::new(Names::default(), false, Duration::ZERO);
        let allowed = resolver.allowed(found.into()).expect("one is public");
        assert_eq!(allowed.collect::<Vec<_>>(), ["1.1.1.1:0".parse().expect("an address")]);
    }

    #[test]
    fn the_connect_limit_covers_the_tls_handshake() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let started = std::time::Instant::now();
        let late = connect(&format!("https://127.0.0.1:{port}/"), true, Duration::from_millis(300));
        assert!(matches!(late, Err(NoConnection::Timeout)), "{late:?}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}
