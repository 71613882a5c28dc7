//! Finds what is wrong in the store.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::container::{self, Listing};
use crate::engine::disk::volumes;
use crate::image::list;
use crate::image::local::{self, LocalImage};
use crate::storage::{Odd, Reachable, Repair, Store};
use crate::sys::fs;
use crate::types::{ContainerId, Digest, Report};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What, as a sentence that names the object.
    pub(crate) what: String,
    /// How it is repaired.
    pub(crate) repair: Repair,
    /// Whether the repair removes something that cannot be fetched again.
    pub(crate) loses: bool,
}

impl Fault {
    fn new(what: impl Into<String>, repair: Repair) -> Self {
        Self { what: what.into(), repair, loses: false }
    }

    fn losing(what: impl Into<String>, repair: Repair) -> Self {
        Self { what: what.into(), repair, loses: true }
    }
}

impl From<Odd> for Fault {
    fn from(odd: Odd) -> Self {
        let what = format!("`{}` {}", odd.path.display(), odd.what);
        Self { what, repair: Repair::Trash(odd.path), loses: odd.is_foreign }
    }
}

/// Everything that is wrong, in the order in which it is repaired.
pub(super) fn scan(store: &Store, how: &Check) -> Result<Vec<Fault>, Report> {
    let (mut faults, mut odd) = (Vec::new(), Vec::new());
    let listing = container::list(store)?;
    let blobs = store.blobs(&mut odd)?;
    let layers = store.layers(&mut odd)?;
    let bad = if how.quick { BTreeSet::new() } else { changed(store, &blobs)? };
    let sizes: BTreeMap<Digest, u64> = blobs.into_iter().filter(|(digest, _)| !bad.contains(digest)).collect();

    let mut kept = Some(Reachable::default());
    let mut available: BTreeSet<Digest> = layers.into_iter().map(|(digest, _)| digest).collect();
    match local::listing(store) {
        Err(error) => {
            kept = None;
            faults.push(Fault::losing(Report::from(error).message, Repair::Index));
        }
        Ok(images) => {
            for (manifest, image) in images {
                match image {
                    Err(error) => {
                        kept = None;
                        let what = format!("image with manifest `{manifest}`: {}", Report::from(error).message);
                        faults.push(Fault::new(what, Repair::Image(manifest)));
                    }
                    Ok(image) => {
                        images_faults(&image, &sizes, &mut faults);
                        let whole = image.layers.iter().filter(|it| sizes.get(&it.blob.digest) == Some(&it.blob.size));
                        available.extend(whole.map(|layer| layer.diff_id.clone()));
                        if let Some(kept) = &mut kept {
                            kept.blobs.extend([image.id, image.manifest.digest]);
                            kept.blobs.extend(image.layers.iter().map(|layer| layer.blob.digest.clone()));
                            let layers = image.layers.into_iter().map(|layer| layer.diff_id);
                            kept.add_layers(&layers.collect::<Vec<_>>());
                        }
                    }
                }
            }
        }
    }
    match (list::blobs(store), &mut kept) {
        (Ok(blobs), Some(kept)) => kept.blobs.extend(blobs),
        (Ok(_), None) => {}
        (Err(error), kept) => {
            *kept = None;
            faults.push(Fault::losing(Report::from(error).message, Repair::Index));
        }
    }
    faults
        .extend(bad.into_iter().map(|digest| Fault::new(format!("blob `{digest}` has changed"), Repair::Blob(digest))));
    containers(store, &listing, &available, &mut faults)?;
    volume_records(store, &mut faults)?;
    for path in store.foreign_entries()? {
        odd.push(Odd { path, what: "is not rc's", is_foreign: true });
    }
    // Files of a layer must not go while a program uses them.
    let running = listing.containers.iter().filter(|it| it.is_running()).flat_map(|it| it.config.layers());
    let used: BTreeSet<String> = running.map(Store::layer_name).collect();
    for mut odd in odd {
        odd.is_foreign |= odd.path.file_name().and_then(|name| name.to_str()).is_some_and(|name| used.contains(name));
        faults.push(odd.into());
    }
    if let Some(mut kept) = kept.filter(|_| listing.broken.is_empty()) {
        listing.containers.iter().flat_map(|it| it.config.images()).for_each(|image| kept.add_layers(&image.layers));
        for path in store.unreferenced(&kept, how.max_age)? {
            faults.push(Fault::new(format!("nothing refers to `{}`", path.display()), Repair::Collect));
        }
    }
    if container::has_leftovers(store)? {
        faults.push(Fault::new("there are files of commands that were killed", Repair::Sweep));
    }
    Ok(faults)
}

/// The blobs whose content has not their digest.
fn changed(store: &Store, blobs: &[(Digest, u64)]) -> Result<BTreeSet<Digest>, Report> {
    let mut bad = BTreeSet::new();
    for (digest, _) in blobs {
        match store.check_blob(digest) {
            Ok(()) | Err(crate::storage::Error::NoBlob { .. }) => {}
            Err(crate::storage::Error::DamagedBlob { .. }) => drop(bad.insert(digest.clone())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bad)
}

/// What an image lacks.
fn images_faults(image: &LocalImage, sizes: &BTreeMap<Digest, u64>, faults: &mut Vec<Fault>) {
    let name = image.names.first().map_or_else(|| image.id.short().to_owned(), ToString::to_string);
    for layer in &image.layers {
        let what = match sizes.get(&layer.blob.digest) {
            Some(size) if *size == layer.blob.size => continue,
            Some(_) => "has not its size",
            None => "is missing or has changed",
        };
        let what = format!("image `{name}`: its blob `{}` {what}", layer.blob.digest);
        faults.push(Fault::new(what, Repair::Image(image.manifest.digest.clone())));
    }
}

fn containers(
    store: &Store,
    listing: &Listing,
    available: &BTreeSet<Digest>,
    faults: &mut Vec<Fault>,
) -> Result<(), Report> {
    for (id, error) in &listing.broken {
        faults.push(Fault::losing(error.to_string(), Repair::Container(id.clone())));
    }
    for container in &listing.containers {
        if let Some(layer) = container.config.layers().find(|layer| !available.contains(layer)) {
            let what = format!("container `{}`: layer `{layer}` of its image is missing", container.config.name);
            faults.push(Fault::losing(what, Repair::Container(container.config.id.clone())));
        }
    }
    for path in fs::paths_in(store.containers())? {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_none_or(|name| name.parse::<ContainerId>().is_err()) {
            faults.push(Odd { path, what: "is not a container", is_foreign: true }.into());
        }
    }
    for path in fs::paths_in(store.names())? {
        let Ok(id) = fs::read_link(&path) else {
            faults.push(Odd { path, what: "is not a name of a container", is_foreign: false }.into());
            continue;
        };
        let is_there = |directory: std::path::PathBuf| fs::symlink_metadata(directory.join(&id)).is_ok();
        if !is_there(store.containers()) && !is_there(store.tmp()) {
            faults.push(Fault::new(format!("`{}` names no container", path.display()), Repair::Sweep));
        }
    }
    Ok(())
}

fn volume_records(store: &Store, faults: &mut Vec<Fault>) -> Result<(), Report> {
    for name in volumes(store)? {
        if let Err(error) = store.volume(&name) {
            let has_data = fs::symlink_metadata(store.volumes().join(name.as_str()).join("_data")).is_ok();
            let what = format!("volume `{name}`: {}", Report::from(error).message);
            faults.push(if has_data {
                Fault::new(what, Repair::Volume(name))
            } else {
                Fault::losing(what, Repair::Trash(store.volumes().join(name.as_str())))
            });
        }
    }
    Ok(())
}
