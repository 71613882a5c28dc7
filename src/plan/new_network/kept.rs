//! Addresses of a new network that no member gets.

use super::super::Error;
use crate::types::{Invalid, Name, Subnet};

/// Notes the values of `--aux-address`, `NAME=IP`, in the subnets that have them. Source: docker network create,
/// `--aux-address`.
pub(super) fn keep(words: &[String], subnets: &mut [Subnet]) -> Result<(), Error> {
    for text in words {
        let invalid = |reason: &str| Error::option("--aux-address")(Invalid::new("address", text, reason));
        let (name, ip) = text.split_once('=').ok_or_else(|| invalid("it must be NAME=IP"))?;
        let name: Name = name.parse().map_err(Error::option("--aux-address"))?;
        let ip = ip.parse().map_err(|_| invalid("it must be NAME=IP"))?;
        if subnets.iter().any(|subnet| subnet.aux_addresses.contains_key(&name)) {
            return Err(invalid("its name is there twice"));
        }
        let subnet = subnets.iter_mut().find(|subnet| subnet.subnet.contains(&ip));
        let subnet = subnet.ok_or_else(|| invalid("it is in no subnet of the network"))?;
        if !subnet.is_for_members(ip) {
            return Err(invalid("no member could have it anyway"));
        }
        subnet.aux_addresses.insert(name, ip);
    }
    Ok(())
}
