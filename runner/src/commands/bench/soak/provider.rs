//! A provider that is well most of the time and fails in many ways for the rest.

use anyhow::Result;
use rand::RngExt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const EVENTS: usize = 10;

/// A server of this process.
pub(super) struct Provider(SocketAddr);

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
enum ProviderBehaviour {
    Well,
    Slow,
    Failing,
    Limited,
    Silent,
    Cut,
    Garbled,
}

impl ProviderBehaviour {
    fn drawn() -> ProviderBehaviour {
        match rand::rng().random_range(0..100) {
            0..3 => ProviderBehaviour::Failing,
            3..5 => ProviderBehaviour::Limited,
            5..7 => ProviderBehaviour::Silent,
            7..10 => ProviderBehaviour::Cut,
            10..12 => ProviderBehaviour::Garbled,
            12..20 => ProviderBehaviour::Slow,
            _ => ProviderBehaviour::Well,
        }
    }
}

impl Provider {
    /// Listens on a port of its own.
    pub(super) async fn start() -> Result<Provider> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks off was ended by the gateway or by this provider itself.
                tokio::spawn(async move { serve(stream).await.ok() });
            }
        });
        Ok(Provider(address))
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.0
    }
}

async fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(body) = read_request(&mut stream).await? {
        let streamed = body.windows(13).any(|window| window == b"\"stream\":true");
        if !answer(&mut stream, ProviderBehaviour::drawn(), streamed).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// The body of the next request; None at the end of the connection.
async fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(body))
}

/// Whether the connection may be used again.
async fn answer(stream: &mut BufReader<TcpStream>, mood: ProviderBehaviour, streamed: bool) -> std::io::Result<bool> {
    match mood {
        ProviderBehaviour::Silent => return Ok(false),
        ProviderBehaviour::Failing => {
            whole(stream, "500 Internal Server Error", "", r#"{"error":{"message":"broken"}}"#).await?
        }
        ProviderBehaviour::Limited => {
            let body = r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#;
            whole(stream, "429 Too Many Requests", "retry-after: 1\r\n", body).await?;
        }
        ProviderBehaviour::Garbled => whole(stream, "200 OK", "", "<html>no JSON</html>").await?,
        ProviderBehaviour::Slow | ProviderBehaviour::Well | ProviderBehaviour::Cut => {
            if matches!(mood, ProviderBehaviour::Slow) {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            let cut = matches!(mood, ProviderBehaviour::Cut);
            if streamed {
                events(stream, if cut { EVENTS / 2 } else { EVENTS }, cut).await?;
            } else if cut {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{")
                    .await?;
            } else {
                whole(stream, "200 OK", "", COMPLETION).await?;
            }
            return Ok(!cut);
        }
    }
    Ok(true)
}

const COMPLETION: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;

async fn whole(stream: &mut BufReader<TcpStream>, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await
}

async fn events(stream: &mut BufReader<TcpStream>, count: usize, cut: bool) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let delta = |content: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\"choices\":\
             [{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    for _ in 0..count {
        chunk(stream, &delta("word ", "null")).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if cut {
        return Ok(());
    }
    chunk(stream, &delta("", "\"stop\"")).await?;
    chunk(stream, "data: [DONE]\n\n").await?;
    stream.write_all(b"0\r\n\r\n").await
}

async fn chunk(stream: &mut BufReader<TcpStream>, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await
}
