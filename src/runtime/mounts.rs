//! The spec's mounts, one after the other: each is created detached and attached at a place that was found beneath the
//! root.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::mount::MountAttrFlags;

use super::Failure;
use super::outside::Outside;
use super::places::Places;
use super::sync::Step as _;
use crate::sys::mount::{self, Parameter};
use crate::types::ReportKind;

pub(super) mod bind;
mod copyup;
mod link;
mod missing;
pub(super) mod overlay;
pub(super) mod owner;
pub(super) mod secrets;

/// Creates every mount of the spec; the descriptors pin them until the root is changed.
pub(super) fn all(
    spec: &Spec,
    places: &Places<'_>,
    copy_up: &[PathBuf],
    from: &From<'_>,
) -> Result<Vec<OwnedFd>, Failure> {
    let made = spec.mounts().iter().flatten().map(|mount| one(mount, places, copy_up, from));
    made.filter_map(Result::transpose).collect()
}

/// What mounts depend on, beside the spec and the host.
#[derive(Debug, Default)]
pub(super) struct From<'a> {
    /// What was found before init existed.
    pub(super) outside: Option<&'a Outside>,
    /// The IDs of the program's user, if a source gets them.
    pub(super) owner: Option<(u32, u32)>,
    /// Whether the container has one ID.
    pub(super) single_id: bool,
    /// An empty directory, on which an overlay is mounted for a moment.
    pub(super) empty: PathBuf,
}

/// A mount's options, sorted by the call that takes them.
#[derive(Debug)]
struct Options<'a> {
    attributes: MountAttrFlags,
    recursive: bool,
    propagation: Option<u64>,
    parameters: Vec<Parameter<'a>>,
    copy_up: bool,
    /// A path below the source.
    subpath: Option<&'a str>,
    owned: Owned,
}

/// Whose the source of a mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owned {
    /// Whose it is, or the image's if its files are copied into it.
    AsFound,
    /// Whose it is, even if the image's files are copied into it.
    AsBefore,
    /// The program's user's, with everything in it.
    ByProgram,
}

fn sort(options: &[String]) -> Result<Options<'_>, Failure> {
    let mut sorted = Options {
        attributes: MountAttrFlags::empty(),
        recursive: false,
        propagation: None,
        parameters: Vec::new(),
        copy_up: false,
        subpath: None,
        owned: Owned::AsFound,
    };
    for option in options {
        let attribute = match option.as_str() {
            "ro" => MountAttrFlags::MOUNT_ATTR_RDONLY,
            "nosuid" => MountAttrFlags::MOUNT_ATTR_NOSUID,
            "nodev" => MountAttrFlags::MOUNT_ATTR_NODEV,
            "noexec" => MountAttrFlags::MOUNT_ATTR_NOEXEC,
            "noatime" => MountAttrFlags::MOUNT_ATTR_NOATIME,
            "strictatime" => MountAttrFlags::MOUNT_ATTR_STRICTATIME,
            "relatime" | "rw" | "suid" | "dev" | "exec" | "atime" | "bind" => MountAttrFlags::empty(),
            "rbind" => {
                sorted.recursive = true;
                continue;
            }
            "U" => {
                sorted.owned = Owned::ByProgram;
                continue;
            }
            "keep-owner" => {
                sorted.owned = Owned::AsBefore;
                continue;
            }
            "tmpcopyup" => {
                sorted.copy_up = true;
                continue;
            }
            "private" | "rprivate" => {
                sorted.propagation = Some(libc::MS_PRIVATE);
                continue;
            }
            "slave" | "rslave" => {
                sorted.propagation = Some(libc::MS_SLAVE);
                continue;
            }
            "shared" | "rshared" => {
                sorted.propagation = Some(libc::MS_SHARED);
                continue;
            }
            "unbindable" | "runbindable" => {
                sorted.propagation = Some(libc::MS_UNBINDABLE);
                continue;
            }
            other => {
                if let Some(path) = other.strip_prefix("subpath=") {
                    sorted.subpath = Some(path);
                    continue;
                }
                sorted.parameters.push(match other.split_once('=') {
                    Some((key, value)) => Parameter::Value(key, value),
                    None => Parameter::Flag(other),
                });
                continue;
            }
        };
        sorted.attributes |= attribute;
    }
    Ok(sorted)
}

fn one(mount: &Mount, places: &Places<'_>, copy_up: &[PathBuf], from: &From<'_>) -> Result<Option<OwnedFd>, Failure> {
    let destination = mount.destination();
    let none = Vec::new();
    let mut options = sort(mount.options().as_ref().unwrap_or(&none))?;
    if from.single_id {
        // The group of terminals is not mapped; they belong to the only mapped group.
        options.parameters.retain(|parameter| !matches!(parameter, Parameter::Value("gid" | "uid", _)));
    }
    let kind = mount.typ().as_deref().unwrap_or("none");
    if link::is_copied(mount) && link::copy(mount, places)? {
        return Ok(None);
    }
    let shows = bind::is_bind(mount) || overlay::is_overlay(mount);
    let is_filled = options.copy_up || copy_up.contains(destination);
    // Read-only comes last: otherwise nothing could be copied up.
    let is_read_only_at_last = (is_filled || !shows) && options.attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY);
    if is_read_only_at_last {
        options.attributes.remove(MountAttrFlags::MOUNT_ATTR_RDONLY);
    }
    let made = if shows { show(mount, &options, from)? } else { filesystem(kind, destination, &options)? };
    let target = place(places, destination, is_directory(made.as_fd()).step_on("stat", destination)?)?;
    if is_filled {
        let is_kept = options.owned == Owned::AsBefore;
        let kept = is_kept.then(|| rustix::fs::fstat(&made)).transpose().step_on("stat the source of", destination)?;
        copyup::fill(target.as_fd(), destination, made.as_fd())?;
        if let Some(own) = kept {
            owner::set(made.as_fd(), (own.st_uid, own.st_gid)).step_on("restore the owner of", destination)?;
        }
    }
    if !shows
        && options.owned == Owned::ByProgram
        && let Some(owner) = from.owner
    {
        owner::give(&made, owner).step_on("change the owner of", destination)?;
    }
    if is_read_only_at_last {
        mount::set_attributes(made.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, shows)
            .step_on("make the mount read-only on", destination)?;
    }
    mount::attach(made.as_fd(), target.as_fd()).step_on("mount on", destination)?;
    places.add(made.as_fd(), destination)?;
    Ok(Some(made))
}

fn filesystem(kind: &str, destination: &Path, options: &Options<'_>) -> Result<OwnedFd, Failure> {
    let kind = if kind == "cgroup" { "cgroup2" } else { kind };
    mount::new_filesystem(kind, &options.parameters, options.attributes)
        .step_on(&format!("create the {kind} filesystem on"), destination)
}

/// Binds the host's source, which is opened once: what was checked is what is mounted. Or joins directories.
fn show(mount: &Mount, options: &Options<'_>, from: &From<'_>) -> Result<OwnedFd, Failure> {
    let destination = mount.destination();
    let source = mount.source().as_deref().ok_or_else(|| {
        Failure::reason(ReportKind::Invalid, format!("the bind mount on `{}` has no source", destination.display()))
    })?;
    let copied = match from.outside.and_then(|outside| outside.bind(destination)) {
        Some(found) => found?,
        None if overlay::is_overlay(mount) => overlay::tree(mount, &from.empty)?,
        None => bind::copy_of(source, destination, options.recursive, options.subpath)?,
    };
    if options.owned == Owned::ByProgram
        && let Some(owner) = from.owner
    {
        owner::give(&copied, owner).step_on("change the owner of the source of", destination)?;
    }
    let propagation = options.propagation.unwrap_or(libc::MS_PRIVATE);
    mount::set_tree(copied.as_fd(), propagation, options.attributes)
        .step_on(&format!("bind `{}` on", source.display().to_string().escape_debug()), destination)?;
    Ok(copied)
}

fn is_directory(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Directory)
}

/// The place of a mount, created if missing. `/proc` and `/sys` must be real directories: a link there would put the
/// files that rc masks elsewhere (CVE-2019-19921).
fn place(places: &Places<'_>, destination: &Path, directory: bool) -> Result<OwnedFd, Failure> {
    let made = if directory { places.directory(destination)? } else { places.file(destination)? };
    if destination == Path::new("/proc") || destination == Path::new("/sys") {
        let name = destination.strip_prefix("/").unwrap_or(destination);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let own = rustix::fs::openat(places.root(), name, flags, Mode::empty()).step_on("open", destination)?;
        if !is_directory(own.as_fd()).step_on("stat", destination)? {
            return Err(Failure::reason(
                ReportKind::Invalid,
                format!("`{}` in the image is not a directory", destination.display()),
            ));
        }
    }
    Ok(made)
}

/// Creates the working directory, if the image has none.
pub(super) fn working_directory(places: &Places<'_>, path: &Path) -> Result<(), Failure> {
    places.make_directories(path, "create the working directory").map(drop)
}
