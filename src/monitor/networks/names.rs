//! Names in networks: what others call the container, and what it calls others.

use std::net::IpAddr;

use super::super::directory::ContainerDir;
use super::super::start::Error;
use super::Networks;
use crate::net;
use crate::net::lease::Lease;
use crate::net::member::Member;
use crate::types::Name;

/// What the container has names for in networks without a name server.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// Names and addresses of those that run.
    pub(super) hosts: Vec<(String, IpAddr)>,
    /// The first one that does not.
    pub(super) missing: Option<net::Error>,
}

impl Networks {
    /// The names that the container has for others in networks without a name server, and their addresses of now.
    /// One that does not run has no address.
    pub(super) fn linked_hosts(&self) -> Result<Linked, Error> {
        let mut linked = Linked::default();
        for (_, Member { record, lease, .. }) in &self.members {
            if record.dns_enabled || lease.links.is_empty() {
                continue;
            }
            let others = self.joiner.networks.live_leases(&record.name).map_err(net::Error::from)?;
            for link in &lease.links {
                let Some(other) = others.iter().find(|other| other.name == link.to) else {
                    let (network, container) = (record.name.to_string(), link.to.to_string());
                    linked.missing.get_or_insert(net::Error::LinkedToNobody { network, container });
                    continue;
                };
                linked.hosts.extend(other.addresses.iter().map(|address| (link.alias.to_string(), address.ip)));
            }
        }
        Ok(linked)
    }

    /// The names of the others that have the container's network, which is found by them, too. If a lease cannot be
    /// written, they are not found. Waits for the lock of each network, which is held for moments.
    pub(in crate::monitor) fn name_others(&mut self, names: &[String]) {
        for (_, member) in &mut self.members {
            names.clone_into(&mut member.lease.members);
            if let Ok(Some(network)) = self.joiner.networks.lock(&member.record.name) {
                learn_name(&self.directory, &member.record.name, &mut member.lease);
                drop(network.update(&member.lease));
            }
        }
    }
}

/// Gives a lease the container's names, if it has been renamed.
pub(super) fn learn_name(directory: &ContainerDir, network: &Name, lease: &mut Lease) {
    let Some(name) = directory.name().ok().flatten().filter(|name| *name != lease.name) else { return };
    let Ok(config) = directory.config() else { return };
    if let Some((_, endpoint)) = config.network.bridges().find(|(name, _)| name == network) {
        lease.names = config.names_in(endpoint);
        lease.name = name;
    }
}
