//! `--network` and the options about the container's place in it: podman's grammar.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Defaults, Error, Request};
use crate::types::{Endpoint, Invalid, Name, Network, NetworkDriver, NetworkRecord};

/// The requested network, else the default one, with what the other options say about it. The networks with names are
/// as typed: [`known`] looks at them.
///
/// Fails if an option is wrong, or if the network has no place for it.
pub(super) fn network(request: &Request, defaults: &Defaults) -> Result<Network, Error> {
    let mut network = match request.network.as_ref().unwrap_or(&defaults.network) {
        // `private` leaves it to rc what connects the container. Source: podman-run(1), `--network`.
        Network::Own { endpoints } if endpoints.is_empty() => match &defaults.network {
            own @ Network::Own { endpoints } if !endpoints.is_empty() => own.clone(),
            _ => NetworkDriver::Slirp4netns.into(),
        },
        network => network.clone(),
    };
    let bridges = match &mut network {
        Network::Own { endpoints } if endpoints.iter().all(Endpoint::is_bridge) => &mut endpoints[..],
        _ => &mut [],
    };
    set_addresses(bridges, request)?;
    set_aliases(bridges, request)?;
    for endpoint in network.endpoints() {
        endpoint.check_options().map_err(Error::option("--network"))?;
    }
    Ok(network)
}

/// Reads the values of `--network`: one, or several networks with names.
pub(crate) fn parse_networks(texts: &[String]) -> Result<Option<Network>, Error> {
    let texts = texts.iter().filter(|text| !text.is_empty());
    let mut read: Vec<Network> =
        texts.clone().map(|text| text.parse().map_err(Error::option("--network"))).collect::<Result<_, _>>()?;
    if read.len() <= 1 {
        return Ok(read.pop());
    }
    let mut all: Vec<Endpoint> = Vec::new();
    for (network, text) in read.into_iter().zip(texts) {
        let refuse = |reason: &str| Err(Error::option("--network")(Invalid::new("network", text, reason)));
        match network {
            Network::Own { mut endpoints } if endpoints.len() == 1 && endpoints[0].is_bridge() => {
                all.append(&mut endpoints);
            }
            _ => return refuse("it is a mode, and excludes other networks"),
        }
    }
    Ok(Some(Network::Own { endpoints: all }))
}

/// The networks with names that must be looked up.
pub(super) fn names(network: &Network) -> BTreeSet<String> {
    network.endpoints().iter().filter_map(|endpoint| endpoint.network.as_ref()).map(Name::to_string).collect()
}

/// The network, with each network in it as its record names it. Fails if one does not exist, is named twice, or cannot
/// give what is asked of it.
pub(super) fn known(
    request: &Request,
    mut network: Network,
    found: &BTreeMap<String, Option<Box<NetworkRecord>>>,
) -> Result<Network, Error> {
    let Network::Own { endpoints } = &mut network else { return Ok(network) };
    let mut seen: BTreeSet<Name> = BTreeSet::new();
    let mut interfaces: BTreeSet<String> = BTreeSet::new();
    for endpoint in endpoints {
        let Some(typed) = &endpoint.network else { continue };
        let record = match found.get(typed.as_str()) {
            None => return Err(Error::NotLookedUp("a network")),
            Some(None) => return Err(Error::NoNetwork { name: typed.clone() }),
            Some(Some(record)) => record,
        };
        let invalid = |what, value: &str, reason: String| Error::option("--network")(Invalid::new(what, value, reason));
        if !seen.insert(record.name.clone()) {
            return Err(invalid("network", record.name.as_str(), "it is named twice".to_owned()));
        }
        let asked_by = |option, text: &Option<String>, value: &str| (text.as_deref() == Some(value)).then_some(option);
        record.check_addresses(&endpoint.addresses).map_err(|error| {
            let own = asked_by("--ip", &request.ip, &error.value).or(asked_by("--ip6", &request.ip6, &error.value));
            Error::option(own.unwrap_or("--network"))(error)
        })?;
        if let (Some(alias), false) = (endpoint.aliases.first(), record.dns_enabled) {
            let is_own = request.network_aliases.iter().any(|name| name == alias.as_str());
            let option = if is_own { "--network-alias" } else { "--network" };
            let reason = format!("the network `{}` has no DNS", record.name);
            return Err(Error::option(option)(Invalid::new("alias", alias.as_str(), reason)));
        }
        if let Some(name) = &endpoint.interface
            && !interfaces.insert(name.clone())
        {
            return Err(invalid("interface", name, "it is named twice".to_owned()));
        }
        endpoint.network = Some(record.name.clone());
    }
    Ok(network)
}

/// `--ip`, `--ip6`, `--mac-address`: with exactly one network that has a name.
fn set_addresses(bridges: &mut [Endpoint], request: &Request) -> Result<(), Error> {
    let ip = |option, text: &str, is_wanted: fn(&IpAddr) -> bool, family| {
        let ip = text.parse().ok().filter(is_wanted);
        ip.ok_or_else(|| Error::option(option)(Invalid::new("address", text, format!("must be an {family} address"))))
    };
    let alone = |option, text: &str, bridges: &[Endpoint]| match bridges {
        [_] => Ok(()),
        _ => Err(Error::option(option)(Invalid::new(
            "address",
            text,
            "needs exactly one network with a name: `--network NAME`",
        ))),
    };
    if let Some(text) = &request.ip {
        let ip = ip("--ip", text, IpAddr::is_ipv4, "IPv4")?;
        alone("--ip", text, bridges)?;
        bridges[0].addresses.push(ip);
    }
    if let Some(text) = &request.ip6 {
        let ip = ip("--ip6", text, IpAddr::is_ipv6, "IPv6")?;
        alone("--ip6", text, bridges)?;
        bridges[0].addresses.push(ip);
    }
    if let Some(text) = &request.mac_address {
        let mac = text.parse().map_err(Error::option("--mac-address"))?;
        alone("--mac-address", text, bridges)?;
        bridges[0].mac = Some(mac);
    }
    Ok(())
}

/// `--network-alias`: in all networks that have a name.
fn set_aliases(bridges: &mut [Endpoint], request: &Request) -> Result<(), Error> {
    let Some(first) = request.network_aliases.first() else { return Ok(()) };
    let option = Error::option("--network-alias");
    if bridges.is_empty() {
        return Err(option(Invalid::new("alias", first, "needs a network with a name: `--network NAME`")));
    }
    let aliases: Vec<Name> =
        request.network_aliases.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(option)?;
    for endpoint in bridges {
        endpoint.aliases.extend(aliases.iter().cloned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn asked(networks: &[&str]) -> Request {
        Request { network: parse_networks(&words(networks)).expect("networks"), ..Request::default() }
    }

    /// What becomes of a request, where `podman` and `app`, which has DNS, exist.
    fn resolved(request: &Request) -> Result<String, String> {
        let text = |error: Error| error.to_string();
        let podman = NetworkRecord::default_network();
        let mut app = NetworkRecord { name: "app".parse().expect("a name"), dns_enabled: true, ..podman.clone() };
        app.subnets[0].subnet = "10.89.0.0/24".parse().expect("a subnet");
        app.subnets[0].gateway = Some("10.89.0.1".parse().expect("an address"));
        let network = network(request, &Defaults::default()).map_err(text)?;
        let mut found = BTreeMap::new();
        for name in names(&network) {
            let record = [("podman", &podman), ("app", &app), ("c0ffee", &app)].into_iter().find(|(n, _)| *n == name);
            found.insert(name, record.map(|(_, record)| Box::new(record.clone())));
        }
        known(request, network, &found).map(|network| network.to_string()).map_err(text)
    }

    #[test]
    fn networks_are_named_by_their_records() {
        for (typed, expected) in [
            (&["none"][..], "none"),
            (&["pasta:-4"], "pasta:-4"),
            (&["bridge"], "podman"),
            (&["default"], "podman"),
            (&["podman:ip=10.88.0.9"], "podman:ip=10.88.0.9"),
            (&["c0ffee"], "app"),
            (&["app:alias=db,ip=10.89.0.5", "bridge"], "app:ip=10.89.0.5,alias=db,podman"),
        ] {
            assert_eq!(resolved(&asked(typed)).as_deref(), Ok(expected), "{typed:?}");
        }
        let options = Request {
            ip: Some("10.89.0.7".to_owned()),
            mac_address: Some("02:42:00:00:00:07".to_owned()),
            network_aliases: words(&["db", "sql"]),
            ..asked(&["app"])
        };
        let expected = "app:ip=10.89.0.7,mac=02:42:00:00:00:07,alias=db,alias=sql";
        assert_eq!(resolved(&options).as_deref(), Ok(expected));
        let both = Request {
            network_aliases: words(&["db"]),
            network: parse_networks(&words(&["app"])).expect("a network"),
            ..Request::default()
        };
        assert_eq!(resolved(&both).as_deref(), Ok("app:alias=db"));
    }

    #[test]
    fn what_a_network_cannot_give_is_refused() {
        let with = |network: &str, change: fn(&mut Request)| {
            let mut request = asked(&[network]);
            change(&mut request);
            request
        };
        for (request, expected) in [
            (asked(&["ghost"]), "there is no network `ghost`"),
            (asked(&["app", "c0ffee"]), "`--network`: invalid network `app`: it is named twice"),
            (
                asked(&["app:interface_name=a", "podman:interface_name=a"]),
                "`--network`: invalid interface `a`: it is named twice",
            ),
            (
                asked(&["app:ip=10.88.0.9"]),
                "`--network`: address `10.88.0.9` must be in a subnet of the network `app`: 10.89.0.0/24",
            ),
            (
                asked(&["app:ip=10.89.0.1"]),
                "`--network`: address `10.89.0.1` cannot be a container's: it is the gateway of the network `app`",
            ),
            (asked(&["podman:alias=db"]), "`--network`: invalid alias `db`: the network `podman` has no DNS"),
            (
                asked(&["app:metric=7"]),
                "`--network`: network option `metric=7` must be ip, ip6, mac, alias or interface_name",
            ),
            (
                with("pasta", |request| request.ip = Some("10.0.0.1".to_owned())),
                "`--ip`: address `10.0.0.1` needs exactly one network with a name: `--network NAME`",
            ),
            (
                with("app", |request| request.ip = Some("fd00::1".to_owned())),
                "`--ip`: address `fd00::1` must be an IPv4 address",
            ),
            (
                with("app", |request| request.ip6 = Some("10.89.0.3".to_owned())),
                "`--ip6`: address `10.89.0.3` must be an IPv6 address",
            ),
            (
                with("app", |request| request.ip = Some("10.89.0.1".to_owned())),
                "`--ip`: address `10.89.0.1` cannot be a container's: it is the gateway of the network `app`",
            ),
            (
                with("podman", |request| request.network_aliases = words(&["db"])),
                "`--network-alias`: invalid alias `db`: the network `podman` has no DNS",
            ),
            (
                with("host", |request| request.mac_address = Some("02:42:00:00:00:07".to_owned())),
                "`--mac-address`: address `02:42:00:00:00:07` needs exactly one network with a name: `--network NAME`",
            ),
            (
                with("none", |request| request.network_aliases = words(&["db"])),
                "`--network-alias`: alias `db` needs a network with a name: `--network NAME`",
            ),
            (
                with("app", |request| request.network_aliases = words(&["d b"])),
                "`--network-alias`: name `d b` must match [a-zA-Z0-9][a-zA-Z0-9_.-]*",
            ),
        ] {
            assert_eq!(resolved(&request), Err(expected.to_owned()));
        }
        let both = parse_networks(&words(&["app", "host"])).map_err(|error| error.to_string());
        assert_eq!(
            both,
            Err("`--network`: invalid network `host`: it is a mode, and excludes other networks".to_owned())
        );
    }

    #[test]
    fn a_private_network_is_connected_by_the_default_driver() {
        let of = |default: Network| {
            network(&asked(&["private"]), &Defaults { network: default, ..Defaults::default() }).expect("a network")
        };
        assert_eq!(of(NetworkDriver::Pasta.into()), NetworkDriver::Pasta.into());
        assert_eq!(of(Network::Host), NetworkDriver::Slirp4netns.into());
    }

    #[test]
    fn options_of_a_helper_are_checked_before_it_is_started() {
        for (text, expected) in [
            ("slirp4netns:mtu=1", "slirp4netns option `mtu=1` must be a number of bytes, 68 to 65521"),
            ("pasta:-t,80", "invalid pasta option `-t`: ports are published by `--publish`"),
        ] {
            let error = network(&asked(&[text]), &Defaults::default()).expect_err(text).to_string();
            assert_eq!(error, format!("`--network`: {expected}"));
        }
    }
}
