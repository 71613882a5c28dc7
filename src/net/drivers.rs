//! Selects the driver that connects a container; and the driver for networks that need nothing done.

use super::driver::{Driver, StartingNetwork};
use super::error::Error;
use super::pasta::Pasta;
use super::request::Request;
use super::slirp4netns::Slirp4netns;
use crate::types::{Network, NetworkDriver, PortMapping};

/// The driver of a container's network.
///
/// Fails with `NoDriver` if this rc has no driver for it: another version may have written the configuration.
pub(crate) fn driver(network: &Network) -> Result<&'static dyn Driver, Error> {
    match network {
        Network::None => Ok(&Unconnected("none")),
        Network::Host => Ok(&Unconnected("host")),
        Network::Own { endpoints } => {
            // Networks with names have keepers of their own.
            let mut others = endpoints.iter().filter(|endpoint| !endpoint.is_bridge());
            match (others.next(), others.next()) {
                (None, _) => Ok(&Unconnected(BRIDGE)),
                (Some(endpoint), None) => endpoint_driver(endpoint.driver),
                _ => Err(Error::NoDriver { network: network.to_string() }),
            }
        }
        Network::Container(_) | Network::Path(_) => Ok(&Unconnected("another's")),
    }
}

/// The driver that connects an endpoint. Fails with `NoDriver` if this rc does not have it.
pub(crate) fn endpoint_driver(driver: NetworkDriver) -> Result<&'static dyn Driver, Error> {
    match driver {
        NetworkDriver::Slirp4netns => Ok(&Slirp4netns),
        NetworkDriver::Pasta => Ok(&Pasta),
        NetworkDriver::Bridge => Err(Error::NoDriver { network: driver.as_str().to_owned() }),
    }
}

/// Networks with names, which have keepers of their own, and ports that only the relay serves.
const BRIDGE: &str = "bridge";

/// `none` and `host`, and networks with names: nothing to start.
#[derive(Debug)]
struct Unconnected(&'static str);

impl Driver for Unconnected {
    fn name(&self) -> &'static str {
        self.0
    }

    fn validate(&self, request: &Request) -> Result<(), Error> {
        match request.ports.first() {
            Some(port) if self.0 != BRIDGE => Err(Error::NoPorts { driver: self.0, port: port.clone() }),
            _ => Ok(()),
        }
    }

    fn leaves_to_relay(&self, _port: &PortMapping) -> bool {
        self.0 == BRIDGE
    }

    fn start(&self, request: &Request, target: i32) -> Result<StartingNetwork, Error> {
        let driver: &'static dyn Driver = match self.0 {
            "host" => &Self("host"),
            BRIDGE => &Self(BRIDGE),
            _ => &Self("none"),
        };
        Ok(StartingNetwork { driver, request: request.clone(), target, process: None, relay: None, _lock: None })
    }
}
