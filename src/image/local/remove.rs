//! Removing images: names first, then the image with its last name, then what nothing refers to any more.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::{find_in, find_name, forms_in, read, unique_manifests};
use crate::image::{Error, list};
use crate::plan::ImageSource;
use crate::registry::LazyRegistries;
use crate::storage::{GarbageMark, IndexEntry, Reachable, Store};
use crate::sys::lock::FileLock;
use crate::types::{Digest, ImageReference};

/// The images that containers use.
#[derive(Debug, Clone, Default)]
pub(crate) struct InUse {
    /// By image ID, the name of one of its containers.
    images: BTreeMap<Digest, String>,
    layers: Vec<Vec<Digest>>,
}

impl InUse {
    /// Adds a container.
    pub(crate) fn add(&mut self, image: &ImageSource, container: &str) {
        let Some(id) = &image.id else { return };
        self.images.entry(id.clone()).or_insert_with(|| container.to_owned());
        self.layers.push(image.layers.clone());
    }
}

/// The result of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Removed {
    /// Names that were removed.
    pub(crate) untagged: Vec<ImageReference>,
    /// IDs of the images that were deleted.
    pub(crate) deleted: Vec<Digest>,
}

/// Removes images while no other process can start to use one: begin, then find out which are in use, then remove.
#[derive(Debug)]
pub(crate) struct Removal<'a> {
    store: &'a Store,
    lock: FileLock,
    /// Created with the first image that is removed, so that its garbage is found even if this process is killed, or if
    /// nothing can be collected now.
    mark: OnceCell<Option<GarbageMark>>,
}

impl<'a> Removal<'a> {
    /// Takes the store's lock.
    pub(crate) fn begin(store: &'a Store) -> Result<Self, Error> {
        Ok(Self { store, lock: store.lock_exclusive()?, mark: OnceCell::new() })
    }

    /// Removes a name; the image is removed with its last name, unless a container uses it. By ID, the image is removed
    /// with all its names: if it has several, only if `all_names` is true. Images of one ID, which were pulled in
    /// several forms, are one.
    ///
    /// Fails with `InUse`, `SeveralNames` or `NotFound`, and changes nothing then.
    pub(crate) fn remove(
        &self,
        registries: &LazyRegistries,
        name_or_id: &str,
        used: &InUse,
        all_names: bool,
    ) -> Result<Removed, Error> {
        let index = self.store.index()?;
        let image = match find_in(self.store, registries, &index, name_or_id) {
            Err(Error::Damaged { .. } | Error::Storage(_)) => {
                return self.remove_damaged(registries, name_or_id, &index);
            }
            other => other?,
        };
        let forms = forms_in(self.store, &index, &image);
        let names: Vec<ImageReference> = forms.iter().flat_map(|form| form.names.clone()).collect();
        let by_name = find_name(&index, registries, name_or_id)?.and_then(|(entry, _)| entry.reference.clone());
        if let Some(name) = by_name
            && names.len() > 1
        {
            if image.names.len() > 1 {
                self.take_names(std::slice::from_ref(&name))?;
            } else {
                self.forget(&image.manifest.digest)?;
            }
            return Ok(Removed { untagged: vec![name], deleted: Vec::new() });
        }
        if let Some(container) = used.images.get(&image.id) {
            return Err(Error::InUse { name: name_or_id.to_owned(), container: container.clone() });
        }
        if names.len() > 1 && !all_names {
            return Err(Error::SeveralNames { id: image.id, names });
        }
        forms.iter().try_for_each(|form| self.forget(&form.manifest.digest))?;
        Ok(Removed { untagged: names, deleted: vec![image.id] })
    }

    /// Removes the name of an image that cannot be read.
    fn remove_damaged(&self, registries: &LazyRegistries, name: &str, index: &[IndexEntry]) -> Result<Removed, Error> {
        let not_found = || Error::NotFound { name: name.to_owned() };
        let (entry, _) = find_name(index, registries, name)?.ok_or_else(not_found)?;
        let reference = entry.reference.clone().ok_or_else(not_found)?;
        if index.iter().filter(|other| other.manifest.digest == entry.manifest.digest).count() > 1 {
            self.take_names(std::slice::from_ref(&reference))?;
        } else {
            self.forget(&entry.manifest.digest)?;
        }
        Ok(Removed { untagged: vec![reference], deleted: Vec::new() })
    }

    /// Removes the image with this manifest and all names of it, even if it cannot be read.
    pub(crate) fn forget(&self, manifest: &Digest) -> Result<(), Error> {
        // A full disk may have no room for a mark, but the image must be removed all the same.
        self.mark.get_or_init(|| self.store.mark_garbage().ok());
        Ok(self.store.forget(manifest, &self.lock)?)
    }

    fn take_names(&self, names: &[ImageReference]) -> Result<(), Error> {
        self.store.untag_locked(names, &self.lock)?;
        Ok(())
    }

    /// Removes blobs and layers that no image and no container refers to, and returns whether it did: not while
    /// something is being pulled, and not while an image cannot be read, since rc cannot tell what that one needs.
    pub(crate) fn collect(&self, used: &InUse) -> Result<bool, Error> {
        let index = self.store.index()?;
        let mut kept = Reachable::default();
        used.layers.iter().for_each(|layers| kept.add_layers(layers));
        for manifest in unique_manifests(&index) {
            let Ok(image) = read(self.store, &index, manifest, None) else { return Ok(false) };
            kept.blobs.extend([image.id, image.manifest.digest]);
            kept.add_layers(&image.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>());
            kept.blobs.extend(image.layers.into_iter().map(|layer| layer.blob.digest));
        }
        // What a build may use again: its blob is the archive of its layer.
        for step in self.store.steps()? {
            if let Some(layer) = step.record.layer {
                kept.blobs.insert(layer.digest.clone());
                kept.layers.insert(layer.digest);
            }
        }
        let Ok(lists) = list::blobs(self.store) else { return Ok(false) };
        kept.blobs.extend(lists);
        Ok(self.store.collect(&kept, &self.lock)?)
    }
}
