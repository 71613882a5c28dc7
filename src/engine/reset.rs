//! Removes the store with everything in it: `system reset`.

use std::path::PathBuf;

use super::context::Context;
use crate::container::{self, Removal};
use crate::storage::Store;
use crate::types::Report;
use crate::userns::{self, UserNamespace};

/// What `reset` would remove: the store's directory. `None` if there is no store. Fails if the directory is none.
pub(crate) fn store_to_reset(context: &Context) -> Result<Option<PathBuf>, Report> {
    Ok(Store::open_marked(context.dirs.root())?.map(|store| store.root().to_owned()))
}

/// Ends and removes all containers, then removes the store: only what rc has made. Returns what else is there, and
/// stays.
///
/// If a container cannot be removed, nothing else is. A reset that is killed can be repeated.
pub(crate) fn reset(context: &Context) -> Result<Vec<PathBuf>, Report> {
    let Some(store) = Store::open_marked(context.dirs.root())? else { return Ok(Vec::new()) };
    let runtime = context.runtime_dir()?;
    let how = Removal { force: true, timeout: None, volumes: true };
    let listing = container::list(&store)?;
    for container in listing.containers.into_iter().chain(listing.pods) {
        container::remove(&store, container, &how, &runtime)?;
    }
    for (id, _) in listing.broken {
        container::remove_damaged(&store, &id, &how, &runtime)?;
    }
    let home = UserNamespace::open(&context.ids()?, &runtime)?;
    userns::inside(&home, "rc: reset", || store.remove_everything())
}
