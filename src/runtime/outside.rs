//! What must be found before init exists: the shared memory of another container, whose IPC namespace is joined; and
//! everything for a container in which the user that runs rc has no ID (`--userns nomap`, `auto`), since its init may
//! not go where the store and the user's files are.
//!
//! ```text
//! stage   root in the root namespace: a mount namespace; the root filesystem there; a copy of each bind's mount,
//!    │    attached nowhere; rc's own files and pipes get the container's root as their owner
//!    └── clone, with copies of all that ─→ init   attaches them; its working directory is the root filesystem
//! ```

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use oci_spec::runtime::Mount;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chownat};

use super::mounts::{bind, overlay};
use super::sync::Step as _;
use super::{Failure, Launch, rootfs, shared};
use crate::sys::{mount, namespace};
use crate::types::{IdMaps, IdRange};

/// What init finds. Its mounts are attached nowhere yet.
#[derive(Debug, Default)]
pub(super) struct Outside {
    binds: Vec<(PathBuf, OwnedFd)>,
    /// The empty file and the empty directory that mask paths, if the root filesystem was mounted as well.
    covers: Option<[OwnedFd; 2]>,
}

/// Runs in the stage process, which is root in the root namespace.
pub(super) fn prepare(launch: &Launch<'_>, maps: &IdMaps) -> Result<Outside, Failure> {
    let memory = shared::memory(&launch.shared)?.map(|tree| (PathBuf::from("/dev/shm"), tree));
    if maps.have_user() {
        return Ok(Outside { binds: memory.into_iter().collect(), covers: None });
    }
    namespace::unshare(CloneFlags::CLONE_NEWNS).step("create a mount namespace")?;
    mount::isolate_propagation().step("isolate mounts")?;
    let root = rootfs::mount(&launch.rootfs)?;
    let mut binds: Vec<_> = memory.into_iter().collect();
    let shows = |mount: &&Mount| bind::is_bind(mount) || overlay::is_overlay(mount);
    for mount in launch.spec.mounts().iter().flatten().filter(shows) {
        let destination = mount.destination().clone();
        let Some(source) = mount.source().as_ref().filter(|_| binds.iter().all(|(place, _)| *place != destination))
        else {
            continue;
        };
        let tree = if overlay::is_overlay(mount) {
            overlay::tree(mount, &launch.empty.join("dir"))?
        } else {
            bind::copy_of(source, &destination, bind::is_recursive(mount), bind::subpath(mount))?
        };
        if is_own(launch, mount) {
            give_to_root(&tree, maps).step_on("set the owner of", source)?;
        }
        binds.push((destination, tree));
    }
    for (pipe, _) in launch.stdio.iter().zip(launch.own_stdio).filter(|(_, is_own)| *is_own) {
        give_to_root(pipe, maps).step("set the owner of the standard descriptors")?;
    }
    // All containers share these: their owner has no ID in this one, so nothing in it can write to them.
    let cover = |name: &str| {
        let own = launch.empty.join(name);
        let found = rustix::fs::open(&own, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).step_on("open", &own)?;
        mount::clone_tree(found.as_fd(), false).step_on("copy the mount of", &own)
    };
    let covers = Some([cover("file")?, cover("dir")?]);
    rustix::process::fchdir(&root).step("enter the root filesystem")?;
    Ok(Outside { binds, covers })
}

/// Whether rc has made what the mount shows for this container: a file of its directory, or a new volume.
fn is_own(launch: &Launch<'_>, mount: &Mount) -> bool {
    let (directory, source) = (launch.rootfs.directory(), mount.source().as_deref());
    source.is_some_and(|source| source.parent() == Some(directory)) || launch.copy_up.contains(mount.destination())
}

fn give_to_root(file: impl AsFd, maps: &IdMaps) -> rustix::io::Result<()> {
    let root = |ranges: &[IdRange]| IdRange::outside_of(ranges, 0);
    let (Some(uid), Some(gid)) = (root(&maps.uids), root(&maps.gids)) else { return Ok(()) };
    chownat(file, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)
}

impl Outside {
    /// Mounts the root filesystem; if stage has, then once more in init's own mount namespace: what was copied from the
    /// namespace above cannot become its root. Source: mount_namespaces(7), "locked".
    pub(super) fn root(&self, launch: &Launch<'_>) -> Result<OwnedFd, Failure> {
        if self.covers.is_none() {
            return rootfs::mount(&launch.rootfs);
        }
        let here = rustix::fs::open(c".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .step("open the root filesystem")?;
        let tree = bind::copy(here.as_fd(), false).step("copy the mount of the root filesystem")?;
        mount::attach(tree.as_fd(), here.as_fd()).step("mount the root filesystem")?;
        Ok(tree)
    }

    /// The mount for a bind at `destination`.
    pub(super) fn bind(&self, destination: &Path) -> Option<Result<OwnedFd, Failure>> {
        let (_, tree) = self.binds.iter().find(|(place, _)| place == destination)?;
        Some(rustix::io::fcntl_dupfd_cloexec(tree, 3).step_on("copy the descriptor of", destination))
    }

    /// The mounts that mask a file and a directory, if the root filesystem was mounted as well.
    pub(super) fn covers(&self) -> Result<Option<[OwnedFd; 2]>, Failure> {
        let Some([file, directory]) = &self.covers else { return Ok(None) };
        let copy = |tree: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(tree, 3).step("copy a descriptor");
        Ok(Some([copy(file)?, copy(directory)?]))
    }
}
