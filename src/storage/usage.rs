//! The bytes of a tree, counted by descriptor: follows no link, whatever another process does to the tree meanwhile.

use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use crate::sys::fs::{self, AtPath as _, PathError};

/// How many levels of directories are counted: each has a descriptor open at the same time.
const DEPTH: usize = 128;

/// The sizes of all files in the directory `path` and beneath it, each counted once however many names it has;
/// directories have none. 0 if it does not exist. Levels below the 128th are left out.
///
/// Call it as root of the namespace whose IDs own the files.
pub(crate) fn tree_bytes(path: &Path) -> Result<u64, PathError> {
    Ok(tree(path)?.bytes)
}

/// The bytes that the file or directory `path` and everything beneath it take on the disk, in whole blocks; each file
/// counts once, and other filesystems that are mounted there do not. 0 if it does not exist.
///
/// Call it as root of the namespace whose IDs own the files.
pub(crate) fn disk_bytes(path: &Path) -> Result<u64, PathError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.is_not_found() => Ok(0),
        Ok(found) if !found.is_dir() => Ok(found.blocks() * 512),
        other => other.and_then(|_| Ok(tree(path)?.allocated)),
    }
}

fn tree(path: &Path) -> Result<Usage, PathError> {
    let mut usage = Usage { linked: HashSet::new(), bytes: 0, allocated: 0, device: 0 };
    let top: OwnedFd = match fs::open_directory(path) {
        Err(error) if error.is_not_found() => return Ok(usage),
        other => other?.into(),
    };
    let stat = fstat(&top).at("stat", path)?;
    (usage.device, usage.allocated) = (stat.st_dev, allocated(&stat));
    usage.add(&top, 0).at("read", path)?;
    Ok(usage)
}

/// Source: stat(2), `st_blocks` is in units of 512 bytes.
fn allocated(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512)
}

struct Usage {
    /// Device and inode of files with several names.
    linked: HashSet<(u64, u64)>,
    bytes: u64,
    /// Bytes of blocks on the disk, those of directories included.
    allocated: u64,
    /// That of the top directory.
    device: u64,
}

impl Usage {
    fn add(&mut self, directory: &OwnedFd, depth: usize) -> io::Result<()> {
        for entry in Dir::read_from(directory)? {
            let entry = match entry {
                // Another process has removed the directory while we list it (getdents(2)).
                Err(Errno::NOENT) => break,
                other => other?,
            };
            if [c".", c".."].contains(&entry.file_name()) {
                continue;
            }
            let added = self.entry(directory.as_fd(), entry.file_name(), depth);
            match added.as_ref().map_err(Errno::from_io_error) {
                // Removed or replaced since it was listed.
                Err(Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => {}
                _ => added?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, directory: impl AsFd, name: &CStr, depth: usize) -> io::Result<()> {
        let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_here = stat.st_dev == self.device;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if is_here {
                self.allocated = self.allocated.saturating_add(allocated(&stat));
            }
            if depth + 1 == DEPTH {
                return Ok(());
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            return self.add(&openat(directory, name, flags, Mode::empty())?, depth + 1);
        }
        if stat.st_nlink < 2 || self.linked.insert((stat.st_dev, stat.st_ino)) {
            self.bytes = self.bytes.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
            if is_here {
                self.allocated = self.allocated.saturating_add(allocated(&stat));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_counts_once_and_links_lead_nowhere() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let tree = directory.path().join("tree");
        fs::create_dir_all(tree.join("a/b"))?;
        fs::write(directory.path().join("outside"), [0; 1000])?;
        fs::write(tree.join("one"), [0; 10])?;
        fs::write(tree.join("a/two"), [0; 20])?;
        fs::write(tree.join("a/b/three"), [0; 30])?;
        rustix::fs::link(tree.join("one"), tree.join("a/again"))?;
        fs::symlink("/etc", tree.join("a/link"))?;
        fs::symlink("../outside", tree.join("out"))?;
        // A link's own size is that of its target's name.
        assert_eq!(tree_bytes(&tree)?, 10 + 20 + 30 + 4 + 10);
        assert_eq!(tree_bytes(&tree.join("none"))?, 0);
        assert!(tree_bytes(&tree.join("out")).is_err());
        let mut deep = tree.join("deep");
        for _ in 0..2 * DEPTH {
            deep.push("d");
        }
        fs::create_dir_all(&deep)?;
        fs::write(deep.join("bottom"), [0; 5])?;
        assert_eq!(tree_bytes(&tree)?, 74);
        // A hole takes no blocks, and a file of several names takes them once.
        let sparse = directory.path().join("sparse");
        fs::create_dir_all(&sparse)?;
        let empty = disk_bytes(&sparse)?;
        fs::create_new(sparse.join("hole"))?.set_len(1 << 30)?;
        assert!(disk_bytes(&sparse)? < empty + 100_000);
        fs::write(sparse.join("full"), vec![1; 1 << 20])?;
        rustix::fs::link(sparse.join("full"), sparse.join("again"))?;
        rustix::fs::syncfs(fs::open_directory(&sparse)?)?;
        let full = disk_bytes(&sparse.join("full"))?;
        assert!(full >= 1 << 20 && (empty + full..empty + full + 100_000).contains(&disk_bytes(&sparse)?));
        assert_eq!(disk_bytes(&sparse.join("none"))?, 0);
        Ok(())
    }
}
