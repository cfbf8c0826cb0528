//! Egress proxies: the way to a destination through an HTTP proxy (CONNECT, for `http` destinations too, so that no proxy
//! reads, caches or changes a call) or through SOCKS5. The proxy resolves the destination's name: where it stands decides
//! which address is the near one.
//!
//! hyper-util speaks both protocols, over a connection that is made first. Left to itself it would make that too, but its
//! errors then do not tell a proxy that is down from one that does not get through, and who is to blame hangs on that.

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

/// An egress proxy. Two that differ in their user are two.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Proxy {
    /// `http` or `https`, host and port: how the proxy itself is connected to.
    address: Uri,
    protocol: Protocol,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Protocol {
    /// With `proxy-authorization`.
    Connect(Option<HeaderValue>),
    /// With user and password.
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

/// Shows no user and no password.
impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Proxy({})", self.address)
    }
}

/// What hyper-util takes a missing port for is another one than we do.
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
    /// `limit` is that of the whole connection, the destination's own TLS included.
    pub(super) fn new(
        proxy: Proxy,
        connector: HttpsConnector<HttpConnector<Resolver>>,
        limit: Duration,
    ) -> ThroughProxy {
        ThroughProxy { proxy, connector, limit }
    }

    /// The two limits leave something of the whole, so that it is told who was late: the proxy, the way from there to
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
        let made = Made(Some(wire));
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

/// The connection to the proxy, where hyper-util expects somebody who makes it.
struct Made(Option<Wire>);

impl Service<Uri> for Made {
    type Response = Wire;
    type Error = Taken;
    type Future = Ready<Result<Wire, Taken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Taken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or(Taken))
    }
}

/// It is asked for once, so this cannot be.
#[derive(Debug)]
struct Taken;

impl fmt::Display for Taken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection to the proxy was taken")
    }
}

impl std::error::Error for Taken {}
