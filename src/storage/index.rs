//! `index.json`: which names refer to which manifests. One descriptor for each name, and one without a name for each
//! image that has lost its last. An image that has had other names than it has now keeps them, too.

mod names;

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::names::history;
use self::names::keep_history;
use super::{Descriptor, Error, Store};
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;
use crate::types::{Digest, ImageReference, json};

/// The annotation with an image's name. Source: image-spec annotations.md.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The media type of a list of images. Source: image-spec media-types.md.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// docker's.
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The annotation with the digest of the multi-platform index by which an image was pulled.
const INDEX_DIGEST: &str = "io.rc.index.digest";

/// The maximum size of index.json in bytes: tens of thousands of names.
const LIMIT: u64 = 16 << 20;

pub(super) const EMPTY: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// One entry of index.json: a manifest, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// The name; `None` for an image that has lost its last name.
    pub(crate) reference: Option<ImageReference>,
    /// The manifest.
    pub(crate) manifest: Descriptor,
}

impl IndexEntry {
    /// The digest of the multi-platform index by which the image was pulled, if it was.
    pub(crate) fn index_digest(&self) -> Option<Digest> {
        self.manifest.annotations.get(INDEX_DIGEST).and_then(|text| text.parse().ok())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    manifests: Vec<Descriptor>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Store {
    /// The images of index.json, in its order. Empty if there is no store yet.
    pub(crate) fn index(&self) -> Result<Vec<IndexEntry>, Error> {
        let mut entries = self.entries()?;
        entries.retain(|entry| !is_list(&entry.manifest));
        Ok(entries)
    }

    /// All entries, also lists of images.
    pub(super) fn entries(&self) -> Result<Vec<IndexEntry>, Error> {
        #[derive(Deserialize)]
        struct Lean {
            manifests: Vec<Descriptor>,
        }
        let bytes = match fs::read_record(self.index_path(), LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let index: Lean = json::from_slice(&bytes).map_err(|source| self.bad_index(source))?;
        Ok(index.manifests.into_iter().map(|manifest| IndexEntry { reference: name(&manifest), manifest }).collect())
    }

    /// Makes `reference` name the image `manifest`. An image that loses its last name to it stays, without a name.
    ///
    /// `index` is the digest of the multi-platform index that led to the manifest, by which the image can be found as
    /// well. The manifest and everything it refers to must be in the store; the caller holds `begin_ingest`.
    pub(crate) fn tag(
        &self,
        reference: &ImageReference,
        manifest: &Descriptor,
        index: Option<&Digest>,
    ) -> Result<(), Error> {
        let wanted = reference.to_string();
        let mut entry = manifest.clone();
        entry.annotations = BTreeMap::from([(REF_NAME.to_owned(), wanted.clone())]);
        if let Some(index) = index {
            entry.annotations.insert(INDEX_DIGEST.to_owned(), index.to_string());
        }
        self.change_index(|manifests| {
            for other in manifests.iter_mut() {
                if other.annotations.get(REF_NAME) == Some(&wanted) {
                    other.annotations.remove(REF_NAME);
                }
            }
            manifests.push(entry);
            drop_needless(manifests);
        })
    }

    /// Adds the image `manifest` without a name, if it has none.
    pub(crate) fn add_unnamed(&self, manifest: &Descriptor) -> Result<(), Error> {
        let mut entry = manifest.clone();
        entry.annotations.clear();
        self.change_index(|manifests| {
            manifests.push(entry);
            drop_needless(manifests);
        })
    }

    /// Removes a name; the image stays, without a name if it was the last. Returns whether the name existed.
    pub(crate) fn untag(&self, reference: &ImageReference) -> Result<bool, Error> {
        self.untag_locked(std::slice::from_ref(reference), &self.lock_exclusive()?)
    }

    /// Like `untag`, for several names; the caller holds the store's lock.
    pub(crate) fn untag_locked(&self, references: &[ImageReference], _lock: &FileLock) -> Result<bool, Error> {
        let wanted: Vec<_> = references.iter().map(ToString::to_string).collect();
        let mut found = false;
        self.change_index_locked(|manifests| {
            for entry in manifests.iter_mut() {
                if entry.annotations.get(REF_NAME).is_some_and(|name| wanted.contains(name)) {
                    entry.annotations.remove(REF_NAME);
                    found = true;
                }
            }
            drop_needless(manifests);
        })?;
        Ok(found)
    }

    /// Removes an image with all its names from index.json; the caller holds the store's lock.
    pub(crate) fn forget(&self, manifest: &Digest, _lock: &FileLock) -> Result<(), Error> {
        self.change_index_locked(|manifests| manifests.retain(|entry| entry.digest != *manifest))
    }

    /// Changes index.json in one step, under the store's lock.
    pub(super) fn change_index(&self, change: impl FnOnce(&mut Vec<Descriptor>)) -> Result<(), Error> {
        let _lock = self.lock_exclusive()?;
        self.change_index_locked(change)
    }

    fn change_index_locked(&self, change: impl FnOnce(&mut Vec<Descriptor>)) -> Result<(), Error> {
        let bytes = fs::read_record(self.index_path(), LIMIT)?;
        let mut index: Index = json::from_slice(&bytes).map_err(|source| self.bad_index(source))?;
        let before = index.manifests.clone();
        change(&mut index.manifests);
        keep_history(&before, &mut index.manifests);
        if index.manifests == before {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&index).map_err(|source| self.bad_index(source))?;
        if bytes.len() as u64 > LIMIT {
            // No rc could read it, nor any image.
            return Err(
                fs::PathError::new("write", self.index_path(), io::Error::from(io::ErrorKind::FileTooLarge)).into()
            );
        }
        Ok(fs::replace(self.index_path(), &bytes, Durability::Synced)?)
    }

    fn bad_index(&self, source: serde_json::Error) -> Error {
        Error::Json { what: format!("`{}`", self.index_path().display()), source }
    }
}

/// Whether an entry is a list of images for several platforms.
pub(super) fn is_list(entry: &Descriptor) -> bool {
    entry.media_type == OCI_INDEX || entry.media_type == DOCKER_LIST
}

fn name(entry: &Descriptor) -> Option<ImageReference> {
    entry.annotations.get(REF_NAME).and_then(|name| name.parse().ok())
}

/// An entry without a name matters only while no other entry has the same manifest.
fn drop_needless(manifests: &mut Vec<Descriptor>) {
    let mut kept: Vec<Descriptor> = Vec::with_capacity(manifests.len());
    let is_named = |entry: &Descriptor| entry.annotations.contains_key(REF_NAME);
    for (position, entry) in manifests.iter().enumerate() {
        let later = &manifests[position + 1..];
        let has_twin = kept.iter().chain(later.iter().filter(|e| is_named(e))).any(|e| e.digest == entry.digest);
        // A list is nothing without its name.
        if is_named(entry) || !(has_twin || is_list(entry)) {
            kept.push(entry.clone());
        }
    }
    *manifests = kept;
}
