//! Giving a container another name: its link in `names/` is moved, then the new name is recorded in its directory.

use super::{Container, Error, find, names};
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{ContainerId, Name};

/// Moves the link of a container's name, in one step, and records the name.
///
/// Fails if another container has the name; nothing has changed then. If the process is killed between the two steps,
/// the container is found by its new name and shows the old one; renaming it again completes that.
pub(crate) fn rename(store: &Store, container: &Container, name: &Name) -> Result<(), Error> {
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
        drop(fs::rename_to_new(&new, &old));
        return Err(error.into());
    }
    Ok(())
}
