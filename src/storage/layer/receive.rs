//! Receiving a layer: from the sender into its blob and, at the same time, unpacked.

use std::io::{self, Read, Write as _};

use super::{Info, Naming, Target};
use crate::storage::blob::BlobWriter;
use crate::storage::{Descriptor, Error, Store};
use crate::types::Digest;

/// A sender's stream.
#[derive(Debug)]
pub(crate) struct Opened<R> {
    /// The bytes from `offset` on.
    pub(crate) reader: R,
    /// Their offset: the one that was requested, or 0 from a sender that cannot start in the middle.
    pub(crate) offset: u64,
}

/// What `receive_layer` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// The blob was not in the store.
    pub(crate) is_new_blob: bool,
    /// What rc knows about the layer, if it was unpacked now.
    pub(crate) unpacked: Option<Info>,
}

impl Store {
    /// Receives a layer: stores its blob, and unpacks it for `target`. Skips whichever of the two exists; waits for
    /// another process that is doing the same. Does not wait for the disk: call `sync_layers` afterwards.
    ///
    /// `open` is called only if the blob does not exist, with the number of bytes that need not be sent again; its
    /// reader must return the rest of the blob. Size, digest and diff ID are checked before anything has a name. Leaves
    /// nothing behind on failure, except that a partial blob stays for the next attempt if its sender failed.
    pub(crate) fn receive_layer<R, E>(
        &self,
        blob: &Descriptor,
        diff_id: &Digest,
        target: &Target,
        open: impl FnOnce(u64) -> Result<Opened<R>, E>,
    ) -> Result<Received, E>
    where
        R: Read + Send,
        E: From<Error>,
    {
        let mut writer = match self.begin_blob(&blob.digest, blob.size)? {
            Some(writer) => writer,
            None => match self.unpack_blob(&blob.digest, diff_id, target) {
                Ok(unpacked) => return Ok(Received { is_new_blob: false, unpacked }),
                Err(Error::DamagedBlob { .. }) => self.replace_blob(&blob.digest, blob.size)?,
                Err(error) => return Err(error.into()),
            },
        };
        let mut sender = None;
        if writer.offset() < blob.size {
            let opened = open(writer.offset())?;
            if opened.offset != writer.offset() {
                writer.restart()?;
            }
            sender = Some(opened.reader);
        }
        let stage = self.begin_layer(target, diff_id).map_err(Error::from)?;
        // A blob whose layer will not be unpacked is read by nobody who would notice what a power cut has taken.
        let (replay, naming): (Box<dyn Read + Send>, _) = match stage {
            Some(_) => (Box::new(writer.staged()?), Naming::Unsynced),
            None => (Box::new(io::empty()), Naming::Synced),
        };
        let mut tee = Tee { replay, sender, writer, naming, failure: None };
        let Some(stage) = stage else {
            let drained = drain(&mut tee);
            tee.finish(drained, diff_id)?;
            return Ok(Received { is_new_blob: true, unpacked: None });
        };
        let unpacked = stage.unpack(&mut tee);
        let drained = unpacked.and_then(|layer| drain(&mut tee).map(|()| layer).map_err(Into::into));
        let layer = tee.finish(drained, diff_id)?;
        let info = layer.info;
        layer.name(Naming::Unsynced).map_err(Error::from)?;
        Ok(Received { is_new_blob: true, unpacked: Some(info) })
    }

    /// Unpacks a layer from its blob in the store; `None` if it exists for this map. Fails with `DamagedBlob` if the
    /// blob has changed, and leaves nothing behind then. Does not wait for the disk: call `sync_layers` afterwards.
    pub(crate) fn unpack_blob(&self, blob: &Digest, diff_id: &Digest, target: &Target) -> Result<Option<Info>, Error> {
        let Some(stage) = self.begin_layer(target, diff_id)? else { return Ok(None) };
        let bad = |source| Error::Layer { diff_id: diff_id.clone(), source };
        let mut reader = self.verified_blob(blob)?;
        let unpacked = stage.unpack(&mut reader);
        match unpacked.and_then(|layer| drain(&mut reader).map(|()| layer).map_err(Into::into)) {
            Ok(layer) => {
                let info = layer.info;
                layer.name(Naming::Unsynced)?;
                Ok(Some(info))
            }
            Err(error) => {
                // Damage first shows as its effect: an archive that ends too early, a wrong diff ID.
                self.check_blob(blob)?;
                Err(bad(error))
            }
        }
    }

    /// Imports a layer of which nothing is known: stores the blob as it arrives, and unpacks it. Returns the blob's
    /// descriptor (without media type), the diff ID, and what rc knows about the layer.
    pub(crate) fn import_layer(
        &self,
        archive: impl Read + Send,
        target: &Target,
    ) -> Result<(Descriptor, Digest, Info), Error> {
        let writer = self.new_blob()?;
        let (replay, naming) = (Box::new(io::empty()), Naming::Synced);
        let mut tee = Tee { replay, sender: Some(archive), writer, naming, failure: None };
        let unpacked = self.new_layer(target)?.unpack(&mut tee);
        let layer = unpacked.and_then(|layer| drain(&mut tee).map(|()| layer).map_err(Into::into));
        let layer = match layer {
            Ok(layer) => layer,
            Err(source) => {
                tee.writer.discard()?;
                return Err(Error::Import { source });
            }
        };
        let (digest, size) = tee.writer.finish(naming)?;
        let (diff_id, info) = (layer.diff_id.clone(), layer.info);
        layer.name(naming)?;
        Ok((Descriptor::new("", digest, size), diff_id, info))
    }
}

/// Reads the bytes of a blob that are already stored, then continues with the sender, whose bytes it also writes to the
/// blob.
struct Tee<R> {
    replay: Box<dyn Read + Send>,
    /// `None` if the blob is complete.
    sender: Option<R>,
    writer: BlobWriter,
    naming: Naming,
    /// What went wrong outside the archive; the archive reader's own error says less.
    failure: Option<Failure>,
}

enum Failure {
    /// The sender: the bytes before may be useful for the next attempt.
    Sender(io::Error),
    /// The blob's file, or its size.
    Store(io::Error),
}

impl<R: Read> Tee<R> {
    /// Names the blob if everything succeeded. If the sender failed, its bytes stay for the next attempt; otherwise
    /// nothing stays.
    fn finish<T>(self, result: Result<T, impl Into<super::Error>>, diff_id: &Digest) -> Result<T, Error> {
        let digest = self.writer.expected_digest();
        match self.failure {
            None => {}
            Some(Failure::Sender(source)) => return Err(Error::Receive { digest, source }),
            Some(Failure::Store(source)) => {
                self.writer.discard()?;
                return Err(source.downcast().unwrap_or_else(|source| Error::Receive { digest, source }));
            }
        }
        match result {
            Ok(value) => {
                self.writer.finish(self.naming)?;
                Ok(value)
            }
            Err(error) => {
                self.writer.discard()?;
                Err(Error::Layer { diff_id: diff_id.clone(), source: error.into() })
            }
        }
    }

    fn take(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let count = self.replay.read(buffer).map_err(Failure::Store)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let Some(sender) = &mut self.sender else { return Ok(0) };
        let count = loop {
            match sender.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(Failure::Sender)?,
            }
        };
        self.writer.write_all(&buffer[..count]).map_err(Failure::Store)?;
        Ok(count)
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(buffer).map_err(|failure| {
            let (Failure::Sender(error) | Failure::Store(error)) = &failure;
            let copy = io::Error::new(error.kind(), error.to_string());
            self.failure.get_or_insert(failure);
            copy
        })
    }
}

/// Reads to the end: a blob may be longer than the archive in it.
fn drain(reader: &mut impl Read) -> io::Result<()> {
    io::copy(reader, &mut io::sink()).map(drop)
}
