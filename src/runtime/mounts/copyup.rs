//! A new volume (or tmpfs) starts with the image's files at that path: docker's and podman's "copy-up".

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, SeekFrom, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps, chownat,
    fchmod, mkdirat, openat, readlinkat, seek, statx, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::runtime::Failure;
use crate::runtime::sync::Step as _;
use crate::runtime::xattrs;
use crate::sys::filesystem::of_kernel;

/// Copies the directory `source`, the image's `path`, into `target`, an empty mount that is still detached. A volume
/// that is not empty is left alone, and mounts beneath `source` are not copied: they are not part of the image.
///
/// Nothing is copied from the kernel's own filesystems: they show processes, init's descriptors among them.
pub(in crate::runtime) fn fill(source: BorrowedFd<'_>, path: &Path, target: BorrowedFd<'_>) -> Result<(), Failure> {
    if of_kernel(source).step_on("inspect the filesystem of", path)?.is_some() {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let from = match openat(source, c".", flags, Mode::empty()) {
        Ok(from) => from,
        // A file cannot fill a directory.
        Err(Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error).step_on("open", path),
    };
    let to = openat(target, c".", flags, Mode::empty()).step_on("open the volume for", path)?;
    if !is_empty(&to).step_on("read the volume for", path)? {
        return Ok(());
    }
    let stat = stat_at(&from, c"", AtFlags::EMPTY_PATH).step_on("stat", path)?;
    copy_directory(&from, &to, stat.stx_mnt_id, DEEPEST).step_on("copy to a volume", path)?;
    finish(&from, &to, &stat).step_on("copy to a volume", path)
}

/// What rc must know about a file, including its mount. Source: statx(2).
fn stat_at(directory: &OwnedFd, name: &CStr, flags: AtFlags) -> rustix::io::Result<Statx> {
    statx(directory, name, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)
}

fn is_empty(directory: &OwnedFd) -> io::Result<bool> {
    for entry in Dir::read_from(directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many levels of directories are copied. A path of PATH_MAX bytes has fewer, but an image can have more, through
/// entries below a link; each level takes descriptors and stack.
const DEEPEST: u32 = 2048;

/// Copies the contents of `from`, as far as they are on the mount with the number `mount`, at most so many levels deep.
fn copy_directory(from: &OwnedFd, to: &OwnedFd, mount: u64, levels: u32) -> io::Result<()> {
    let below = levels.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = stat_at(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.stx_mnt_id != mount {
            continue;
        }
        match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                mkdirat(to, name, Mode::RWXU)?;
                let (inner, copy) =
                    (openat(from, name, flags, Mode::empty())?, openat(to, name, flags, Mode::empty())?);
                copy_directory(&inner, &copy, mount, below)?;
                finish(&inner, &copy, &stat)?;
            }
            FileType::RegularFile => {
                let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let source = File::from(openat(from, name, OFlags::RDONLY | flags, Mode::empty())?);
                let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | flags;
                let copy = File::from(openat(to, name, create, Mode::RUSR | Mode::WUSR)?);
                copy_data(&source, &copy, source.metadata()?.len())?;
                finish(&source.into(), &copy.into(), &stat)?;
            }
            FileType::Symlink => {
                let link = readlinkat(from, name, Vec::new())?;
                symlinkat(&*link, to, name)?;
                chownat(to, name, Some(uid(&stat)), Some(gid(&stat)), AtFlags::SYMLINK_NOFOLLOW)?;
                utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            // Devices, sockets and FIFOs are not copied.
            _ => {}
        }
    }
    Ok(())
}

/// Copies the data of a file of `size` bytes; holes stay holes: an image may have a file that is larger than any disk.
fn copy_data(mut source: &File, mut copy: &File, size: u64) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let (start, end) = match seek(source, SeekFrom::Data(at)) {
            Ok(start) => (start, seek(source, SeekFrom::Hole(start))?),
            Err(Errno::NXIO) => break,
            // A filesystem that does not support SEEK_DATA.
            Err(Errno::INVAL) => (at, size),
            Err(error) => return Err(error.into()),
        };
        seek(source, SeekFrom::Start(start))?;
        seek(copy, SeekFrom::Start(start))?;
        io::copy(&mut source.by_ref().take(end - start), &mut copy)?;
        at = end;
    }
    copy.set_len(size)
}

/// Owner, extended attributes and mode (after the owner, whose change drops setuid and capabilities), times.
fn finish(from: &OwnedFd, copy: &OwnedFd, stat: &Statx) -> io::Result<()> {
    rustix::fs::fchown(copy, Some(uid(stat)), Some(gid(stat)))?;
    xattrs::copy(from, copy)?;
    fchmod(copy, Mode::from_raw_mode(u32::from(stat.stx_mode) & 0o7777))?;
    Ok(rustix::fs::futimens(copy.as_fd(), &times(stat))?)
}

fn uid(stat: &Statx) -> rustix::fs::Uid {
    rustix::fs::Uid::from_raw(stat.stx_uid)
}

fn gid(stat: &Statx) -> rustix::fs::Gid {
    rustix::fs::Gid::from_raw(stat.stx_gid)
}

fn times(stat: &Statx) -> Timestamps {
    let time = |of: StatxTimestamp| Timespec { tv_sec: of.tv_sec, tv_nsec: of.tv_nsec.into() };
    Timestamps { last_access: time(stat.stx_atime), last_modification: time(stat.stx_mtime) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The upper layer of a container, and layers of older versions of rc, can have trees of any depth.
    #[test]
    fn a_tree_that_is_too_deep_is_refused() {
        let home = tempfile::tempdir().expect("a directory");
        crate::sys::fs::create_dir_all(home.path().join("from/1/2/3")).expect("made");
        for (levels, copied) in [(4, true), (3, false)] {
            let name = format!("to{levels}");
            crate::sys::fs::create_dir(home.path().join(&name)).expect("made");
            let open = |name: &str| {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                openat(rustix::fs::CWD, home.path().join(name), flags, Mode::empty()).expect("opens")
            };
            let (from, to) = (open("from"), open(&name));
            let mount = stat_at(&from, c"", AtFlags::EMPTY_PATH).expect("a mount").stx_mnt_id;
            let result = copy_directory(&from, &to, mount, levels).map_err(|error| error.raw_os_error());
            assert_eq!(result, if copied { Ok(()) } else { Err(Some(libc::ENAMETOOLONG)) }, "{levels}");
        }
    }
}
