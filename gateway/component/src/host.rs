//! What the host provides beside HTTP and the stores: time, chance, variables, tasks, and what it can do beyond that.

pub(crate) mod body;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::pin::Pin;

use gateway_core::quota::born_ms;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::wasip3::random::random::get_random_bytes;
use spin_sdk::wasip3::wit_bindgen;

/// What a host can do beyond WASI and Spin's interfaces. Read once, since it stays as it is for as long as an instance
/// lives. See `host.md`.
#[derive(Debug, Default)]
pub(crate) struct Capabilities {
    /// The id of this start of the host, where it tells one: its rows can be told from those of an earlier start.
    pub(crate) boot: Option<String>,
    /// It names each call in the header `x-llmio-call`, and lets no client do so.
    pub(crate) names_calls: bool,
    /// It reads what the header `x-llmio-host` of an outgoing request says: whose request it is, that a private address is
    /// meant, which proxy to take.
    pub(crate) reads_instructions: bool,
    /// A statement without rows is done when it stands in the host's queue, and the synchronous call does not block.
    pub(crate) queues_writes: bool,
    /// It asks for maintenance every minute.
    pub(crate) asks_for_maintenance: bool,
    /// It tells in `store_trouble` what became of statements, over all instances.
    pub(crate) tells_store_trouble: bool,
}

impl Capabilities {
    /// Asks the host. llmio's own runner is known by the id of its start, and can do all of it; of another host none of it
    /// is assumed.
    pub(crate) async fn read() -> Self {
        match variable("boot").await {
            None => Capabilities::default(),
            boot => Capabilities {
                boot,
                names_calls: true,
                reads_instructions: true,
                queues_writes: true,
                asks_for_maintenance: true,
                tells_store_trouble: true,
            },
        }
    }

    /// When this start of the host began, Unix milliseconds: its id is a UUID of version 7.
    pub(crate) fn boot_ms(&self) -> Option<i64> {
        self.boot.as_deref().and_then(born_ms)
    }
}

/// Milliseconds of the monotonic clock: for spans, never for dates.
pub(crate) fn now_ms() -> u64 {
    monotonic_clock::now() / 1_000_000
}

/// Unix milliseconds of the wall clock.
pub(crate) fn unix_ms() -> i64 {
    let now = system_clock::now();
    now.seconds.saturating_mul(1000).saturating_add(i64::from(now.nanoseconds / 1_000_000))
}

/// Waits. A call that is served at once has no timer of its own: only admin requests, the shared ticker, streams,
/// reservations of quota and calls that wait for a slot do.
pub(crate) async fn wait_ms(ms: u64) {
    monotonic_clock::wait_for(ms.saturating_mul(1_000_000)).await;
}

/// Starts a task that goes on when the request that started it has its answer.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    spin_sdk::wasip3::spawn(task);
}

/// The one timer of a stream: it watches over its head, then over its silences. An unspent one is used on, since each
/// costs a call of the host; so it may be over early, and whoever waits looks at the clock. One timer for all streams of
/// an instance would be cheaper still, but no task may wake another's on WASI 0.3 hosts.
#[derive(Default)]
pub(crate) struct Pulse(Option<Pin<Box<dyn Future<Output = ()>>>>);

impl Pulse {
    /// One that is over in `ms`.
    pub(crate) fn of(ms: u64) -> Self {
        Pulse(Some(Box::pin(wait_ms(ms))))
    }

    /// Waits for at most about `ms`.
    pub(crate) async fn beat(&mut self, ms: u64) {
        self.0.get_or_insert_with(|| Box::pin(wait_ms(ms))).await;
        self.0 = None;
    }
}

/// Lets others run in between where a call works long: the thread's other instances and its connections. This instance
/// itself does one thing at a time.
#[derive(Default)]
pub(crate) struct Breath(Cell<usize>);

/// So much is worked on at a time. Of text this takes a few milliseconds, of what is dear to read some tens.
const PIECE_BYTES: usize = 2 << 20;

impl Breath {
    /// So many bytes more have been worked on.
    pub(crate) fn step(&self, bytes: usize) {
        let worked = self.0.get() + bytes;
        self.0.set(worked % PIECE_BYTES);
        if worked >= PIECE_BYTES {
            // Whether this call was cancelled meanwhile is seen where it next waits.
            let _ = wit_bindgen::yield_blocking();
        }
    }
}

/// Numbers to draw from. The generator is seeded once per instance: a host call for each request would cost more than
/// the draw, and nothing secret is made of it.
#[derive(Default)]
pub(crate) struct Chance(RefCell<Option<SmallRng>>);

impl Chance {
    /// A number to draw from.
    pub(crate) fn draw(&self) -> u64 {
        self.0.borrow_mut().get_or_insert_with(|| SmallRng::from_seed(random_bytes())).random()
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "32 bits of chance are enough for jitter")]
        let fraction = (self.draw() >> 32) as f64 / f64::from(u32::MAX);
        fraction
    }
}

/// Bytes nobody can predict, for keys, nonces and ids.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    // A host may give fewer than were asked for; what is left would be zeroes, and keys and nonces are made of these.
    while filled < N {
        let drawn = get_random_bytes((N - filled) as u64);
        let missing = bytes.iter_mut().skip(filled);
        filled += missing.zip(drawn).map(|(to, from)| *to = from).count();
    }
    bytes
}

/// A variable's value, where it is defined and not empty.
pub(crate) async fn variable(name: &str) -> Option<String> {
    spin_sdk::variables::get(name).await.ok().filter(|value| !value.is_empty())
}

/// Writes a line to the host's log: standard error. One that cannot be written is no reason to trap.
pub(crate) fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs something when it is dropped: at the end of a task, also of one that the host ends early.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
