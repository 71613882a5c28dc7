//! The data of one file.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{ftruncate, seek};

use super::{Error, failed};
use crate::storage::tar::{Entry, Reader};

/// Copies an entry's data; holes stay holes.
pub(super) fn write_content<R: io::BufRead>(
    file: &OwnedFd,
    entry: &Entry,
    archive: &mut Reader<R>,
    path: &[u8],
) -> Result<(), Error> {
    let Some(pieces) = &entry.pieces else { return copy(file, u64::MAX, archive, path) };
    for piece in pieces {
        seek(file, rustix::fs::SeekFrom::Start(piece.offset)).map_err(|e| failed("seek in", path, e))?;
        copy(file, piece.length, archive, path)?;
    }
    ftruncate(file, entry.size).map_err(|e| failed("set the size of", path, e))
}

fn copy<R: io::BufRead>(file: &OwnedFd, mut limit: u64, archive: &mut Reader<R>, path: &[u8]) -> Result<(), Error> {
    loop {
        let chunk = archive.data(limit)?;
        if chunk.is_empty() {
            return Ok(());
        }
        let count = rustix::io::retry_on_intr(|| rustix::io::write(file, chunk));
        let count = count.map_err(|e| failed("write", path, e))?;
        archive.consume(count);
        limit -= count as u64;
    }
}
