//! The gateway inside this process: its stores, its workers, and a handle to call it. `llmio serve` adds a listener; a
//! client command without a running server starts the same gateway without one and calls it directly.

use crate::clock::KeptSteadyClock;
use crate::data_folder::DataFolder;
use crate::engine::Engine;
use crate::exit::{self, Exit};
use crate::host::files::{FileFolders, Files};
use crate::host::key_value::{FolderHistory, KeyValue};
use crate::host::outbound_http::{Net, OwnRoots, TlsConfig};
use crate::host::sqlite::{self, Database, QueuedDatabase, SpinDatabase};
use crate::host::variables::Variables;
use crate::inbound::{Admission, ClientLimits, ConnectionLimits, Refusals};
use crate::instance::Isolation;
use crate::log;
use crate::memory::Memory;
use crate::worker::{self, Command};
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::{Request, Response};
use socket2::TcpKeepalive;
use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// How long queued rows may take to reach the disk when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long each file may take to be closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a file may take to be closed if something is stuck already.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(50);
const BACKLOG: i32 = 4096;
/// A client whose machine has gone is noticed 90 s after its last byte.
const KEEP_ALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10)).with_retries(3);
/// The most that the kernel buffers for a client. Its default is megabytes: the memory of a stream would not be
/// bounded, and a client that reads nothing would look for long like one that does.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 128 << 10;

/// The settings of a gateway. `Secrets` leave the process only towards the component.
pub(crate) struct Settings {
    /// Event loops, each with its own instances.
    pub(crate) threads: usize,
    /// Imitate Spin 4.1 instead of being the runner.
    pub(crate) quirks: bool,
    /// Let messages cross between the component and the host.
    pub(crate) carries: bool,
    /// Imitate a host of WASI 0.2.
    #[cfg(feature = "wasi-0-2")]
    pub(crate) is_wasi_0_2: bool,
    /// Imitating Spin, refuse the component's PRAGMAs, as libSQL does.
    pub(crate) refuses_pragmas: bool,
    /// Let the component write to our stderr.
    pub(crate) guest_stderr: bool,
    /// What calls may share an instance with.
    pub(crate) isolation: Isolation,
    /// How many connections clients may have.
    pub(crate) connections: ConnectionLimits,
    /// The most bytes of memory that the process may have; by default what its cgroup or machine has.
    pub(crate) memory_max: Option<u64>,
    /// Let requests ask for faults.
    pub(crate) faults: bool,
    /// The admin token.
    pub(crate) token: String,
    /// The key that seals stored secrets.
    pub(crate) master_key: String,
    /// The previous one, while secrets are sealed again.
    pub(crate) master_key_previous: Option<String>,
    /// The named secrets as a JSON object.
    pub(crate) secrets: String,
    /// Certificates that are trusted besides Mozilla's roots.
    pub(crate) roots: OwnRoots,
    /// The URL under which others reach the gateway; may be empty.
    pub(crate) public_url: String,
    /// What stands before every path; may be empty.
    pub(crate) base_path: String,
    /// Where files may be that a catalog names.
    pub(crate) files: FileFolders,
}

/// The state that all instances of the process share.
pub(crate) struct Stores {
    /// Catalog and health.
    pub(crate) key_value: KeyValue,
    /// Records and quota.
    pub(crate) database: Arc<Database>,
    /// Facts and catalog variables.
    pub(crate) variables: Variables,
    /// Files that a catalog names; none imitating Spin, which has none.
    pub(crate) files: Option<Files>,
    /// What stands before every path, or empty.
    pub(crate) base_path: String,
    /// The token for the host's own calls of the admin API.
    pub(crate) token: String,
    /// The resolver and the TLS configuration for upstreams.
    pub(crate) net: Net,
    /// What the host counts.
    pub(crate) counters: Counters,
    /// The host's answers for when the component cannot answer.
    pub(crate) refusals: Refusals,
    /// The steady clock; none imitating Spin, which has none.
    pub(crate) clock: Option<KeptSteadyClock>,
    /// The connections of clients.
    pub(crate) admission: Arc<Admission>,
    /// The memory of the process.
    pub(crate) memory: Memory,
    /// How many threads share it.
    pub(crate) threads: usize,
    /// Imitate Spin 4.1.
    pub(crate) quirks: bool,
    /// Let messages cross between the component and the host.
    pub(crate) carries: bool,
    /// Imitate a host of WASI 0.2.
    #[cfg(feature = "wasi-0-2")]
    pub(crate) is_wasi_0_2: bool,
    /// Let the component write to our stderr.
    pub(crate) guest_stderr: bool,
    /// What calls may share an instance with.
    pub(crate) isolation: Isolation,
    /// Let requests ask for faults.
    pub(crate) faults: bool,
}

/// Events of the host itself, for metrics.
#[derive(Default)]
pub(crate) struct Counters {
    traps: AtomicU64,
    accept_pauses: AtomicU64,
    turned_away: AtomicU64,
}

impl Counters {
    /// Notes that an instance trapped.
    pub(crate) fn trapped(&self) {
        self.traps.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a worker accepts no connections for a moment.
    pub(crate) fn accept_paused(&self) {
        self.accept_pauses.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a call was turned away because the memory is nearly used up. Returns whether it is the first.
    pub(crate) fn turned_away(&self) -> bool {
        self.turned_away.fetch_add(1, Ordering::Relaxed) == 0
    }
}

/// The phases of the process's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Serving.
    Running,
    /// No new connections; calls in flight go on.
    Draining,
    /// Everything is cut.
    Cut,
}

/// A running gateway.
pub(crate) struct Gateway {
    stores: Arc<Stores>,
    workers: Vec<Worker>,
    phase: watch::Sender<Phase>,
}

struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    thread: JoinHandle<Result<()>>,
}

impl Gateway {
    /// Opens the stores of a data folder and starts the workers. Nothing listens yet. Fails if no worker can run the
    /// component.
    pub(crate) fn start(folder: &DataFolder, settings: Settings) -> Result<Gateway> {
        let stores = Arc::new(open(folder, &settings)?);
        let engine = Engine::load()?;
        let (phase, _) = watch::channel(Phase::Running);
        let (ready, started) = std::sync::mpsc::channel();
        let start_worker = |index: usize| {
            let (commands, receiver) = mpsc::unbounded_channel();
            let name = format!("worker-{index}");
            let (engine, stores) = (engine.clone(), stores.clone());
            let thread = worker::start(name, engine, stores, receiver, phase.subscribe(), ready.clone())?;
            Ok(Worker { commands, thread })
        };
        let workers = (0..settings.threads.max(1)).map(start_worker).collect::<Result<_>>()?;
        drop(ready);
        wait_for_an_instance(&started)?;
        Ok(Gateway { stores, workers, phase })
    }

    /// A handle that calls the component without the network.
    pub(crate) fn handle(&self) -> Result<Handle> {
        let worker = self.workers.first().context("no worker")?;
        Ok(Handle { stores: self.stores.clone(), commands: worker.commands.clone() })
    }

    /// Listens with every worker. Returns the address, whose port is a new one if 0 was asked for.
    pub(crate) fn listen(&self, mut address: SocketAddr, limits: ClientLimits) -> Result<SocketAddr> {
        // The workers share the port with SO_REUSEPORT, which would share it with another process of the user too. So
        // the port is bound once without it, to notice that it is in use. A port that the kernel chooses is free.
        if address.port() != 0 {
            drop(TcpListener::bind(address).map_err(|error| unbindable(address, &error))?);
        }
        let mut listeners = Vec::with_capacity(self.workers.len());
        for _ in &self.workers {
            let listener = listener(address).map_err(|error| unbindable(address, &error))?;
            // The other workers use the port of the first one.
            address = listener.local_addr()?;
            listeners.push(listener);
        }
        for (worker, listener) in self.workers.iter().zip(listeners) {
            worker.commands.send(Command::Listen(listener, limits)).map_err(|_| anyhow!("a worker ended"))?;
        }
        Ok(address)
    }

    /// Databases and variables.
    pub(crate) fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// Whether a worker thread has ended, which must not happen while the phase is `Running`.
    pub(crate) fn has_lost_a_worker(&self) -> bool {
        self.workers.iter().any(|worker| worker.thread.is_finished())
    }

    /// Whether all workers are done.
    pub(crate) fn has_ended(&self) -> bool {
        self.workers.iter().all(|worker| worker.thread.is_finished())
    }

    /// Whether all workers are done and everything they queued is written.
    pub(crate) fn has_settled(&self) -> bool {
        self.has_ended() && self.stores.database.status().queued == 0
    }

    /// Moves on to a later phase.
    pub(crate) fn enter(&self, phase: Phase) {
        if phase != Phase::Running {
            self.stores.set_draining();
        }
        self.phase.send_replace(phase);
    }

    /// Ends the workers, if they have not ended, writes what is queued and closes the files.
    pub(crate) fn close(self) -> Result<()> {
        if *self.phase.borrow() == Phase::Running {
            self.enter(Phase::Draining);
        }
        let ended = self.workers.into_iter().map(Worker::end).collect();
        closed(ended, self.stores.close(FLUSH_TIMEOUT, CLOSE_TIMEOUT))
    }

    /// Ends a process that has waited long enough. Leaves behind what is not done, and reports it.
    pub(crate) fn leave(self) -> Result<()> {
        // Closing files that nobody uses takes a moment. A file whose writer is stuck is not waited for.
        let close_timeout = if self.has_settled() { CLOSE_TIMEOUT } else { LEAVE_TIMEOUT };
        let (ended, late): (Vec<_>, Vec<_>) = self.workers.into_iter().partition(|worker| worker.thread.is_finished());
        if !late.is_empty() {
            log::warn(format_args!("{} workers did not end in time", late.len()));
        }
        let ended = ended.into_iter().map(Worker::end).collect();
        closed(ended, self.stores.close(Duration::ZERO, close_timeout))
    }
}

impl Worker {
    fn end(self) -> Result<()> {
        drop(self.commands);
        self.thread.join().map_err(|_| anyhow!("a worker panicked"))?
    }
}

/// The error of a process that ends. Lost rows come first, since they cannot be repeated; a worker that failed does not
/// hide them.
fn closed(workers: Vec<Result<()>>, flushed: Result<()>) -> Result<()> {
    let flushed = flushed.map_err(|error| anyhow!(Exit::new(exit::IO, format!("{error:#}"))));
    let failures: Vec<_> = std::iter::once(flushed).chain(workers).filter_map(Result::err).collect();
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else { return Ok(()) };
    failures.for_each(|other| log::warn(format_args!("while ending: {other:#}")));
    Err(first)
}

/// A handle that calls the component without the network.
#[derive(Clone)]
pub(crate) struct Handle {
    stores: Arc<Stores>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Handle {
    /// Sends a request and waits for the whole answer.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Send(Box::new(request), answer)).map_err(|_| anyhow!("the gateway is ending"))?;
        answered.await.context("the gateway is ending")?
    }

    /// Databases and variables.
    pub(crate) fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }
}

impl Stores {
    /// Refreshes the host's metrics, which the component serves with its own.
    pub(crate) fn publish_metrics(&self) {
        if self.quirks {
            return;
        }
        let database = self.database.status();
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, value: u64| {
            let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
        };
        metric("llmio_host_guest_traps_total", "counter", self.counters.traps.load(Ordering::Relaxed));
        metric("llmio_host_connections", "gauge", self.admission.open() as u64);
        metric("llmio_host_connections_refused_total", "counter", self.admission.refused());
        metric("llmio_host_accept_pauses_total", "counter", self.counters.accept_pauses.load(Ordering::Relaxed));
        metric("llmio_host_calls_turned_away_total", "counter", self.counters.turned_away.load(Ordering::Relaxed));
        metric("llmio_host_statements_refused_total", "counter", database.refused);
        metric("llmio_host_statements_failed_total", "counter", database.failed);
        metric("llmio_host_statements_queued", "gauge", database.queued);
        self.variables.set("host_metrics", text);
    }

    /// What is wrong with the database, as JSON; empty if nothing is.
    pub(crate) fn store_trouble(&self) -> String {
        self.database.trouble().and_then(|trouble| serde_json::to_string(&trouble).ok()).unwrap_or_default()
    }

    /// Keeps what the next start must know of the steady clock.
    pub(crate) fn keep_clock(&self, is_last: bool) {
        if let Some(clock) = &self.clock {
            clock.keep(&self.key_value, is_last);
        }
    }

    /// Writes what is queued and closes both files. They have everything then, and a copy of them is a backup.
    fn close(&self, flush_timeout: Duration, close_timeout: Duration) -> Result<()> {
        self.keep_clock(true);
        let flushed = self.database.flush(flush_timeout);
        let closed =
            [("kv.sqlite", self.key_value.close(close_timeout)), ("store.db", self.database.close(close_timeout))];
        for (name, _) in closed.iter().filter(|(_, closed)| !closed) {
            log::warn(format_args!("{name} was not closed in time; keep its -wal file with it"));
        }
        flushed
    }

    fn set_draining(&self) {
        if !self.quirks {
            self.variables.set("draining", "true");
        }
    }
}

/// Waits until one worker can serve, which is enough: the others try again at their next call.
fn wait_for_an_instance(started: &std::sync::mpsc::Receiver<Result<(), String>>) -> Result<(), Exit> {
    let mut reason = "every worker ended".to_owned();
    for outcome in started {
        match outcome {
            Ok(()) => return Ok(()),
            Err(error) => reason = error,
        }
    }
    let message = format!(
        "no instance of the component can be started: {reason}; where memory or address space is limited \
         (`ulimit -v`), allow more"
    );
    Err(Exit::new(exit::INTERNAL, message))
}

fn open(folder: &DataFolder, settings: &Settings) -> Result<Stores> {
    let quirks = settings.quirks;
    let journal = if quirks { "DELETE" } else { "WAL" };
    let database = match quirks {
        true => Database::Spin(SpinDatabase::new(&folder.database(), settings.refuses_pragmas)),
        false => Database::Queued(QueuedDatabase::open(&folder.database())?),
    };
    let variables = if quirks { Variables::declared_only() } else { Variables::new() };
    let key_value = open_key_value(folder, journal)?;
    let clock = (!quirks).then(|| KeptSteadyClock::open(&key_value));
    if let Some(clock) = &clock {
        clock.keep(&key_value, false);
        variables.set("boot", clock.boot().to_string());
        variables.set_catalog("");
    }
    variables.set("token", settings.token.as_str());
    variables.set("master_key", settings.master_key.as_str());
    variables.set("secrets", settings.secrets.as_str());
    variables.set("public_url", settings.public_url.as_str());
    variables.set("base_path", settings.base_path.as_str());
    if let Some(previous) = &settings.master_key_previous {
        variables.set("master_key_previous", previous.as_str());
    }
    Ok(Stores {
        key_value,
        database: Arc::new(database),
        variables,
        files: (!quirks).then(|| Files::new(settings.files.clone())),
        base_path: settings.base_path.clone(),
        token: settings.token.clone(),
        net: TlsConfig::new(&settings.roots)?.into(),
        counters: Counters::default(),
        refusals: Refusals::default(),
        clock,
        admission: Admission::new(settings.connections),
        memory: Memory::new(settings.memory_max),
        threads: settings.threads,
        quirks,
        carries: settings.carries,
        #[cfg(feature = "wasi-0-2")]
        is_wasi_0_2: settings.is_wasi_0_2,
        guest_stderr: settings.guest_stderr,
        isolation: settings.isolation,
        faults: settings.faults,
    })
}

/// Opens the key-value store. Without its catalog a gateway would serve the built-in one and know no key, so a store
/// that existed must still exist.
fn open_key_value(folder: &DataFolder, journal: &str) -> Result<KeyValue> {
    let past = match () {
        () if folder.is_new() => FolderHistory::None,
        () if folder.had_key_value() || sqlite::has_rows(&folder.database()) => FolderHistory::Kept,
        () => FolderHistory::Used,
    };
    let key_value = KeyValue::open(&folder.key_value(), journal, past)?;
    folder.set_key_value();
    Ok(key_value)
}

/// The error of an address that cannot be bound. Trying again may help only if the port is in use.
fn unbindable(address: SocketAddr, error: &io::Error) -> Exit {
    let (code, hint) = match error.kind() {
        ErrorKind::AddrInUse => (exit::TEMPORARY, "end the process that does, or choose another address with --listen"),
        ErrorKind::PermissionDenied => {
            (exit::CONFIG, "ports below 1024 need a right of their own; choose another with --listen or PORT")
        }
        _ if is_no_address_here(error) => {
            (exit::CONFIG, "this machine has no such address; choose another with --listen (0.0.0.0 means all)")
        }
        _ => (exit::IO, "choose another address with --listen"),
    };
    Exit::new(code, format!("cannot listen on {address}: {error}; {hint}"))
}

fn is_no_address_here(error: &io::Error) -> bool {
    let no_family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(no_family)
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Accepted connections inherit both options, which saves system calls for each connection.
    socket.set_tcp_keepalive(&KEEP_ALIVE)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_port_in_use_is_worth_another_try_and_every_text_says_what_to_do() {
        let address = "127.0.0.1:80".parse().expect("an address");
        let kinds = [
            (ErrorKind::AddrInUse, 75),
            (ErrorKind::PermissionDenied, 78),
            (ErrorKind::AddrNotAvailable, 78),
            (ErrorKind::OutOfMemory, 74),
        ];
        for (kind, code) in kinds {
            let exit = unbindable(address, &kind.into());
            assert_eq!(exit.code, code, "{}", exit.message);
            assert!(exit.message.contains("127.0.0.1:80") && exit.message.contains("--listen"), "{}", exit.message);
        }
        let no_ipv6 = io::Error::from_raw_os_error(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
        assert_eq!(unbindable(address, &no_ipv6).code, 78);
    }

    #[test]
    fn listeners_share_the_port_that_the_first_one_was_given() {
        let first = listener("127.0.0.1:0".parse().expect("an address")).expect("a listener");
        let address = first.local_addr().expect("its address");
        let second = listener(address).expect("another on the same port");
        assert_eq!(second.local_addr().expect("its address"), address);
        assert!(TcpListener::bind(address).is_err(), "which is nobody else's");
    }

    fn waited(outcomes: &[Result<(), &str>]) -> Result<(), Exit> {
        let (ready, started) = std::sync::mpsc::channel();
        for outcome in outcomes {
            ready.send(outcome.map_err(str::to_owned)).expect("the receiver is here");
        }
        drop(ready);
        wait_for_an_instance(&started)
    }

    #[test]
    fn one_worker_that_can_serve_is_enough_and_none_is_an_internal_error() {
        assert!(waited(&[Err("no memory"), Ok(())]).is_ok());
        let exit = waited(&[Err("no memory"), Err("mmap failed")]).expect_err("nobody serves");
        assert_eq!(exit.code, 70);
        assert!(exit.message.contains("mmap failed"), "{}", exit.message);
        assert_eq!(waited(&[]).expect_err("nobody is there").code, 70);
    }

    #[test]
    fn accepted_connections_inherit_keep_alive_and_the_limit_of_unsent_bytes() {
        let listener = listener(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a loopback port");
        listener.set_nonblocking(false).expect("a socket");
        let _client = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        let (accepted, _) = listener.accept().expect("a connection");
        let accepted = socket2::SockRef::from(&accepted);
        assert!(accepted.keepalive().expect("a socket"));
        assert_eq!(accepted.tcp_keepalive_time().expect("a socket"), Duration::from_secs(60));
        #[cfg(target_os = "linux")]
        assert_eq!(accepted.tcp_notsent_lowat().expect("a socket"), UNSENT_BYTES_MAX);
    }

    #[test]
    fn a_worker_that_failed_does_not_hide_rows_that_were_lost() {
        let lost = || Err(anyhow!("3 statements could not be written"));
        let error = closed(vec![Err(anyhow!("a worker panicked")), Ok(())], lost()).expect_err("rows are lost");
        assert_eq!(error.downcast_ref::<Exit>().map(|exit| exit.code), Some(74));
        assert!(error.to_string().contains("3 statements"), "{error:#}");
        assert!(closed(vec![Err(anyhow!("a worker panicked"))], Ok(())).is_err());
        assert!(closed(vec![Ok(())], Ok(())).is_ok());
    }
}
