//! Namespaces of others that a container is started in: of another container, by a pidfd of its init, or at a path.
//!
//! Stage is root in the root namespace, and so over everything beneath it: it joins them before it creates init. A user
//! namespace comes last, since it takes that power away, except over what belongs to it.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::fs::{Mode, OFlags};

use super::sync::{Step as _, receive, send};
use super::{Failure, Progress};
use crate::sys::process::{CloneOptions, fork};
use crate::sys::root::open_in;
use crate::sys::{mount, namespace, socket};
use crate::types::{ContainerId, Extras, NamespaceKind, ReportKind};

/// Namespaces to join.
#[derive(Debug)]
pub(crate) struct SharedNamespaces {
    /// Which.
    kinds: CloneFlags,
    /// The namespace, or a process that has them all.
    from: OwnedFd,
    /// Whether that is a process.
    is_process: bool,
    /// For errors.
    name: String,
}

/// Opens the namespaces that `spec` and `extras` name; `init` finds the init of a container.
///
/// Fails if a container does not run, or a path is not that of a namespace of the right kind.
pub(crate) fn open_shared<E: From<Failure>>(
    spec: &Spec,
    extras: &Extras,
    init: impl Fn(&ContainerId) -> Result<OwnedFd, E>,
) -> Result<Vec<SharedNamespaces>, E> {
    let mut all: Vec<SharedNamespaces> = Vec::new();
    for (kind, id) in &extras.joined {
        match all.iter_mut().find(|shared| shared.name == id.as_str()) {
            Some(shared) => shared.kinds |= flag_of(*kind),
            None => all.push(SharedNamespaces {
                kinds: flag_of(*kind),
                from: init(id)?,
                is_process: true,
                name: id.to_string(),
            }),
        }
    }
    let namespaces = spec.linux().iter().flat_map(|linux| linux.namespaces().iter().flatten());
    for namespace in namespaces {
        if let Some(path) = namespace.path() {
            all.push(at_path(path, super::namespaces::flag(namespace.typ()))?);
        }
    }
    all.sort_by_key(|shared| shared.kinds.contains(CloneFlags::CLONE_NEWUSER));
    Ok(all)
}

fn at_path(path: &Path, kinds: CloneFlags) -> Result<SharedNamespaces, Failure> {
    // Anything may be there: opening a FIFO must not wait.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let from = rustix::fs::open(path, flags, Mode::empty()).step_on("open the namespace", path)?;
    if namespace::kind_of(from.as_fd()) != Some(kinds) {
        let path = path.display().to_string();
        let message = format!("`{}` is not a {} namespace", path.escape_debug(), word_for(kinds));
        return Err(Failure::reason(ReportKind::Invalid, message));
    }
    Ok(SharedNamespaces { kinds, from, is_process: false, name: path.display().to_string() })
}

/// What a kind of namespace is called.
fn word_for(kind: CloneFlags) -> &'static str {
    match kind {
        CloneFlags::CLONE_NEWNET => "network",
        CloneFlags::CLONE_NEWPID => "PID",
        CloneFlags::CLONE_NEWIPC => "IPC",
        CloneFlags::CLONE_NEWUTS => "UTS",
        CloneFlags::CLONE_NEWCGROUP => "cgroup",
        _ => "user",
    }
}

/// The flag of setns(2) for a kind of namespace.
pub(crate) fn flag_of(kind: NamespaceKind) -> CloneFlags {
    match kind {
        NamespaceKind::User => CloneFlags::CLONE_NEWUSER,
        NamespaceKind::Pid => CloneFlags::CLONE_NEWPID,
        NamespaceKind::Ipc => CloneFlags::CLONE_NEWIPC,
        NamespaceKind::Uts => CloneFlags::CLONE_NEWUTS,
        NamespaceKind::Network => CloneFlags::CLONE_NEWNET,
        NamespaceKind::Cgroup => CloneFlags::CLONE_NEWCGROUP,
    }
}

/// All kinds that are joined.
pub(super) fn kinds(all: &[SharedNamespaces]) -> CloneFlags {
    all.iter().fold(CloneFlags::empty(), |kinds, shared| kinds | shared.kinds)
}

/// Joins them. This process is root in the root namespace.
pub(super) fn join(all: &[SharedNamespaces]) -> Result<(), Failure> {
    for shared in all {
        namespace::join(shared.from.as_fd(), shared.kinds).map_err(|error| {
            let failure = Failure::setup("join the namespaces of", &shared.name, &error);
            if error.raw_os_error() != Some(libc::EPERM) {
                return failure;
            }
            let hint = if shared.is_process {
                "its program cannot be read, or has changed its IDs: the kernel protects such a process"
            } else {
                "a namespace can be joined only if it was created within `rc unshare`, or by a container"
            };
            failure.with_hint(hint)
        })?;
    }
    Ok(())
}

/// Whether init gets a namespace of this kind that nobody else has.
pub(super) fn is_fresh(spec: &Spec, shared: &[SharedNamespaces], kind: LinuxNamespaceType) -> bool {
    super::namespaces::has_namespace(spec, kind) && !kinds(shared).contains(super::namespaces::flag(kind))
}

/// A copy of the mount at `/dev/shm` of the container whose IPC namespace is joined, attached nowhere; `None` if none
/// is. A child gets it there: this process could not come back.
pub(super) fn memory(all: &[SharedNamespaces]) -> Result<Option<OwnedFd>, Failure> {
    let other = all.iter().find(|shared| shared.is_process && shared.kinds.contains(CloneFlags::CLONE_NEWIPC));
    let Some(other) = other else { return Ok(None) };
    let (ours, theirs) = socket::pair().step("create a socket pair")?;
    let child = fork(&CloneOptions::default(), || {
        let sent = match of_process(other.from.as_fd()) {
            Ok(tree) => send(theirs.as_fd(), &Progress::Root(tree)),
            Err(failure) => send(theirs.as_fd(), &Progress::Failed(failure)),
        };
        i32::from(sent.is_err())
    })
    .step("fork")?;
    drop(theirs);
    let received = receive(ours.as_fd());
    drop(child.wait());
    match received.step("receive the shared memory of the other container")? {
        Progress::Root(tree) => Ok(Some(tree)),
        Progress::Failed(failure) => Err(failure),
        _ => Err(Failure::internal("the shared memory of the other container was not found")),
    }
}

/// Runs in the child. The other container's files are hostile: no link is followed.
fn of_process(init: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    namespace::join(init, CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).step("enter the other container")?;
    let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .step_on("open", "/")?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let found = open_in(root.as_fd(), "/dev/shm", flags, Mode::empty()).step_on("open", "/dev/shm")?;
    mount::clone_tree(found.as_fd(), false).step_on("copy the mount of", "/dev/shm")
}
