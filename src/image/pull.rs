//! Brings an image from a registry into the store.
//!
//! ```text
//! caller's thread   manifest → (index → manifest) → configuration → layers … → tag
//! tokio workers     sockets and TLS only
//! puller, one for each layer under way (Store::receive_layer)
//!   ├─ decompress   socket → sha256 → blob file, → inflate → sha256 (diff id): one thread, by block_on
//!   └─ unpack       tar → files
//! ```
//!
//! The pulling thread reads the network itself, so that there is no queue between the two: what is not unpacked yet
//! stays in the socket, and the sender waits. Size, digest and diff id are checked before anything has a name
//! (`Store::receive_layer`); the image is tagged last, under the digest of the manifest that decided everything
//! (safety.md R6).
//!
//! To be called in a forked child that is root in the user's namespace and will fork no more: threads start here.

mod layer;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::Write as _;

use serde::{Deserialize, Serialize};

pub(crate) use policy::{Step, step};

use self::layer::pull_layers;
use super::Config;
use super::progress::Progress;
use crate::registry::manifest::{Descriptor, Fault, Kind, Manifest};
use crate::registry::{self, Client, Document, MANIFEST_LIMIT, Platform};
use crate::storage::{self, BlobWriter, Store, Target};
use crate::sys::fs::plain;
use crate::types::json;
use crate::types::{Digest, ImageReference, Report, ReportKind, Thing};

/// What is pulled, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How the registry is spoken to.
    pub(crate) registry: registry::Options,
    /// What the image has to run on; `None` is this machine, where an image that does not say so is taken as well.
    pub(crate) platform: Option<Platform>,
    /// For whom layers are unpacked.
    pub(crate) target: Target,
}

/// An image that is in the store, whole, unpacked and named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pulled {
    /// Its name there.
    pub(crate) reference: ImageReference,
    /// The digest of its manifest.
    pub(crate) manifest: Digest,
    /// The digest of its configuration: the image's id.
    pub(crate) id: Digest,
    /// What it runs on, as `linux/arm64/v8`, if that is not what was wanted: for a warning.
    pub(crate) other_platform: Option<String>,
    /// Devices in its layers, which an ordinary user cannot make: for a warning.
    pub(crate) skipped_devices: u64,
}

/// Why an image could not be pulled.
#[derive(Debug, thiserror::Error)]
#[error("cannot pull `{reference}`: {cause}")]
pub(crate) struct Error {
    /// The image.
    pub(crate) reference: String,
    /// What went wrong.
    pub(crate) cause: Box<Cause>,
}

/// What went wrong in a pull.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// The registry, or the way to it.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The store.
    #[error(transparent)]
    Storage(storage::Error),
    /// The image is for something else than what was asked for.
    #[error("it is for {found}, not for {wanted}")]
    Platform {
        /// What was asked for.
        wanted: String,
        /// What its configuration says.
        found: String,
    },
    /// Threads could not be started.
    #[error("cannot start threads: {}", plain(.0))]
    Threads(std::io::Error),
}

impl From<storage::Error> for Cause {
    /// A sender's failure comes back from the store as what it was.
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Receive { digest, source } => match source.downcast::<registry::Error>() {
                Ok(error) => Self::Registry(error),
                Err(source) => Self::Storage(storage::Error::Receive { digest, source }),
            },
            other => Self::Storage(other),
        }
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match *error.cause {
            Cause::Registry(error) => Self::from(error).with_message(message),
            Cause::Storage(error) => Self::from(error).with_message(message),
            Cause::Platform { .. } => Self::new(ReportKind::NotFound(Thing::Image), message),
            Cause::Threads(error) => Self::new(ReportKind::of_step(&error), message),
        }
    }
}

/// Whether the registry could not be asked at all, or has not answered, which a policy of `newer` forgives.
pub(crate) fn is_unreachable(report: &Report) -> bool {
    matches!(report.kind, ReportKind::Unavailable | ReportKind::TimedOut)
}

/// Pulls `reference` into `store`. Blobs and layers that are there are not fetched again; those that another process is
/// just fetching are waited for.
///
/// On failure the image has no new name; whole blobs and layers stay for the next try, and so do parts of blobs, until
/// another command sweeps.
pub(crate) fn pull(
    store: &Store,
    reference: &ImageReference,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Pulled, Error> {
    progress.start(reference);
    let fail = |cause| Error { reference: reference.to_string(), cause: Box::new(cause) };
    let client = Client::new(reference, options.registry.clone()).map_err(|error| fail(error.into()))?;
    // Two workers: they only move bytes between sockets and the pullers.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("rc: network")
        .enable_all()
        .build()
        .map_err(|error| fail(Cause::Threads(error)))?;
    let pull = Pull { store, reference, options, progress, client: &client, runtime: runtime.handle() };
    let pulled = pull.run().map_err(fail);
    // Whatever still runs there is a connection that nobody waits for.
    runtime.shutdown_background();
    pulled
}

/// Lists the tags of the repository of `reference` (`--all-tags`).
pub(crate) fn tags(reference: &ImageReference, options: &registry::Options) -> Result<Vec<ImageReference>, Error> {
    let fail = |cause| Error { reference: reference.to_string(), cause: Box::new(cause) };
    let client = Client::new(reference, options.clone()).map_err(|error| fail(error.into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| fail(Cause::Threads(error)))?;
    let tags = runtime.block_on(client.tags()).map_err(|error| fail(error.into()));
    runtime.shutdown_background();
    // A tag that is none cannot be pulled, nor named.
    Ok(tags?.iter().filter_map(|tag| format!("{}:{tag}", reference.name()).parse().ok()).collect())
}

/// One pull under way.
struct Pull<'p> {
    store: &'p Store,
    reference: &'p ImageReference,
    options: &'p Options,
    progress: &'p dyn Progress,
    client: &'p Client,
    runtime: &'p tokio::runtime::Handle,
}

/// A manifest with what led to it.
struct Found {
    document: Document,
    manifest: Manifest,
    index: Option<Digest>,
}

impl Pull<'_> {
    fn run(&self) -> Result<Pulled, Cause> {
        let found = self.runtime.block_on(self.find())?;
        // Nothing that comes in is garbage until the image has its name.
        let ingest = self.store.begin_ingest()?;
        let subject = self.reference.to_string();
        let refuse = |fault| registry::Error::Manifest { subject: subject.clone(), fault };
        let config = self.configuration(&found.manifest.config)?;
        let config: Config =
            json::from_slice(&config).map_err(|source| refuse(Fault::Json { what: "configuration", source }))?;
        let other_platform = self.check_platform(&config)?;
        let layers = found.manifest.with_diff_ids(&config.rootfs.diff_ids).map_err(refuse)?;
        let skipped_devices = pull_layers(self, &distinct(layers))?;

        let size = found.document.bytes.len() as u64;
        if let Some(writer) = self.store.begin_document(&found.document.digest, size)? {
            write(writer, &found.document)?;
        }
        let descriptor = storage::Descriptor::new(found.manifest.media_type, found.document.digest.clone(), size);
        // What a tag beside a digest says today is not what was pulled.
        let reference = match self.reference.digest() {
            Some(digest) => self.reference.with_digest(digest.clone()),
            None => self.reference.clone(),
        };
        self.store.tag(&reference, &descriptor, found.index.as_ref())?;
        ingest.finish()?;
        Ok(Pulled {
            reference,
            manifest: found.document.digest,
            id: found.manifest.config.digest,
            other_platform,
            skipped_devices,
        })
    }

    fn platform(&self) -> Platform {
        self.options.platform.clone().unwrap_or_else(Platform::host)
    }

    /// The manifest of the image, through at most two indexes.
    async fn find(&self) -> Result<Found, registry::Error> {
        let mut document = self.client.manifest(self.reference).await?;
        let mut subject = self.reference.to_string();
        let mut index = None;
        for _ in 0..=2 {
            let refuse = |fault| registry::Error::Manifest { subject: subject.clone(), fault };
            let kind = Kind::parse(&document.bytes, &document.media_type).map_err(refuse)?;
            let entry = match kind {
                Kind::Manifest(manifest) => return Ok(Found { document, manifest, index }),
                Kind::Index(entries) => entries.choose(&self.platform()).map_err(refuse)?.clone(),
            };
            // The outermost is the one that people know the digest of.
            index.get_or_insert(document.digest);
            document = self.client.manifest_of(&entry).await?;
            subject = entry.digest.to_string();
        }
        Err(registry::Error::Manifest { subject, fault: Fault::Depth })
    }

    /// The configuration, from the store if it is there; who else wants it now waits for our copy.
    fn configuration(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Cause> {
        let Some(writer) = self.store.begin_document(&descriptor.digest, descriptor.size)? else {
            return Ok(self.store.read_blob(&descriptor.digest, MANIFEST_LIMIT)?);
        };
        match self.runtime.block_on(self.client.configuration(descriptor)) {
            Ok(document) => {
                write(writer, &document)?;
                Ok(document.bytes)
            }
            Err(error) => {
                writer.discard()?;
                Err(error.into())
            }
        }
    }

    /// What the image runs on, if it is not what was wanted: an error if it was asked for, else a warning.
    fn check_platform(&self, config: &Config) -> Result<Option<String>, Cause> {
        let Config { os, architecture, variant, .. } = config;
        let wanted = self.platform();
        if architecture.is_empty() || wanted.rank(os, architecture, variant.as_deref()).is_some() {
            return Ok(None);
        }
        let found = Platform::of(Some(os), Some(architecture), variant.as_deref()).to_string();
        match self.options.platform {
            Some(_) => Err(Cause::Platform { wanted: wanted.to_string(), found }),
            None => Ok(Some(found)),
        }
    }
}

/// Keeps a document whose digest was checked, by whatever algorithm it has.
fn write(mut writer: BlobWriter, document: &Document) -> Result<(), Cause> {
    writer.restart()?;
    writer
        .write_all(&document.bytes)
        .map_err(|source| storage::Error::Receive { digest: document.digest.clone(), source })?;
    writer.finish()?;
    Ok(())
}

/// Each layer once, the largest first, so that the last one under way is a small one. (An image may have the same layer
/// more than once; an empty one is the usual case.)
fn distinct(mut layers: Vec<(Descriptor, Digest)>) -> Vec<(Descriptor, Digest)> {
    let mut seen = HashSet::new();
    layers.retain(|(blob, diff_id)| seen.insert((blob.digest.clone(), diff_id.clone())));
    layers.sort_by_key(|(blob, _)| std::cmp::Reverse(blob.size));
    layers
}
