//! Pulls an image from a registry into the store.
//!
//! ```text
//! caller's thread   manifest → (index → manifest) → signatures → configuration → layers … → tag
//! tokio workers     sockets and TLS only
//! puller, one per active layer (Store::receive_layer)
//!   ├─ decompress   socket → sha256 → blob file, → inflate → sha256 (diff ID): one thread, by block_on
//!   └─ unpack       tar → files
//! ```
//!
//! The pulling thread reads the network itself, so there is no queue between the two: data that is not unpacked yet
//! stays in the socket, and the sender waits. Size, digest and diff ID are checked before anything has a name
//! (`Store::receive_layer`); the image is tagged last, under the digest of the manifest that decided everything
//! (safety.md R6).
//!
//! Call it in a forked child that is root in the root namespace and will not fork again: it starts threads.

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
use super::trust::{self, Demand};
use crate::registry::manifest::{Descriptor, Fault, Kind, Manifest};
use crate::registry::{self, Client, Document, Lookaside, LookasideError, MANIFEST_LIMIT, Platform};
use crate::storage::{self, BlobWriter, Naming, Store, Target};
use crate::sys::fs::plain;
use crate::types::json;
use crate::types::{Digest, ImageReference, Report, ReportKind, Thing};

/// The options of a pull.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The names under which registries may have the image, and how to connect to them: mirrors, then the registry
    /// itself. The first that has it is used.
    pub(crate) places: Vec<(ImageReference, registry::Options)>,
    /// What the policy demands of the image.
    pub(crate) demand: Demand,
    /// The platform that the image must be for; `None` is that of this host, and also accepts an image that names no
    /// platform.
    pub(crate) platform: Option<Platform>,
    /// The ID map to unpack layers for.
    pub(crate) target: Target,
}

/// An image in the store: complete, unpacked and named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pulled {
    /// Its name there.
    pub(crate) reference: ImageReference,
    /// The digest of its manifest.
    pub(crate) manifest: Digest,
    /// The digest of its configuration: the image's ID.
    pub(crate) id: Digest,
    /// Its platform, such as `linux/arm64/v8`, if that is not the wanted one: for a warning.
    pub(crate) other_platform: Option<String>,
    /// Devices in its layers, which an ordinary user cannot create: for a warning.
    pub(crate) skipped_devices: u64,
}

/// Why an image could not be pulled.
#[derive(Debug, thiserror::Error)]
#[error("cannot pull `{reference}`: {cause}")]
pub(crate) struct Error {
    /// The image.
    pub(crate) reference: String,
    /// The cause.
    pub(crate) cause: Box<Cause>,
}

/// The cause of a failed pull.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// The registry, or the connection to it, failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The store failed.
    #[error(transparent)]
    Storage(storage::Error),
    /// The image is for another platform than the requested one.
    #[error("it is for {found}, not for {wanted}")]
    Platform {
        /// The requested platform.
        wanted: String,
        /// The platform in its configuration.
        found: String,
    },
    /// rc does not know where the signatures are.
    #[error(transparent)]
    Lookaside(#[from] LookasideError),
    /// The image has not the signatures that the policy demands.
    #[error(transparent)]
    Trust(#[from] trust::Error),
    /// Threads could not be started.
    #[error("cannot start threads: {}", plain(.0))]
    Threads(std::io::Error),
}

impl From<storage::Error> for Cause {
    /// A sender's failure that passed through the store becomes the original error again.
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
            Cause::Lookaside(error) => Self::from(error).with_message(message),
            Cause::Trust(error) => Self::from(error).with_message(message),
            Cause::Platform { .. } => Self::new(ReportKind::NotFound(Thing::Image), message),
            Cause::Threads(error) => Self::new(ReportKind::of_step(&error), message),
        }
    }
}

/// Whether the registry could not be reached, or has not answered: the policy `newer` ignores that.
pub(crate) fn is_unreachable(report: &Report) -> bool {
    matches!(report.kind, ReportKind::Unavailable | ReportKind::TimedOut)
}

/// Pulls `reference` into `store`. Does not pull blobs and layers that exist; waits for those that another process is
/// pulling.
///
/// Name, manifest and configuration are on disk then; of the layers a power cut may leave less, until
/// [`Store::sync_layers`] has returned. Every reader notices that.
///
/// On failure the image has no new name; complete blobs and layers stay for the next attempt, and so do partial blobs,
/// until another command sweeps.
pub(crate) fn pull(
    store: &Store,
    reference: &ImageReference,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Pulled, Error> {
    progress.start(reference);
    let fail = |cause| Error { reference: reference.to_string(), cause: Box::new(cause) };
    let runtime = registry::workers().map_err(|error| fail(Cause::Threads(error)))?;
    let mut places = options.places.iter().peekable();
    let pulled = loop {
        let Some((place, connection)) = places.next() else {
            break Err(fail(Cause::Registry(registry::Error::NotFound { subject: reference.to_string() })));
        };
        let outcome = Client::new(place, connection.clone()).map_err(Cause::from).and_then(|client| {
            let runtime = runtime.handle();
            Pull { store, reference, place, connection, options, progress, client: &client, runtime }.run()
        });
        match outcome {
            // A mirror may be down, or lack the image.
            Err(cause @ Cause::Registry(_)) if places.peek().is_some() => {
                progress.waits(&format!("mirror `{}`: {cause}: trying the next", place.name()));
            }
            outcome => break outcome.map_err(fail),
        }
    };
    // Only connections that nothing waits for can still run there.
    runtime.shutdown_background();
    pulled
}

/// Lists the tags of the repository of `reference` (`--all-tags`).
pub(crate) fn tags(
    reference: &ImageReference,
    place: &ImageReference,
    options: &registry::Options,
) -> Result<Vec<ImageReference>, Error> {
    let fail = |cause| Error { reference: reference.to_string(), cause: Box::new(cause) };
    let client = Client::new(place, options.clone()).map_err(|error| fail(error.into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| fail(Cause::Threads(error)))?;
    let tags = runtime.block_on(client.tags()).map_err(|error| fail(error.into()));
    runtime.shutdown_background();
    // An invalid tag cannot be pulled, nor named.
    Ok(tags?.iter().filter_map(|tag| format!("{}:{tag}", reference.name()).parse().ok()).collect())
}

/// A pull in progress.
struct Pull<'p> {
    store: &'p Store,
    reference: &'p ImageReference,
    /// Its name where it comes from.
    place: &'p ImageReference,
    connection: &'p registry::Options,
    options: &'p Options,
    progress: &'p dyn Progress,
    client: &'p Client,
    runtime: &'p tokio::runtime::Handle,
}

/// A manifest and the documents that led to it.
struct Found {
    document: Document,
    manifest: Manifest,
    index: Option<Digest>,
}

impl Pull<'_> {
    fn run(&self) -> Result<Pulled, Cause> {
        let found = self.runtime.block_on(self.find())?;
        // Before anything else of the image is looked at (containers-signature(5)).
        self.check_signatures(&found.document)?;
        // Nothing that arrives is garbage until the image has its name.
        let ingest = self.store.begin_ingest()?;
        let subject = self.reference.to_string();
        let refuse = |fault| registry::Error::Manifest { subject: subject.clone(), fault };
        let config = self.configuration(&found.manifest.config)?;
        let config: Config =
            json::from_slice(&config).map_err(|source| refuse(Fault::Json { what: "configuration", source }))?;
        let other_platform = self.check_platform(&config)?;
        let layers = found.manifest.with_diff_ids(&config.rootfs.diff_ids).map_err(refuse)?;
        // Before the layers: to sync a file takes long once thousands of others have been written.
        let size = found.document.bytes.len() as u64;
        if let Some(writer) = self.store.begin_document(&found.document.digest, size)? {
            write(writer, &found.document)?;
        }
        let skipped_devices = pull_layers(self, &distinct(layers))?;

        let descriptor = storage::Descriptor::new(found.manifest.media_type, found.document.digest.clone(), size);
        let reference = self.reference.decided();
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
        let mut document = self.client.manifest(self.place).await?;
        let mut subject = self.reference.to_string();
        let mut index = None;
        for _ in 0..=2 {
            let refuse = |fault| registry::Error::Manifest { subject: subject.clone(), fault };
            let kind = Kind::parse(&document.bytes, &document.media_type).map_err(refuse)?;
            let entry = match kind {
                Kind::Manifest(manifest) => return Ok(Found { document, manifest, index }),
                Kind::Index(entries) => entries.choose(&self.platform()).map_err(refuse)?.clone(),
            };
            // The outermost digest is the one that users know.
            index.get_or_insert(document.digest);
            document = self.client.manifest_of(&entry).await?;
            subject = entry.digest.to_string();
        }
        Err(registry::Error::Manifest { subject, fault: Fault::Depth })
    }

    /// Checks that the image has the signatures that the policy demands.
    fn check_signatures(&self, manifest: &Document) -> Result<(), Cause> {
        let demand = &self.options.demand;
        if !demand.needs_signatures() {
            return Ok(());
        }
        if let Some(kept) = self.runtime.block_on(self.client.signatures(&manifest.digest))? {
            return Ok(demand.check(&manifest.bytes, &kept.signatures, &format!("at `{}`", kept.url))?);
        }
        let lookaside = Lookaside::of(&self.place.decided(), &self.connection.places)?;
        let signatures = self.runtime.block_on(lookaside.signatures(&manifest.digest, self.connection))?;
        Ok(demand.check(&manifest.bytes, &signatures, &format!("at `{}`", lookaside.at(&manifest.digest)))?)
    }

    /// The configuration, from the store if it is there; another process that needs it waits for our copy.
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

    /// The image's platform, if it is not the wanted one: an error if a platform was requested, else a warning.
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

/// Writes a document whose digest was checked, with any algorithm.
fn write(mut writer: BlobWriter, document: &Document) -> Result<(), Cause> {
    writer.restart()?;
    writer
        .write_all(&document.bytes)
        .map_err(|source| storage::Error::Receive { digest: document.digest.clone(), source })?;
    writer.finish(Naming::Synced)?;
    Ok(())
}

/// Each layer once, the largest first, so that the last one is small. (An image may have the same layer more than once;
/// usually that is an empty one.)
fn distinct(mut layers: Vec<(Descriptor, Digest)>) -> Vec<(Descriptor, Digest)> {
    let mut seen = HashSet::new();
    layers.retain(|(blob, diff_id)| seen.insert((blob.digest.clone(), diff_id.clone())));
    layers.sort_by_key(|(blob, _)| std::cmp::Reverse(blob.size));
    layers
}
