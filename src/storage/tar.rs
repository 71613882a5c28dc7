//! Reads tar archives as a stream: ustar, GNU (long names, old sparse files), PAX (all sparse formats) and star.
//!
//! ```text
//! header 512 │ data, padded to 512 │ header │ … │ two blocks of zeros (or the end of the stream)
//! x, L, K headers describe the next real entry; a g header all that follow, but docker and podman do without it
//! ```
//!
//! If an archive contradicts itself, rc reads it as Go's archive/tar does, and so as docker, podman and umoci do: if
//! two readers see different files in one archive, files can be smuggled past a check (CVE-2025-62518, CVE-2026-33055).

mod header;
mod pax;
mod sparse;

use std::io::{self, BufRead};

pub(crate) use header::Kind;
use header::{BLOCK, Header};
use pax::Pax;
pub(crate) use sparse::Piece;

use super::escape::Escaped;
use crate::types::{Report, ReportKind};

/// The maximum size of all headers before one entry: PAX records, long names, sparse maps.
const LIMIT: u64 = 1 << 20;

/// The maximum size of all headers for all following entries: each entry is read with all of them.
const GLOBAL_LIMIT: u64 = 64 << 10;

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Reading or decompressing failed, or the archive ends in the middle of something.
    #[error("cannot read the archive: {}", crate::sys::fs::plain(.0))]
    Io(#[from] io::Error),
    /// A header is inconsistent.
    #[error("the archive is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The offset of the header in the uncompressed archive, in bytes.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// An entry has a type that rc cannot unpack.
    #[error("`{}` in the archive has the unknown type `{}`", Escaped(.path), (*.kind as char).escape_default())]
    UnknownType {
        /// The entry's name.
        path: Vec<u8>,
        /// Its type flag.
        kind: u8,
    },
    /// The headers of an entry, or those for all entries, are larger than rc accepts in memory.
    #[error("headers in the archive have more bytes than the {LIMIT} for one entry and the {GLOBAL_LIMIT} for all")]
    TooLarge,
}

/// Whether a stream that begins with these bytes is a tar archive: with a header, or with the zeros at its end.
pub(crate) fn is_archive(head: &[u8]) -> bool {
    let block = head.get(..512).and_then(|block| <[u8; 512]>::try_from(block).ok());
    block.is_some_and(|block| block.iter().all(|byte| *byte == 0) || Header::parse(block).is_ok())
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Io(ref source) => match ReportKind::of_step(source) {
                ReportKind::Internal => ReportKind::Damaged,
                kind => kind,
            },
            Error::Damaged { .. } => ReportKind::Damaged,
            Error::UnknownType { .. } | Error::TooLarge => ReportKind::Unsupported,
        };
        Self::new(kind, error.to_string())
    }
}

/// A point in time: seconds since 1970 and nanoseconds after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Time {
    /// Seconds, negative before 1970.
    pub(crate) seconds: i64,
    /// 0 to 999 999 999.
    pub(crate) nanoseconds: u32,
}

/// One file of an archive. Only its format has been checked: names may point anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name as in the archive.
    pub(crate) path: Vec<u8>,
    /// The target of a link.
    pub(crate) link: Vec<u8>,
    /// What it is.
    pub(crate) kind: Kind,
    /// Permission bits with setuid, setgid, sticky.
    pub(crate) mode: u32,
    /// The owner.
    pub(crate) uid: i64,
    /// The group.
    pub(crate) gid: i64,
    /// The modification time.
    pub(crate) mtime: Time,
    /// Bytes of the file, holes included.
    pub(crate) size: u64,
    /// Extended attributes, in order of their names.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The pieces of a sparse file that have data, in order; `None` for a file without holes.
    pub(crate) pieces: Option<Vec<Piece>>,
}

/// Reads the entries of an archive, and the content of each.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    input: R,
    /// Bytes taken from `input`.
    offset: u64,
    /// Remaining bytes of the current entry's data, and of the padding after them.
    left: u64,
    padding: u64,
    /// Remaining bytes for headers that apply to all entries.
    global_budget: u64,
    is_over: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads an archive from its first byte.
    pub(crate) fn new(input: R) -> Self {
        let global_budget = GLOBAL_LIMIT;
        Self { input, offset: 0, left: 0, padding: 0, global_budget, is_over: false }
    }

    /// The next entry, or `None` after the last. Skips the unread rest of the previous one.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        let mut pax = Pax::default();
        let mut long_name = None;
        let mut long_link = None;
        let mut budget = LIMIT;
        loop {
            self.skip_rest()?;
            let Some((start, header)) = self.next_header()? else { return Ok(None) };
            let damaged = |reason| Error::Damaged { offset: start, reason };
            match header.kind() {
                // Of several, Go knows the last one alone.
                b'x' => pax = Pax::parse(&self.side_data(&header, &mut budget, start)?).map_err(damaged)?,
                b'g' => {
                    let mut left = self.global_budget;
                    let data = self.side_data(&header, &mut left, start)?;
                    self.global_budget = left;
                    Pax::parse(&data).map_err(damaged)?;
                    // To Go it is an entry, so that what was said before is not about the next one.
                    (pax, long_name, long_link) = (Pax::default(), None, None);
                }
                b'L' => long_name = Some(until_nul(self.side_data(&header, &mut budget, start)?)),
                b'K' => long_link = Some(until_nul(self.side_data(&header, &mut budget, start)?)),
                _ => return self.entry(&header, pax, long_name, long_link, start, budget).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        mut pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
        start: u64,
        mut budget: u64,
    ) -> Result<Entry, Error> {
        let damaged = |reason| Error::Damaged { offset: start, reason };
        let given = |long: Option<Vec<u8>>| long.filter(|name| !name.is_empty());
        let mut path = given(long_name).or_else(|| pax.take(b"path")).unwrap_or_else(|| header.path());
        let link = given(long_link).or_else(|| pax.take(b"linkpath")).unwrap_or_else(|| header.link());
        let Some(kind) = Kind::from_flag(header.kind(), &path) else {
            return Err(Error::UnknownType { path, kind: header.kind() });
        };
        let on_tape = match pax.number(b"size").map_err(damaged)? {
            Some(size) => size,
            None => header.size().map_err(damaged)?,
        };
        let on_tape = u64::try_from(on_tape).map_err(|_| damaged("a size is negative"))?;
        // A link, directory or device has no data whatever its header says; Go reads it the same way.
        self.left = if kind == Kind::File { on_tape } else { 0 };
        self.padding = (BLOCK - self.left % BLOCK) % BLOCK;
        let mut size = self.left;
        let mut pieces = None;
        if kind == Kind::File {
            let map = if header.is_old_sparse() {
                Some(self.old_sparse(header, start, &mut budget)?)
            } else {
                self.pax_sparse(&mut pax, &mut path, start, &mut budget)?
            };
            if let Some(map) = map {
                sparse::check(&map, self.left).map_err(damaged)?;
                size = map.size;
                pieces = Some(map.pieces);
            }
        }
        if path.contains(&0) || link.contains(&0) {
            return Err(damaged("a name has a zero byte"));
        }
        let number = |key, field: Result<i64, &'static str>| match pax.number(key).map_err(damaged)? {
            Some(number) => Ok(number),
            None => field.map_err(damaged),
        };
        Ok(Entry {
            uid: number(b"uid", header.uid())?,
            gid: number(b"gid", header.gid())?,
            mode: header.mode().map_err(damaged)?,
            mtime: match pax.time(b"mtime").map_err(damaged)? {
                Some(time) => time,
                None => Time { seconds: header.mtime().map_err(damaged)?, nanoseconds: 0 },
            },
            xattrs: pax.xattrs(),
            path,
            link,
            kind,
            size,
            pieces,
        })
    }

    /// Buffered content of the current entry, at most `limit` bytes; empty at its end. Follow it with `consume`.
    pub(crate) fn data(&mut self, limit: u64) -> Result<&[u8], Error> {
        let limit = limit.min(self.left);
        if limit == 0 {
            return Ok(&[]);
        }
        let chunk = fill(&mut self.input)?;
        if chunk.is_empty() {
            return Err(cut_off());
        }
        Ok(&chunk[..chunk.len().min(usize::try_from(limit).unwrap_or(usize::MAX))])
    }

    /// Continues after `count` bytes of what `data` returned.
    pub(crate) fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.left -= count as u64;
        self.offset += count as u64;
    }

    /// Reads the rest of the archive and whatever follows it, and returns the input: hashes of the whole stream are
    /// complete then.
    pub(crate) fn finish(mut self) -> Result<R, Error> {
        loop {
            let count = fill(&mut self.input)?.len();
            if count == 0 {
                return Ok(self.input);
            }
            self.input.consume(count);
        }
    }

    fn skip_rest(&mut self) -> Result<(), Error> {
        let mut rest = self.left.checked_add(self.padding).ok_or_else(cut_off)?;
        while rest > 0 {
            let at_hand = fill(&mut self.input)?.len();
            if at_hand == 0 {
                return Err(cut_off());
            }
            let count = at_hand.min(usize::try_from(rest).unwrap_or(usize::MAX));
            self.input.consume(count);
            self.offset += count as u64;
            rest -= count as u64;
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    /// The next header block and its offset; `None` at the end of the archive.
    fn next_header(&mut self) -> Result<Option<(u64, Header)>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let start = self.offset;
        let Some(block) = self.block()? else {
            self.is_over = true;
            return Ok(None);
        };
        if block.iter().all(|byte| *byte == 0) {
            self.is_over = true;
            return match self.block()? {
                Some(second) if second.iter().any(|byte| *byte != 0) => {
                    Err(Error::Damaged { offset: start, reason: "a block of zeros between entries" })
                }
                _ => Ok(None),
            };
        }
        let header = Header::parse(block).map_err(|reason| Error::Damaged { offset: start, reason })?;
        Ok(Some((start, header)))
    }

    /// The next 512 bytes; `None` if the input ends before them.
    fn block(&mut self) -> Result<Option<[u8; 512]>, Error> {
        let mut block = [0; 512];
        let mut have = 0;
        while have < block.len() {
            let chunk = fill(&mut self.input)?;
            if chunk.is_empty() {
                return if have == 0 { Ok(None) } else { Err(cut_off()) };
            }
            let count = chunk.len().min(block.len() - have);
            block[have..have + count].copy_from_slice(&chunk[..count]);
            self.input.consume(count);
            self.offset += count as u64;
            have += count;
        }
        Ok(Some(block))
    }

    /// The data of a header that describes another.
    fn side_data(&mut self, header: &Header, budget: &mut u64, start: u64) -> Result<Vec<u8>, Error> {
        let damaged = |reason| Error::Damaged { offset: start, reason };
        let size = header.size().map_err(damaged)?;
        let size = u64::try_from(size).map_err(|_| damaged("a size is negative"))?;
        *budget = budget.checked_sub(size).ok_or(Error::TooLarge)?;
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
        let mut data = Vec::new();
        loop {
            let chunk = self.data(u64::MAX)?;
            let count = chunk.len();
            if count == 0 {
                return Ok(data);
            }
            data.extend_from_slice(chunk);
            self.consume(count);
        }
    }
}

/// `fill_buf`, repeated after signals.
fn fill<R: BufRead>(input: &mut R) -> io::Result<&[u8]> {
    // Called twice, because a borrow that is returned from within a loop would last for the whole loop.
    while let Err(error) = input.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    input.fill_buf()
}

fn cut_off() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends in the middle of an entry"))
}

fn until_nul(mut data: Vec<u8>) -> Vec<u8> {
    if let Some(end) = memchr::memchr(0, &data) {
        data.truncate(end);
    }
    data
}

#[cfg(test)]
mod tests;
