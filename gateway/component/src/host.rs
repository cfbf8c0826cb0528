//! What the host provides beside HTTP and the stores: time, random numbers, variables, tasks, and abilities of its own.

pub(crate) mod body;
mod clock;
mod task;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::pin::Pin;
use std::rc::Rc;

use gateway_core::quota::born_ms;
use gateway_core::uri;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random::get_random_bytes;
use spin_sdk::wasip3::wit_bindgen;

pub(crate) use clock::{now, now_ms, steady_ms, unix_ms};
use task::WhenWoken;
pub(crate) use task::{run, spawn};

/// Whether an instance serves more than one request, so that it knows what it learnt from those before. On hosts of WASI
/// 0.2 it serves one: what calls need is then read before it is used, and not beside it.
pub(crate) const REMEMBERS: bool = cfg!(not(feature = "wasi-0-2"));

/// The abilities of a host beyond WASI and Spin's interfaces. They are read once, since they do not change while an
/// instance lives. See `host.md`.
#[derive(Debug, Default)]
pub(crate) struct Capabilities {
    /// The id of this start of the host, if the host tells one. It tells rows of this start from rows of an earlier
    /// one. The monotonic clock of such a host is its steady clock.
    pub(crate) boot: Option<String>,
    /// The host names each call in the header `x-llmio-call`, and removes that header from what clients send.
    pub(crate) names_calls: bool,
    /// The host obeys the header `x-llmio-host` of an outgoing request, which says whose request it is, whether a
    /// private address is allowed, and which proxy to use.
    pub(crate) reads_instructions: bool,
    /// The host only queues a statement that returns no rows, so that the synchronous call does not block.
    pub(crate) queues_writes: bool,
    /// One process serves all requests, and its instances live as long as it does. What they count is stored elsewhere.
    pub(crate) is_one_process: bool,
    /// The host calls `POST /api/maintain` every minute.
    pub(crate) asks_for_maintenance: bool,
    /// The host does not limit outgoing requests, so that some can be made beside those of calls. Hosted platforms do:
    /// Fermyon Cloud allows 500 an hour (<https://developer.fermyon.com/cloud/faq>).
    pub(crate) asks_freely: bool,
    /// It reads files that catalogs name.
    pub(crate) has_files: bool,
    /// What stands before every path where llmio is not served at the root of its address: `/llm`, or empty.
    pub(crate) base_path: Rc<str>,
    /// The host tells in the variable `store_trouble` how statements have fared, over all instances.
    pub(crate) tells_store_trouble: bool,
    /// The host has a code of its own for each way in which an exchange with a provider breaks off.
    pub(crate) names_breaks: bool,
    /// The key-value store takes as many keys as there is disk. Fermyon Cloud's takes 1,024.
    pub(crate) has_many_keys: bool,
    /// A client gets what was written before its answer is cut. Other hosts drop it with the connection.
    pub(crate) flushes_cuts: bool,
    /// The host has judged the token, the master key, the secrets and the catalog file that it was given, before it began to
    /// serve.
    pub(crate) judges_settings: bool,
}

impl Capabilities {
    /// Asks the host. llmio's own runner is recognised by the id of its start, and has every ability; another host is
    /// assumed to have none.
    pub(crate) async fn read() -> Self {
        let base_path = uri::base_path(&variable("base_path").await.unwrap_or_default()).unwrap_or_default().into();
        match variable("boot").await {
            None => Capabilities { base_path, ..Capabilities::default() },
            boot => {
                clock::is_steady();
                Capabilities {
                    boot,
                    names_calls: true,
                    reads_instructions: true,
                    queues_writes: true,
                    is_one_process: true,
                    asks_for_maintenance: true,
                    asks_freely: true,
                    has_files: true,
                    base_path,
                    tells_store_trouble: true,
                    names_breaks: true,
                    has_many_keys: true,
                    flushes_cuts: true,
                    judges_settings: true,
                }
            }
        }
    }

    /// When this start of the host began on its steady clock, as its id says, which is a UUID of version 7.
    pub(crate) fn boot_ms(&self) -> Option<i64> {
        self.boot.as_deref().and_then(born_ms)
    }
}

/// Waits. A call that is served at once has no timer of its own: only admin requests, the shared ticker, streams,
/// reservations of quota and calls that wait for a slot do.
pub(crate) async fn wait_ms(ms: u64) {
    monotonic_clock::wait_for(ms.saturating_mul(1_000_000)).await;
}

/// The only timer of a stream: first for the response head, then for each silence. A timer that was not used up is used
/// again, since each one costs a call of the host; it may therefore fire early, and its users look at the clock. One
/// timer for all streams of an instance would cost less still, but no task may wake another's on WASI 0.3 hosts.
#[derive(Default)]
pub(crate) struct StreamTimer(Option<WhenWoken<Pin<Box<dyn Future<Output = ()>>>>>);

impl StreamTimer {
    /// A timer that fires after `ms`.
    pub(crate) fn of(ms: u64) -> Self {
        StreamTimer(Some(WhenWoken::new(Box::pin(wait_ms(ms)))))
    }

    /// Waits for about `ms`, or less.
    pub(crate) async fn beat(&mut self, ms: u64) {
        if self.0.is_none() {
            *self = StreamTimer::of(ms);
        }
        if let Some(timer) = &mut self.0 {
            timer.await;
        }
        self.0 = None;
    }
}

/// Lets the thread's other instances and connections run while a call works long. Within this instance nothing else
/// runs meanwhile.
#[derive(Default)]
pub(crate) struct YieldPoint(Cell<usize>);

/// How much is worked on without a pause: some milliseconds for plain text, some tens for what is costly to parse.
const PIECE_BYTES: usize = 2 << 20;

impl YieldPoint {
    /// Notes that this many bytes more have been worked on, and pauses when a piece is complete.
    pub(crate) fn step(&self, bytes: usize) {
        let worked = self.0.get() + bytes;
        self.0.set(worked % PIECE_BYTES);
        if worked >= PIECE_BYTES {
            task::pause(wit_bindgen::yield_blocking);
        }
    }
}

/// A source of random numbers for draws. Its generator is seeded once per instance, since asking the host for every
/// request would cost more than the draw. Nothing secret is made of these numbers.
#[derive(Default)]
pub(crate) struct RandomSource(RefCell<Option<SmallRng>>);

impl RandomSource {
    /// A random number of 64 bits.
    pub(crate) fn draw(&self) -> u64 {
        self.0.borrow_mut().get_or_insert_with(|| SmallRng::from_seed(random_bytes())).random()
    }

    /// A random number from 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "32 bits of random are enough for jitter")]
        let fraction = (self.draw() >> 32) as f64 / f64::from(u32::MAX);
        fraction
    }
}

/// Random bytes that nobody can predict, for keys, nonces and ids.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    // A host may return fewer bytes than were asked for, and the rest would stay zero in keys and nonces.
    while filled < N {
        let drawn = get_random_bytes((N - filled) as u64);
        let missing = bytes.iter_mut().skip(filled);
        filled += missing.zip(drawn).map(|(to, from)| *to = from).count();
    }
    bytes
}

/// The value of a variable, if it is defined and not empty.
pub(crate) async fn variable(name: &str) -> Option<String> {
    spin_sdk::variables::get(name).await.ok().filter(|value| !value.is_empty())
}

/// The text of a file, by the name that the host knows it by; why there is none otherwise.
pub(crate) async fn file(name: &str) -> Result<String, String> {
    spin_sdk::variables::get(name).await.map_err(|error| match error {
        spin_sdk::variables::Error::Provider(reason) | spin_sdk::variables::Error::Other(reason) => reason,
        _ => "this host has no files; name variables instead, of which `secrets` may hold many".to_owned(),
    })
}

/// Writes a line to standard error, which is the host's log. A failure to write is ignored, since a panic would be
/// worse.
pub(crate) fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs a closure when it is dropped: at the end of a task, even of a task that the host ends early.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
