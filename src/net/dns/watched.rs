//! What a file says, read again when it has changed.
//!
//! No inotify: a user has 128 instances of it, and would need one for each network. A stat(2) for each query costs a
//! microsecond, and misses nothing.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::sys::fs;

/// The kernel takes times of files from a clock that stands still for up to 10 ms: two changes may have one time. A
/// file that was younger than this when it was read is read again.
const YOUNG: Duration = Duration::from_millis(20);

/// What distinguishes one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: (u64, u64),
    changed: (i64, i64),
    modified: (i64, i64),
    size: u64,
}

impl Stamp {
    /// Of a file. `None` if it is so young that another version may have the same.
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        Self::at(metadata, SystemTime::now())
    }

    fn at(metadata: &Metadata, now: SystemTime) -> Option<Self> {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let stamp = Self {
            inode: (metadata.dev(), metadata.ino()),
            changed,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
        };
        let since_epoch = Duration::new(changed.0.try_into().ok()?, changed.1.try_into().ok()?);
        // A time in the future is that of a clock that was set back: it counts as young.
        let age = now.duration_since(SystemTime::UNIX_EPOCH + since_epoch).ok()?;
        (age >= YOUNG).then_some(stamp)
    }
}

/// A value that is read from a file or directory.
#[derive(Debug)]
pub(super) struct Watched<T> {
    path: PathBuf,
    read: Option<Stamp>,
    value: T,
}

impl<T: Default> Watched<T> {
    /// Watches `path`, which need not exist.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: None, value: T::default() }
    }

    /// The value as it was read last.
    pub(super) fn value(&self) -> &T {
        &self.value
    }

    /// The value now: `read` makes it from the path and the last value, if the file may have changed since; the default
    /// if there is no file, or none that this process may see.
    pub(super) fn get(&mut self, read: impl FnOnce(&Path, T) -> T) -> &T {
        // The stamp first: a change in between is noticed the next time.
        let Ok(metadata) = fs::metadata(&self.path) else {
            self.read = None;
            self.value = T::default();
            return &self.value;
        };
        let stamp = Stamp::of(&metadata);
        if stamp.is_none() || stamp != self.read {
            self.value = read(&self.path, std::mem::take(&mut self.value));
            self.read = stamp;
        }
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_however_soon_it_comes() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("file");
        let mut watched = Watched::<Vec<u8>>::new(path.clone());
        let read = |path: &Path, _| fs::read(path).expect("read");
        assert_eq!(watched.get(read), b"");
        for round in 0..2000u32 {
            // Of one size, within one tick of the clock, often with the inode of the file before.
            fs::remove_file(&path).ok();
            fs::write(&path, round.to_be_bytes()).expect("write");
            assert_eq!(watched.get(read), &round.to_be_bytes());
        }
        fs::remove_file(&path).expect("remove");
        assert_eq!(watched.get(read), b"");
    }

    #[test]
    fn a_clock_that_was_set_back_hides_no_change() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let metadata = file.as_file().metadata().expect("it is there");
        let written = metadata.modified().expect("a time");
        let is_final = |now| Stamp::at(&metadata, now).is_some();
        assert!(is_final(written + Duration::from_secs(1)));
        assert!(!is_final(written) && !is_final(written - Duration::from_secs(3600)));
    }

    #[test]
    fn what_has_not_changed_is_not_read_again() {
        let old = Path::new("/proc/self/exe");
        let mut watched = Watched::<u32>::new(old.to_owned());
        assert_eq!(*watched.get(|_, count| count + 1), 1);
        assert_eq!(*watched.get(|_, count| count + 1), 1);
    }
}
