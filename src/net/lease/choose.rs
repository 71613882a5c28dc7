//! Which address comes next; pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::Subnet;

/// The next free address of a subnet after that in `last`, around its range; `None` if there is no free one.
/// `is_free` is asked at most for each address; `taken` is how many are not free at most.
pub(super) fn next(
    subnet: &Subnet,
    last: &[IpAddr],
    taken: usize,
    is_free: &mut dyn FnMut(IpAddr) -> bool,
) -> Option<IpAddr> {
    let (first, end) = subnet.range();
    let (first, end) = (number(first), number(end));
    let length = end.checked_sub(first)?.saturating_add(1);
    let begin = last
        .iter()
        .filter(|ip| subnet.subnet.contains(*ip))
        .filter_map(|ip| number(*ip).checked_add(1))
        .find(|next| (first..=end).contains(next))
        .unwrap_or(first);
    // Beside the taken ones, the network's own address, the gateway, the broadcast address and what is kept for others
    // are skipped.
    let taken = taken.saturating_add(subnet.aux_addresses.len()).saturating_add(4);
    let tries = length.min(u128::try_from(taken).unwrap_or(u128::MAX));
    (0..tries)
        .map(|step| {
            let ahead = end - begin;
            let at = if step <= ahead { begin + step } else { first + (step - ahead - 1) };
            address(at, subnet.subnet.addr().is_ipv4())
        })
        .find(|ip| subnet.is_for_members(*ip) && is_free(*ip))
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn address(number: u128, is_ipv4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(bits) if is_ipv4 => Ipv4Addr::from_bits(bits).into(),
        _ => Ipv6Addr::from_bits(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::LeaseRange;

    fn subnet(text: &str, gateway: &str, range: Option<(&str, &str)>) -> Subnet {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let lease_range =
            range.map(|(start, end)| LeaseRange { start_ip: Some(address(start)), end_ip: Some(address(end)) });
        let whole = Subnet::whole(text.parse().expect("a subnet"));
        Subnet { gateway: Some(address(gateway)), lease_range, ..whole }
    }

    fn after(subnet: &Subnet, last: &str, taken: &[&str]) -> Option<String> {
        let parse = |text: &&str| text.parse::<IpAddr>().ok();
        let (last, taken): (Vec<_>, Vec<_>) =
            ([last].iter().filter_map(parse).collect(), taken.iter().filter_map(parse).collect());
        next(subnet, &last, taken.len(), &mut |ip| !taken.contains(&ip)).map(|ip| ip.to_string())
    }

    #[test]
    fn the_next_address_is_after_the_last_around_the_range() {
        let small = subnet("10.89.0.0/29", "10.89.0.1", None);
        for (last, taken, expected) in [
            ("", &[][..], Some("10.89.0.2")),
            ("10.89.0.2", &[], Some("10.89.0.3")),
            ("10.89.0.6", &[], Some("10.89.0.2")),
            ("10.89.0.5", &["10.89.0.6", "10.89.0.2"], Some("10.89.0.3")),
            ("10.89.0.4", &["10.89.0.2", "10.89.0.3", "10.89.0.4", "10.89.0.5", "10.89.0.6"], None),
            // Of another subnet, or of the time before a change.
            ("10.90.0.4", &[], Some("10.89.0.2")),
        ] {
            assert_eq!(after(&small, last, taken).as_deref(), expected, "{last} {taken:?}");
        }
        let part = subnet("10.89.0.0/24", "10.89.0.1", Some(("10.89.0.8", "10.89.0.9")));
        assert_eq!(after(&part, "10.89.0.3", &[]).as_deref(), Some("10.89.0.8"));
        assert_eq!(after(&part, "10.89.0.9", &[]).as_deref(), Some("10.89.0.8"));
        assert_eq!(after(&part, "", &["10.89.0.8", "10.89.0.9"]), None);
        let aux = |number: u8| (format!("n{number}").parse().expect("a name"), Ipv4Addr::new(10, 89, 0, number).into());
        let kept = Subnet { aux_addresses: [2, 3, 4].map(aux).into(), ..small.clone() };
        assert_eq!(after(&kept, "10.89.0.6", &["10.89.0.5", "10.89.0.6"]), None);
        assert_eq!(after(&kept, "10.89.0.6", &["10.89.0.6"]).as_deref(), Some("10.89.0.5"));
        let large = subnet("fd00::/64", "fd00::1", None);
        assert_eq!(after(&large, "", &[]).as_deref(), Some("fd00::2"));
        assert_eq!(after(&large, "fd00::ffff:ffff:ffff:ffff", &["fd00::2"]).as_deref(), Some("fd00::3"));
        let whole = subnet("::/0", "::1", None);
        assert_eq!(after(&whole, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[]).as_deref(), Some("::2"));
    }
}
