//! The filesystem and the mount that a descriptor is on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, IFlags, StatxAttributes, StatxFlags, fstatfs, ioctl_getflags, ioctl_setflags, statx};

/// The kernel's own filesystems, which show and control the kernel, by their magic numbers. A devtmpfs has the number
/// of a tmpfs. Source: linux/magic.h; fs/proc/root.c and similar files for those that are missing there.
const OF_KERNEL: [(i64, &str); 27] = [
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6367_7270, "cgroup2"),
    (0x0027_e0eb, "cgroup"),
    (0x1cd1, "devpts"),
    (0x1980_0202, "mqueue"),
    (0xcafe_4a11, "bpf"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0x6265_6570, "configfs"),
    (0x6e73_6673, "nsfs"),
    (0x5049_4446, "pidfs"),
    (0x5049_5045, "pipefs"),
    (0x534f_434b, "sockfs"),
    (0x0904_1934, "anon_inodefs"),
    (0x444d_4142, "dmabuf"),
    (0x6165_676c, "pstore"),
    (0xf97c_ff8c, "selinuxfs"),
    (0x4341_5d53, "smackfs"),
    (0x5a3c_69f0, "apparmorfs"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x6573_5543, "fusectl"),
    (0xde5e_81e4, "efivarfs"),
    (0x0765_5821, "resctrl"),
    (0x6759_6969, "rpc_pipefs"),
    (0x6e66_7364, "nfsd"),
];

/// The name of the kernel's own filesystem that `fd` is on; `None` for a filesystem that stores files.
pub(crate) fn of_kernel(fd: impl AsFd) -> io::Result<Option<&'static str>> {
    let at = fstatfs(fd)?;
    // The field's type differs between architectures.
    let magic = at.f_type as i64 & 0xffff_ffff;
    Ok(OF_KERNEL.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name))
}

/// The identity of a file among all existing ones: the ID of its mount and its inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Unique among existing mounts.
    pub(crate) mount: u64,
    /// The inode number.
    pub(crate) inode: u64,
    /// It is the root of the mount.
    pub(crate) is_mount_root: bool,
}

/// The place that `fd` is at. Source: statx(2), `STATX_MNT_ID` and `STATX_ATTR_MOUNT_ROOT` (Linux 5.8).
pub(crate) fn place(fd: impl AsFd) -> io::Result<Place> {
    let found = statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID | StatxFlags::INO)?;
    if found.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
        return Err(rustix::io::Errno::OPNOTSUPP.into());
    }
    let is_mount_root = found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    Ok(Place { mount: found.stx_mnt_id, inode: found.stx_ino, is_mount_root })
}

/// Asks the filesystem to place new subdirectories of `directory` far from each other, each with its files, as the
/// directories of users in `/home`, until the result is dropped: `chattr +T`. Does nothing on a filesystem that has no
/// such flag.
///
/// ext4 allocates no inode that was deleted in the last minutes, and steps over each of them in the block group of the
/// directory. So thousands of files are created slowly where as many were just removed, unless the next tree is in
/// another group. A small directory is created faster near the others: ext4 looks at all groups to find one for a
/// directory that is to be far away, and may have to read that from the disk. Source: `FS_TOPDIR_FL` in
/// ioctl_iflags(2); ext4 `recently_deleted`, `find_group_orlov`.
pub(crate) fn spread_subdirectories(directory: OwnedFd) -> Spread {
    // Without it, everything works as well, only more slowly.
    set_spread(directory.as_fd(), true);
    Spread(directory)
}

/// A directory whose new subdirectories are far from each other until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Spread(OwnedFd);

impl Drop for Spread {
    fn drop(&mut self) {
        set_spread(self.0.as_fd(), false);
    }
}

fn set_spread(directory: BorrowedFd<'_>, spread: bool) {
    let Ok(flags) = ioctl_getflags(directory) else { return };
    if flags.contains(IFlags::TOPDIR) != spread {
        ioctl_setflags(directory, flags ^ IFlags::TOPDIR).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_file_systems_are_told_from_those_that_hold_files() {
        for (path, name) in [
            ("/proc", Some("proc")),
            ("/proc/self/fd", Some("proc")),
            ("/sys", Some("sysfs")),
            ("/dev/pts", Some("devpts")),
            ("/proc/self/ns", Some("proc")),
            ("/", None),
            ("/tmp", None),
            ("/dev/null", None),
        ] {
            let fd = rustix::fs::open(path, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).expect(path);
            assert_eq!(of_kernel(&fd).expect(path), name, "{path}");
        }
        let namespace = crate::sys::fs::open("/proc/self/ns/mnt").expect("a namespace");
        assert_eq!(of_kernel(&namespace).expect("a filesystem"), Some("nsfs"));
    }

    #[test]
    fn subdirectories_are_spread_where_the_file_system_can() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = crate::sys::fs::open_directory(directory.path()).expect("it opens");
        let knows = ioctl_getflags(&open).and_then(|flags| ioctl_setflags(&open, flags | IFlags::TOPDIR)).is_ok();
        if knows {
            let flags = ioctl_getflags(&open).expect("flags");
            ioctl_setflags(&open, flags - IFlags::TOPDIR).expect("the flag can be removed");
        }
        let is_spread = || ioctl_getflags(&open).is_ok_and(|flags| flags.contains(IFlags::TOPDIR));
        for _ in 0..2 {
            let spread = spread_subdirectories(open.try_clone().expect("a descriptor").into());
            assert_eq!(is_spread(), knows);
            drop(spread);
            assert!(!is_spread());
        }
        // Nothing has flags here.
        drop(spread_subdirectories(crate::sys::fs::open("/proc/self/status").expect("a file").into()));
    }

    #[test]
    fn mounts_have_numbers_of_their_own() {
        let id = |path| {
            let fd = rustix::fs::open(path, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).expect(path);
            place(&fd).expect(path).mount
        };
        assert_eq!(id("/proc"), id("/proc/self"));
        assert_ne!(id("/proc"), id("/"));
        let is_root = |path| {
            let fd = rustix::fs::open(path, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).expect(path);
            place(&fd).expect(path).is_mount_root
        };
        assert!(is_root("/proc") && is_root("/") && !is_root("/proc/self") && !is_root("/etc"));
    }
}
