//! What a file is given besides its content.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown, fgetxattr, fsetxattr,
    utimensat,
};
use rustix::io::Errno;

use crate::storage::pack::Attributes;

/// A modification time: seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times(pub(super) i64, pub(super) i64);

impl Times {
    pub(super) fn of(stat: &Stat) -> Self {
        Self(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0))
    }

    pub(super) fn stamps(self) -> Timestamps {
        let time = Timespec { tv_sec: self.0, tv_nsec: self.1 };
        Timestamps { last_access: time, last_modification: time }
    }
}

/// Sets extended attributes; those that the filesystem does not take are left out.
pub(super) fn set_attributes(file: &OwnedFd, attributes: &Attributes) -> Result<(), Errno> {
    for (name, value) in attributes {
        match fsetxattr(file, &name[..], value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a directory gives an access list to what is created in it.
pub(super) fn has_default_acl(directory: &OwnedFd) -> bool {
    fgetxattr(directory, "system.posix_acl_default", &mut [0_u8; 0][..]).is_ok()
}

/// Owner, extended attributes, permissions: in this order, since a new owner clears some of the others.
pub(super) fn set_all(file: &OwnedFd, (uid, gid): (u32, u32), attributes: &Attributes, mode: u32) -> Result<(), Errno> {
    fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    set_attributes(file, attributes)?;
    fchmod(file, Mode::from_raw_mode(mode))
}

/// Owner and time of what has no descriptor to set them by.
pub(super) fn finish_by_name(
    directory: &OwnedFd,
    name: &OsStr,
    (uid, gid): (u32, u32),
    time: Times,
) -> Result<(), Errno> {
    chownat(directory, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)?;
    utimensat(directory, name, &time.stamps(), AtFlags::SYMLINK_NOFOLLOW)
}
