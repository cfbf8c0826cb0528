//! The addresses that may be connected to. Addresses are checked after name resolution and for every connection,
//! because a check of names can be circumvented by rebinding and similar tricks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is on the public internet, in whatever form it is written.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

/// From the IANA special-purpose registry: everything not globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => b & 0xc0 == 64,
        169 => b == 254,
        172 => b & 0xf0 == 16,
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99),
        198 => b & 0xfe == 18 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        // Multicast, reserved and broadcast.
        224.. => true,
        _ => false,
    };
    !special
}

/// Only global unicast (2000::/3) without its documentation and special parts. Loopback, link-local, unique-local,
/// multicast and unassigned addresses are outside of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let global = segments[0] & 0xe000 == 0x2000;
    // 2001::/23 is for protocol assignments (Teredo, ORCHID, benchmarking), and nothing in it serves an API.
    let special = match segments[0] {
        0x2001 => segments[1] < 0x0200 || segments[1] == 0x0db8,
        0x3fff => segments[1] < 0x1000,
        _ => false,
    };
    global && !special
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, NAT64 and 6to4 addresses all lead to it.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let low = Ipv4Addr::from(((s[6] as u32) << 16) | s[7] as u32);
    match s {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(low),
        // ::/96, except :: and ::1, which are no IPv4 addresses and are not public anyway.
        [0, 0, 0, 0, 0, 0, high, low_word] if high != 0 || low_word > 1 => Some(low),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low),
        [0x2002, high, low_word, ..] => Some(Ipv4Addr::from(((high as u32) << 16) | low_word as u32)),
        _ => None,
    }
}

/// Whether a host is an address in an unusual form (`127.1`, `0x7f000001`, `127.0.0.1.`), or a name that is loopback by
/// definition. No name on the internet ends in a number.
pub(super) fn is_address_in_disguise(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    is_number || last.starts_with("0x") || last == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_disguise_is_told_from_a_name() {
        for host in
            ["127.1", "0x7f000001", "0X7F.1", "2130706433", "127.0.0.1.", "0177.0.0.1", "LOCALHOST", "a.localhost."]
        {
            assert!(is_address_in_disguise(host), "{host}");
        }
        for host in ["api.example", "1.example.", "10.0.0.1.nip.io", "x0.example", "localhost.example"] {
            assert!(!is_address_in_disguise(host), "{host}");
        }
    }

    fn check(text: &str) -> bool {
        is_public(text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    #[test]
    fn public_addresses_are_allowed() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001:80b::200e",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ];
        for address in public {
            assert!(check(address), "{address} is public");
        }
    }

    #[test]
    fn loopback_private_and_special_addresses_are_refused_in_every_form() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.0.3",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:192.168.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ];
        for address in refused {
            assert!(!check(address), "{address} is not public");
        }
    }
}
