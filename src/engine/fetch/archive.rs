//! What arrives as one stream: an archive, compressed or not, or a Dockerfile.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::AsFd as _;
use std::path::Path;

use super::Fetcher;
use crate::build::dockerfile::source::FILE_LIMIT;
use crate::storage::decompress;
use crate::storage::tar::{Reader, is_archive};
use crate::storage::unpack::{self, Owners, Unpack};
use crate::sys::fs::{self, AtPath as _};
use crate::types::{Report, ReportKind};
use crate::userns;

/// The size of buffers, in bytes: not less than a header.
const BUFFER: usize = 256 << 10;

impl Fetcher<'_> {
    /// Unpacks what a stream has into `directory`, which exists, and returns whether it was an archive. What was none
    /// is the file `text` then, as far as a Dockerfile may be long. `shown` is the stream, for messages.
    pub(super) fn unpack(&self, input: File, directory: &Path, text: &Path, shown: &str) -> Result<bool, Report> {
        userns::inside(self.home, "rc: unpack", || {
            let inner = decompress(input).map_err(|error| unpack::Error::Archive(error.into()))?;
            let mut inner = BufReader::with_capacity(BUFFER, Whole(inner));
            if is_archive(inner.fill_buf().at("read", shown)?) {
                let root = fs::open_directory(directory)?;
                let how =
                    Unpack { base: Path::new(""), rename: None, top: None, owners: Owners::One(0, 0), overwrite: true };
                let mut archive = Reader::new(inner);
                unpack::unpack(root.as_fd(), &mut archive, &how)?;
                archive.finish().map_err(unpack::Error::Archive)?;
                return Ok(true);
            }
            let mut bytes = Vec::new();
            let limit = u64::try_from(FILE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
            inner.take(limit).read_to_end(&mut bytes).at("read", shown)?;
            if bytes.contains(&0) {
                let message = format!("`{shown}` is neither an archive nor a Dockerfile");
                return Err(Report::new(ReportKind::Invalid, message));
            }
            fs::write(text, &bytes)?;
            Ok::<_, Report>(false)
        })
    }
}

/// A reader that fills buffers as far as there is something: a pipe gives less than a header at once.
struct Whole<R>(R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
