//! Pushes an image of the store to a registry.
//!
//! ```text
//! layers, several at a time   blob as it is in the store, or compressed anew ─→ HEAD, mount, or send
//! configuration               as it is
//! manifest                    as it is, unless a layer or the format has changed: then it is written anew
//! ```
//!
//! Starts threads: the process must not fork any more.

pub(super) mod document;
pub(super) mod packing;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub(crate) use super::format::Format;
pub(crate) use crate::storage::Compression;
use crate::storage::HEAD;
pub(crate) use packing::Packing;

use super::local::{self, Layer, LocalImage};
use super::progress::{Outcome, Progress};
use crate::registry::manifest::Descriptor as Blob;
use crate::registry::{self, Arrival, Client, Source};
use crate::storage::{self, Descriptor, MANIFEST_LIMIT, Scratch, Store};
use crate::sys::fs::{self, plain};
use crate::types::{Digest, ImageReference, Report, ReportKind};

/// Layers that are pushed at the same time.
const PARALLEL: usize = 4;

/// The options of a push.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How to connect to the registry.
    pub(crate) registry: registry::Options,
    /// The format of the manifest; `None` keeps it.
    pub(crate) format: Option<Format>,
    /// How layers are compressed.
    pub(crate) packing: Packing,
    /// The manifest gets no name but its digest, whatever the destination says.
    pub(crate) is_unnamed: bool,
}

/// What the registry has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Its name there.
    pub(crate) reference: ImageReference,
    /// The digest of the manifest.
    pub(crate) digest: Digest,
    /// The size of the manifest, in bytes.
    pub(crate) size: u64,
    /// The media type of the manifest.
    pub(crate) media_type: String,
}

/// Why an image could not be pushed.
#[derive(Debug, thiserror::Error)]
#[error("cannot push to `{reference}`: {cause}")]
pub(crate) struct Error {
    /// The destination.
    reference: String,
    /// The cause.
    cause: Box<Cause>,
}

/// The cause of a failed push.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// The registry, or the connection to it, failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The store failed.
    #[error(transparent)]
    Image(#[from] super::Error),
    /// A layer could not be compressed.
    #[error("cannot compress layer `{digest}`: {}", plain(.source))]
    Compress {
        /// Its blob.
        digest: Digest,
        /// The cause.
        source: io::Error,
    },
    /// The destination is a digest, which the manifest does not have.
    #[error("the manifest has digest `{actual}`, not the one of the destination")]
    Digest {
        /// Its digest.
        actual: Digest,
    },
    /// Threads could not be started.
    #[error("cannot start threads: {}", plain(.0))]
    Threads(io::Error),
}

impl From<storage::Error> for Cause {
    fn from(error: storage::Error) -> Self {
        Self::Image(error.into())
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match *error.cause {
            Cause::Registry(registry::Error::Source { source, .. }) => match source.downcast::<storage::Error>() {
                Ok(damage) => Self::from(damage).with_message(message),
                Err(source) => Self::new(ReportKind::of_step(&source), message),
            },
            Cause::Registry(error) => Self::from(error).with_message(message),
            Cause::Image(error) => Self::from(error).with_message(message),
            Cause::Digest { .. } => Self::new(ReportKind::Invalid, message),
            Cause::Compress { source, .. } => Self::new(ReportKind::of_step(&source), message),
            Cause::Threads(error) => Self::new(ReportKind::of_step(&error), message),
        }
    }
}

/// Pushes `image` to `destination`. Nothing is sent that the registry has; the name is set last.
pub(crate) fn push(
    store: &Store,
    image: &LocalImage,
    destination: &ImageReference,
    options: &Options,
    progress: &Arc<dyn Progress>,
) -> Result<Pushed, Error> {
    let fail = |cause| Error { reference: destination.to_string(), cause: Box::new(cause) };
    progress.start(destination);
    // No process can remove the blobs meanwhile.
    let _deferred = store.defer_collection().map_err(|error| fail(error.into()))?;
    let known = known_elsewhere(store, image, destination).map_err(|error| fail(error.into()))?;
    let mut sources: Vec<String> = known.values().flatten().cloned().collect();
    sources.sort();
    sources.dedup();
    sources.truncate(8);
    let client = Client::for_push(destination, &sources, options.registry.clone());
    let client = client.map_err(|error| fail(error.into()))?;
    let runtime = registry::workers().map_err(|error| fail(Cause::Threads(error)))?;
    let scratch = store.scratch().map_err(|error| fail(error.into()))?;
    let push = Push { store, options, progress, client: &client, runtime: runtime.handle(), known, scratch };
    let pushed = push.run(image, destination).map_err(fail);
    runtime.shutdown_background();
    pushed
}

/// For each blob of the image, the other repositories of the registry that have it, as far as the store knows.
fn known_elsewhere(
    store: &Store,
    image: &LocalImage,
    destination: &ImageReference,
) -> Result<HashMap<Digest, Vec<String>>, super::Error> {
    let mut known: HashMap<Digest, Vec<String>> = HashMap::new();
    for other in local::list(store)?.0 {
        let names = other
            .names
            .iter()
            .filter(|name| name.registry() == destination.registry() && name.repository() != destination.repository());
        for name in names {
            let blobs = other.layers.iter().map(|layer| &layer.blob.digest).chain([&other.id]);
            let wanted = blobs.filter(|digest| image.id == **digest || has_layer(image, digest));
            for digest in wanted {
                let repositories = known.entry(digest.clone()).or_default();
                if !repositories.iter().any(|known| known == name.repository()) {
                    repositories.push(name.repository().to_owned());
                }
            }
        }
    }
    Ok(known)
}

fn has_layer(image: &LocalImage, digest: &Digest) -> bool {
    image.layers.iter().any(|layer| layer.blob.digest == *digest)
}

/// A push in progress.
struct Push<'p> {
    store: &'p Store,
    options: &'p Options,
    progress: &'p Arc<dyn Progress>,
    client: &'p Client,
    runtime: &'p tokio::runtime::Handle,
    known: HashMap<Digest, Vec<String>>,
    /// For layers that are compressed anew.
    scratch: Scratch,
}

impl Push<'_> {
    fn run(&self, image: &LocalImage, destination: &ImageReference) -> Result<Pushed, Cause> {
        let layers = self.layers(&image.layers)?;
        let old = self.store.read_blob(&image.manifest.digest, MANIFEST_LIMIT)?;
        let changed = document::manifest(&old, image, &layers, self.options.format)?;
        let (bytes, media_type, digest) = match changed {
            Some((bytes, media_type)) => {
                let digest = storage::Hasher::sha256(&bytes);
                (bytes, media_type, digest)
            }
            None => (old, image.manifest.media_type.as_str(), image.manifest.digest.clone()),
        };
        let is_unnamed = self.options.is_unnamed;
        if !is_unnamed && destination.digest().is_some_and(|wanted| *wanted != digest) {
            return Err(Cause::Digest { actual: digest });
        }
        let config = self.store.read_blob(&image.id, MANIFEST_LIMIT)?.len() as u64;
        let config = Descriptor::new(String::new(), image.id.clone(), config);
        self.send(&config, self.store_source(&image.id))?;
        let tag = destination.tag().filter(|_| !is_unnamed);
        let selector = tag.map_or_else(|| digest.to_string(), str::to_owned);
        let size = bytes.len() as u64;
        let subject = destination.to_string();
        self.runtime.block_on(self.client.put_manifest(&selector, media_type, bytes, &subject))?;
        Ok(Pushed { reference: destination.clone(), digest, size, media_type: media_type.to_owned() })
    }

    /// Pushes all layers, several at a time, each once. Returns how they are named in the manifest.
    ///
    /// After the first failure no further layer is started.
    fn layers(&self, layers: &[Layer]) -> Result<Vec<Descriptor>, Cause> {
        let mut distinct: Vec<&Layer> = Vec::new();
        for layer in layers {
            if !distinct.iter().any(|known| known.blob.digest == layer.blob.digest) {
                distinct.push(layer);
            }
        }
        // The largest first, so that the last one is small.
        distinct.sort_by_key(|layer| std::cmp::Reverse(layer.blob.size));
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let done: Mutex<HashMap<Digest, Descriptor>> = Mutex::default();
        let failure: Mutex<Option<Cause>> = Mutex::default();
        let fail = |cause| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
            stop.store(true, Ordering::Relaxed);
        };
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let Some(layer) = distinct.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                match self.layer(layer) {
                    Ok(sent) => {
                        done.lock().unwrap_or_else(PoisonError::into_inner).insert(layer.blob.digest.clone(), sent);
                    }
                    Err(cause) => fail(cause),
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..PARALLEL.min(distinct.len()) {
                if let Err(error) = thread::Builder::new().name("rc: push".to_owned()).spawn_scoped(scope, work) {
                    fail(Cause::Threads(error));
                }
            }
            work();
        });
        if let Some(cause) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(cause);
        }
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(layers.iter().filter_map(|layer| done.get(&layer.blob.digest).cloned()).collect())
    }

    fn layer(&self, layer: &Layer) -> Result<Descriptor, Cause> {
        let mut head = [0; HEAD];
        let mut blob = self.store.open_blob(&layer.blob.digest)?;
        let read = |source| super::Error::Read { source };
        let length = Read::by_ref(&mut blob).read(&mut head).map_err(read)?;
        let found = Compression::of(&head[..length]);
        let Some((wanted, level)) = self.options.packing.for_layer(found, self.options.format) else {
            let descriptor = Descriptor::new(found.layer_type(), layer.blob.digest.clone(), layer.blob.size);
            self.send(&descriptor, self.store_source(&layer.blob.digest))?;
            return Ok(descriptor);
        };
        let path = self.scratch.path().join(layer.blob.digest.hex());
        let plain = self.store.verified_blob(&layer.blob.digest)?;
        let (digest, size) = packing::pack(plain, &path, wanted, level)
            .map_err(|source| Cause::Compress { digest: layer.blob.digest.clone(), source })?;
        let descriptor = Descriptor::new(wanted.layer_type(), digest, size);
        let file = path.clone();
        self.send(&descriptor, move |offset| open_at(&file, offset))?;
        fs::remove_file(&path).map_err(super::Error::from)?;
        Ok(descriptor)
    }

    /// Opens a blob of the store, which is hashed while it is read.
    fn store_source(
        &self,
        digest: &Digest,
    ) -> impl Fn(u64) -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static {
        let (store, digest) = (self.store.clone(), digest.clone());
        move |offset| {
            let mut blob = store.verified_blob(&digest).map_err(io::Error::other)?;
            io::copy(&mut Read::by_ref(&mut blob).take(offset), &mut io::sink())?;
            Ok(Box::new(blob) as Box<dyn Read + Send>)
        }
    }

    fn send(
        &self,
        blob: &Descriptor,
        open: impl Fn(u64) -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Result<(), Cause> {
        let wanted = Blob { media_type: blob.media_type.clone(), digest: blob.digest.clone(), size: blob.size };
        let (progress, digest) = (Arc::clone(self.progress), blob.digest.clone());
        let source = Source::new(wanted, open, move |count| progress.advance(&digest, count));
        self.progress.begin(&blob.digest, blob.size);
        let sources = self.known.get(&blob.digest).map_or(&[][..], Vec::as_slice);
        let arrival = self.runtime.block_on(self.client.upload(&source, sources))?;
        let outcome = match arrival {
            Arrival::Sent => Outcome::Fetched,
            Arrival::Present | Arrival::Mounted => Outcome::Present,
        };
        self.progress.finish(&blob.digest, outcome);
        Ok(())
    }
}

fn open_at(path: &PathBuf, offset: u64) -> io::Result<Box<dyn Read + Send>> {
    let mut file: File = fs::open(path).map_err(|error| error.source)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Box::new(file))
}
