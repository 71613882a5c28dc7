//! A new volume (or tmpfs) begins with what the image has at its place: docker's and podman's "copy-up".

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, chownat, fchmod, fstat, mkdirat, openat,
    readlinkat, statat, symlinkat, utimensat,
};

use crate::runtime::Failure;
use crate::runtime::sync::Step as _;
use crate::sys::root;

/// Copies the folder `source` beneath `root` into the still empty, still detached mount `target`. A place that the image
/// lacks, or a volume that holds something, is left alone.
pub(in crate::runtime) fn fill(root: BorrowedFd<'_>, source: &Path, target: BorrowedFd<'_>) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let Ok(from) = root::open_in(root, source, flags, Mode::empty()) else { return Ok(()) };
    let to = openat(target, c".", flags | OFlags::CLOEXEC, Mode::empty()).step_on("open the volume for", source)?;
    if !is_empty(&to).step_on("read the volume for", source)? {
        return Ok(());
    }
    let stat = fstat(&from).step_on("look at", source)?;
    copy_folder(from, &to).step_on("copy to a volume", source)?;
    finish(&to, &stat).step_on("copy to a volume", source)
}

fn is_empty(folder: &OwnedFd) -> io::Result<bool> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_folder(from: OwnedFd, to: &OwnedFd) -> io::Result<()> {
    let mut entries = Dir::new(from)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let from = entries.fd()?;
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                mkdirat(to, name, Mode::RWXU)?;
                let (inner, copy) =
                    (openat(from, name, flags, Mode::empty())?, openat(to, name, flags, Mode::empty())?);
                copy_folder(inner, &copy)?;
                finish(&copy, &stat)?;
            }
            FileType::RegularFile => {
                let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let mut source = std::fs::File::from(openat(from, name, OFlags::RDONLY | flags, Mode::empty())?);
                let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | flags;
                let mut copy = std::fs::File::from(openat(to, name, create, Mode::RUSR | Mode::WUSR)?);
                io::copy(&mut source, &mut copy)?;
                finish(&copy.into(), &stat)?;
            }
            FileType::Symlink => {
                let link = readlinkat(from, name, Vec::new())?;
                symlinkat(&*link, to, name)?;
                chownat(to, name, Some(uid(&stat)), Some(gid(&stat)), AtFlags::SYMLINK_NOFOLLOW)?;
                utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            // Devices, sockets and pipes have no place in a volume.
            _ => {}
        }
    }
    Ok(())
}

/// Owner, extended attributes, mode (after the owner, whose change drops setuid), times.
fn finish(copy: &OwnedFd, stat: &Stat) -> io::Result<()> {
    rustix::fs::fchown(copy, Some(uid(stat)), Some(gid(stat)))?;
    fchmod(copy, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    Ok(rustix::fs::futimens(copy.as_fd(), &times(stat))?)
}

fn uid(stat: &Stat) -> rustix::fs::Uid {
    rustix::fs::Uid::from_raw(stat.st_uid)
}

fn gid(stat: &Stat) -> rustix::fs::Gid {
    rustix::fs::Gid::from_raw(stat.st_gid)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}
