//! Where the host's routes lead: a network with such addresses would hide them from its containers.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::sys::fs;

/// The most bytes of one table that are read: some 8000 routes.
const LIMIT: u64 = 1 << 20;

/// A route that refuses. Source: linux/route.h, `RTF_REJECT`.
const REJECT: u32 = 0x0200;

/// The prefixes of the host's routes, without default routes and those of single addresses. What cannot be read has
/// none.
pub(crate) fn of_host() -> Vec<IpNet> {
    let read = |path: &str| String::from_utf8_lossy(&fs::read_limited(path, LIMIT).unwrap_or_default()).into_owned();
    let mut prefixes = ipv4(&read("/proc/net/route"));
    prefixes.extend(ipv6(&read("/proc/net/ipv6_route")));
    prefixes
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`; addresses are 32-bit numbers of the machine's order.
/// Source: net/ipv4/fib_trie.c, `fib_route_seq_show`.
fn ipv4(table: &str) -> Vec<IpNet> {
    let address = |word: &str| Some(Ipv4Addr::from(u32::from_str_radix(word, 16).ok()?.to_ne_bytes()));
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let net = Ipv4Net::with_netmask(address(words.get(1)?)?, address(words.get(7)?)?).ok()?;
        is_wide(net.prefix_len(), 32).then(|| IpNet::V4(net.trunc()))
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// `DESTINATION LENGTH SOURCE LENGTH NEXT METRIC REFERENCES USE FLAGS DEVICE`, in hexadecimal. Source:
/// net/ipv6/route.c, `ipv6_route_native_seq_show`.
fn ipv6(table: &str) -> Vec<IpNet> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |at: usize| words.get(at).copied();
        let address = Ipv6Addr::from_bits(u128::from_str_radix(hex(0)?, 16).ok()?);
        let length = u8::from_str_radix(hex(1)?, 16).ok()?;
        let flags = u32::from_str_radix(hex(8)?, 16).ok()?;
        let net = Ipv6Net::new(address, length).ok()?.trunc();
        let is_local = address.is_multicast() || address.is_unicast_link_local() || address.is_loopback();
        (is_wide(length, 128) && flags & REJECT == 0 && !is_local).then_some(IpNet::V6(net))
    };
    table.lines().filter_map(route).collect()
}

fn is_wide(length: u8, most: u8) -> bool {
    (1..most).contains(&length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_read_and_default_routes_and_single_addresses_left_out() {
        let hex =
            |text: &str| format!("{:08X}", u32::from_ne_bytes(text.parse::<Ipv4Addr>().expect("an address").octets()));
        let line = |destination: &str, mask: &str| {
            format!("eth0\t{}\t{}\t0003\t0\t0\t0\t{}\t0\t0\t0\n", hex(destination), hex("0.0.0.0"), hex(mask))
        };
        let table = [
            "Iface\tDestination\tGateway \tFlags\n".to_owned(),
            line("0.0.0.0", "0.0.0.0"),
            line("192.168.7.0", "255.255.255.0"),
            line("10.1.2.3", "255.255.255.255"),
            line("10.0.0.0", "255.0.0.0"),
            "broken\n".to_owned(),
        ];
        let shown = |prefixes: Vec<IpNet>| prefixes.iter().map(IpNet::to_string).collect::<Vec<_>>();
        assert_eq!(shown(ipv4(&table.concat())), ["192.168.7.0/24", "10.0.0.0/8"]);
        let line = |address: &str, length: &str, flags: &str, device: &str| {
            let bits = address.parse::<Ipv6Addr>().expect("an address").to_bits();
            format!("{bits:032x} {length} {:032x} 00 {:032x} 00000100 00000001 00000000 {flags} {device}\n", 0, 0)
        };
        let table = [
            line("fd77::", "40", "00000001", "eth0"),
            line("fe80::", "40", "00000001", "eth0"),
            line("::", "00", "00000003", "eth0"),
            line("fd78::", "40", "00200200", "lo"),
            line("fd77::5", "80", "80200001", "lo"),
            line("ff00::", "08", "00000001", "eth0"),
        ];
        assert_eq!(shown(ipv6(&table.concat())), ["fd77::/64"]);
        // Whatever this host has is read without a complaint.
        of_host();
    }
}
