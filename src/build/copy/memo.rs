//! The digests of files of a context, by what stat(2) says of them, so that what has not changed is not read again.
//!
//! ```text
//! cache/memo/HASH   the hash is that of the context's path; records one after the other, integers little-endian:
//!                   device, inode, size, mtime and ctime in nanoseconds: 8 bytes each; 32 bytes of SHA-256;
//!                   2 bytes, the length of the path; the path
//! ```
//! A file that was changed while it was hashed, or just before, may change once more within the same tick of the
//! filesystem's clock: it is hashed again next time. What has extended attributes is not here.

use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::Stat;

use crate::sys::fs::{self, Durability, PathError};
use crate::types::Digest;

/// The maximum size of a memo in bytes: that of some 500 000 files.
const LIMIT: u64 = 64 << 20;

/// A file that was changed so shortly before it was looked at is hashed again, in nanoseconds.
const TICK: i128 = 10_000_000;

/// The bytes of a record before its path.
const FIXED: usize = 5 * 8 + 32 + 2;

/// What stat(2) says of a file: the same as long as its content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    size: u64,
    modified: i64,
    changed: i64,
}

impl Seen {
    fn of(stat: &Stat) -> Option<Self> {
        let time = |seconds: i64, nanoseconds: u64| {
            seconds.checked_mul(1_000_000_000)?.checked_add(i64::try_from(nanoseconds).ok()?)
        };
        Some(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).ok()?,
            modified: time(stat.st_mtime, stat.st_mtime_nsec)?,
            changed: time(stat.st_ctime, stat.st_ctime_nsec)?,
        })
    }
}

/// What a file was like, and its digest, by its path.
type Known = HashMap<Vec<u8>, (Seen, [u8; 32])>;

/// The digests of the files of one context.
#[derive(Debug)]
pub(crate) struct Memo {
    known: Known,
    /// When the context was looked at, nanoseconds since the epoch.
    now: i128,
    is_changed: bool,
}

impl Memo {
    /// Reads a memo; an empty one if there is none, or if it is damaged.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read_record(path, LIMIT).unwrap_or_default();
        let known = parse(&bytes).unwrap_or_default();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        Self { known, now: i128::try_from(now).unwrap_or(0), is_changed: false }
    }

    /// The digest of the file at this path, if it is as it was.
    pub(super) fn get(&self, path: &[u8], stat: &Stat) -> Option<Digest> {
        let (seen, digest) = self.known.get(path)?;
        (Some(*seen) == Seen::of(stat)).then(|| Digest::sha256(*digest))
    }

    /// Notes the digest of a file, which was looked at before it was read.
    pub(super) fn put(&mut self, path: &[u8], stat: &Stat, digest: &Digest) {
        self.is_changed |= self.known.remove(path).is_some();
        let Some(seen) = Seen::of(stat) else { return };
        let latest = i128::from(seen.modified.max(seen.changed));
        let bytes = digest.sha256_bytes();
        if let Some(bytes) = bytes.filter(|_| latest + TICK < self.now && path.len() <= usize::from(u16::MAX)) {
            self.known.insert(path.to_vec(), (seen, bytes));
            self.is_changed = true;
        }
    }

    /// Writes the memo, if anything in it is new. A power cut may lose it.
    pub(crate) fn write(&self, path: &Path) -> Result<(), PathError> {
        if !self.is_changed {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(self.known.len() * (FIXED + 32));
        for (name, (seen, digest)) in &self.known {
            let Seen { device, inode, size, modified, changed } = seen;
            for number in [*device, *inode, *size, modified.cast_unsigned(), changed.cast_unsigned()] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(digest);
            bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
            bytes.extend_from_slice(name);
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::replace(path, &bytes, Durability::Volatile)
    }
}

fn parse(mut bytes: &[u8]) -> Option<Known> {
    let mut known = HashMap::with_capacity(bytes.len() / (FIXED + 32));
    while !bytes.is_empty() {
        let number = |index: usize| Some(u64::from_le_bytes(bytes.get(index * 8..index * 8 + 8)?.try_into().ok()?));
        let seen = Seen {
            device: number(0)?,
            inode: number(1)?,
            size: number(2)?,
            modified: number(3)?.cast_signed(),
            changed: number(4)?.cast_signed(),
        };
        let digest: [u8; 32] = bytes.get(40..72)?.try_into().ok()?;
        let length = usize::from(u16::from_le_bytes(bytes.get(72..74)?.try_into().ok()?));
        known.insert(bytes.get(FIXED..FIXED + length)?.to_vec(), (seen, digest));
        bytes = &bytes[FIXED + length..];
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_until_anything_about_it_changes() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("memo/x");
        let file = home.path().join("file");
        fs::write(&file, "content").expect("written");
        let stat = || rustix::fs::stat(&file).expect("there");
        let digest = Digest::sha256([7; 32]);
        let mut memo = Memo::read(&path);
        // It was changed just now.
        memo.put(b"dir/file", &stat(), &digest);
        assert_eq!(memo.get(b"dir/file", &stat()), None);
        memo.now += 2 * TICK;
        memo.put(b"dir/file", &stat(), &digest);
        memo.write(&path).expect("written");
        let memo = Memo::read(&path);
        assert_eq!(memo.get(b"dir/file", &stat()), Some(digest.clone()));
        assert_eq!(memo.get(b"dir/other", &stat()), None);
        // The same size and time, but another file.
        let mut other = stat();
        other.st_ino += 1;
        assert_eq!(memo.get(b"dir/file", &other), None);
        let mut other = stat();
        other.st_ctime_nsec += 1;
        assert_eq!(memo.get(b"dir/file", &other), None);
        let bytes = fs::read(&path).expect("reads");
        for length in 1..bytes.len() {
            assert!(parse(&bytes[..length]).is_none(), "{length}");
        }
    }
}
