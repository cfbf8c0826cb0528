//! What the host provides beside HTTP and the stores: time, chance, variables, and whether it is llmio's own runner.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::pin::Pin;

use gateway_core::accept::client_address;
use gateway_core::authenticate::Throttle;
use gateway_core::catalog::Network;
use gateway_core::quota::born_ms;
use gateway_core::refusal::Refusal;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::wasip3::random::random::get_random_bytes;

use crate::incoming::Incoming;

thread_local! {
    static RANDOM: RefCell<Option<SmallRng>> = const { RefCell::new(None) };
    static BOOT: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
    static THROTTLE: RefCell<Throttle> = RefCell::default();
    static BODY_BYTES_HELD: Cell<usize> = const { Cell::new(0) };
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

/// A number to draw from. The generator is seeded once per instance: a host call for each request would cost more than
/// the draw, and nothing secret is made of it.
pub(crate) fn draw() -> u64 {
    RANDOM.with_borrow_mut(|random| random.get_or_insert_with(|| SmallRng::from_seed(random_bytes())).random())
}

/// A number from 0 to 1.
pub(crate) fn fraction() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "32 bits of chance are enough for jitter")]
    let fraction = (draw() >> 32) as f64 / f64::from(u32::MAX);
    fraction
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

/// The id of this start of the runner; `None` on any other host. Asked once per instance.
pub(crate) async fn learn_boot() {
    if BOOT.with_borrow(Option::is_none) {
        let boot = variable("boot").await;
        BOOT.set(Some(boot));
    }
}

/// What [`learn_boot`] learnt.
pub(crate) fn boot() -> Option<String> {
    BOOT.with_borrow(|boot| boot.clone().flatten())
}

/// When this start of the runner began, Unix milliseconds: its id is a UUID of version 7.
pub(crate) fn boot_ms() -> Option<i64> {
    BOOT.with_borrow(|boot| boot.as_ref().and_then(Option::as_deref).and_then(born_ms))
}

/// Whether the host is llmio's own runner.
pub(crate) fn is_runner() -> bool {
    BOOT.with_borrow(|boot| matches!(boot, Some(Some(_))))
}

/// Writes a line to the host's log: standard error. One that cannot be written is no reason to trap.
pub(crate) fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Counts a failing credential and refuses its address harder when it has had too many. Behind a trusted proxy the
/// address is the client's own: one that guesses must not make all the others wait.
pub(crate) fn throttle(incoming: &Incoming, trusted: &[Network], refusal: Refusal) -> Refusal {
    let Some(address) = client_address(incoming.peer, &incoming.headers, trusted) else { return refusal };
    match THROTTLE.with_borrow_mut(|throttle| throttle.failed(address, incoming.at_ms)) {
        Ok(()) => refusal,
        Err(wait_s) => Refusal::throttled(wait_s),
    }
}

/// Runs something when it is dropped: at the end of a task, also of one that the host ends early.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// All bodies an instance holds at once may have this many bytes.
const BODY_BYTES_HELD_MAX: usize = 64 << 20;

/// A share of what an instance may hold in bodies; given back when dropped.
pub(crate) struct Held(usize);

impl Held {
    /// Nothing held yet.
    pub(crate) fn none() -> Self {
        Held(0)
    }

    /// Takes more, or refuses until others are done.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let held = BODY_BYTES_HELD.get();
        if held + bytes > BODY_BYTES_HELD_MAX {
            let said = "Too many large requests are under way. Try again in a second.";
            return Err(Refusal::unavailable("busy", said).after(1));
        }
        BODY_BYTES_HELD.set(held + bytes);
        self.0 += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        BODY_BYTES_HELD.set(BODY_BYTES_HELD.get().saturating_sub(self.0));
    }
}
