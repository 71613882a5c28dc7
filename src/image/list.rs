//! Lists of images for several platforms, which the user makes (`manifest create`): OCI indexes in the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Config, Error};
use crate::storage::{self, Descriptor, IndexEntry, MANIFEST_LIMIT, OCI_INDEX, Platform, Store};
use crate::types::{Digest, ImageReference, json};

/// A list and its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List {
    /// Its name.
    pub(crate) name: ImageReference,
    /// The digest of its document: its ID.
    pub(crate) digest: Digest,
    /// What is in it.
    pub(crate) document: Document,
}

/// The document of a list. Source: image-spec image-index.md.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    schema_version: u32,
    /// Its media type.
    #[serde(default)]
    pub(crate) media_type: String,
    /// The images, by their manifests.
    pub(crate) manifests: Vec<Descriptor>,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// What rc does not know.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Document {
    /// A list of nothing.
    pub(crate) fn empty() -> Self {
        Self {
            schema_version: 2,
            media_type: OCI_INDEX.to_owned(),
            manifests: Vec::new(),
            annotations: BTreeMap::new(),
            rest: Map::new(),
        }
    }

    /// Reads a document from elsewhere.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        json::from_slice(bytes)
    }

    /// Adds an image; one with the same manifest is replaced.
    pub(crate) fn add(&mut self, member: Descriptor) {
        self.manifests.retain(|known| known.digest != member.digest);
        self.manifests.push(member);
    }

    /// The image with this manifest, by its digest.
    pub(crate) fn member(&mut self, digest: &str) -> Option<&mut Descriptor> {
        self.manifests.iter_mut().find(|member| member.digest.to_string() == digest)
    }

    /// Its bytes, as it is stored and pushed.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Error> {
        let what = || "a list of images".to_owned();
        serde_json::to_vec(self).map_err(|source| storage::Error::Json { what: what(), source }.into())
    }
}

/// Finds a list by its name, completed as the name of an image is, or by its digest or a prefix of that.
pub(crate) fn find(store: &Store, typed: &str) -> Result<List, Error> {
    let lists = store.lists()?;
    let here = Some(typed).filter(|typed| ImageReference::is_short(typed)).map(|typed| format!("localhost/{typed}"));
    let names: Vec<ImageReference> =
        [Some(typed.to_owned()), here].into_iter().flatten().filter_map(|name| name.parse().ok()).collect();
    let by_name = |entry: &&IndexEntry| entry.reference.as_ref().is_some_and(|name| names.contains(name));
    let prefix = typed.strip_prefix("sha256:").unwrap_or(typed);
    let by_digest = |entry: &&IndexEntry| prefix.len() >= 4 && entry.manifest.digest.hex().starts_with(prefix);
    let found = lists.iter().find(by_name).or_else(|| lists.iter().find(by_digest));
    let entry = found.ok_or_else(|| Error::NoList { name: typed.to_owned() })?;
    read(store, entry)
}

fn read(store: &Store, entry: &IndexEntry) -> Result<List, Error> {
    let digest = entry.manifest.digest.clone();
    let bytes = store.read_blob(&digest, MANIFEST_LIMIT)?;
    let damaged = |error: serde_json::Error| Error::Document { name: digest.to_string(), reason: error.to_string() };
    let document = Document::parse(&bytes).map_err(damaged)?;
    let name = entry.reference.clone().ok_or_else(|| Error::NoList { name: digest.to_string() })?;
    Ok(List { name, digest, document })
}

/// Changes the list of this name, or makes one if there is none, and returns its digest. If another process changes it
/// meanwhile, `change` is asked again, with what that one has made of it.
pub(crate) fn update<E: From<Error>>(
    store: &Store,
    name: &ImageReference,
    mut change: impl FnMut(Option<Document>) -> Result<Document, E>,
) -> Result<Digest, E> {
    loop {
        let lists = store.lists().map_err(Error::from)?;
        let entry = lists.iter().find(|entry| entry.reference.as_ref() == Some(name));
        let known = entry.map(|entry| read(store, entry)).transpose()?;
        let old = known.as_ref().map(|known| known.digest.clone());
        let document = change(known.map(|known| known.document))?;
        if let Some(made) = put(store, name, &document, old.as_ref())? {
            return Ok(made);
        }
    }
}

/// Stores a list under its name, and returns its digest; `None` if the name has another list than `old` by now.
fn put(
    store: &Store,
    name: &ImageReference,
    document: &Document,
    old: Option<&Digest>,
) -> Result<Option<Digest>, Error> {
    let bytes = document.bytes()?;
    let ingest = store.begin_ingest()?;
    let digest = store.put_blob(&bytes)?;
    let list = Descriptor::new(&document.media_type, digest.clone(), bytes.len() as u64);
    if !store.put_list(name, &list, old)? {
        return Ok(None);
    }
    ingest.finish()?;
    Ok(Some(digest))
}

/// The blobs that lists need: their own, and those of the manifests in them that are in the store.
pub(crate) fn blobs(store: &Store) -> Result<Vec<Digest>, Error> {
    let mut blobs = Vec::new();
    for entry in store.lists()? {
        blobs.push(entry.manifest.digest.clone());
        blobs.extend(read(store, &entry)?.document.manifests.into_iter().map(|member| member.digest));
    }
    Ok(blobs)
}

/// The entry of an image in a list.
pub(crate) fn member(manifest: &Descriptor, config: &Config) -> Descriptor {
    let mut member = Descriptor::new(&manifest.media_type, manifest.digest.clone(), manifest.size);
    member.platform = Some(Platform {
        architecture: config.architecture.clone(),
        os: config.os.clone(),
        variant: config.variant.clone(),
        os_version: config.os_version.clone(),
    });
    member
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_processes_add_at_once_is_all_there() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let name: ImageReference = "list:1".parse().expect("a name");
        let member = |digit: &str| {
            let digest = format!("sha256:{}", digit.repeat(64)).parse().expect("a digest");
            Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 1)
        };
        let add = |known: Option<Document>, digit: &str| {
            let mut document = known.unwrap_or_else(Document::empty);
            document.add(member(digit));
            Ok::<_, Error>(document)
        };
        // The first has none to begin with, the second one that is replaced.
        for (digit, other) in [("a", "b"), ("c", "d")] {
            let mut others = vec![other];
            let added = update(&store, &name, |known| {
                for other in others.drain(..) {
                    update(&store, &name, |known| add(known, other)).expect("added");
                }
                add(known, digit)
            });
            let found = find(&store, "list:1").expect("a list");
            assert_eq!(found.digest, added.expect("added"));
        }
        let members = find(&store, "list:1").expect("a list").document.manifests;
        assert_eq!(members, ["b", "a", "d", "c"].map(member));
    }
}
