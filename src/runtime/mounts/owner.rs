//! The option `U`: everything in a source gets the program's user as its owner.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use oci_spec::runtime::Spec;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat, statat};
use rustix::io::Errno;

/// The deepest tree whose owner is changed: deeper ones cannot be named by any path.
const DEEPEST: u32 = 2048;

/// Whether a mount of the spec wants that.
pub(in crate::runtime) fn is_wanted(spec: &Spec) -> bool {
    let mut options = spec.mounts().iter().flatten().flat_map(|mount| mount.options().iter().flatten());
    options.any(|option| option == "U")
}

/// Changes the owner of the root of a mount.
pub(super) fn set(root: BorrowedFd<'_>, (uid, gid): (u32, u32)) -> io::Result<()> {
    Ok(chownat(root, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)?)
}

/// Changes the owner of everything on the mount `tree`, which is attached nowhere. Others may change the source
/// meanwhile: no link is followed.
pub(super) fn give(tree: &OwnedFd, (uid, gid): (u32, u32)) -> io::Result<()> {
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let stat = fstat(tree)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let top = openat(tree, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        below(&top, stat.st_dev, owner, DEEPEST)?;
    }
    Ok(chownat(tree.as_fd(), "", owner.0, owner.1, AtFlags::EMPTY_PATH)?)
}

fn below(directory: &OwnedFd, device: u64, owner: (Option<Uid>, Option<Gid>), levels: u32) -> io::Result<()> {
    let levels = levels.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            other => other?,
        };
        if stat.st_dev != device {
            continue;
        }
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            below(&openat(directory, name, flags, Mode::empty())?, device, owner, levels)?;
        }
        match chownat(directory, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
