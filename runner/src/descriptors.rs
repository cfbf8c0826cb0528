//! File descriptors: what the process may have, and the part that no socket may take. The kernel gives out the lowest
//! free number, so a socket with a number near the limit is the proof that nearly all are taken; it is closed at once,
//! and stores and logs can be opened again whatever the network does.

use rustix::fd::{AsFd, AsRawFd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where there are enough: stores, a catalog file, name look-ups.
const RESERVED: u64 = 64;

/// What a process without a limit is taken to have.
const UNLIMITED: u64 = 1 << 20;

/// Raises the limit as far as it may be: two sockets per call, the usual soft limit of 1,024 is 500 streams.
pub(crate) fn raise_limit() {
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
}

/// How many the process may have.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED).min(UNLIMITED)
}

/// Whether a new socket took a descriptor that is kept for others: close it, and open no more for now.
pub(crate) fn is_reserved(socket: impl AsFd) -> bool {
    is_in_reserve(socket.as_fd().as_raw_fd(), limit())
}

fn is_in_reserve(number: i32, limit: u64) -> bool {
    u64::try_from(number).unwrap_or(0) >= limit - reserved(limit)
}

/// An eighth of a small limit.
fn reserved(limit: u64) -> u64 {
    RESERVED.min(limit / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_near_the_limit_took_what_is_kept_for_others() {
        assert!(is_in_reserve(224, 256) && !is_in_reserve(223, 256));
        assert!(is_in_reserve(19_936, 20_000) && !is_in_reserve(19_935, 20_000));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        assert_eq!(is_reserved(&socket), is_in_reserve(socket.as_raw_fd(), limit()));
    }
}
