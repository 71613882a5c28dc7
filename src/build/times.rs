//! Files that are not newer than a time, so that the same build gives the same layers (`--rewrite-timestamp`).

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Timespec, Timestamps, openat, statat, utimensat};
use rustix::io::Errno;

/// How many levels of directories are looked at.
const DEEPEST: u32 = 1024;

/// Sets the modification time of everything in `directory` that is newer than `seconds` since the epoch to that. No
/// link is followed.
pub(crate) fn bound(directory: &OwnedFd, seconds: i64) -> Result<(), Errno> {
    beneath(directory, seconds, DEEPEST)
}

fn beneath(directory: &OwnedFd, seconds: i64, levels: u32) -> Result<(), Errno> {
    let levels = levels.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            beneath(&openat(directory, name, flags, Mode::empty())?, seconds, levels)?;
        }
        if (stat.st_mtime, stat.st_mtime_nsec) > (seconds, 0) {
            let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
            let times = Timestamps { last_access: time, last_modification: time };
            utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::sys::fs;

    #[test]
    fn what_is_newer_gets_the_time_and_what_is_older_keeps_its_own() {
        let home = tempfile::tempdir().expect("a directory");
        let path = |name: &str| home.path().join(name);
        fs::create_dir_all(path("d")).expect("made");
        fs::write(path("d/new"), "").expect("written");
        fs::write(path("old"), "").expect("written");
        fs::symlink("/nowhere", path("link")).expect("linked");
        let time = Timespec { tv_sec: 100, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::futimens(fs::open(path("old")).expect("opens"), &times).expect("set");
        bound(&fs::open_directory(home.path()).expect("opens").into(), 1000).expect("bounded");
        let found = |name: &str| fs::symlink_metadata(path(name)).expect("there").mtime();
        assert_eq!((found("d/new"), found("d"), found("link"), found("old")), (1000, 1000, 1000, 100));
    }
}
