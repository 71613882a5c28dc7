//! The store, and the drivers that can join layers to a root filesystem there.

use std::path::{Path, PathBuf};

use rustix::fs::{StatVfs, XattrFlags, setxattr, statfs, statvfs};

use super::attempt::{Trouble, attempt};
use super::device;
use super::program::described;
use super::{Finding, Home, Host, NOT_TRIED, Status, severity};
use crate::runtime::{FuseOverlay, Rootfs, try_mount};
use crate::storage::{Scratch, Store};
use crate::sys::fs;
use crate::sys::packages::Package;
use crate::types::StorageDriver;
use crate::userns::{IdMap, UserNamespace};

/// With fewer free bytes rc cannot pull most images.
const LITTLE: u64 = 1 << 30;
/// With fewer free bytes there is no room for a container's records.
const NOTHING: u64 = 1 << 20;
/// The files of a Debian image with a server.
const FEW_INODES: u64 = 10_000;

pub(super) fn check(host: &Host<'_>, home: Home<'_>) -> Vec<Finding> {
    let root = host.root;
    let scratch = Store::open(root).and_then(|store| store.scratch());
    let mut findings = Vec::new();
    match &scratch {
        Ok(scratch) => {
            findings.push(space(root));
            findings.push(attributes(scratch.path()));
        }
        Err(error) => findings.push(
            Finding::bad("store", Status::Missing, error.to_string())
                .disables("pull and run; ps, logs, inspect and images work")
                .fix(error.hint().or_else(|| Some("use another directory: `rc --root DIR …`".to_owned()))),
        ),
    }
    let overlay = tried(scratch.as_ref().ok(), home, overlay);
    let program = host.fuse_overlayfs.as_deref();
    let fuse = match program {
        Some(program) => tried(scratch.as_ref().ok(), home, |directory, home| served(program, directory, home)),
        None => Err(Trouble::new("fuse-overlayfs not found")),
    };
    findings.push(overlay_finding(host.storage, &overlay, fuse.is_ok(), root));
    findings.push(fuse_finding(host.storage, &fuse, overlay.is_ok(), program));
    findings.push(fuse_device(host.storage, overlay.is_ok()));
    findings
}

/// Which driver `auto` chooses on this host, and why: it tries overlay. `None` if it cannot try. It creates only a
/// scratch directory, in an existing store.
pub(super) fn choose(host: &Host<'_>, map: &IdMap) -> Option<(StorageDriver, String)> {
    fs::metadata(host.root.join("version")).ok()?;
    let home = UserNamespace::open(map, host.runtime.as_ref().ok()?).ok()?;
    let scratch = Store::open(host.root).and_then(|store| store.scratch()).ok()?;
    Some(match tried(Some(&scratch), Some(&home), overlay) {
        Ok(()) => (StorageDriver::Overlay, "the kernel's, in the user's root namespace".to_owned()),
        Err(trouble) => (StorageDriver::FuseOverlayfs, trouble.report.message),
    })
}

fn tried(
    scratch: Option<&Scratch>,
    home: Home<'_>,
    try_it: impl FnOnce(&Path, &UserNamespace) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let home = home.ok_or_else(|| Trouble::new(NOT_TRIED))?;
    let scratch = scratch.ok_or_else(|| Trouble::new("not tried: no store"))?;
    // Each try has a directory of its own: a work directory is for one mount.
    let directory =
        (0..8).map(|n| scratch.path().join(n.to_string())).find(|directory| fs::create_dir(directory).is_ok());
    let directory = directory.ok_or_else(|| Trouble::new("cannot create a directory in the store"))?;
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(directory.join(name)).map_err(Trouble::new)?;
    }
    attempt(|| try_it(&directory, home))
}

fn overlay(directory: &Path, home: &UserNamespace) -> Result<(), Trouble> {
    home.enter().map_err(Trouble::new)?;
    let rootfs = Rootfs::Overlay {
        layers: vec![directory.join("lower")].into(),
        directory: directory.to_owned(),
        volatile: false,
    };
    Ok(try_mount(&rootfs)?)
}

fn served(program: &Path, directory: &Path, home: &UserNamespace) -> Result<(), Trouble> {
    let lowers: [PathBuf; 1] = [directory.join("lower")];
    Ok(FuseOverlay::start(program, &lowers, directory, home).map(drop)?)
}

fn overlay_finding(driver: StorageDriver, tried: &Result<(), Trouble>, fuse: bool, root: &Path) -> Finding {
    const CHECK: &str = "overlay";
    let on = filesystem(root);
    match tried {
        Ok(()) => Finding::ok(CHECK, format!("mounted on {on}")),
        Err(trouble) if trouble.report.message == NOT_TRIED => {
            Finding::bad(CHECK, Status::Missing, NOT_TRIED).disables("every container")
        }
        Err(trouble) => {
            let other = fuse && driver == StorageDriver::Auto;
            let disables = if other { "fast file access: rc uses fuse-overlayfs instead" } else { "every container" };
            let status = severity(driver != StorageDriver::FuseOverlayfs, other);
            let usual = || {
                let install = Package::FuseOverlayfs.install();
                format!("use a store on ext4, xfs, btrfs or tmpfs: `rc --root DIR …`; else {install}")
            };
            Finding::bad(CHECK, status, format!("{} (on {on})", trouble.report.message))
                .disables(disables)
                .fix(trouble.report.hint.clone().or_else(|| Some(usual())))
        }
    }
}

fn fuse_finding(driver: StorageDriver, tried: &Result<(), Trouble>, overlay: bool, program: Option<&Path>) -> Finding {
    const CHECK: &str = "fuse-overlayfs";
    match (tried, program) {
        (Ok(()), Some(program)) => Finding::ok(CHECK, described(program)),
        (tried, program) => {
            let other = overlay && driver != StorageDriver::FuseOverlayfs;
            let why = tried.as_ref().err().map_or_else(String::new, |trouble| trouble.report.message.clone());
            let fix = match program {
                _ if why == NOT_TRIED => None,
                None => Some(Package::FuseOverlayfs.install()),
                Some(_) => Some("`sudo modprobe fuse`".to_owned()),
            };
            Finding::bad(CHECK, severity(driver != StorageDriver::Overlay, other), why)
                .disables(if other { "stores on which the kernel refuses overlay" } else { "every container" })
                .fix(fix)
        }
    }
}

fn fuse_device(driver: StorageDriver, overlay: bool) -> Finding {
    let is_needed = driver == StorageDriver::FuseOverlayfs || (driver == StorageDriver::Auto && !overlay);
    device::device("/dev/fuse", is_needed, "fuse-overlayfs", "fuse")
}

/// Free space and inodes.
fn space(root: &Path) -> Finding {
    const CHECK: &str = "store";
    let Ok(at) = statvfs(root) else { return Finding::ok(CHECK, root.display().to_string()) };
    judge_space(&at, &format!("{} on {}", root.display(), filesystem(root)))
}

fn judge_space(at: &StatVfs, place: &str) -> Finding {
    const CHECK: &str = "store";
    let free = at.f_bavail.saturating_mul(at.f_frsize);
    // btrfs and others do not count inodes.
    let has_inodes = at.f_files > 0;
    let inodes = if has_inodes { format!(", {} inodes", at.f_favail) } else { String::new() };
    let found = format!("{place}, {} MiB free{inodes}", free >> 20);
    let few = has_inodes && at.f_favail < FEW_INODES;
    let status = match free {
        _ if has_inodes && at.f_favail < 100 => Status::Missing,
        free if free < NOTHING => Status::Missing,
        free if free < LITTLE || few => Status::Limited,
        _ => return Finding::ok(CHECK, found),
    };
    Finding::bad(CHECK, status, found).disables(if few { "images with many files" } else { "large images" }).fix(
        "remove what you do not need: `rc rm -a`, `rc rmi -a`; or use another filesystem: `rc --root DIR …`".to_owned(),
    )
}

/// Whether the store supports attributes such as `user.overlay.opaque`, by which a layer hides a directory of the
/// layers below.
fn attributes(directory: &Path) -> Finding {
    const CHECK: &str = "extended attributes";
    match setxattr(directory, "user.rc.doctor", b"y", XattrFlags::empty()) {
        Ok(()) => Finding::ok(CHECK, "supported by the store's filesystem"),
        Err(error) => Finding::bad(CHECK, Status::Limited, fs::plain(&error.into()))
            .disables("images in which a layer replaces a whole directory, and attributes of files")
            .fix("use a store on ext4, xfs or btrfs, or on a tmpfs of Linux 6.6: `rc --root DIR …`".to_owned()),
    }
}

/// The filesystem that a path is on, by its magic number. Source: statfs(2), linux/magic.h.
fn filesystem(path: &Path) -> String {
    let Ok(at) = statfs(path) else { return "an unknown filesystem".to_owned() };
    // The field's type differs between architectures.
    #[expect(clippy::unnecessary_cast, reason = "i64 here, another type elsewhere")]
    let magic = at.f_type as i64 & 0xffff_ffff;
    match magic {
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlay",
        0x6969 => "nfs",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        0x6573_5546 => "fuse",
        0xca45_1a4e => "bcachefs",
        0xf15f => "ecryptfs",
        0x0102_1997 => "9p",
        0x00c0_ffee => "hostfs",
        _ => return format!("a filesystem of type {magic:#x}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_store_is_told_from_a_small_one() {
        let mut at = statvfs("/").expect("statvfs");
        (at.f_frsize, at.f_files) = (4096, 1_000_000);
        for (blocks, inodes, status) in [
            (10_000_000, 500_000, Status::Ok),
            (1000, 500_000, Status::Limited),
            (10_000_000, 5000, Status::Limited),
            (10, 500_000, Status::Missing),
            (10_000_000, 3, Status::Missing),
        ] {
            (at.f_bavail, at.f_favail) = (blocks, inodes);
            assert_eq!(judge_space(&at, "/s on ext4").status, status, "{blocks} {inodes}");
        }
        at.f_files = 0;
        at.f_bavail = 1 << 20;
        assert_eq!(judge_space(&at, "/s on btrfs").found, "/s on btrfs, 4096 MiB free");
    }
}
