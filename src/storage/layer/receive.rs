//! A layer comes in: from the sender into its blob and, on the same way, unpacked.

use std::io::{self, Read, Write as _};

use super::{Info, Target};
use crate::storage::blob::BlobWriter;
use crate::storage::{Descriptor, Error, Store};
use crate::types::Digest;

/// A sender's stream.
#[derive(Debug)]
pub(crate) struct Opened<R> {
    /// The bytes from `offset` on.
    pub(crate) reader: R,
    /// Where they begin: what was asked for, or 0 from a sender that cannot begin in the middle.
    pub(crate) offset: u64,
}

/// What `receive_layer` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// The blob was not there.
    pub(crate) is_new_blob: bool,
    /// What is known of the layer, if it was unpacked now.
    pub(crate) unpacked: Option<Info>,
}

impl Store {
    /// Brings in a layer: its blob, and the same unpacked for `target`. What of the two is there already is not done
    /// again; what another process is just doing is waited for.
    ///
    /// `open` is called, with the bytes that need not come again, only if the blob is not there; its reader must give
    /// the rest of the blob. Size, digest and diff id are checked before anything has a name; on failure nothing is
    /// left, except that the part of a blob whose sender failed stays for the next try.
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
        let replay: Box<dyn Read + Send> = match stage {
            Some(_) => Box::new(writer.staged()?),
            None => Box::new(io::empty()),
        };
        let mut tee = Tee { replay, sender, writer, failure: None };
        let Some(stage) = stage else {
            let drained = drain(&mut tee);
            tee.finish(drained, diff_id)?;
            return Ok(Received { is_new_blob: true, unpacked: None });
        };
        let unpacked = stage.unpack(&mut tee);
        let drained = unpacked.and_then(|layer| drain(&mut tee).map(|()| layer).map_err(Into::into));
        let layer = tee.finish(drained, diff_id)?;
        let info = layer.info;
        layer.name().map_err(Error::from)?;
        Ok(Received { is_new_blob: true, unpacked: Some(info) })
    }

    /// Unpacks a layer from its blob in the store; `None` if it is there for this map. Fails with `DamagedBlob` if the
    /// blob is not what it was; then nothing is left.
    pub(crate) fn unpack_blob(&self, blob: &Digest, diff_id: &Digest, target: &Target) -> Result<Option<Info>, Error> {
        let Some(stage) = self.begin_layer(target, diff_id)? else { return Ok(None) };
        let bad = |source| Error::Layer { diff_id: diff_id.clone(), source };
        let mut reader = self.verified_blob(blob)?;
        let unpacked = stage.unpack(&mut reader);
        match unpacked.and_then(|layer| drain(&mut reader).map(|()| layer).map_err(Into::into)) {
            Ok(layer) => {
                let info = layer.info;
                layer.name()?;
                Ok(Some(info))
            }
            Err(error) => {
                // Damage shows first as whatever it has broken: an archive that ends too early, a wrong diff id.
                self.check_blob(blob)?;
                Err(bad(error))
            }
        }
    }

    /// Brings in a layer of which nothing is known: keeps the blob as it comes, and unpacks it. Gives the blob's
    /// descriptor (without media type), the diff id, and what is known of the layer.
    pub(crate) fn import_layer(
        &self,
        archive: impl Read + Send,
        target: &Target,
    ) -> Result<(Descriptor, Digest, Info), Error> {
        let writer = self.new_blob()?;
        let mut tee = Tee { replay: Box::new(io::empty()), sender: Some(archive), writer, failure: None };
        let unpacked = self.new_layer(target)?.unpack(&mut tee);
        let layer = unpacked.and_then(|layer| drain(&mut tee).map(|()| layer).map_err(Into::into));
        let layer = match layer {
            Ok(layer) => layer,
            Err(source) => {
                tee.writer.discard()?;
                return Err(Error::Import { source });
            }
        };
        let (digest, size) = tee.writer.finish()?;
        let (diff_id, info) = (layer.diff_id.clone(), layer.info);
        layer.name()?;
        Ok((Descriptor::new("", digest, size), diff_id, info))
    }
}

/// Reads a blob once more from what is there, goes on with the sender, and writes to the blob what that sends.
struct Tee<R> {
    replay: Box<dyn Read + Send>,
    /// `None` if all of it is there.
    sender: Option<R>,
    writer: BlobWriter,
    /// What went wrong outside of the archive: the reader's own complaint says less.
    failure: Option<Failure>,
}

enum Failure {
    /// The sender: what came before may be of use to the next try.
    Sender(io::Error),
    /// The blob's file, or its size.
    Store(io::Error),
}

impl<R: Read> Tee<R> {
    /// Names the blob if all went well. If the sender failed, what it sent stays for the next try; else nothing stays.
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
                self.writer.finish()?;
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

/// Reads to the end: a blob may go on after the archive in it does.
fn drain(reader: &mut impl Read) -> io::Result<()> {
    io::copy(reader, &mut io::sink()).map(drop)
}
