//! Egress proxies with TLS, which the gateway's tests cannot trust: to the proxy, to the destination, and both.

use super::tls_tests::{Server, block_on, get, named, server, trusting_all};
use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A CONNECT proxy that takes everybody to the port asked for on loopback; counts its connections.
async fn proxy(tls: Option<TlsAcceptor>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let count = Arc::<AtomicUsize>::default();
    let counting = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::Relaxed);
            match tls.clone() {
                None => drop(tokio::spawn(tunnel(stream))),
                Some(tls) => drop(tokio::spawn(async move { tunnel(tls.accept(stream).await?).await })),
            }
        }
    });
    (port, count)
}

async fn tunnel(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let port = head.strip_prefix("CONNECT localhost:").and_then(|rest| rest.split(' ').next());
    let mut upstream = TcpStream::connect(format!("127.0.0.1:{}", port.expect("a port"))).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut stream, &mut upstream).await.map(drop)
}

fn through(proxy: &str, servers: &[&Server]) -> Clients {
    let proxy = Some(proxy.parse().expect("a proxy"));
    Clients::new(Connector::new(Duration::from_secs(30), true, proxy, &trusting_all(servers).into()))
}

#[test]
fn tls_and_http_2_reach_through_a_proxy_to_the_destination() {
    block_on(async {
        let server = server(named("localhost"), &["h2"]).await;
        let (port, connections) = proxy(None).await;
        let client = through(&format!("http://127.0.0.1:{port}"), &[&server]);
        for _ in 0..2 {
            assert_eq!(get(&client, server.port).await.expect("an answer").0, http::Version::HTTP_2);
        }
        assert_eq!(connections.load(Ordering::Relaxed), 1, "the connection is kept");
    });
}

#[test]
fn a_proxy_may_itself_be_reached_by_tls_and_must_then_be_trusted() {
    block_on(async {
        let (server, front) = (server(named("localhost"), &["h2"]).await, server(named("localhost"), &["h2"]).await);
        let (port, _) = proxy(Some(front.acceptor.clone())).await;
        let url = format!("https://localhost:{port}");
        let answer = get(&through(&url, &[&server, &front]), server.port).await.expect("an answer");
        assert_eq!(answer.0, http::Version::HTTP_2);
        let refused = get(&through(&url, &[&server]), server.port).await;
        let message = "egress proxy: failed the TLS handshake";
        assert!(matches!(&refused, Err(Error::InternalError(Some(text))) if text == message), "{refused:?}");
    });
}

#[test]
fn a_destination_that_is_not_to_be_trusted_is_no_fault_of_the_proxy() {
    block_on(async {
        let (server, other) = (server(named("localhost"), &["h2"]).await, server(named("localhost"), &["h2"]).await);
        let (port, _) = proxy(None).await;
        let refused = get(&through(&format!("http://127.0.0.1:{port}"), &[&other]), server.port).await;
        assert!(matches!(refused, Err(Error::TlsCertificateError)), "{refused:?}");
        assert_eq!(server.seen.requests.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_proxys_url_is_read_and_shows_no_user() {
    let proxy = |url: &str| url.parse::<Proxy>();
    for (url, shown) in [
        ("http://u:p@proxy.example", "Proxy(http://proxy.example:80/)"),
        ("https://u:p@proxy.example", "Proxy(https://proxy.example:443/)"),
        ("socks5h://u:p@[::1]", "Proxy(http://[::1]:1080/)"),
    ] {
        assert_eq!(format!("{:?}", proxy(url).expect("a proxy")), shown);
        assert!(proxy(url) != proxy(&url.replace("u:p", "v:p")), "two users are two ways");
    }
    for url in ["", "proxy://p.example", "socks4://p.example", "http://", "http://a b"] {
        assert!(proxy(url).is_err(), "{url:?}");
    }
}
