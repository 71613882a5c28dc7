//! Entering the container: a command's request becomes a joiner.

use std::ops::BitOr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxPersonality, LinuxSeccomp};
use rustix::fs::FileType;

use super::error::Error;
use crate::monitor::protocol;
use crate::monitor::start::{SecretVariables, Start};
use crate::runtime::cgroup::Group;
use crate::runtime::{self, Conversation, Join};
use crate::sys::inherited::Inherited;
use crate::sys::process::Child;
use crate::types::{Extras, NamespaceKind};

/// The container that a program is started in.
#[derive(Debug)]
pub(in crate::monitor) struct Destination<'a> {
    pub(in crate::monitor) init: BorrowedFd<'a>,
    pub(in crate::monitor) cgroup: Option<&'a Group>,
    pub(in crate::monitor) confinement: &'a Confinement,
}

/// What all programs of a container have in common.
#[derive(Debug)]
pub(in crate::monitor) struct Confinement {
    /// Its namespaces that are not the host's, and those of them that belong to others.
    kinds: CloneFlags,
    foreign: CloneFlags,
    /// The user that runs rc has an ID in the container.
    has_user: bool,
    /// The container has one ID.
    single_id: bool,
    /// Its system call filter, if it is not the default.
    profile: Option<LinuxSeccomp>,
    /// The kernel that its programs see, if it is not the host's.
    personality: Option<LinuxPersonality>,
    extras: Extras,
    /// Its secrets that are variables.
    secrets: SecretVariables,
}

impl Confinement {
    /// The confinement of the container of `start`.
    pub(in crate::monitor) fn of(start: &Start) -> Self {
        Self {
            kinds: runtime::namespaces_of(&start.spec),
            foreign: foreign(start),
            has_user: start.config.user_namespace.maps.have_user(),
            single_id: start.ids.is_single(),
            profile: start.spec.linux().as_ref().and_then(|linux| linux.seccomp().clone()),
            personality: start.spec.linux().as_ref().and_then(|linux| linux.personality().clone()),
            extras: start.extras.clone(),
            secrets: start.secret_variables.clone(),
        }
    }
}

/// The namespaces that belong neither to the container nor to the one whose user namespace it has.
fn foreign(start: &Start) -> CloneFlags {
    let joined = start.config.joined().into_keys().filter(|kind| !start.config.owns(*kind));
    joined.filter(|kind| *kind != NamespaceKind::User).map(runtime::flag_of).fold(CloneFlags::empty(), BitOr::bitor)
}

/// Whether the program of `exec` gets a terminal, instead of descriptors.
pub(super) fn wants_terminal(exec: &protocol::Exec) -> bool {
    exec.process.terminal().unwrap_or(false)
}

/// Forks the joiner. Fails if the descriptors do not match `exec`.
pub(super) fn enter(
    container: &Destination<'_>,
    exec: &protocol::Exec,
    mut descriptors: Vec<OwnedFd>,
) -> Result<(Child, Conversation), Error> {
    let wants_terminal = wants_terminal(exec);
    let further = descriptors.split_off(descriptors.len().min(if wants_terminal { 0 } else { 3 }));
    if further.len() != exec.descriptors.len() || exec.descriptors.iter().any(|number| *number < 3) {
        return Err(Error::Descriptors);
    }
    let numbered = |(&number, fd): (&i32, OwnedFd)| Inherited { number, fd: fd.into() };
    let further: Vec<_> = exec.descriptors.iter().zip(further).map(numbered).collect();
    let stdio = match (wants_terminal, &descriptors[..]) {
        // With a terminal they are not used.
        (true, _) => [container.init; 3],
        (false, [stdin, stdout, stderr]) => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
        (false, _) => return Err(Error::Descriptors),
    };
    let mut process = exec.process.clone();
    container.confinement.secrets.add_to(&mut process);
    Ok(runtime::join(&Join {
        init: container.init,
        kinds: container.confinement.kinds,
        foreign: container.confinement.foreign,
        cgroup: container.cgroup,
        process: &process,
        extras: &container.confinement.extras,
        profile: container.confinement.profile.as_ref(),
        personality: container.confinement.personality.as_ref(),
        stdio,
        own_stdio: stdio.map(|fd| !wants_terminal && is_own_pipe(fd)),
        descriptors: &further,
        has_user: container.confinement.has_user,
        single_id: container.confinement.single_id,
    })?)
}

/// Whether it is a pipe that the command has made. An older rc sends its caller's descriptors instead.
fn is_own_pipe(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::Fifo && stat.st_uid == rustix::process::geteuid().as_raw()
    })
}
