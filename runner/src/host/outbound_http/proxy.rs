//! Egress proxies: reaching a destination through an HTTP proxy (CONNECT, even for `http` destinations, so that no
//! proxy reads, caches or changes a call) or through SOCKS5. The proxy resolves the name of the destination, because
//! the nearest address depends on where the proxy is.
//!
//! hyper-util speaks both protocols over a connection that is made first. It could make that connection too, but its
//! errors would not tell a proxy that is down from one that cannot reach the destination, which decides what is to
//! blame.

use super::connector::{NoConnection, Resolver, Wire, cause};
use super::failure;
use http::{HeaderValue, Uri, uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Matcher;
use std::fmt;
use std::future::{Ready, ready};
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;
use tower_service::Service;

/// An egress proxy. The same proxy with another user is another one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::host) struct Proxy {
    /// `http` or `https`, host and port: how the proxy itself is connected to.
    address: Uri,
    protocol: Protocol,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Protocol {
    /// CONNECT, with this `proxy-authorization`.
    Connect(Option<HeaderValue>),
    /// SOCKS5, with this user and password.
    Socks5(Option<(String, String)>),
}

impl FromStr for Proxy {
    type Err = ();

    fn from_str(url: &str) -> Result<Proxy, ()> {
        let anywhere = Uri::from_static("http://destination.invalid/");
        let proxy = Matcher::builder().all(url).build().intercept(&anywhere).ok_or(())?;
        let scheme = proxy.uri().scheme_str().unwrap_or_default();
        let (carrier, port) = match scheme {
            "https" => ("https", 443),
            "http" => ("http", 80),
            "socks5" | "socks5h" => ("http", 1080),
            _ => return Err(()),
        };
        let protocol = match scheme {
            "http" | "https" => Protocol::Connect(proxy.basic_auth().cloned()),
            _ => Protocol::Socks5(proxy.raw_auth().map(|(user, password)| (user.to_owned(), password.to_owned()))),
        };
        Ok(Proxy { address: with_port(carrier, proxy.uri(), port).ok_or(())?, protocol })
    }
}

/// Hides the user and the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Proxy({})", self.address)
    }
}

/// Adds the port if it is missing, since hyper-util assumes another default.
fn with_port(scheme: &str, uri: &Uri, port_default: u16) -> Option<Uri> {
    let authority = format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(port_default));
    uri::Builder::new().scheme(scheme).authority(authority).path_and_query("/").build().ok()
}

/// Makes connections through one proxy.
#[derive(Clone)]
pub(super) struct ThroughProxy {
    proxy: Proxy,
    connector: HttpsConnector<HttpConnector<Resolver>>,
    limit: Duration,
}

impl ThroughProxy {
    /// `limit` is the limit of the whole connection, including the destination's own TLS.
    pub(super) fn new(
        proxy: Proxy,
        connector: HttpsConnector<HttpConnector<Resolver>>,
        limit: Duration,
    ) -> ThroughProxy {
        ThroughProxy { proxy, connector, limit }
    }

    /// Each step has a shorter limit than the whole, so that the error says what was too slow: the proxy, its way to
    /// the destination, or the destination.
    pub(super) async fn connect(mut self, destination: Uri) -> Result<Wire, NoConnection> {
        let tenth = self.limit / 10;
        let started = tokio::time::Instant::now();
        let wire = match timeout(tenth * 8, self.connector.call(self.proxy.address.clone())).await {
            Ok(Ok(wire)) => wire,
            Ok(Err(error)) => return Err(NoConnection::Proxy(failure::of_proxy(&cause(error)).to_owned())),
            Err(_) => return Err(NoConnection::Proxy(failure::of_proxy(&NoConnection::Timeout).to_owned())),
        };
        let left = (tenth * 9).saturating_sub(started.elapsed());
        match timeout(left, self.handshake(wire, destination)).await {
            Ok(Ok(wire)) => Ok(wire),
            Ok(Err(why)) => Err(NoConnection::Tunnel(format!("did not get through to it ({why})"))),
            Err(_) => Err(NoConnection::Tunnel("did not get through to it in time".to_owned())),
        }
    }

    async fn handshake(self, wire: Wire, destination: Uri) -> Result<Wire, String> {
        let Proxy { address, protocol } = self.proxy;
        let (scheme, port) = if destination.scheme_str() == Some("http") { ("http", 80) } else { ("https", 443) };
        let destination = with_port(scheme, &destination, port).ok_or("the destination has no host")?;
        let made = ReadyConnection(Some(wire));
        match protocol {
            Protocol::Connect(auth) => {
                let mut tunnel = Tunnel::new(address, made);
                if let Some(auth) = auth {
                    tunnel = tunnel.with_auth(auth);
                }
                tunnel.call(destination).await.map_err(|error| error.to_string())
            }
            Protocol::Socks5(auth) => {
                let mut socks = SocksV5::new(address, made);
                if let Some((user, password)) = auth {
                    socks = socks.with_auth(user, password);
                }
                socks.call(destination).await.map_err(|error| error.to_string())
            }
        }
    }
}

/// The connection to the proxy, in the form of the connector that hyper-util expects.
struct ReadyConnection(Option<Wire>);

impl Service<Uri> for ReadyConnection {
    type Response = Wire;
    type Error = AlreadyTaken;
    type Future = Ready<Result<Wire, AlreadyTaken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AlreadyTaken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or(AlreadyTaken))
    }
}

/// The error of a second connection, which is never asked for.
#[derive(Debug)]
struct AlreadyTaken;

impl fmt::Display for AlreadyTaken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection to the proxy was taken")
    }
}

impl std::error::Error for AlreadyTaken {}
