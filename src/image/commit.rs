//! Makes an image of a container: the image's layers, and one with what the container has changed.

use std::io::Read;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::local::LocalImage;
use super::make::{config, manifest};
use super::{Error, History, change};
use crate::storage::{Compression, Descriptor, Store, Target};
use crate::sys::fs::AtPath as _;
use crate::types::{Digest, ImageReference, ImageSettings};

/// How an image is made.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Its name; `None` leaves it without one.
    pub(crate) name: Option<ImageReference>,
    /// The defaults of its containers.
    pub(crate) settings: ImageSettings,
    /// Dockerfile instructions that change them.
    pub(crate) changes: Vec<String>,
    /// Its author, if not that of the old image.
    pub(crate) author: Option<String>,
    /// A comment for the history.
    pub(crate) message: Option<String>,
    /// The container, for the history.
    pub(crate) container: String,
    /// The layer has all files, and is the only one.
    pub(crate) squash: bool,
    /// The ID map to unpack the layer for.
    pub(crate) target: Target,
}

/// An image that was made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Committed {
    /// Its ID.
    pub(crate) id: Digest,
}

/// Fails if an instruction is invalid.
pub(crate) fn check(options: &Options) -> Result<(), Error> {
    changed(options).map(drop)
}

fn changed(options: &Options) -> Result<ImageSettings, Error> {
    let mut settings = options.settings.clone();
    options.changes.iter().try_for_each(|instruction| change::apply(&mut settings, instruction))?;
    Ok(settings)
}

/// A layer that another process packs.
#[derive(Debug)]
pub(crate) struct Packed<A, D> {
    /// The archive.
    pub(crate) archive: A,
    /// One byte, once the archive is complete: that of a packer which was killed may end between two entries.
    pub(crate) done: D,
}

/// Makes an image of `base` and a layer. If the packer has not completed it, no image is made.
///
/// This starts threads: do not call it in a process that will still fork.
pub(crate) fn commit(
    store: &Store,
    base: &LocalImage,
    mut layer: Packed<impl Read + Send, impl Read>,
    options: &Options,
) -> Result<Committed, Error> {
    let now = Timestamp::now().to_string();
    let mut document = base.config.clone();
    document.created = Some(now.clone());
    document.config = changed(options)?;
    if options.author.is_some() {
        document.author.clone_from(&options.author);
    }
    let ingest = store.begin_ingest()?;
    let (mut blob, diff_id, _) = store.import_layer(layer.archive, &options.target)?;
    layer.done.read_exact(&mut [0]).at("pack", "the container's files")?;
    blob.media_type = Compression::of(&[]).layer_type().to_owned();
    let mut layers: Vec<Descriptor> = Vec::new();
    if options.squash {
        document.history.clear();
        document.rootfs.diff_ids.clear();
    } else {
        layers.extend(base.layers.iter().map(|layer| layer.blob.clone()));
    }
    layers.push(blob);
    document.rootfs.diff_ids.push(diff_id);
    document.history.push(History {
        created: Some(now),
        created_by: Some(format!("rc commit {}", options.container)),
        comment: options.message.clone(),
        ..History::default()
    });
    let config = config(store, &document)?;
    let manifest = manifest(store, &config, &layers)?;
    match &options.name {
        Some(name) => store.tag(name, &manifest, None)?,
        None => store.add_unnamed(&manifest)?,
    }
    ingest.finish()?;
    Ok(Committed { id: config.digest })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::image::{Config, local};
    use crate::storage::Ownership;

    #[test]
    fn no_image_is_made_of_an_archive_whose_packer_was_killed_between_two_entries() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let base = LocalImage {
            id: Digest::sha256([9; 32]),
            manifest: Descriptor::new("", Digest::sha256([8; 32]), 1),
            reference: None,
            history: Vec::new(),
            names: Vec::new(),
            indexes: Vec::new(),
            config: Config::default(),
            annotations: BTreeMap::default(),
            layers: Vec::new(),
        };
        let options = Options {
            name: Some("box".parse().expect("a name")),
            settings: ImageSettings::default(),
            changes: Vec::new(),
            author: None,
            message: None,
            container: "c".to_owned(),
            squash: false,
            target: Target { map: "test".to_owned(), ownership: Ownership::Single },
        };
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        archive.append_data(&mut header, "d/", &[][..]).expect("an entry");
        // Without the end that `into_inner` would write.
        let archive = archive.get_ref().clone();
        let images = || local::list(&store).expect("a list").0.len();
        commit(&store, &base, Packed { archive: &archive[..], done: &b""[..] }, &options).expect_err("it is not whole");
        assert_eq!(images(), 0);
        commit(&store, &base, Packed { archive: &archive[..], done: &b"."[..] }, &options).expect("an image");
        assert_eq!(images(), 1);
    }
}
