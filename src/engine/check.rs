//! Looks for damage in the store, and repairs it: `system check`.

use super::context::Context;
use super::disk::volumes;
use super::sweep::{in_use, sweep_all};
use crate::container::{self, Removal as ContainerRemoval};
use crate::image::local::Removal;
use crate::storage::volumes::Record;
use crate::storage::{self, Repair, Store};
use crate::sys::fs;
use crate::types::{Digest, Name, Report};

mod scan;

pub(crate) use scan::Fault;

/// How to check.
#[derive(Debug)]
pub(crate) struct Check {
    /// Reads no blob: only sizes and records are checked.
    pub(crate) quick: bool,
    /// Repairs what can be repaired without loss: what is removed can be pulled again, or is of no use.
    pub(crate) repair: bool,
    /// Also removes containers and what is not rc's.
    pub(crate) force: bool,
    /// Blobs and layers that nothing refers to are left alone if they are younger.
    pub(crate) max_age: std::time::Duration,
}

/// A fault, and what has become of it.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The fault.
    pub(crate) fault: Fault,
    /// Whether it is repaired.
    pub(crate) is_repaired: bool,
    /// Why it could not be repaired.
    pub(crate) failure: Option<Report>,
}

/// Checks the store; one object that cannot be read hides no other. With `repair` it repairs and checks again.
pub(crate) fn check(context: &Context, how: &Check) -> Result<Vec<Checked>, Report> {
    let store = context.store()?;
    let found = scan::scan(store, how)?;
    if !how.repair || found.is_empty() {
        return Ok(found.into_iter().map(|fault| Checked { fault, is_repaired: false, failure: None }).collect());
    }
    let mut checked = Vec::with_capacity(found.len());
    for fault in found {
        let is_allowed = how.force || !fault.loses;
        let failure = if is_allowed { repair(context, store, &fault.repair, how.force).err() } else { None };
        checked.push(Checked { fault, is_repaired: false, failure });
    }
    sweep_all(context)?;
    let left = scan::scan(store, how)?;
    for it in &mut checked {
        it.is_repaired = !left.contains(&it.fault);
    }
    // What a repair has uncovered.
    let known = |fault: &Fault| checked.iter().any(|it| it.fault == *fault);
    let new: Vec<Fault> = left.into_iter().filter(|fault| !known(fault)).collect();
    checked.extend(new.into_iter().map(|fault| Checked { fault, is_repaired: false, failure: None }));
    Ok(checked)
}

fn repair(context: &Context, store: &Store, how: &Repair, force: bool) -> Result<(), Report> {
    match how {
        // `sweep_all` does it for all.
        Repair::Sweep => Ok(()),
        Repair::Collect => {
            let removal = Removal::begin(store)?;
            removal.collect(&in_use(store)?)?;
            Ok(())
        }
        Repair::Blob(digest) => match store.remove_damaged_blob(digest) {
            // It went with its image.
            Err(storage::Error::NoBlob { .. }) => Ok(()),
            other => Ok(other?),
        },
        Repair::Image(manifest) => forget(context, store, manifest, force),
        Repair::Container(id) => {
            let how = ContainerRemoval { force: true, timeout: None, volumes: false };
            match container::find(store, id.as_str()) {
                Ok(found) => container::remove(store, found, &how, &context.runtime_dir()?)?,
                Err(error) if error.is_missing() => {}
                Err(_) => container::remove_damaged(store, id, &how, &context.runtime_dir()?)?,
            }
            Ok(())
        }
        Repair::Volume(name) => record_again(store, name),
        Repair::Trash(path) => match store.move_to_trash(path) {
            Err(error) if error.is_not_found() => Ok(()),
            other => Ok(other?),
        },
        Repair::Index => {
            let lock = store.lock_exclusive()?;
            store.empty_index()?;
            drop(lock);
            repair(context, store, &Repair::Collect, force)
        }
    }
}

/// Removes an image that lacks something, with its names, so that it can be pulled again. Not if a container uses it,
/// unless `force` removes the container as well.
fn forget(context: &Context, store: &Store, manifest: &Digest, force: bool) -> Result<(), Report> {
    let users = container::list(store)?
        .containers
        .into_iter()
        .filter(|it| it.config.images().any(|used| used.manifest.as_ref() == Some(manifest)));
    for container in users {
        if !force {
            let name = &container.config.name;
            let message = format!("the image stays: container `{name}` uses it");
            let hint = "pull the image again, or remove both with --force";
            return Err(Report::new(crate::types::ReportKind::InUse, message).with_hint(hint));
        }
        let how = ContainerRemoval { force: true, timeout: None, volumes: false };
        container::remove(store, container, &how, &context.runtime_dir()?)?;
    }
    let removal = Removal::begin(store)?;
    removal.forget(manifest)?;
    removal.collect(&in_use(store)?)?;
    Ok(())
}

/// Gives a volume a record again. Its labels and options are lost; its files stay.
fn record_again(store: &Store, name: &Name) -> Result<(), Report> {
    if !volumes(store)?.contains(name) {
        return Ok(());
    }
    let data = fs::symlink_metadata(store.volumes().join(name.as_str()).join("_data"))?;
    let created = data.modified().ok().and_then(|at| jiff::Timestamp::try_from(at).ok()).unwrap_or_default();
    let record = Record {
        name: name.clone(),
        created: created.to_string(),
        labels: std::collections::BTreeMap::new(),
        is_anonymous: false,
        options: std::collections::BTreeMap::new(),
    };
    Ok(store.replace_record(&record)?)
}
