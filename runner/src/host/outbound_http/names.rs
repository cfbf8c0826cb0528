//! Looks names up with the system's resolver, on threads of its own. That resolver knows every source of names that the
//! machine is set up with (hosts file, `resolv.conf`, mDNS), but it blocks, cannot be cancelled, and takes half a
//! minute if a name server is silent. On the event loops' blocking threads one provider's name would take them all, and
//! every call that needs a new connection would wait. Here a name is looked up once for all calls that wait for it, so
//! that a stuck look-up holds a few threads at most.
//!
//! hickory-resolver needs no threads, but it does not know mDNS or the machine's other sources, and it is a megabyte.

use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many look-ups may run at once in the process. Names only come from the catalog, so there are never as many.
const LOOK_UPS_MAX: usize = 256;

/// A call that comes later than this begins another look-up instead of waiting for one that may be stuck, since the
/// name server may be back.
const JOINED_FOR: Duration = Duration::from_secs(5);

/// Enough for the resolver. The usual 2 MiB would matter where address space is limited.
const STACK_BYTES: usize = 512 << 10;

type LookUp = fn(&str) -> io::Result<Vec<SocketAddr>>;
/// Shared by all who wait, since an `io::Error` cannot be cloned.
type LookUpResult = Result<Vec<SocketAddr>, Arc<io::Error>>;

/// The resolver of the process.
#[derive(Clone)]
pub(crate) struct Names(Arc<Shared>);

struct Shared {
    look_up: LookUp,
    running: Mutex<LookUps>,
}

#[derive(Default)]
struct LookUps {
    threads: usize,
    /// The newest look-up of each name.
    newest: HashMap<String, (Instant, watch::Receiver<Option<LookUpResult>>)>,
}

impl Default for Names {
    fn default() -> Names {
        // The connector adds the port.
        Names::by(|name| (name, 0).to_socket_addrs().map(Iterator::collect))
    }
}

impl Names {
    /// Looks names up with another function than the system's.
    pub(super) fn by(look_up: LookUp) -> Names {
        Names(Arc::new(Shared { look_up, running: Mutex::default() }))
    }

    /// The addresses of a name. Dropping this does not end the look-up, since nothing can.
    pub(super) async fn look_up(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let mut looking_up = self.join(name)?;
        let found = looking_up.wait_for(Option::is_some).await;
        let found = found.map_err(|_| io::Error::other("the look-up panicked"))?.clone();
        found.unwrap_or_else(|| Ok(Vec::new())).map_err(|error| again(&error))
    }

    fn join(&self, name: &str) -> io::Result<watch::Receiver<Option<LookUpResult>>> {
        let mut running = self.running();
        if let Some((since, looking_up)) = running.newest.get(name)
            && since.elapsed() < JOINED_FOR
        {
            return Ok(looking_up.clone());
        }
        // This is a shortage of the process, like one of descriptors, and not the fault of the name.
        if running.threads >= LOOK_UPS_MAX {
            return Err(Errno::MFILE.into());
        }
        let (found, looking_up) = watch::channel(None);
        let (names, owned, receiver) = (self.clone(), name.to_owned(), looking_up.clone());
        let main = move || names.run(&owned, &receiver, &found);
        std::thread::Builder::new().name("names".to_owned()).stack_size(STACK_BYTES).spawn(main)?;
        running.threads += 1;
        running.newest.insert(name.to_owned(), (Instant::now(), looking_up.clone()));
        Ok(looking_up)
    }

    fn run(
        &self,
        name: &str,
        looking_up: &watch::Receiver<Option<LookUpResult>>,
        found: &watch::Sender<Option<LookUpResult>>,
    ) {
        let _running = LookUpGuard { names: self, name, looking_up };
        let addresses = (self.0.look_up)(name).map_err(Arc::new);
        found.send_replace(Some(addresses));
    }

    /// Locks the mutex even if it is poisoned, which only means that a panic happened elsewhere.
    fn running(&self) -> MutexGuard<'_, LookUps> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same error for another caller that waited. A system error keeps its number, by which a shortage is recognised.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// A look-up under way. It also ends if it panics.
struct LookUpGuard<'a> {
    names: &'a Names,
    name: &'a str,
    looking_up: &'a watch::Receiver<Option<LookUpResult>>,
}

impl Drop for LookUpGuard<'_> {
    fn drop(&mut self) {
        let mut running = self.names.running();
        running.threads -= 1;
        if running.newest.get(self.name).is_some_and(|(_, newest)| newest.same_channel(self.looking_up)) {
            running.newest.remove(self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tls_tests::block_on;
    use super::*;
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const STUCK_FOR: Duration = Duration::from_secs(3);

    #[test]
    fn twelve_hundred_look_ups_of_a_stuck_name_hold_one_thread() {
        static STUCK: AtomicUsize = AtomicUsize::new(0);
        let names = Names::by(|name| {
            if name == "stuck.example" {
                STUCK.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(STUCK_FOR);
            }
            Ok(vec![SocketAddr::from(([192, 0, 2, 1], 0))])
        });
        block_on(async {
            let begun = Instant::now();
            let stuck: Vec<_> = (0..1200).map(|_| Box::pin(names.look_up("stuck.example"))).collect();
            let all = join_all(stuck);
            tokio::pin!(all);
            assert!(futures_util::poll!(&mut all).is_pending());
            assert_eq!(names.look_up("good.example").await.expect("an address").len(), 1);
            assert!(begun.elapsed() < STUCK_FOR, "it waited for the stuck ones");
            assert!(all.await.iter().all(Result::is_ok), "all who wait get the one answer");
        });
        assert_eq!(STUCK.load(Ordering::Relaxed), 1);
        let running = names.running();
        assert!(running.newest.is_empty(), "what is over is forgotten");
    }

    #[test]
    fn names_beyond_the_bound_fail_at_once_and_free_threads_serve_again() {
        let names = Names::by(|name| {
            if name != "good.example" {
                std::thread::sleep(Duration::from_millis(1500));
            }
            Ok(Vec::new())
        });
        block_on(async {
            let texts: Vec<_> = (0..LOOK_UPS_MAX).map(|index| format!("stuck-{index}.example")).collect();
            let all = join_all(texts.iter().map(|name| names.look_up(name)));
            tokio::pin!(all);
            assert!(futures_util::poll!(&mut all).is_pending());
            let refused = names.look_up("good.example").await.expect_err("no thread is free");
            assert_eq!(refused.raw_os_error(), Some(Errno::MFILE.raw_os_error()), "a shortage of our own");
            all.await;
        });
        while names.running().threads > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(block_on(names.look_up("good.example")).is_ok());
    }

    #[test]
    fn a_failed_look_up_is_told_in_its_own_words_and_not_kept() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let names = Names::by(|_| match ASKED.fetch_add(1, Ordering::Relaxed) {
            0 => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
            1 => panic!("a resolver that panics"),
            _ => Ok(Vec::new()),
        });
        let error = block_on(names.look_up("a.example")).expect_err("no such name");
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::NotFound, "no such name"));
        while names.running().threads > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(block_on(names.look_up("a.example")).is_err(), "a panic is an error and no hang");
        while names.running().threads > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(block_on(names.look_up("a.example")).is_ok());
    }

    #[test]
    fn the_systems_resolver_knows_the_hosts_file() {
        let found = block_on(Names::default().look_up("localhost")).expect("an address");
        assert!(found.iter().all(|address| address.ip().is_loopback()) && !found.is_empty(), "{found:?}");
    }
}
