//! Writes images to an archive or a directory, with their blobs as they are in the store, and checks them on the way.

mod place;

use std::collections::BTreeSet;
use std::io::{Read as _, Write};
use std::path::Path;

use serde_json::{Value, json};

use self::place::{Directory, Place, Tar};
use super::Error;
use super::local::LocalImage;
use crate::storage::{Compression, HEAD, MANIFEST_LIMIT, OCI_INDEX, REF_NAME, Store};
use crate::sys::replacement::Output;
use crate::types::{Digest, ImageReference};

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The format of `docker load`: manifest.json, configurations and layers.
    DockerArchive,
    /// An OCI image layout in a tar archive.
    OciArchive,
}

/// The format of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// An OCI image layout, which may have other images.
    Oci,
    /// A directory as skopeo's `dir:`, for one image.
    Dir,
}

/// What one image is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// An archive of docker.
    DockerArchive,
    /// An OCI image layout in a tar archive.
    OciArchive,
    /// A directory in OCI layout, which may have other images.
    OciLayout,
    /// A directory as skopeo's `dir:`.
    Directory,
}

/// An image, and its names in what is written.
type Named<'a> = (&'a LocalImage, Vec<String>);

/// Writes images to one archive. One that was found by its ID has no name there. The caller keeps them from being
/// removed meanwhile ([`Store::defer_collection`]).
///
/// Fails with `Write` or `DamagedBlob` in the middle: the archive is useless then.
pub(crate) fn save(store: &Store, found: Vec<LocalImage>, format: Format, output: impl Write) -> Result<(), Error> {
    let images = together(found);
    write_archive(store, &named(&images), format, output)
}

/// Writes images to a directory, which is made unless it exists; the document that names the others comes last.
///
/// Fails with `OneImage` if the format has room for one image only.
pub(crate) fn save_to_directory(
    store: &Store,
    found: Vec<LocalImage>,
    layout: Layout,
    path: &Path,
) -> Result<(), Error> {
    let images = together(found);
    match (layout, &images[..]) {
        (Layout::Oci, _) => Writer::new(Directory::create(path)?, store).oci(&named(&images)),
        (Layout::Dir, [(image, _)]) => Writer::new(Directory::create(path)?, store).dir(image),
        (Layout::Dir, _) => Err(Error::OneImage),
    }
}

/// Fails with `Uncompressed` if a layer of an image is not compressed.
pub(crate) fn check_compressed(store: &Store, images: &[LocalImage]) -> Result<(), Error> {
    for layer in images.iter().flat_map(|image| &image.layers) {
        let mut head = Vec::new();
        let blob = store.open_blob(&layer.blob.digest)?;
        blob.take(HEAD as u64).read_to_end(&mut head).map_err(|source| Error::Read { source })?;
        if Compression::of(&head) == Compression::None {
            return Err(Error::Uncompressed { layer: layer.blob.digest.clone() });
        }
    }
    Ok(())
}

/// Each image once, with all the names by which it was found, but for digests.
fn together(found: Vec<LocalImage>) -> Vec<(LocalImage, Vec<ImageReference>)> {
    let mut images: Vec<(LocalImage, Vec<ImageReference>)> = Vec::new();
    for image in found {
        let reference = image.reference.clone().filter(|reference| reference.digest().is_none());
        match images.iter_mut().find(|(other, _)| other.manifest.digest == image.manifest.digest) {
            Some((_, references)) => references.extend(reference.filter(|new| !references.contains(new))),
            None => images.push((image, reference.into_iter().collect())),
        }
    }
    images
}

fn named(images: &[(LocalImage, Vec<ImageReference>)]) -> Vec<Named<'_>> {
    images.iter().map(|(image, names)| (image, names.iter().map(ToString::to_string).collect())).collect()
}

/// Writes one image to the file or directory `path`, under `name` if it has one there. A file gets its name when it is
/// complete; in a directory the document that names the others comes last.
pub(crate) fn save_one(
    store: &Store,
    image: &LocalImage,
    name: Option<String>,
    target: Target,
    path: &Path,
) -> Result<(), Error> {
    let _deferred = store.defer_collection()?;
    let named: Named<'_> = (image, name.into_iter().collect());
    let format = match target {
        Target::DockerArchive => Format::DockerArchive,
        Target::OciArchive => Format::OciArchive,
        Target::OciLayout => return Writer::new(Directory::create(path)?, store).oci(&[named]).map(drop),
        Target::Directory => return Writer::new(Directory::create(path)?, store).dir(image),
    };
    let mut output = std::io::BufWriter::with_capacity(256 << 10, Output::open(path, 0o666)?);
    write_archive(store, &[named], format, &mut output)?;
    let output = output.into_inner().map_err(|error| Error::Write { source: error.into_error() })?;
    Ok(output.finish()?)
}

fn write_archive(store: &Store, images: &[Named<'_>], format: Format, output: impl Write) -> Result<(), Error> {
    let mut writer = Writer::new(Tar::new(output), store);
    match format {
        Format::DockerArchive => writer.docker(images)?,
        Format::OciArchive => writer.oci(images)?,
    }
    writer.place.finish()
}

struct Writer<'a, P> {
    place: P,
    store: &'a Store,
    written: BTreeSet<String>,
}

impl<'a, P: Place> Writer<'a, P> {
    fn new(place: P, store: &'a Store) -> Self {
        Self { place, store, written: BTreeSet::new() }
    }

    fn docker(&mut self, images: &[Named<'_>]) -> Result<(), Error> {
        let mut document = Vec::new();
        for (image, names) in images {
            let mut layers = Vec::new();
            for layer in &image.layers {
                let name = format!("{}.tar", layer.blob.digest.hex());
                self.blob(&name, &layer.blob.digest)?;
                layers.push(name);
            }
            let config = format!("{}.json", image.id.hex());
            self.blob(&config, &image.id)?;
            document.push(json!({ "Config": config, "RepoTags": names, "Layers": layers }));
        }
        self.place.file("manifest.json", json!(document).to_string().as_bytes())
    }

    fn oci(&mut self, images: &[Named<'_>]) -> Result<(), Error> {
        // Without entries for them, skopeo creates directories for root, which only root can.
        for directory in ["blobs/", "blobs/sha256/"] {
            self.place.directory(directory)?;
        }
        self.place.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let mut manifests = Vec::new();
        for (image, names) in images {
            let layers = image.layers.iter().map(|layer| &layer.blob.digest);
            for digest in layers.chain([&image.id, &image.manifest.digest]) {
                let algorithm = digest.algorithm().as_str();
                if algorithm != "sha256" && !self.written.contains(algorithm) {
                    self.place.directory(&format!("blobs/{algorithm}/"))?;
                    self.written.insert(algorithm.to_owned());
                }
                self.blob(&format!("blobs/{algorithm}/{}", digest.hex()), digest)?;
            }
            let mut entry = image.manifest.clone();
            if names.is_empty() {
                manifests.push(json!(entry));
            }
            for name in names {
                entry.annotations.insert(REF_NAME.to_owned(), name.clone());
                manifests.push(json!(entry));
            }
        }
        let mut all = self.place.listed()?;
        all.retain(|old| !manifests.iter().any(|new| replaces(new, old)));
        all.append(&mut manifests);
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": all });
        self.place.file("index.json", index.to_string().as_bytes())
    }

    /// Source: skopeo's `dir:`, containers/image `directory`.
    fn dir(&mut self, image: &LocalImage) -> Result<(), Error> {
        self.place.file("version", b"Directory Transport Version: 1.1\n")?;
        for digest in image.layers.iter().map(|layer| &layer.blob.digest).chain([&image.id]) {
            self.blob(digest.hex(), digest)?;
        }
        let manifest = self.store.read_blob(&image.manifest.digest, MANIFEST_LIMIT)?;
        self.place.file("manifest.json", &manifest)
    }

    /// One blob, once.
    fn blob(&mut self, name: &str, digest: &Digest) -> Result<(), Error> {
        if !self.written.insert(name.to_owned()) {
            return Ok(());
        }
        let blob = self.store.verified_blob(digest)?;
        let size = blob.size().map_err(|source| Error::Write { source })?;
        self.place.stream(name, size, blob).map_err(|error| match error {
            Error::Write { source } => match source.downcast() {
                // The next pull downloads a blob that is missing, but not one that is damaged.
                Ok(damage) => match self.store.remove_damaged_blob(digest) {
                    Ok(()) => Error::Storage(damage),
                    Err(error) => error.into(),
                },
                Err(source) => Error::Write { source },
            },
            other => other,
        })
    }
}

/// Whether an entry of index.json takes the place of another: it has its name, or both have none and are the same.
fn replaces(new: &Value, old: &Value) -> bool {
    let name = |entry: &Value| entry["annotations"][REF_NAME].as_str().map(str::to_owned);
    match (name(new), name(old)) {
        (Some(new), Some(old)) => new == old,
        (None, None) => new["digest"] == old["digest"],
        _ => false,
    }
}
