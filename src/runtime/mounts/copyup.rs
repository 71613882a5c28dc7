//! A new volume (or tmpfs) begins with what the image has at its place: docker's and podman's "copy-up".

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, XattrFlags, chownat, fchmod, fgetxattr,
    flistxattr, fsetxattr, fstat, mkdirat, openat, readlinkat, seek, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

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
    copy_folder(&from, &to).step_on("copy to a volume", source)?;
    finish(&from, &to, &stat).step_on("copy to a volume", source)
}

fn is_empty(folder: &OwnedFd) -> io::Result<bool> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_folder(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                mkdirat(to, name, Mode::RWXU)?;
                let (inner, copy) =
                    (openat(from, name, flags, Mode::empty())?, openat(to, name, flags, Mode::empty())?);
                copy_folder(&inner, &copy)?;
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
            // Devices, sockets and pipes have no place in a volume.
            _ => {}
        }
    }
    Ok(())
}

/// Copies what is there of a file of `size` bytes; holes stay holes: an image may have a file that is larger than any disk.
fn copy_data(mut source: &File, mut copy: &File, size: u64) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let (start, end) = match seek(source, SeekFrom::Data(at)) {
            Ok(start) => (start, seek(source, SeekFrom::Hole(start))?),
            Err(Errno::NXIO) => break,
            // A file system that does not tell.
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

/// The most bytes of an extended attribute, and of all names of a file's. Source: xattr(7), "Limits".
const LONGEST: usize = 64 << 10;

/// Copies the extended attributes that an image may have; what the volume's file system does not take is left out.
fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    let mut names = vec![0; LONGEST];
    let length = match flistxattr(from, &mut names[..]) {
        Err(Errno::NOTSUP) => return Ok(()),
        other => other?,
    };
    let is_kept = |name: &[u8]| match name {
        b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default" => true,
        name => name.starts_with(b"user.") && !name.starts_with(b"user.overlay."),
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = vec![0; LONGEST];
        let length = fgetxattr(from, name, &mut value[..])?;
        match fsetxattr(to, name, &value[..length], XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Owner, extended attributes and mode (after the owner, whose change drops setuid and capabilities), times.
fn finish(from: &OwnedFd, copy: &OwnedFd, stat: &Stat) -> io::Result<()> {
    rustix::fs::fchown(copy, Some(uid(stat)), Some(gid(stat)))?;
    copy_attributes(from, copy)?;
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
