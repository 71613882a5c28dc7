//! Another process in a running container: exec.
//!
//! ```text
//! monitor ── fork, into init's cgroup ─→ joiner   not dumpable; all namespaces of init at once, by its pidfd
//!    │ ←──────────── pidfd ──────────────────┘ └── clone, as the monitor's child ─→ stub ─→ the program
//! ```
//! Init's cgroup is the container's, or one within it: systemd moves to one of its own before it gives its cgroup's
//! controllers to others. The kernel refuses that to a cgroup with a process (cgroup-v2.rst, "No Internal Process
//! Constraint"), so a joiner that stayed there would leave the container's units without limits.
//!
//! The container's processes see the clone. It is not dumpable, so they cannot inspect it; but if the administrator has
//! set `fs.suid_dumpable` to 1, a change of IDs makes it dumpable for a moment (kernel/cred.c, `commit_creds`).
//! Therefore the joiner first closes everything that the program does not get: the monitor has the host's root
//! directory open, the root namespace, its sockets and the log.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxPersonality, LinuxSeccomp, Process};
use rustix::fs::{Mode, OFlags};

use super::cgroup::Group;
use super::program::{self, Program, Terminal};
use super::starting::{Conversation, Intermediate, Sync, report};
use super::sync::{Step as _, send};
use super::{Error, Failure, Progress, keyring, terminal};
use crate::sys::inherited::Inherited;
use crate::sys::process::{self, Child, CloneOptions, fork};
use crate::sys::{namespace, prctl, signal};
use crate::types::{Extras, ReportKind};

/// A process to start in a container.
#[derive(Debug)]
pub(crate) struct Join<'a> {
    /// The container's init.
    pub(crate) init: BorrowedFd<'a>,
    /// The namespaces that it has, beside those of mounts: none that are the host's.
    pub(crate) kinds: CloneFlags,
    /// Those among them that its own root has no power over, but that of the root namespace may have.
    pub(crate) foreign: CloneFlags,
    /// The container's cgroup.
    pub(crate) cgroup: Option<&'a Group>,
    /// The program, with its user as `user.username`.
    pub(crate) process: &'a Process,
    /// What the container's programs have in common. Its `init` does not apply to a further program.
    pub(crate) extras: &'a Extras,
    /// Its descriptors 0, 1 and 2, unless it gets a terminal.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// Whether these are pipes, which the program's user may own.
    pub(crate) own_stdio: [bool; 3],
    /// Further descriptors, each with the number that it sees, above 2.
    pub(crate) descriptors: &'a [Inherited],
    /// The container's system call filter, if it is not rc's own.
    pub(crate) profile: Option<&'a LinuxSeccomp>,
    /// The kernel that its programs see, if it is not the host's.
    pub(crate) personality: Option<&'a LinuxPersonality>,
    /// The user that runs rc has an ID in the container.
    pub(crate) has_user: bool,
    /// The container has one ID.
    pub(crate) single_id: bool,
}

/// Starts to create a process in the container's namespaces, which becomes the program. Returns the joiner, which the
/// caller waits for, and the conversation in which it sends [`Progress::Process`] or an error.
///
/// The joiner is in the container's cgroup, whose limits may delay it for any time, so this does not wait for it. They
/// may also kill it after it has created the process and before it reports that. The process is a child of the caller
/// then, which knows only its process group: the joiner's, with no other process in it.
///
/// Fails with the step; nothing is left behind then.
pub(crate) fn join(join: &Join<'_>) -> Result<(Child, Conversation), Error> {
    keyring::prepare();
    let forked = match fork_beside_init(join) {
        // Init has left it just now.
        Err(Error::Step { source, .. }) if is_divided(&source) => fork_beside_init(join),
        other => other,
    };
    forked?.into_parts()
}

/// Forks the joiner into the cgroup that init is in now; into the container's if init is elsewhere.
fn fork_beside_init(join: &Join<'_>) -> Result<Intermediate, Error> {
    let part = match join.cgroup {
        Some(cgroup) => {
            cgroup.of_process(process::pid_of(join.init).map_err(Error::step("read the container's pid"))?)?
        }
        None => None,
    };
    let options = CloneOptions { flags: None, cgroup: part.as_ref().or(join.cgroup).map(Group::fd) };
    Intermediate::fork("the joining process", &options, Some(join.process), |sync| joiner(join, sync))
}

/// Whether a cgroup takes no process because its controllers have been given to those within.
fn is_divided(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EOPNOTSUPP))
}

fn joiner(join: &Join<'_>, sync: Sync<'_>) -> Result<(), Failure> {
    program::set_oom_score(join.process)?;
    // Before setns: afterwards the container's processes can see this one (CVE-2016-9962).
    prctl::set_dumpable(false).step("protect the joining process")?;
    close_the_monitors(join, sync).step("close the monitor's descriptors")?;
    prctl::set_name("rc: join").step("name the joining process")?;
    signal::unblock_all().step("unblock signals")?;
    // The child starts in this group, by which the monitor finds it if this process is killed before it has reported
    // the child.
    rustix::process::setpgid(None, None).step("start a process group")?;
    if !join.has_user {
        for (pipe, _) in join.stdio.iter().zip(join.own_stdio).filter(|(_, is_own)| *is_own) {
            // Nobody in the container can become its owner.
            let all = Mode::from_raw_mode(0o666);
            rustix::fs::fchmod(pipe, all).step("open the standard descriptors to the container")?;
        }
    }
    if !join.foreign.is_empty() {
        let home = namespace::above_user_of(join.init).step("find the root namespace")?;
        namespace::join(home.as_fd(), CloneFlags::CLONE_NEWUSER).step("enter the root namespace")?;
        namespace::join(join.init, join.foreign).step("join the namespaces that the container shares")?;
    }
    let kinds = (join.kinds | CloneFlags::CLONE_NEWNS).difference(join.foreign);
    namespace::join(join.init, kinds).step("join the container's namespaces")?;
    // The child sends nothing before the monitor knows it: an earlier failure would look like one of this process.
    let (known, go) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(std::io::Error::from).step("create a pipe")?;
    let options = CloneOptions { flags: Some(CloneFlags::CLONE_PARENT), cgroup: None };
    let child = fork(&options, || {
        drop(process::close(go.as_fd()));
        let mut byte = [0u8; 1];
        if rustix::io::retry_on_intr(|| rustix::io::read(&known, &mut byte)) != Ok(1) {
            // The joiner died and has reported nothing.
            return 125;
        }
        let Err(failure) = become_program(join, sync.own);
        report(as_of_exec(failure), sync.own.as_fd())
    })
    .step("fork in the container")?;
    send(sync.own.as_fd(), &Progress::Process(child.pidfd)).step("send the new process' descriptor to the monitor")?;
    rustix::io::write(&go, b"G").step("let the new process go on").map(drop)
}

/// Closes everything except what the program gets and what is needed until then.
fn close_the_monitors(join: &Join<'_>, sync: Sync<'_>) -> std::io::Result<()> {
    let mut kept = vec![join.init, sync.own.as_fd()];
    kept.extend(join.stdio);
    kept.extend(join.descriptors.iter().map(|inherited| inherited.fd.as_fd()));
    process::close_all_but(&kept)
}

fn become_program(join: &Join<'_>, sync: &OwnedFd) -> Result<std::convert::Infallible, Failure> {
    let wants_terminal = join.process.terminal().unwrap_or(false);
    let terminal = if wants_terminal {
        Terminal::Slave(open_terminal(sync.as_fd())?)
    } else {
        Terminal::None(join.stdio, join.own_stdio)
    };
    program::run(&Program {
        process: join.process,
        terminal,
        descriptors: join.descriptors,
        extras: join.extras,
        profile: join.profile,
        personality: join.personality,
        init: false,
        die_with_parent: true,
        single_id: join.single_id,
        sync: sync.as_fd(),
    })
}

/// A program that cannot start as requested, such as by an unknown user, counts as not executable: docker exits with
/// 126. The same failure of `run` is docker's, and rc's, own: 125.
fn as_of_exec(mut failure: Failure) -> Failure {
    if failure.report.kind == ReportKind::Invalid {
        failure.report.kind = ReportKind::ProgramNotExecutable;
    }
    failure
}

/// Opens a terminal in the container's devpts.
fn open_terminal(sync: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(c"/dev/pts", flags, Mode::empty()).step_on("open", "/dev/pts")?;
    terminal::open(directory.as_fd(), sync)
}
