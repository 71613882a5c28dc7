//! Removing images: names first, then the image when its last name goes, then what nothing refers to any more.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::{LocalImage, find_in, find_name, read, unique_manifests};
use crate::image::Error;
use crate::plan::ImageSource;
use crate::storage::{GarbageMark, Reachable, Store};
use crate::sys::lock::FileLock;
use crate::types::{Digest, ImageReference};

/// Which images containers use.
#[derive(Debug, Clone, Default)]
pub(crate) struct InUse {
    /// By image id, the name of one container.
    images: BTreeMap<Digest, String>,
    layers: Vec<Digest>,
}

impl InUse {
    /// Adds a container.
    pub(crate) fn add(&mut self, image: &ImageSource, container: &str) {
        self.images.entry(image.id.clone()).or_insert_with(|| container.to_owned());
        self.layers.extend_from_slice(&image.layers);
    }
}

/// What a removal did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Removed {
    /// Names that were taken away.
    pub(crate) untagged: Vec<ImageReference>,
    /// Ids of images that are gone.
    pub(crate) deleted: Vec<Digest>,
}

/// Removes images while nobody else can begin to use one: begin, then find out which are in use, then remove.
#[derive(Debug)]
pub(crate) struct Removal<'a> {
    store: &'a Store,
    lock: FileLock,
    /// Made with the first image that goes: what it leaves is found although this process is killed, or nothing can be
    /// collected now.
    mark: OnceCell<Option<GarbageMark>>,
}

impl<'a> Removal<'a> {
    /// Takes the store's lock.
    pub(crate) fn begin(store: &'a Store) -> Result<Self, Error> {
        Ok(Self { store, lock: store.lock_exclusive()?, mark: OnceCell::new() })
    }

    /// Removes a name; with its last name the image goes, unless a container uses it. By id, all names go with the
    /// image: if there are several, only where `all_names` is true.
    ///
    /// Fails with `InUse`, `SeveralNames` or `NotFound`; nothing has changed then.
    pub(crate) fn remove(&self, name_or_id: &str, used: &InUse, all_names: bool) -> Result<Removed, Error> {
        let index = self.store.index()?;
        let image = match find_in(self.store, &index, name_or_id) {
            Err(Error::Damaged { .. } | Error::Storage(_)) => return self.remove_damaged(name_or_id, &index),
            other => other?,
        };
        let by_name = find_name(&index, name_or_id).and_then(|(entry, _)| entry.reference.clone());
        if let Some(name) = by_name
            && image.names.len() > 1
        {
            self.take_names(std::slice::from_ref(&name))?;
            return Ok(Removed { untagged: vec![name], deleted: Vec::new() });
        }
        if let Some(container) = used.images.get(&image.id) {
            return Err(Error::InUse { name: name_or_id.to_owned(), container: container.clone() });
        }
        if image.names.len() > 1 && !all_names {
            return Err(Error::SeveralNames { id: image.id, names: image.names });
        }
        self.delete(&image)
    }

    fn delete(&self, image: &LocalImage) -> Result<Removed, Error> {
        self.forget(&image.manifest.digest)?;
        Ok(Removed { untagged: image.names.clone(), deleted: vec![image.id.clone()] })
    }

    /// What cannot be read can still be forgotten, by a name.
    fn remove_damaged(&self, name: &str, index: &[crate::storage::IndexEntry]) -> Result<Removed, Error> {
        let not_found = || Error::NotFound { name: name.to_owned() };
        let (entry, _) = find_name(index, name).ok_or_else(not_found)?;
        let reference = entry.reference.clone().ok_or_else(not_found)?;
        if index.iter().filter(|other| other.manifest.digest == entry.manifest.digest).count() > 1 {
            self.take_names(std::slice::from_ref(&reference))?;
        } else {
            self.forget(&entry.manifest.digest)?;
        }
        Ok(Removed { untagged: vec![reference], deleted: Vec::new() })
    }

    fn forget(&self, manifest: &Digest) -> Result<(), Error> {
        // On a full disk there may be no room for a mark, and an image must be removed all the same.
        self.mark.get_or_init(|| self.store.mark_garbage().ok());
        Ok(self.store.forget(manifest, &self.lock)?)
    }

    fn take_names(&self, names: &[ImageReference]) -> Result<(), Error> {
        self.store.untag_locked(names, &self.lock)?;
        Ok(())
    }

    /// Takes away blobs and layers that no image and no container refers to, and says whether it did: not while
    /// something is being pulled, and not while an image cannot be read, since nobody knows what that needs.
    pub(crate) fn collect(&self, used: &InUse) -> Result<bool, Error> {
        let index = self.store.index()?;
        let mut kept = Reachable::default();
        kept.layers.extend(used.layers.iter().cloned());
        for manifest in unique_manifests(&index) {
            let Ok(image) = read(self.store, &index, manifest, None) else { return Ok(false) };
            kept.blobs.extend([image.id, image.manifest.digest]);
            for layer in image.layers {
                kept.blobs.insert(layer.blob.digest);
                kept.layers.insert(layer.diff_id);
            }
        }
        Ok(self.store.collect(&kept, &self.lock)?)
    }
}
