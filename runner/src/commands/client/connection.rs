//! HTTP/1.1 to a server on this machine, a connection per request: a command that waits for a person, a pipe or a file
//! between two requests may wait longer than the server keeps an idle connection, and on loopback another one costs
//! nothing. No pool, no TLS, no redirects, no proxy from the environment, so that the admin token goes to the process
//! that holds the data folder and nowhere else.

use crate::greeting::reachable;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A server that listens.
pub(in crate::commands) struct Connection {
    address: SocketAddr,
}

impl Connection {
    /// Finds out whether anyone listens at this address, which may stand for all of the machine's.
    pub(in crate::commands) async fn open(address: SocketAddr) -> Result<Connection> {
        let connection = Connection { address: reachable(address) };
        connection.connect().await?;
        Ok(connection)
    }

    /// Sends a request and waits for the whole answer.
    pub(in crate::commands) async fn send(&mut self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let (mut sender, driver) = http1::handshake(TokioIo::new(self.connect().await?)).await?;
        // Its error is also the error of the request under way, which reports it.
        tokio::spawn(async move { drop(driver.await) });
        let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    async fn connect(&self) -> Result<TcpStream> {
        let connecting = TcpStream::connect(self.address);
        Ok(timeout(CONNECT_TIMEOUT, connecting).await.context("it did not accept the connection in time")??)
    }
}
