//! Blobs: written under `tmp/` while they are hashed, and named by their digest when complete.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::PathBuf;

use super::layer::Naming;
use super::{Error, Hasher, Store, stage};
use crate::sys::fs::{self, AtPath as _};
use crate::types::{Algorithm, Digest};

/// The maximum size of a manifest, an index or a configuration, in bytes (the limit of containers/image).
pub(crate) const MANIFEST_LIMIT: u64 = 4 << 20;

const CHUNK: usize = 256 << 10;

impl Store {
    /// The path of the blob, whether it exists or not.
    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.images().join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// Whether the blob is in the store and has `size` bytes; a truncated one counts as missing.
    pub(crate) fn has_blob(&self, digest: &Digest, size: u64) -> Result<bool, Error> {
        match fs::symlink_metadata(self.blob_path(digest)) {
            Ok(found) => Ok(found.is_file() && found.len() == size),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a blob. It was right when it was named; to be certain that it still is, hash it while reading.
    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File, Error> {
        fs::open_record(self.blob_path(digest))
            .map_err(|error| if error.is_not_found() { Error::NoBlob { digest: digest.clone() } } else { error.into() })
    }

    /// Reads a small blob. Fails with `TooLarge` if it has more than `limit` bytes, with `DamagedBlob` if its digest is
    /// wrong.
    pub(crate) fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Error> {
        let content = fs::read_up_to(self.open_blob(digest)?, limit + 1).at("read", self.blob_path(digest))?;
        if content.len() as u64 > limit {
            return Err(Error::TooLarge { digest: digest.clone(), limit });
        }
        let mut hash = Hasher::new(digest.algorithm());
        hash.update(&content);
        undamaged(digest, hash.finish())?;
        Ok(content)
    }

    /// Reads a blob to its end, and fails with `DamagedBlob` if it has changed.
    pub(crate) fn check_blob(&self, digest: &Digest) -> Result<(), Error> {
        match io::copy(&mut self.verified_blob(digest)?, &mut io::sink()) {
            Ok(_) => Ok(()),
            Err(error) => match error.downcast::<Error>() {
                Ok(damage) => Err(damage),
                Err(error) => Err(error).at("read", self.blob_path(digest))?,
            },
        }
    }

    /// Removes a blob that has changed, so that the next pull downloads it again.
    pub(crate) fn remove_damaged_blob(&self, digest: &Digest) -> Result<(), Error> {
        match self.check_blob(digest) {
            Err(Error::DamagedBlob { .. }) => Ok(fs::remove_file(self.blob_path(digest))?),
            other => other,
        }
    }

    /// Reads a blob of any size; if its digest is wrong, the last read fails with an error that contains `DamagedBlob`.
    pub(crate) fn verified_blob(&self, digest: &Digest) -> Result<VerifiedBlob, Error> {
        let hash = Some(Hasher::new(digest.algorithm()));
        Ok(VerifiedBlob { file: self.open_blob(digest)?, digest: digest.clone(), hash })
    }

    /// Starts to write the blob `digest` of `size` bytes; `None` if it is in the store. Waits while another process
    /// writes the same blob. Continues the partial file of an earlier attempt: `offset` says how many bytes need not be
    /// sent again.
    pub(crate) fn begin_blob(&self, digest: &Digest, size: u64) -> Result<Option<BlobWriter>, Error> {
        if self.has_blob(digest, size)? {
            return Ok(None);
        }
        let writer = self.replace_blob(digest, size)?;
        // Its previous writer may have finished it.
        if self.has_blob(digest, size)? {
            writer.discard()?;
            return Ok(None);
        }
        Ok(Some(writer))
    }

    /// Like `begin_blob`, for a blob small enough to be read: it counts as present only if its content is right.
    pub(crate) fn begin_document(&self, digest: &Digest, size: u64) -> Result<Option<BlobWriter>, Error> {
        match self.begin_blob(digest, size)? {
            None if matches!(self.check_blob(digest), Err(Error::DamagedBlob { .. })) => {
                self.replace_blob(digest, size).map(Some)
            }
            begun => Ok(begun),
        }
    }

    /// Starts to replace the damaged blob in the store.
    pub(super) fn replace_blob(&self, digest: &Digest, size: u64) -> Result<BlobWriter, Error> {
        let path = self.tmp().join(format!("blob-{}-{}", digest.algorithm().as_str(), digest.hex()));
        let file = stage::claim_file(&path)?;
        let expected = Some((digest.clone(), size));
        let mut writer =
            BlobWriter { store: self.clone(), path, file, hash: Hasher::new(digest.algorithm()), offset: 0, expected };
        writer.rehash(size)?;
        Ok(writer)
    }

    /// Starts to write a blob whose digest is not known yet.
    pub(crate) fn new_blob(&self) -> Result<BlobWriter, Error> {
        let (path, file) = stage::new_file(&self.tmp(), "blob")?;
        Ok(BlobWriter {
            store: self.clone(),
            path,
            file,
            hash: Hasher::new(Algorithm::Sha256),
            offset: 0,
            expected: None,
        })
    }

    /// Writes a small blob from memory; an existing one is no error.
    pub(crate) fn put_blob(&self, content: &[u8]) -> Result<Digest, Error> {
        let digest = Hasher::sha256(content);
        if let Some(mut writer) = self.begin_document(&digest, content.len() as u64)? {
            writer.restart()?;
            let path = writer.path.clone();
            writer.write_all(content).at("write", path)?;
            writer.finish(Naming::Synced)?;
        }
        Ok(digest)
    }
}

/// A blob that is hashed while it is read, so that no caller can skip the check.
#[derive(Debug)]
pub(crate) struct VerifiedBlob {
    file: File,
    digest: Digest,
    hash: Option<Hasher>,
}

impl VerifiedBlob {
    /// The size in bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

impl Read for VerifiedBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        match (count, buffer.is_empty()) {
            (0, false) => {
                if let Some(hash) = self.hash.take() {
                    undamaged(&self.digest, hash.finish()).map_err(io::Error::other)?;
                }
            }
            _ => {
                if let Some(hash) = &mut self.hash {
                    hash.update(&buffer[..count]);
                }
            }
        }
        Ok(count)
    }
}

fn check(expected: &Digest, actual: Digest) -> Result<(), Error> {
    if *expected == actual { Ok(()) } else { Err(Error::DigestMismatch { expected: expected.clone(), actual }) }
}

/// Like `check`, for content that was right when it was stored.
fn undamaged(expected: &Digest, actual: Digest) -> Result<(), Error> {
    if *expected == actual { Ok(()) } else { Err(Error::DamagedBlob { digest: expected.clone(), actual }) }
}

/// A blob that is being written to the store. Dropped unfinished, it leaves its partial file in `tmp/`, for the next
/// attempt or the sweeper.
///
/// `write` takes the bytes in order, and refuses the first byte beyond the expected size.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    store: Store,
    path: PathBuf,
    file: File,
    hash: Hasher,
    offset: u64,
    expected: Option<(Digest, u64)>,
}

impl BlobWriter {
    /// How many bytes are already there: request only the rest, or call [`BlobWriter::restart`].
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Discards them: the sender cannot continue an earlier attempt.
    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).at("truncate", &self.path)?;
        self.offset = 0;
        if let Some((digest, _)) = &self.expected {
            self.hash = Hasher::new(digest.algorithm());
        }
        Ok(())
    }

    /// Opens the bytes that are already there, to read them again.
    pub(crate) fn staged(&self) -> Result<impl Read + Send + use<>, Error> {
        Ok(fs::open_record(&self.path)?.take(self.offset))
    }

    /// Hashes what an earlier attempt has left; more than `size` bytes are useless.
    fn rehash(&mut self, size: u64) -> Result<(), Error> {
        let length = self.file.metadata().at("stat", &self.path)?.len();
        if length > size {
            return self.restart();
        }
        let mut buffer = vec![0; if length == 0 { 0 } else { CHUNK }];
        while self.offset < length {
            let count = self.file.read(&mut buffer).at("read", &self.path)?;
            if count == 0 {
                break;
            }
            self.hash.update(&buffer[..count]);
            self.offset += count as u64;
        }
        self.file.seek(SeekFrom::Start(self.offset)).at("seek in", &self.path)?;
        Ok(())
    }

    /// The digest asked for, or that of the bytes so far.
    pub(super) fn expected_digest(&self) -> Digest {
        match &self.expected {
            Some((digest, _)) => digest.clone(),
            None => self.hash.clone().finish(),
        }
    }

    /// Removes the partial file.
    pub(crate) fn discard(self) -> Result<(), Error> {
        Ok(fs::remove_file(&self.path)?)
    }

    /// Checks size and digest, and names the blob. With [`Naming::Synced`] it is on disk then; otherwise a power cut
    /// may leave less of it, which every reader notices. Leaves nothing behind on failure.
    pub(crate) fn finish(self, naming: Naming) -> Result<(Digest, u64), Error> {
        let actual = self.hash.clone().finish();
        if let Err(error) = self.check(&actual) {
            fs::remove_file(&self.path)?;
            return Err(error);
        }
        if naming == Naming::Synced {
            self.file.sync_data().at("sync", &self.path)?;
        }
        let target = self.store.blob_path(&actual);
        if actual.algorithm() == Algorithm::Sha512
            && let Some(directory) = target.parent()
        {
            fs::create_dir_all(directory)?;
        }
        fs::rename(&self.path, &target)?;
        if let Some(directory) = target.parent().filter(|_| naming == Naming::Synced) {
            fs::sync_dir(directory)?;
        }
        Ok((actual, self.offset))
    }

    fn check(&self, actual: &Digest) -> Result<(), Error> {
        let Some((digest, size)) = &self.expected else { return Ok(()) };
        if self.offset != *size {
            return Err(Error::SizeMismatch { digest: digest.clone(), expected: *size, actual: self.offset });
        }
        check(digest, actual.clone())
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((digest, size)) = &self.expected
            && bytes.len() as u64 > size - self.offset
        {
            let error = Error::SizeMismatch { digest: digest.clone(), expected: *size, actual: size.saturating_add(1) };
            return Err(io::Error::other(error));
        }
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
