//! One thread of the host: an event loop of its own, its instances, its connections to both sides. Threads share
//! nothing on a call's path; a work-stealing runtime costs about a quarter more per call.

use crate::admin;
use crate::call::Calls;
use crate::engine::Engine;
use crate::gateway::{Phase, Stores};
use crate::host::outbound_http::OutboundHttp;
use crate::inbound::{self, ClientLimits};
use crate::instance::Instances;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// How long work after the last response (records) may go on when the process ends.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// What other threads ask of a worker.
pub(crate) enum Command {
    /// Serve this listener from now on.
    Listen(TcpListener, ClientLimits),
    /// A request of the host itself.
    Send(Box<Request<Bytes>>, oneshot::Sender<Result<Response<Bytes>>>),
}

/// The channel on which a worker reports whether its first instance started, or why not.
pub(crate) type Ready = std::sync::mpsc::Sender<Result<(), String>>;

/// Starts a worker. It ends when the phase is past `Running` and its calls are done, or with its last command sender.
pub(crate) fn start(
    name: String,
    engine: Engine,
    stores: Arc<Stores>,
    commands: mpsc::UnboundedReceiver<Command>,
    phase: watch::Receiver<Phase>,
    ready: Ready,
) -> Result<JoinHandle<Result<()>>> {
    let main = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(run(engine, stores, commands, phase, ready));
        // Work that still blocks must not keep the process from ending.
        runtime.shutdown_background();
        ended
    };
    std::thread::Builder::new().name(name).spawn(main).context("the thread of a worker cannot be started")
}

async fn run(
    engine: Engine,
    stores: Arc<Stores>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    mut phase: watch::Receiver<Phase>,
    ready: Ready,
) -> Result<()> {
    let calls = Calls::default();
    let outbound = OutboundHttp::new(calls.clone(), stores.net.clone(), stores.quirks);
    let instances = Instances::new(engine, stores.clone(), outbound, calls);
    // Nobody listens any more if another worker was faster.
    let _ = ready.send(instances.warm().await);
    drop(ready);
    let mut listening = None;
    let mut tidy = tokio::time::interval(Duration::from_secs(1));
    while *phase.borrow_and_update() == Phase::Running {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Listen(listener, limits)) => {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    let serve = inbound::listen(listener, instances.clone(), limits, phase.clone());
                    listening = Some(tokio::spawn(serve));
                }
                Some(Command::Send(request, answer)) => {
                    let (instances, quirks) = (instances.clone(), stores.quirks);
                    tokio::spawn(async move { answer.send(admin::send(&instances, quirks, *request).await) });
                }
                None => break,
            },
            _ = tidy.tick() => instances.tidy(),
            _ = phase.changed() => {}
        }
    }
    if let Some(listening) = listening {
        listening.await?;
    }
    let _ = tokio::time::timeout(CLOSE_GRACE, instances.close()).await;
    Ok(())
}
