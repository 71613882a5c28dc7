//! Who is in the networks now, from the files of their records and leases.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;

use super::owners::Owners;
use super::resolver::{Asker, Names};
use super::watched::Watched;
use crate::net::lease::{self, Lease};
use crate::net::record::Networks;
use crate::sys::fs;
use crate::types::{Name, NetworkRecord};

/// The networks of a store, as one of them sees them.
#[derive(Debug)]
pub(super) struct Directory {
    networks: Networks,
    owners: Owners,
    own: Name,
    known: HashMap<Name, Entry>,
    /// The number of the query that is being answered: each begins with who asks.
    query: u64,
}

/// One network.
#[derive(Debug)]
struct Entry {
    record: Watched<Option<NetworkRecord>>,
    leases: Watched<Leases>,
    /// The queries for which they were looked at last: once for each is enough.
    looked_at: [u64; 2],
}

/// The files in a network's `leases/`. Each is read again only when it has changed itself: a hundred members come and
/// go without a hundred files being read each time.
type Leases = HashMap<IpAddr, Watched<Option<Rc<Lease>>>>;

impl Directory {
    /// For the network `own` of the store at `root`, whose members `owners` knows.
    pub(super) fn new(root: &Path, own: Name, owners: Owners) -> Self {
        Self { networks: Networks::of(root), owners, own, known: HashMap::new(), query: 0 }
    }

    fn entry(&mut self, network: &Name) -> &mut Entry {
        let networks = &self.networks;
        self.known.entry(network.clone()).or_insert_with(|| Entry {
            record: Watched::new(networks.directory(network).join("network.json")),
            leases: Watched::new(networks.leases_directory(network)),
            looked_at: [0; 2],
        })
    }

    /// The record of a network that has one.
    fn record(&mut self, network: &Name) -> Option<&NetworkRecord> {
        let (networks, query) = (self.networks.clone(), self.query);
        let Entry { record, looked_at: [last, _], .. } = self.entry(network);
        if std::mem::replace(last, query) == query {
            return record.value().as_ref();
        }
        record.get(|_, _| networks.load(network).ok().flatten()).as_ref()
    }

    fn leases(&mut self, network: &Name) -> &Leases {
        let query = self.query;
        let Entry { leases, looked_at: [_, last], .. } = self.entry(network);
        if std::mem::replace(last, query) == query {
            return leases.value();
        }
        leases.get(list)
    }

    /// The lease of an address, if its owner is watched by a monitor: what a killed one has left is not found any more.
    fn live(&mut self, network: &Name, address: IpAddr) -> Option<Rc<Lease>> {
        let lease = self.leases(network).get(&address)?.value().clone()?;
        self.owners.lives(&lease.owner).then_some(lease)
    }

    fn has_names(&mut self, network: &Name) -> bool {
        self.record(network).is_some_and(|record| record.dns_enabled)
    }

    /// Whether a member of `network` reaches the outside by it. One that cannot be read lets nothing out.
    fn has_way_out(&mut self, network: &Name) -> bool {
        match self.record(network) {
            Some(record) => !record.internal,
            None => *network == Name::default_network(),
        }
    }
}

impl Names for Directory {
    fn asker(&mut self, address: IpAddr) -> Asker {
        self.query += 1;
        let own = self.own.clone();
        // Also that of a member whose monitor was killed: it still asks.
        let lease = self.leases(&own).get(&address).and_then(|file| file.value().clone());
        let has_helper = lease.as_ref().is_some_and(|lease| lease.has_helper);
        let (mut networks, mut dns, mut links) = match &lease {
            Some(lease) => (lease.networks.clone(), lease.dns.clone(), lease.links.clone()),
            None => Default::default(),
        };
        if !networks.contains(&own) {
            networks.insert(0, own.clone());
        }
        // What it has in its other networks is in a lease of each.
        for network in networks.iter().filter(|network| **network != own) {
            let all = self.leases(network).values().filter_map(|file| file.value().as_ref());
            let others = all.filter(|other| lease.as_ref().is_some_and(|lease| lease.owner == other.owner));
            links.extend(others.flat_map(|lease| lease.links.iter().cloned()));
        }
        if dns.is_empty() {
            dns = self.record(&own).map_or_else(Vec::new, |record| record.network_dns_servers.clone());
        }
        let has_way_out = has_helper || networks.iter().any(|network| self.has_way_out(network));
        Asker { networks, dns, links, has_way_out }
    }

    fn addresses(&mut self, network: &Name, name: &str) -> Vec<IpAddr> {
        if !self.has_names(network) {
            return Vec::new();
        }
        let leases = self.leases(network).iter();
        let named = leases.filter_map(|(address, file)| {
            let lease = file.value().as_ref()?;
            let mut all = lease.names.iter().chain(&lease.members);
            all.any(|own| own.eq_ignore_ascii_case(name)).then(|| (*address, Rc::clone(lease)))
        });
        let mut named: Vec<(IpAddr, Rc<Lease>)> = named.collect();
        named.retain(|(_, lease)| self.owners.lives(&lease.owner));
        let mut addresses: Vec<IpAddr> = named.into_iter().map(|(address, _)| address).collect();
        addresses.sort_unstable();
        addresses
    }

    fn names(&mut self, network: &Name, address: IpAddr) -> Vec<String> {
        if !self.has_names(network) {
            return Vec::new();
        }
        self.live(network, address).map_or_else(Vec::new, |lease| lease.names.clone())
    }

    fn is_member(&mut self, network: &Name, address: IpAddr) -> bool {
        self.leases(network).contains_key(&address)
    }

    fn own(&self) -> &Name {
        &self.own
    }
}

/// Reads `leases/` again.
fn list(directory: &Path, mut known: Leases) -> Leases {
    let paths = fs::paths_in(directory).unwrap_or_default();
    let address = |path: &Path| path.file_name().and_then(OsStr::to_str)?.parse().ok();
    let files = paths.into_iter().filter_map(|path| Some((address(&path)?, path)));
    files
        .map(|(address, path)| {
            let mut file = known.remove(&address).unwrap_or_else(|| Watched::new(path));
            file.get(|path, _| lease::read(path).map(Rc::new));
            (address, file)
        })
        .collect()
}
