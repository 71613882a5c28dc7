//! Giving a container another name: its link in `names/` is moved, then the new name is recorded in its directory, and
//! in its leases, so that name servers of networks answer the new one. Its monitor takes it, too.

use super::client::{self, Asked};
use super::{Container, Error, find, names};
use crate::monitor::{self, protocol::Ask};
use crate::net;
use crate::net::lease::{Lease, Owner};
use crate::net::record::Networks;
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{ContainerId, Name};

/// Moves the link of a container's name, in one step, and records the name.
///
/// Fails if another container has the name; nothing has changed then. If the process is killed between the steps, the
/// container is found by its new name and shows the old one; renaming it again completes that.
pub(crate) fn rename(store: &Store, container: &Container, name: &Name) -> Result<(), Error> {
    let renamed = record(store, container, name).and_then(|()| rename_leases(store, container));
    renamed.map_err(|error| container.explain("rename", error))?;
    if let Some(monitor) = container.monitor {
        // It may have ended, or be of an rc that does not know that request: what it is called is for people.
        drop(client::request(container, "rename", &Ask::Renamed).and_then(Asked::finish));
        monitor::describe_scope(&container.config.id, monitor, name);
    }
    Ok(())
}

/// Gives the container's leases its names. A monitor that writes one does that as well, under the network's lock.
fn rename_leases(store: &Store, container: &Container) -> Result<(), Error> {
    let config = container.directory.config()?;
    let owner = Owner::container(&config.id);
    let networks = Networks::of(store.root());
    let mut all = config.network.bridges();
    let renamed = all.try_for_each(|(network, endpoint)| {
        let Some(network) = networks.lock(&network)? else { return Ok(()) };
        network.leases_of(&owner)?.into_iter().try_for_each(|lease| {
            network.update(&Lease { name: config.name.clone(), names: config.names_in(endpoint), ..lease })
        })
    });
    Ok(renamed.map_err(net::Error::from)?)
}

fn record(store: &Store, container: &Container, name: &Name) -> Result<(), Error> {
    let old = names::link(store, &container.config.name);
    let new = names::link(store, name);
    let id = &container.config.id;
    if *name == container.config.name {
        return Ok(());
    }
    if names::leads_to(&new, id) {
        return Ok(container.directory.write_name(name)?);
    }
    let taken = |holder: Option<&ContainerId>| find::name_taken(store, name, holder);
    // Under the store's lock: no other command takes a name for a leftover, or renames.
    let _lock = store.lock_exclusive()?;
    match names::target(&new) {
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
        // Its container exists, is being created, or its creator was killed: the sweeper knows.
        Ok(Some(holder)) => return Err(taken(Some(&holder))),
        Ok(None) => return Err(Error::NoName(new)),
    }
    if !names::leads_to(&old, id) {
        // The link was lost, or leads to another container by now.
        fs::symlink(id.as_str(), &new)?;
        return Ok(container.directory.write_name(name)?);
    }
    match fs::rename_to_new(&old, &new) {
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => return Err(taken(None)),
        moved => moved?,
    }
    if let Err(error) = container.directory.write_name(name) {
        if error.is_not_found() {
            // It was removed meanwhile, under its old name.
            drop(fs::remove_file(&new));
        } else {
            drop(fs::rename_to_new(&new, &old));
        }
        return Err(error.into());
    }
    Ok(())
}
