//! Secrets: files in a filesystem of their own, which is never written to the disk, read-only for the program.
//!
//! ```text
//! ramfs on /run/secrets       those that belong there
//! another ramfs               the others: it is attached for a moment, since only a file of an attached filesystem
//!                             can be bound to another place (open_tree(2))
//! ```
//!
//! A ramfs, and not a tmpfs, which may be swapped out. Its files cannot be enlarged: they are read-only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, UnmountFlags};

use crate::runtime::Failure;
use crate::runtime::places::Places;
use crate::runtime::sync::Step as _;
use crate::sys::mount::{self, Parameter};
use crate::types::{ReportKind, SecretFile};

/// Where they are mounted by default.
const DIRECTORY: &str = "/run/secrets";

/// Mounts the secrets. The descriptors pin the mounts until the root is changed.
pub(in crate::runtime) fn all(
    secrets: &[SecretFile],
    places: &Places<'_>,
    single_id: bool,
) -> Result<Vec<OwnedFd>, Failure> {
    let mut mounted = Vec::new();
    let is_elsewhere = |secret: &&SecretFile| !secret.path.starts_with(DIRECTORY);
    if secrets.iter().any(|secret| is_elsewhere(&secret)) {
        let source = filesystem()?;
        let place = places.directory(Path::new(DIRECTORY))?;
        mount::attach(source.as_fd(), place.as_fd()).step_on("mount on", DIRECTORY)?;
        for (index, secret) in secrets.iter().filter(is_elsewhere).enumerate() {
            let name = index.to_string();
            write(source.as_fd(), Path::new(&name), secret, single_id)?;
            mounted.push(bind(source.as_fd(), &name, &secret.path, places)?);
        }
        detach(source.as_fd()).step_on("unmount", DIRECTORY)?;
    }
    if secrets.iter().any(|secret| !is_elsewhere(&secret)) {
        let own = filesystem()?;
        for secret in secrets.iter().filter(|secret| !is_elsewhere(secret)) {
            let name = secret.path.strip_prefix(DIRECTORY).unwrap_or(&secret.path);
            write(own.as_fd(), name, secret, single_id)?;
        }
        mount::set_attributes(own.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, false)
            .step_on("make the mount read-only on", DIRECTORY)?;
        let place = places.directory(Path::new(DIRECTORY))?;
        mount::attach(own.as_fd(), place.as_fd()).step_on("mount on", DIRECTORY)?;
        places.add(own.as_fd(), Path::new(DIRECTORY))?;
        mounted.push(own);
    }
    Ok(mounted)
}

fn attributes() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

fn filesystem() -> Result<OwnedFd, Failure> {
    mount::new_filesystem("ramfs", &[Parameter::Value("mode", "755")], attributes())
        .step("create the filesystem of the secrets")
}

/// Writes a secret as `name`, with the directories above it, into a filesystem that only this process can reach.
fn write(root: BorrowedFd<'_>, name: &Path, secret: &SecretFile, single_id: bool) -> Result<(), Failure> {
    let mut directory = root.try_clone_to_owned().step("copy a descriptor")?;
    let mut words: Vec<_> = name.components().filter(|word| matches!(word, Component::Normal(_))).collect();
    let last = words.pop().map(|word| word.as_os_str().to_owned()).unwrap_or_default();
    for word in words {
        match mkdirat(&directory, word.as_os_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).step_on("create the directory of", &secret.path),
        }
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        directory = openat(&directory, word.as_os_str(), flags, Mode::empty()).step_on("open", &secret.path)?;
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&directory, &last, flags, Mode::from_raw_mode(0o600)).step_on("create", &secret.path)?;
    let mut left = secret.value.as_slice();
    while !left.is_empty() {
        let length = rustix::io::write(&file, left).step_on("write", &secret.path)?;
        left = left.get(length..).unwrap_or_default();
    }
    let is_root = (secret.uid, secret.gid) == (0, 0);
    if single_id && !is_root {
        let path = secret.path.display().to_string();
        let message =
            format!("the secret `{}` cannot have another owner: there are no subordinate IDs", path.escape_debug());
        return Err(Failure::reason(ReportKind::Invalid, message));
    }
    if !single_id {
        let owner = (Some(Uid::from_raw(secret.uid)), Some(Gid::from_raw(secret.gid)));
        fchown(&file, owner.0, owner.1).step_on("change the owner of", &secret.path)?;
    }
    fchmod(&file, Mode::from_raw_mode(secret.mode)).step_on("change the mode of", &secret.path)
}

/// Binds the file `name` of an attached filesystem to `path`.
fn bind(source: BorrowedFd<'_>, name: &str, path: &Path, places: &Places<'_>) -> Result<OwnedFd, Failure> {
    let file = openat(source, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let bound = mount::clone_tree(file.step_on("open", path)?.as_fd(), false).step_on("bind", path)?;
    mount::set_attributes(bound.as_fd(), attributes() | MountAttrFlags::MOUNT_ATTR_RDONLY, false)
        .step_on("make the mount read-only on", path)?;
    let target = places.file(path)?;
    let found = rustix::fs::fstat(&target).step_on("stat", path)?;
    if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
        let message =
            format!("cannot mount a secret on `{}`: it is a directory", path.display().to_string().escape_debug());
        return Err(Failure::reason(ReportKind::Invalid, message));
    }
    mount::attach(bound.as_fd(), target.as_fd()).step_on("mount on", path)?;
    places.add(bound.as_fd(), path)?;
    Ok(bound)
}

/// Unmounts what is attached and has this root; the files that are bound elsewhere stay.
fn detach(root: BorrowedFd<'_>) -> rustix::io::Result<()> {
    use std::os::fd::AsRawFd as _;
    rustix::mount::unmount(format!("/proc/self/fd/{}", root.as_raw_fd()), UnmountFlags::DETACH)
}
