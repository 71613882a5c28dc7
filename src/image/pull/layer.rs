use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::{Buf as _, Bytes};

use super::super::progress::Outcome;
use super::{Cause, Pull};
use crate::registry::manifest::Descriptor;
use crate::registry::{self, Blob};
use crate::storage::{self, layer::Opened};
use crate::types::Digest;

/// Layers that are pulled at the same time: each has a connection and two busy threads.
const PARALLEL: usize = 4;

/// Says that another layer has failed.
#[derive(Debug, thiserror::Error)]
#[error("another layer has failed")]
struct Stopped;

/// Receives all layers, several at a time. Returns the number of devices that were skipped.
///
/// After the first failure no further layer is started, and active ones stop at their next piece of data.
pub(super) fn pull_layers(pull: &Pull<'_>, layers: &[(Descriptor, Digest)]) -> Result<u64, Cause> {
    let work = Work {
        pull,
        layers,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        failure: Mutex::new(None),
        devices: AtomicU64::new(0),
    };
    thread::scope(|scope| {
        for _ in 1..PARALLEL.min(layers.len()) {
            let started = thread::Builder::new().name("rc: pull".to_owned()).spawn_scoped(scope, || work.run());
            if let Err(error) = started {
                work.fail(Cause::Threads(error));
            }
        }
        work.run();
    });
    match work.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(cause) => Err(cause),
        None => Ok(work.devices.into_inner()),
    }
}

/// The remaining layers, shared by the pullers.
struct Work<'w> {
    pull: &'w Pull<'w>,
    layers: &'w [(Descriptor, Digest)],
    next: AtomicUsize,
    stop: AtomicBool,
    /// The first failure: later ones are its consequences.
    failure: Mutex<Option<Cause>>,
    devices: AtomicU64,
}

impl Work<'_> {
    /// Receives one layer after the other until none remain.
    fn run(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Some((blob, diff_id)) = self.layers.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            if let Err(cause) = self.layer(blob, diff_id) {
                self.fail(cause);
            }
        }
    }

    fn fail(&self, cause: Cause) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
        self.stop.store(true, Ordering::Relaxed);
    }

    fn layer(&self, blob: &Descriptor, diff_id: &Digest) -> Result<(), Cause> {
        let Pull { store, options, progress, client, runtime, .. } = self.pull;
        let descriptor = storage::Descriptor::new(blob.media_type.clone(), blob.digest.clone(), blob.size);
        let received = store.receive_layer(&descriptor, diff_id, &options.target, |offset| {
            progress.begin(&blob.digest, blob.size);
            progress.advance(&blob.digest, offset);
            let stream = runtime.block_on(client.blob(blob, offset))?;
            Ok::<_, Cause>(Opened {
                reader: BlobReader { work: self, blob, stream: Some(stream), chunk: Bytes::new() },
                offset,
            })
        })?;
        if let Some(info) = received.unpacked {
            self.devices.fetch_add(info.skipped.devices, Ordering::Relaxed);
        }
        let outcome = if received.is_new_blob { Outcome::Fetched } else { Outcome::Present };
        progress.finish(&blob.digest, outcome);
        Ok(())
    }
}

/// A blob as a blocking stream, for a thread outside the runtime.
struct BlobReader<'r> {
    work: &'r Work<'r>,
    blob: &'r Descriptor,
    /// `None` after the end.
    stream: Option<Blob<'r>>,
    chunk: Bytes,
}

impl BlobReader<'_> {
    /// The next piece, empty at the end.
    fn next(&mut self) -> io::Result<Bytes> {
        let Some(stream) = &mut self.stream else { return Ok(Bytes::new()) };
        if self.work.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other(Stopped));
        }
        let pull = self.work.pull;
        let chunk = match pull.runtime.block_on(stream.chunk()) {
            // After a failure of the sender, the store would keep these bytes for the next attempt. This blob is
            // useless: it ends here, too short for the store, which discards it.
            Err(error @ registry::Error::Size { .. }) => {
                self.work.fail(error.into());
                None
            }
            other => other.map_err(io::Error::other)?,
        };
        let Some(chunk) = chunk else {
            self.stream = None;
            return Ok(Bytes::new());
        };
        pull.progress.advance(&self.blob.digest, chunk.len() as u64);
        Ok(chunk)
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = self.next()?;
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
