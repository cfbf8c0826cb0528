//! How many connections clients may have: in total, so that descriptors are left for upstreams, stores and logs, and
//! from one address, so that one client leaves room for others. Only new connections are refused; open ones stay.
//!
//! Many clients can be behind a private address (a container network, a home) or a trusted proxy, so these have no
//! limit of their own. The component tells which proxies are trusted (`GET /api/host`). How many connections each
//! client of a proxy has is for the proxy to limit.

use crate::descriptors;
use crate::host::outbound_http::is_public;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// How many connections from this machine are accepted beyond the total, since a failing health check would end the
/// process.
const LOOPBACK_EXTRA: usize = 16;

/// How many refused connections get an answer at the same time. Others are just closed.
const REFUSING_MAX: usize = 64;

/// The connections of clients.
pub(crate) struct Admission {
    total_max: usize,
    per_address_max: usize,
    trusted: RwLock<Vec<IpNet>>,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    refusing: AtomicUsize,
    refused: AtomicU64,
}

/// The operator's limits. If they are not set, they follow from the limit of descriptors.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConnectionLimits {
    /// Connections in total.
    pub(crate) total: Option<usize>,
    /// Connections from one public address.
    pub(crate) per_address: Option<usize>,
}

/// A connection that may be served. Its place is free again when this is dropped.
pub(crate) struct AdmittedConnection {
    admission: Arc<Admission>,
    place: Place,
}

enum Place {
    Served(Option<IpAddr>),
    Refused,
}

impl Admission {
    /// Half of the descriptors, since each call also needs one for its upstream; a quarter of these for one address.
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<Admission> {
        let half = usize::try_from(descriptors::limit() / 2).unwrap_or(usize::MAX);
        let total_max = limits.total.unwrap_or(half).clamp(1, half);
        let per_address_max = limits.per_address.unwrap_or(total_max / 4).max(1);
        Arc::new(Admission {
            total_max,
            per_address_max,
            trusted: RwLock::default(),
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
            refusing: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// Takes the networks of trusted proxies. Texts that are no network are ignored.
    pub(crate) fn trust(&self, networks: &[String]) {
        let networks = networks.iter().filter_map(|text| text.parse().ok()).collect();
        *self.trusted.write().unwrap_or_else(PoisonError::into_inner) = networks;
    }

    /// A place for a new connection; `None` if it must be refused.
    pub(crate) fn admit(self: &Arc<Admission>, peer: IpAddr) -> Option<AdmittedConnection> {
        let peer = peer.to_canonical();
        let extra = if peer.is_loopback() { LOOPBACK_EXTRA } else { 0 };
        let mut admitted = AdmittedConnection::of(self, &self.open, self.total_max + extra, Place::Served(None))?;
        if let Some(address) = self.counted(peer) {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(address).or_default();
            if *count >= self.per_address_max {
                return None;
            }
            *count += 1;
            admitted.place = Place::Served(Some(address));
        }
        Some(admitted)
    }

    /// A place to tell a connection why it is refused; `None` if too many are being told already.
    pub(crate) fn tell(self: &Arc<Admission>) -> Option<AdmittedConnection> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        AdmittedConnection::of(self, &self.refusing, REFUSING_MAX, Place::Refused)
    }

    /// Connections turned away since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The address that a peer's connections are counted under, if it has a limit. An IPv6 address counts as its whole
    /// /64.
    fn counted(&self, peer: IpAddr) -> Option<IpAddr> {
        let trusted = self.trusted.read().unwrap_or_else(PoisonError::into_inner);
        if !is_public(peer) || trusted.iter().any(|network| network.contains(&peer)) {
            return None;
        }
        Some(match peer {
            IpAddr::V4(_) => peer,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }
}

impl AdmittedConnection {
    fn of(admission: &Arc<Admission>, counter: &AtomicUsize, max: usize, place: Place) -> Option<AdmittedConnection> {
        let below = |count| (count < max).then_some(count + 1);
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).ok()?;
        Some(AdmittedConnection { admission: admission.clone(), place })
    }
}

impl Drop for AdmittedConnection {
    fn drop(&mut self) {
        let Place::Served(address) = &self.place else {
            self.admission.refusing.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        self.admission.open.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = address else { return };
        let mut by_address = self.admission.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(total: usize, per_address: usize) -> Arc<Admission> {
        Admission::new(ConnectionLimits { total: Some(total), per_address: Some(per_address) })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let admission = admission(2, 9);
        let peers = ["192.0.2.1", "10.0.0.1"].map(|text| admission.admit(address(text)).expect("a place"));
        assert!(admission.admit(address("10.0.0.2")).is_none());
        drop(peers);
        assert!(admission.admit(address("10.0.0.2")).is_some());
        assert_eq!(admission.open(), 0);
    }

    #[test]
    fn one_public_address_has_a_limit_and_leaves_no_trace_when_it_is_gone() {
        let admission = admission(100, 2);
        let held: Vec<_> = (0..2).filter_map(|_| admission.admit(address("8.8.8.8"))).collect();
        assert_eq!(held.len(), 2);
        assert!(admission.admit(address("8.8.8.8")).is_none());
        assert!(admission.admit(address("::ffff:8.8.8.8")).is_none(), "the same in another form");
        assert!(admission.admit(address("8.8.4.4")).is_some());
        assert_eq!(admission.open(), 2, "one that is turned away takes no place");
        drop(held);
        assert!(admission.by_address.lock().expect("no panic").is_empty());
    }

    #[test]
    fn an_ipv6_network_of_one_client_is_one_address() {
        let admission = admission(100, 1);
        let _held = admission.admit(address("2600:1:2:3::1")).expect("a place");
        assert!(admission.admit(address("2600:1:2:3:ffff::2")).is_none());
        assert!(admission.admit(address("2600:1:2:4::1")).is_some());
    }

    #[test]
    fn private_and_trusted_peers_have_no_limit_of_their_own() {
        let admission = admission(100, 1);
        admission.trust(&["8.8.8.0/24".to_owned(), "no network".to_owned()]);
        for peer in ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fd00::1", "8.8.8.8"] {
            let held: Vec<_> = (0..5).filter_map(|_| admission.admit(address(peer))).collect();
            assert_eq!(held.len(), 5, "{peer}");
        }
    }

    #[test]
    fn a_check_on_this_machine_finds_room_when_all_is_taken() {
        let admission = admission(1, 1);
        let _held = admission.admit(address("10.0.0.1")).expect("a place");
        assert!(admission.admit(address("10.0.0.1")).is_none());
        assert!(admission.admit(address("127.0.0.1")).is_some());
    }

    #[test]
    fn only_so_many_are_told_why_at_once() {
        let admission = admission(1, 1);
        let refusing: Vec<_> = (0..100).filter_map(|_| admission.tell()).collect();
        assert_eq!((refusing.len(), admission.refused()), (REFUSING_MAX, 100));
        drop(refusing);
        assert!(admission.tell().is_some());
    }
}
