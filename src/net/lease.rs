//! Who has which address of a network: a file for each address, `leases/ADDRESS`.
//!
//! A lease is written aside and gets its names by link(2), which fails if the name exists: of two that want an address
//! one gets it. A lease with addresses of both families is one file with two names. It lives as long as its owner's
//! `lock` is held, or the owner's program runs; who holds the network's lock removes the others.
//!
//! The next address is the one after that given last, around the range, so that an address is reused as late as
//! possible: others may still have connections to it.

mod choose;
mod error;
mod owner;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use error::LeaseError;
pub(crate) use owner::Owner;

use super::record::{Error, LockedNetwork, Networks};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::process_id::ProcessId;
use crate::types::{Linked, MacAddress, Name, NetworkAddress, json};

/// The most bytes of a lease.
const LIMIT: u64 = 1 << 18;

/// The name of a lease that is being written: no address.
const ASIDE: &str = "new";

/// What a member has in one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lease {
    /// Whose it is.
    pub(crate) owner: Owner,
    /// The owner's name.
    pub(crate) name: Name,
    /// All names by which the network's other members find it: its name, its aliases, 12 digits of its ID, its host
    /// name.
    pub(crate) names: Vec<String>,
    /// Names of those who share its network, the members of a pod: others find them at its addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<String>,
    /// Its addresses, each with the prefix of its subnet, in the order of the subnets.
    pub(crate) addresses: Vec<NetworkAddress>,
    /// The interface's MAC address.
    pub(crate) mac: MacAddress,
    /// The interface's name in the container.
    pub(crate) interface: String,
    /// All networks that the owner is in: names in all of them are answered.
    pub(crate) networks: Vec<Name>,
    /// Name servers of the owner's own (`--dns`).
    #[serde(default)]
    pub(crate) dns: Vec<IpAddr>,
    /// The owner reaches the outside by a helper of its own, even if all its networks are internal.
    #[serde(default)]
    pub(crate) has_helper: bool,
    /// Names by which the owner alone finds others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<Linked>,
    /// The number of the descriptor of the network's namespace in the owner's monitor.
    #[serde(default)]
    pub(crate) descriptor: Option<i32>,
    /// The owner's PID 1, once there is one.
    #[serde(default)]
    pub(crate) init: Option<ProcessId>,
}

/// A lease that is wanted: what the network does not decide.
#[derive(Debug, Clone)]
pub(crate) struct NewLease {
    /// As in [`Lease`].
    pub(crate) owner: Owner,
    /// As in [`Lease`].
    pub(crate) name: Name,
    /// As in [`Lease`].
    pub(crate) names: Vec<String>,
    /// Addresses that the user has asked for, at most one for each subnet.
    pub(crate) wanted: Vec<IpAddr>,
    /// The MAC address, if the user has asked for one.
    pub(crate) mac: Option<MacAddress>,
    /// As in [`Lease`].
    pub(crate) interface: String,
    /// As in [`Lease`].
    pub(crate) networks: Vec<Name>,
    /// As in [`Lease`].
    pub(crate) dns: Vec<IpAddr>,
    /// As in [`Lease`].
    pub(crate) has_helper: bool,
    /// As in [`Lease`].
    pub(crate) links: Vec<Linked>,
    /// As in [`Lease`].
    pub(crate) descriptor: Option<i32>,
    /// As in [`Lease`].
    pub(crate) init: Option<ProcessId>,
}

impl Lease {
    /// The PID of the owner's monitor, if it lives. The owner itself must not ask: it would lose its lock.
    pub(crate) fn monitor(&self, root: &Path) -> Option<i32> {
        self.owner.monitor(root)
    }

    /// Whether its address is taken: the owner's monitor lives, or its program does. The owner must not ask.
    pub(crate) fn is_alive(&self, root: &Path) -> bool {
        self.monitor(root).is_some() || self.init.as_ref().is_some_and(ProcessId::is_alive)
    }
}

impl Networks {
    /// The directory with the leases of a network. It changes whenever a lease does.
    pub(crate) fn leases_directory(&self, name: &Name) -> PathBuf {
        self.directory(name).join("leases")
    }

    /// The leases of a network, each once, in the order of their addresses; also those of dead owners. A damaged one is
    /// none.
    pub(crate) fn leases(&self, name: &Name) -> Result<Vec<Lease>, PathError> {
        read_all(&self.leases_directory(name))
    }

    /// The leases of a network whose owners live. An owner among them does not see its own.
    pub(crate) fn live_leases(&self, name: &Name) -> Result<Vec<Lease>, PathError> {
        let mut leases = self.leases(name)?;
        leases.retain(|lease| Some(&lease.owner) != self.owner() && lease.is_alive(self.root()));
        Ok(leases)
    }

    /// Removes a lease of the caller's own. Needs no lock: nobody else removes it while its owner lives.
    pub(crate) fn release(&self, name: &Name, lease: &Lease) -> Result<(), PathError> {
        unlink(&self.leases_directory(name), lease.addresses.iter().map(|address| address.ip))
    }
}

impl LockedNetwork {
    /// Gives an address of each subnet: the one that is wanted in it, otherwise the next free one. A network without
    /// subnets gives none, and no file.
    ///
    /// Fails with a [`LeaseError`] if a wanted address is none of the network's or taken, or if a range is exhausted;
    /// nothing is left then.
    pub(crate) fn allocate(&self, new: NewLease) -> Result<Lease, Error> {
        let addresses = self.choose(&new)?;
        let v4 = addresses.iter().find_map(|address| match address.ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        let mac = new.mac.unwrap_or_else(|| MacAddress::of_ipv4(v4.unwrap_or_else(|| new.owner.number())));
        let NewLease { owner, name, names, interface, networks, dns, links, has_helper, descriptor, init, .. } = new;
        let lease = Lease {
            owner,
            name,
            names,
            members: Vec::new(),
            addresses,
            mac,
            interface,
            networks,
            dns,
            links,
            has_helper,
            descriptor,
            init,
        };
        self.write_new(&lease)?;
        self.remember(&lease);
        Ok(lease)
    }

    /// Replaces a lease of the same owner and the same addresses: it has an init now, or another alias.
    pub(crate) fn update(&self, lease: &Lease) -> Result<(), Error> {
        let aside = self.write_aside(lease)?;
        let directory = self.leases();
        let put = lease.addresses.iter().try_for_each(|address| {
            let link = directory.join(format!("{ASIDE}-{}", address.ip));
            drop(fs::remove_file(&link));
            hard_link(&aside, &link)?;
            fs::exchange(&link, &directory.join(address.ip.to_string()))
        });
        drop(fs::remove_file(&aside));
        Ok(put?)
    }

    /// Removes the leases of dead owners, damaged ones, and what a killed writer has left; returns the others.
    pub(crate) fn sweep(&self) -> Result<Vec<Lease>, Error> {
        let directory = self.leases();
        let mut kept: Vec<Lease> = Vec::new();
        for path in fs::paths_in(&directory)? {
            match read(&path) {
                Some(lease) if self.is_live(&lease) => {
                    if !kept.contains(&lease) {
                        kept.push(lease);
                    }
                }
                _ => fs::remove_file(&path)?,
            }
        }
        kept.sort_by_key(|lease| lease.addresses.first().map(|address| address.ip));
        Ok(kept)
    }

    /// The leases of an owner: at most one, unless a monitor was killed.
    pub(crate) fn leases_of(&self, owner: &Owner) -> Result<Vec<Lease>, Error> {
        let mut leases = read_all(&self.leases())?;
        leases.retain(|lease| lease.owner == *owner);
        Ok(leases)
    }

    /// Removes all leases of an owner, and returns its addresses: it has been removed, or its program killed.
    pub(crate) fn remove_leases_of(&self, owner: &Owner) -> Result<Vec<IpAddr>, Error> {
        let mut removed = Vec::new();
        for lease in self.leases_of(owner)? {
            unlink(&self.leases(), lease.addresses.iter().map(|address| address.ip))?;
            removed.extend(lease.addresses.iter().map(|address| address.ip));
        }
        Ok(removed)
    }

    fn leases(&self) -> PathBuf {
        self.directory.join("leases")
    }

    /// Whether the lease counts: a process knows of itself that it lives.
    fn is_live(&self, lease: &Lease) -> bool {
        self.owner.as_ref() == Some(&lease.owner) || lease.is_alive(&self.root)
    }

    /// The address of each subnet.
    fn choose(&self, new: &NewLease) -> Result<Vec<NetworkAddress>, Error> {
        let record = &self.record;
        record.check_addresses(&new.wanted).map_err(LeaseError::from)?;
        let last = self.last();
        let taken: BTreeSet<IpAddr> =
            fs::paths_in(self.leases())?.iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect();
        let mut addresses = Vec::new();
        for subnet in &record.subnets {
            let ip = match new.wanted.iter().find(|address| subnet.subnet.contains(*address)) {
                Some(ip) => {
                    if taken.contains(ip) && !self.is_free(*ip)? {
                        let (network, holder) = (record.name.clone(), self.holder(*ip));
                        return Err(LeaseError::Taken { network, address: *ip, holder }.into());
                    }
                    *ip
                }
                None => {
                    let mut failed = None;
                    let mut is_free = |ip: IpAddr| {
                        !taken.contains(&ip)
                            || self.is_free(ip).unwrap_or_else(|error| {
                                failed = Some(error);
                                false
                            })
                    };
                    let found = choose::next(subnet, &last, taken.len(), &mut is_free);
                    if let Some(error) = failed {
                        return Err(error);
                    }
                    let exhausted = || LeaseError::exhausted(record, subnet, taken.len());
                    found.ok_or_else(exhausted)?
                }
            };
            addresses.push(NetworkAddress { ip, prefix: subnet.subnet.prefix_len() });
        }
        Ok(addresses)
    }

    /// Whether nobody has the address any more, although it has a lease: a dead one is removed.
    fn is_free(&self, ip: IpAddr) -> Result<bool, Error> {
        let path = self.leases().join(ip.to_string());
        match read(&path) {
            Some(lease) if self.is_live(&lease) => Ok(false),
            // Its other address goes with it.
            Some(lease) => {
                unlink(&self.leases(), lease.addresses.iter().map(|address| address.ip).chain([ip]))?;
                Ok(true)
            }
            None => {
                unlink(&self.leases(), [ip])?;
                Ok(true)
            }
        }
    }

    fn holder(&self, ip: IpAddr) -> Option<Name> {
        read(&self.leases().join(ip.to_string())).map(|lease| lease.name)
    }

    /// Writes the file, and gives it all its names.
    fn write_new(&self, lease: &Lease) -> Result<(), Error> {
        if lease.addresses.is_empty() {
            return Ok(());
        }
        let aside = self.write_aside(lease)?;
        let mut made = Vec::new();
        let linked = lease.addresses.iter().try_for_each(|address| {
            hard_link(&aside, &self.leases().join(address.ip.to_string()))?;
            made.push(address.ip);
            Ok::<_, PathError>(())
        });
        drop(fs::remove_file(&aside));
        if let Err(error) = linked {
            drop(unlink(&self.leases(), made));
            return Err(error.into());
        }
        Ok(())
    }

    fn write_aside(&self, lease: &Lease) -> Result<PathBuf, PathError> {
        use std::io::Write as _;
        let path = self.leases().join(ASIDE);
        let bytes =
            serde_json::to_vec(lease).map_err(|error| PathError::new("write", &path, std::io::Error::from(error)))?;
        // It means nothing after a reboot, so it need not be synced.
        let written = fs::create_again(&path)?.write_all(&bytes).at("write", &path);
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                drop(fs::remove_file(&path));
                Err(error)
            }
        }
    }

    /// The addresses that were given last.
    fn last(&self) -> Vec<IpAddr> {
        let text = fs::read_record(self.directory.join("last"), 1 << 16).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Writes `last`. It is a hint: nothing is lost if it cannot be written.
    fn remember(&self, lease: &Lease) {
        let lines: Vec<String> = lease.addresses.iter().map(|address| format!("{}\n", address.ip)).collect();
        if !lines.is_empty() {
            drop(fs::write(self.directory.join("last"), lines.concat()));
        }
    }
}

fn read_all(directory: &Path) -> Result<Vec<Lease>, PathError> {
    let mut leases: Vec<Lease> = Vec::new();
    for path in fs::paths_in(directory)? {
        let Some(ip) = path.file_name().and_then(|name| name.to_str()?.parse::<IpAddr>().ok()) else { continue };
        // One with two addresses is read by the first.
        let lease = read(&path).filter(|lease| lease.addresses.first().is_some_and(|address| address.ip == ip));
        leases.extend(lease);
    }
    leases.sort_by_key(|lease| lease.addresses.first().map(|address| address.ip));
    Ok(leases)
}

/// The lease at `path`; `None` if there is none, or a damaged one, or the half-made one of a killed process.
pub(super) fn read(path: &Path) -> Option<Lease> {
    let ip: IpAddr = path.file_name()?.to_str()?.parse().ok()?;
    let lease: Lease = json::from_slice(&fs::read_record(path, LIMIT).ok()?).ok()?;
    lease.addresses.iter().any(|address| address.ip == ip).then_some(lease)
}

fn hard_link(from: &Path, to: &Path) -> Result<(), PathError> {
    let here = rustix::fs::CWD;
    rustix::fs::linkat(here, from, here, to, rustix::fs::AtFlags::empty()).at("create", to)
}

/// Removes the files of these addresses; a missing one is no failure.
fn unlink(directory: &Path, addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), PathError> {
    addresses.into_iter().try_for_each(|ip| match fs::remove_file(directory.join(ip.to_string())) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests;
