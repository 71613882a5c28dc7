//! `--network`: podman's grammar; rc has drivers for some of its networks.

use super::{Defaults, Error, Request};
use crate::types::{Endpoint, Invalid, Network, NetworkDriver};

/// The requested network, else the default one. Fails if rc has no driver for it.
pub(super) fn network(request: &Request, defaults: &Defaults) -> Result<Network, Error> {
    let network = match request.network.as_ref().unwrap_or(&defaults.network) {
        // `private` leaves it to rc what connects the container. Source: podman-run(1), `--network`.
        Network::Own { endpoints } if endpoints.is_empty() => match &defaults.network {
            own @ Network::Own { endpoints } if !endpoints.is_empty() => own,
            _ => &NetworkDriver::Slirp4netns.into(),
        },
        network => network,
    };
    if let Some(reason) = refusal(network) {
        return Err(Error::option("--network")(Invalid::new("network", network.to_string(), reason)));
    }
    for endpoint in network.endpoints() {
        endpoint.check_options().map_err(Error::option("--network"))?;
    }
    Ok(network.clone())
}

/// Reads `--network`; `default` is docker's word for `private`.
pub(crate) fn parse_network(text: &str) -> Result<Network, Error> {
    let text = if text == "default" { "private" } else { text };
    text.parse().map_err(Error::option("--network"))
}

/// Why rc cannot give a container this network; `None` if it can.
fn refusal(network: &Network) -> Option<&'static str> {
    match network {
        Network::None | Network::Host | Network::Container(_) | Network::Path(_) => None,
        Network::Own { endpoints } => match &endpoints[..] {
            [endpoint] => endpoint_refusal(endpoint),
            [] => None,
            _ => Some("a container can be in one network only"),
        },
    }
}

fn endpoint_refusal(endpoint: &Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint { driver: NetworkDriver::Bridge, network: None, .. } => {
            Some("there are no bridge networks; use slirp4netns, pasta, host or none")
        }
        Endpoint { driver: NetworkDriver::Bridge, network: Some(_), .. } => {
            Some("neither none, host, slirp4netns nor pasta; there are no named networks")
        }
        Endpoint { driver: NetworkDriver::Slirp4netns | NetworkDriver::Pasta, .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_networks_and_a_reason_for_each_other() {
        let reason = |text: &str| refusal(&text.parse().unwrap_or_else(|error| panic!("{error}")));
        for text in ["none", "host", "slirp4netns", "pasta", "private", "pasta:-4", "slirp4netns:mtu=1500", "ns:/x"] {
            assert_eq!(reason(text), None, "{text}");
        }
        for (text, expected) in [
            ("bridge", "there are no bridge networks; use slirp4netns, pasta, host or none"),
            ("bridge:ip=10.0.0.5", "there are no bridge networks; use slirp4netns, pasta, host or none"),
            ("backend", "neither none, host, slirp4netns nor pasta; there are no named networks"),
        ] {
            assert_eq!(reason(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_private_network_is_connected_by_the_default_driver() {
        let of = |text: &str, default: Network| {
            let request = Request { network: Some(parse_network(text).unwrap()), ..Request::default() };
            network(&request, &Defaults { network: default, ..Defaults::default() }).unwrap()
        };
        for text in ["private", "default"] {
            assert_eq!(of(text, NetworkDriver::Pasta.into()), NetworkDriver::Pasta.into());
            assert_eq!(of(text, Network::Host), NetworkDriver::Slirp4netns.into());
        }
    }

    #[test]
    fn options_of_a_helper_are_checked_before_it_is_started() {
        for (text, expected) in [
            ("slirp4netns:mtu=1", "slirp4netns option `mtu=1` must be a number of bytes, 68 to 65521"),
            ("pasta:-t,80", "invalid pasta option `-t`: ports are published by `--publish`"),
        ] {
            let request = Request { network: Some(parse_network(text).unwrap()), ..Request::default() };
            let error = network(&request, &Defaults::default()).expect_err(text).to_string();
            assert_eq!(error, format!("`--network`: {expected}"));
        }
    }

    #[test]
    fn the_default_is_checked_as_well() {
        let defaults = Defaults { network: NetworkDriver::Bridge.into(), ..Defaults::default() };
        let error = network(&Request::default(), &defaults).expect_err("no driver").to_string();
        let expected =
            "`--network`: invalid network `bridge`: there are no bridge networks; use slirp4netns, pasta, host or none";
        assert_eq!(error, expected);
    }
}
