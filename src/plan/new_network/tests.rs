use super::*;
use crate::types::json;

const ID: &str = "c0ffee";

/// The record for this line of options and names, beside the network `podman`, `app` on 10.89.0.0/24, and a route of
/// the host to 10.89.1.0/24.
fn create(line: &str) -> Result<NetworkRecord, String> {
    let mut request = NetworkRequest::default();
    for word in line.split_whitespace() {
        let (option, value) = word.split_once('=').unwrap_or((word, ""));
        let text = value.to_owned();
        match option {
            "--driver" => request.driver = Some(text),
            "--subnet" => request.subnets.push(text),
            "--gateway" => request.gateways.push(text),
            "--ip-range" => request.ranges.push(text),
            "--aux-address" => request.aux_addresses.push(text),
            "--ipv4" => request.ipv4 = Some(value != "false"),
            "--ipv6" => request.ipv6 = true,
            "--internal" => request.internal = true,
            "--disable-dns" => request.disable_dns = true,
            "--dns" => request.dns.push(text),
            "--interface-name" => request.interface = Some(text),
            "--ipam-driver" => request.ipam = Some(text),
            "--label" => request.labels.push(text),
            "--opt" => request.options.push(text),
            "--route" => request.routes.push(text),
            name => request.name = Some(name.to_owned()),
        }
    }
    let subnet = |text: &str| text.parse::<IpNet>().expect("a subnet");
    let podman = NetworkRecord::default_network();
    let mut app = NetworkRecord { name: "app".parse().expect("a name"), ..podman.clone() };
    app.subnets[0].subnet = subnet("10.89.0.0/24");
    app.network_interface = "podman1".to_owned();
    let facts = NetworkFacts {
        others: &[podman, app],
        host: &[subnet("10.89.1.0/24"), subnet("192.168.7.0/24"), subnet("fd77::/64")],
        id: ID,
        now: "2026-01-02T03:04:05Z",
        prefix: [1, 2, 3, 4, 5, 6, 7],
    };
    new_network(&request, facts).map_err(|error| error.to_string())
}

/// The subnets with their gateways and ranges.
fn subnets(line: &str) -> Vec<String> {
    let record = create(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let text = |ip: Option<IpAddr>| ip.map_or_else(String::new, |ip| ip.to_string());
    let all = record.subnets.iter().map(|subnet| {
        let range = subnet.lease_range.map(|range| format!(" {}-{}", text(range.start_ip), text(range.end_ip)));
        format!("{} {}{}", subnet.subnet, text(subnet.gateway), range.unwrap_or_default())
    });
    all.collect()
}

#[test]
fn a_network_without_options_has_the_next_free_subnet_and_name() {
    let record = create("").expect("a record");
    let expected = r#"{"name":"podman1","id":"c0ffee","driver":"bridge","network_interface":"podman2",
        "created":"2026-01-02T03:04:05Z","subnets":[{"subnet":"10.89.2.0/24","gateway":"10.89.2.1"}],
        "ipv6_enabled":false,"internal":false,"dns_enabled":true,"ipam_options":{"driver":"host-local"}}"#;
    assert_eq!(record, json::from_str(expected).expect("a record"));
    let record = create(
        "web --label=a=b --label=c --dns=1.1.1.1,::1 --interface-name=net0 --opt=mtu=1500,metric=7 \
         --opt=isolate=strict --opt=no_default_route=1 --internal",
    )
    .expect("a record");
    assert_eq!((record.name.as_str(), &record.network_interface[..]), ("web", "net0"));
    assert_eq!(record.labels, BTreeMap::from([("a", "b"), ("c", "")].map(|(k, v)| (k.into(), v.into()))));
    assert_eq!(record.network_dns_servers.len(), 2);
    assert_eq!((record.mtu(), record.metric(), record.has_default_route()), (Some(1500), Some(7), false));
    let docker = "x --opt=com.docker.network.bridge.gateway_mode_ipv4=nat --opt=com.docker.network.bridge.name=br7 \
                  --opt=com.docker.network.driver.mtu=9000";
    let record = create(docker).expect("a record");
    assert_eq!((&record.network_interface[..], record.mtu(), record.options.len()), ("br7", Some(9000), 1));
}

#[test]
fn subnets_gateways_and_ranges() {
    for (line, expected) in [
        ("--subnet=10.100.0.0/24", &["10.100.0.0/24 10.100.0.1"][..]),
        ("--subnet=10.100.0.77/24 --gateway=10.100.0.50", &["10.100.0.0/24 10.100.0.50"]),
        ("--subnet=10.100.0.0/30", &["10.100.0.0/30 10.100.0.1"]),
        ("--subnet=10.100.0.0/24 --ip-range=10.100.0.128/25", &["10.100.0.0/24 10.100.0.1 10.100.0.129-10.100.0.255"]),
        ("--subnet=10.100.0.0/24 --ip-range=10.100.0.5/32", &["10.100.0.0/24 10.100.0.1 10.100.0.5-10.100.0.5"]),
        ("--subnet=10.100.0.0/24 --ip-range=10.100.0.6/31", &["10.100.0.0/24 10.100.0.1 10.100.0.6-10.100.0.7"]),
        (
            "--subnet=10.100.0.0/24 --ip-range=10.100.0.20-10.100.0.50",
            &["10.100.0.0/24 10.100.0.1 10.100.0.20-10.100.0.50"],
        ),
        ("--ipv6", &["10.89.2.0/24 10.89.2.1", "fd01:203:405:607::/64 fd01:203:405:607::1"]),
        ("--ipv4=false --ipv6", &["fd01:203:405:607::/64 fd01:203:405:607::1"]),
        ("--subnet=fdcc::/64", &["fdcc::/64 fdcc::1"]),
        ("--subnet=10.100.0.0/24 --ipv6", &["10.100.0.0/24 10.100.0.1", "fd01:203:405:607::/64 fd01:203:405:607::1"]),
        (
            "--subnet=10.100.0.0/24 --subnet=fdcc::/64 --gateway=10.100.0.9 --gateway=fdcc::9",
            &["10.100.0.0/24 10.100.0.9", "fdcc::/64 fdcc::9"],
        ),
        ("--internal", &["10.89.2.0/24 10.89.2.1"]),
        ("--internal --disable-dns", &["10.89.2.0/24 "]),
        ("--ipam-driver=none", &[]),
    ] {
        assert_eq!(subnets(line), expected, "{line}");
    }
    assert!(create("--subnet=fdcc::/64").expect("a record").ipv6_enabled);
    assert!(!create("--ipam-driver=none").expect("a record").dns_enabled);
}

#[test]
fn routes_lead_by_an_address_of_the_network() {
    let record = create("--subnet=10.100.0.0/24 --route=10.21.0.9/16,10.100.0.254,120").expect("a record");
    let expected = Route {
        destination: "10.21.0.0/16".parse().expect("a prefix"),
        gateway: "10.100.0.254".parse().expect("an address"),
        metric: Some(120),
    };
    assert_eq!(record.routes, [expected]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of mistakes")]
fn what_is_wrong_or_in_use_is_refused_with_its_reason() {
    for (line, expected) in [
        ("app", "the network `app` already exists"),
        ("podman", "the network `podman` already exists"),
        ("bridge", "invalid network name `bridge`: it is a word of `--network`"),
        ("bad!name", "name `bad!name` must match [a-zA-Z0-9][a-zA-Z0-9_.-]*"),
        ("a\u{1b}b", "name `a\\u{1b}b` must match [a-zA-Z0-9][a-zA-Z0-9_.-]*"),
        (
            "--driver=macvlan",
            "`--driver`: invalid driver `macvlan`: it hangs on an interface of the host, which only root can lend; \
             use bridge",
        ),
        ("--driver=weave", "`--driver`: invalid driver `weave`: the only driver is bridge: rc runs no plugins"),
        ("--subnet=10.89.0.128/25", "`--subnet`: invalid subnet `10.89.0.128/25`: the network `app` has 10.89.0.0/24"),
        ("--subnet=10.0.0.0/8", "`--subnet`: invalid subnet `10.0.0.0/8`: the network `podman` has 10.88.0.0/16"),
        (
            "--subnet=192.168.0.0/16",
            "`--subnet`: invalid subnet `192.168.0.0/16`: the host has a route to 192.168.7.0/24, which containers \
             could not reach",
        ),
        (
            "--subnet=fd77::/48",
            "`--subnet`: invalid subnet `fd77::/48`: the host has a route to fd77::/64, which containers could not \
             reach",
        ),
        (
            "--subnet=10.100.0.0/24 --subnet=10.100.0.0/25",
            "`--subnet`: invalid subnet `10.100.0.0/25`: it overlaps with 10.100.0.0/24",
        ),
        (
            "--subnet=10.100.0.0/32",
            "`--subnet`: invalid subnet `10.100.0.0/32`: it has no room for a gateway and a container",
        ),
        (
            "--subnet=10.100.0.0",
            "`--subnet`: invalid subnet `10.100.0.0`: it must be ADDRESS/LENGTH, such as 10.89.0.0/24",
        ),
        ("--subnet=127.0.0.0/8", "`--subnet`: invalid subnet `127.0.0.0/8`: no container can have such addresses"),
        ("--subnet=fe80::/64", "`--subnet`: invalid subnet `fe80::/64`: no container can have such addresses"),
        ("--subnet=224.0.0.0/8", "`--subnet`: invalid subnet `224.0.0.0/8`: no container can have such addresses"),
        ("--subnet=126.0.0.0/7", "`--subnet`: invalid subnet `126.0.0.0/7`: no container can have such addresses"),
        (
            "--subnet=::ffff:10.1.0.0/120",
            "`--subnet`: invalid subnet `::ffff:10.1.0.0/120`: no container can have such addresses",
        ),
        ("--subnet=0.0.0.0/0", "`--subnet`: invalid subnet `0.0.0.0/0`: it is the whole internet"),
        ("--gateway=10.100.0.1", "`--gateway`: invalid address `10.100.0.1`: there is no subnet for it"),
        (
            "--subnet=10.100.0.0/24 --gateway=10.200.0.1",
            "`--gateway`: gateway `10.200.0.1` must be in the subnet 10.100.0.0/24",
        ),
        (
            "--subnet=10.100.0.0/24 --gateway=10.100.0.255",
            "`--gateway`: gateway `10.100.0.255` cannot be the first or the last address of 10.100.0.0/24",
        ),
        ("--subnet=10.100.0.0/24 --gateway=x", "`--gateway`: gateway `x` must be an IP address"),
        (
            "--subnet=10.100.0.0/24 --ip-range=10.200.0.20-10.100.0.30",
            "`--ip-range`: invalid range `10.200.0.20-10.100.0.30`: 10.200.0.20 is not in the subnet 10.100.0.0/24",
        ),
        (
            "--subnet=10.100.0.0/24 --ip-range=10.100.0.30-10.100.0.20",
            "`--ip-range`: invalid range `10.100.0.30-10.100.0.20`: its end is before its start",
        ),
        ("--subnet=10.100.0.0/24 --ip-range=x", "`--ip-range`: invalid range `x`: it must be a prefix, or FIRST-LAST"),
        (
            "--subnet=10.100.0.0/24 --ip-range=10.100.0.1/32",
            "`--ip-range`: invalid range `10.100.0.1/32`: its only address, 10.100.0.1, cannot be a container's: \
             it is the gateway's, the network's or the broadcast address",
        ),
        (
            "--opt=com.docker.network.bridge.gateway_mode_ipv4=routed",
            "`--opt`: invalid network option `com.docker.network.bridge.gateway_mode_ipv4=routed`: a network has a way \
             out by NAT, or none: `--internal`",
        ),
        (
            "--opt=com.docker.network.bridge.host_binding_ipv4=127.0.0.1",
            "`--opt`: invalid network option `com.docker.network.bridge.host_binding_ipv4=127.0.0.1`: name the address \
             where a port is published: `-p IP:PORT:PORT`",
        ),
        ("--aux-address=10.89.2.9", "`--aux-address`: invalid address `10.89.2.9`: it must be NAME=IP"),
        ("--aux-address=a=b", "`--aux-address`: invalid address `a=b`: it must be NAME=IP"),
        ("--aux-address=!=::1", "`--aux-address`: name `!` must match [a-zA-Z0-9][a-zA-Z0-9_.-]*"),
        ("--aux-address=a=::1", "`--aux-address`: invalid address `a=::1`: it is in no subnet of the network"),
        ("--aux-address=a=10.89.2.1", "`--aux-address`: invalid address `a=10.89.2.1`: no member could have it anyway"),
        (
            "--ipv6 --aux-address=a=10.89.2.9 --aux-address=a=fd01:203:405:607::9",
            "`--aux-address`: invalid address `a=fd01:203:405:607::9`: its name is there twice",
        ),
        ("--ipv4=false", "`--ipv4`: invalid value `false`: the network has no IPv6 either"),
        ("--ipv4=false --subnet=10.100.0.0/24", "`--ipv4`: invalid value `false`: one of its subnets is IPv4"),
        ("--disable-dns --dns=1.1.1.1", "`--dns`: invalid name server `1.1.1.1`: the network has no DNS"),
        ("--ipam-driver=none --dns=1.1.1.1", "`--dns`: invalid name server `1.1.1.1`: the network has no DNS"),
        ("--dns=a.b.c.d", "`--dns`: name server `a.b.c.d` must be an IP address"),
        (
            "--ipam-driver=none --subnet=10.100.0.0/24",
            "`--ipam-driver`: invalid driver `none`: the network has subnets; leave them out",
        ),
        (
            "--ipam-driver=dhcp",
            "`--ipam-driver`: invalid driver `dhcp`: it needs an interface of the host, which only root can lend",
        ),
        ("--opt=mtu=x", "`--opt`: network option `mtu=x` must be a number of bytes, 68 to 65520"),
        (
            "--opt=isolate=false",
            "`--opt`: invalid network option `isolate=false`: networks are always apart: connect the container to both",
        ),
        (
            "--opt=vlan=7",
            "`--opt`: invalid network option `vlan=7`: it hangs on an interface of the host, which only root can lend",
        ),
        (
            "--opt=mode=unmanaged",
            "`--opt`: invalid network option `mode=unmanaged`: the bridge is rc's own: only root can lend one of the \
             host",
        ),
        (
            "--opt=com.docker.network.bridge.enable_icc=false",
            "`--opt`: invalid network option `com.docker.network.bridge.enable_icc=false`: containers of a network \
             always reach each other: make one for each",
        ),
        (
            "--opt=ghost=1",
            "`--opt`: network option `ghost=1` must be mtu, metric, no_default_route, isolate, \
             com.docker.network.bridge.name or com.docker.network.driver.mtu",
        ),
        (
            "--interface-name=a/b",
            "`--interface-name`: invalid interface name `a/b`: an interface has a name of 1 to 15 letters, digits, \
             `-`, `_` or `.`, which does not begin with `-` and is not `all` or `default`",
        ),
        (
            "--interface-name=lo",
            "`--interface-name`: invalid interface name `lo`: every network has an interface of this name",
        ),
        ("--label==x", "`--label`: label `=x` must have a name"),
        ("--route=10.1.0.0/16", "`--route`: invalid route `10.1.0.0/16`: it must be DESTINATION,GATEWAY[,METRIC]"),
        (
            "--route=x,10.89.2.9",
            "`--route`: invalid route `x,10.89.2.9`: its destination must be a prefix, such as 10.1.0.0/16",
        ),
        ("--route=10.1.0.0/16,foo", "`--route`: invalid route `10.1.0.0/16,foo`: its gateway must be an IP address"),
        (
            "--route=10.1.0.0/16,fd00::1",
            "`--route`: invalid route `10.1.0.0/16,fd00::1`: destination and gateway are of different families",
        ),
        (
            "--route=10.1.0.0/16,10.99.0.1",
            "`--route`: invalid route `10.1.0.0/16,10.99.0.1`: its gateway is in no subnet of the network",
        ),
    ] {
        assert_eq!(create(line).map(|record| record.name.to_string()), Err(expected.to_owned()), "{line}");
    }
}
