//! One HTTP/1.1 connection to a server on this machine: no pool, no TLS, no redirects, no proxy from the environment,
//! so that the admin token goes to the process that holds the data folder and nowhere else.

use crate::greeting::reachable;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// An open connection.
pub(in crate::commands) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects to what listens at this address, which may stand for all of the machine's.
    pub(in crate::commands) async fn open(address: SocketAddr) -> Result<Connection> {
        let connecting = TcpStream::connect(reachable(address));
        let stream = timeout(CONNECT_TIMEOUT, connecting).await.context("no connection in time")??;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error is also the error of the request under way, which is where it is told.
        tokio::spawn(async move { drop(driver.await) });
        Ok(Connection { sender })
    }

    /// Sends a request and waits for the whole answer.
    pub(in crate::commands) async fn send(&mut self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request.map(Full::new)).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}
