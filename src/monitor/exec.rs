//! Programs that were started beside the container's own, by `rc exec`.
//!
//! ```text
//! joiner, in the container's cgroup ── Process ─→ known ── Terminal? ─→ … ── end of conversation ─→ runs ─→ its end
//!    └── Failed, or its end ─→ told, and never heard of again
//! ```
//!
//! A joiner can be killed, or held up for good, after it has made the process and before it says so. That process would
//! stay a zombie, for which the kernel keeps the container's process 1 waiting (kernel/pid_namespace.c,
//! `zap_pid_ns_processes`): it is found by its process group, which is the joiner's.
//!
//! Each step is an event of the monitor's loop. A pidfd has the last word: a process that got hold of the other end of
//! the conversation can keep it open, and no more than that.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::FileType;

use super::protocol::{self, Event};
use crate::runtime::{self, Conversation, Join, Progress};
use crate::sys::inherited::Inherited;
use crate::sys::process::{Child, Ended, reap_group, reserve_descriptor};
use crate::sys::tty;
use crate::types::{Report, ReportKind};

/// The container that they run in.
#[derive(Debug)]
pub(super) struct Running<'a> {
    pub(super) init: BorrowedFd<'a>,
    pub(super) group: Option<BorrowedFd<'a>>,
    pub(super) confinement: &'a Confinement,
}

/// What every program of the container has in common.
#[derive(Debug)]
pub(super) struct Confinement {
    /// The container has a network namespace of its own.
    pub(super) own_network: bool,
    /// The container has a cgroup namespace of its own.
    pub(super) own_cgroups: bool,
    /// By rc's own filter.
    pub(super) seccomp: bool,
    /// The container has one id.
    pub(super) single_id: bool,
    /// Groups beyond those of the user.
    pub(super) groups: Vec<String>,
}

/// One such program.
#[derive(Debug)]
struct OneExec {
    id: u64,
    connection: u64,
    /// The process that enters the container and makes the program's there, until it has ended.
    joiner: Option<Child>,
    /// The program's process, from when it is known until it has ended.
    process: Option<Child>,
    /// Until the program runs, or is known not to.
    conversation: Option<Conversation>,
    /// What is left to be told of.
    phase: Phase,
    wants_terminal: bool,
    terminal: Option<OwnedFd>,
    /// Kept for the descriptors that are still to come: one that there is no room for would be lost, and with it a
    /// program that runs.
    reserve: Vec<OwnedFd>,
    size: Option<(u16, u16)>,
}

/// How far a program is, as its command has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Runs,
    /// Its end, or why it does not run.
    Told,
}

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Conversation,
    JoinerEnd,
    ProcessEnd,
}

/// What a command is to be told, with a descriptor.
type Told = (u64, Event, Option<OwnedFd>);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Execs {
    all: Vec<OneExec>,
    next_id: u64,
    /// The process groups of joiners that have ended, and in which there may be a process that nobody has told of.
    strays: Vec<i32>,
}

/// Why exec could not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("exec came without its descriptors")]
    Descriptors,
    #[error("the container's program has ended")]
    Ended,
    #[error("cannot keep a descriptor for what is to come: {}", crate::sys::fs::plain(.0))]
    NoRoom(std::io::Error),
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Runtime(error) => return error.into(),
            Error::Descriptors => ReportKind::Invalid,
            Error::Ended => ReportKind::Conflict,
            Error::NoRoom(ref source) => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string())
    }
}

impl Execs {
    /// The descriptors to wait for, all of them to be read.
    pub(super) fn poll_set(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>, Token)> {
        self.all.iter().flat_map(|exec| {
            let conversation = exec.conversation.as_ref().map(|talk| (exec.id, talk.sync(), Token::Conversation));
            let joiner = exec.joiner.as_ref().map(|child| (exec.id, child.pidfd.as_fd(), Token::JoinerEnd));
            let process = exec.process.as_ref().map(|child| (exec.id, child.pidfd.as_fd(), Token::ProcessEnd));
            conversation.into_iter().chain(joiner).chain(process)
        })
    }

    /// Begins to start a program for the command on `connection`; how it goes on comes by [`ready`](Self::ready).
    pub(super) fn start(
        &mut self,
        connection: u64,
        container: &Running<'_>,
        exec: &protocol::Exec,
        mut descriptors: Vec<OwnedFd>,
    ) -> Result<(), Error> {
        let wants_terminal = exec.process.terminal().unwrap_or(false);
        let further = descriptors.split_off(descriptors.len().min(if wants_terminal { 0 } else { 3 }));
        if further.len() != exec.descriptors.len() || exec.descriptors.iter().any(|number| *number < 3) {
            return Err(Error::Descriptors);
        }
        let numbered = |(&number, fd)| Inherited { number, fd };
        let further: Vec<_> = exec.descriptors.iter().zip(further).map(numbered).collect();
        let stdio = match (wants_terminal, &descriptors[..]) {
            // With a terminal they are not used.
            (true, _) => [container.init; 3],
            (false, [stdin, stdout, stderr]) => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
            (false, _) => return Err(Error::Descriptors),
        };
        let (joiner, conversation) = runtime::join(&Join {
            init: container.init,
            own_network: container.confinement.own_network,
            own_cgroups: container.confinement.own_cgroups,
            cgroup: container.group,
            process: &exec.process,
            groups: &container.confinement.groups,
            stdio,
            own_stdio: stdio.map(|fd| !wants_terminal && is_own_pipe(fd)),
            descriptors: &further,
            seccomp: container.confinement.seccomp,
            single_id: container.confinement.single_id,
        })?;
        self.next_id += 1;
        let mut exec = OneExec {
            id: self.next_id,
            connection,
            joiner: Some(joiner),
            process: None,
            conversation: Some(conversation),
            phase: Phase::Starting,
            wants_terminal,
            terminal: None,
            reserve: Vec::new(),
            size: exec.size,
        };
        let reserved = exec.reserve();
        if reserved.is_err() {
            // What it has made is found by its process group.
            drop(exec.joiner.as_ref().map(|joiner| joiner.signal(libc::SIGKILL)));
            exec.phase = Phase::Told;
        }
        self.all.push(exec);
        reserved.map_err(Error::NoRoom)
    }

    /// Acts on one ready descriptor: what commands are to be told. One that is no more is left alone.
    pub(super) fn ready(&mut self, id: u64, token: Token) -> Vec<Told> {
        let Some(index) = self.all.iter().position(|exec| exec.id == id) else { return Vec::new() };
        let exec = &mut self.all[index];
        let mut told = Vec::new();
        match token {
            Token::Conversation => exec.hear(&mut told),
            Token::JoinerEnd => {
                // Whatever it said is there to be heard; without a process there will be none.
                exec.hear(&mut told);
                let joiner = exec.joiner.take();
                if let Some(joiner) = &joiner {
                    drop(joiner.wait());
                }
                if exec.process.is_none() {
                    self.strays.extend(joiner.map(|joiner| joiner.pid).filter(|group| reap_group(*group)));
                    exec.fail(runtime::Error::Died("the joining process").into(), &mut told);
                }
            }
            Token::ProcessEnd => {
                exec.hear(&mut told);
                exec.end(&mut told);
            }
        }
        if exec.joiner.is_none() && exec.process.is_none() {
            self.all.swap_remove(index);
        }
        told
    }

    /// A child of this process has ended: reaps it, if it is one that nobody has told of. Gives what was heard first.
    pub(super) fn reap_strays(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for exec in &mut self.all {
            exec.hear(&mut told);
            if let (Some(joiner), None) = (&exec.joiner, &exec.process) {
                // The joiner itself, if it has ended: poll says so all the same.
                reap_group(joiner.pid);
            }
        }
        self.strays.retain(|group| reap_group(*group));
        told
    }

    /// The container has ended: ends those that were not in it yet, whatever holds them up, and gives what commands are
    /// to be told. All others were killed by the kernel, and reaped before it let process 1 go (pid_namespaces(7)).
    pub(super) fn end_all(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for exec in &mut self.all {
            if let Some(joiner) = &exec.joiner {
                drop(joiner.signal(libc::SIGKILL));
            }
            exec.fail(Error::Ended, &mut told);
        }
        told
    }

    /// The terminal of the program that the command on `connection` has started.
    pub(super) fn terminal_of(&self, connection: u64) -> Option<&OwnedFd> {
        self.all.iter().find(|exec| exec.connection == connection)?.terminal.as_ref()
    }
}

impl OneExec {
    /// Keeps room for the descriptors that are still to come: the process's, and those of a terminal and its copy.
    fn reserve(&mut self) -> std::io::Result<()> {
        let of_terminal = if self.wants_terminal && self.terminal.is_none() { 2 } else { 0 };
        let wanted = usize::from(self.process.is_none()) + of_terminal;
        while self.reserve.len() < wanted {
            self.reserve.push(reserve_descriptor()?);
        }
        Ok(())
    }

    /// Hears everything that has been said while it starts.
    fn hear(&mut self, told: &mut Vec<Told>) {
        while let Some(conversation) = &self.conversation {
            // This process has one thread: nobody else takes what is given up here.
            self.reserve.clear();
            match conversation.progress() {
                Ok(None) => {
                    // If it fails, what was there a moment ago, nothing is worse than without.
                    drop(self.reserve());
                    return;
                }
                Ok(Some(Progress::Process(pidfd))) if self.process.is_none() => match runtime::child_of(pidfd) {
                    Ok(process) => self.process = Some(process),
                    Err(error) => self.fail(error.into(), told),
                },
                // A process of the container that may trace can take this socket, and say what it likes.
                Ok(Some(Progress::Terminal(master)))
                    if self.wants_terminal && self.terminal.is_none() && rustix::termios::isatty(&master) =>
                {
                    if let Some((rows, columns)) = self.size {
                        // A size that cannot be set leaves the kernel's default.
                        drop(tty::set_size(&master, rows, columns));
                    }
                    self.terminal = rustix::io::fcntl_dupfd_cloexec(&master, 0).ok();
                    told.push((self.connection, Event::Terminal, Some(master)));
                }
                Ok(Some(Progress::Closed)) => {
                    self.conversation = None;
                    match &self.process {
                        Some(process) if self.phase == Phase::Starting => {
                            self.phase = Phase::Runs;
                            told.push((self.connection, Event::Started { pid: process.pid }, None));
                        }
                        Some(_) => {}
                        None => self.fail(runtime::Error::Died("the joining process").into(), told),
                    }
                }
                Ok(Some(Progress::Failed(failure))) => self.fail(Error::Runtime(failure.into()), told),
                // Nobody of ours says that at this point.
                Ok(Some(_)) => self.fail(runtime::Error::Died("the new process").into(), told),
                Err(error) => self.fail(error.into(), told),
            }
        }
    }

    /// The program does not come to run; what has been made of it is ended.
    fn fail(&mut self, error: Error, told: &mut Vec<Told>) {
        self.conversation = None;
        if let Some(process) = &self.process {
            drop(process.signal(libc::SIGKILL));
        }
        if self.phase != Phase::Starting {
            return;
        }
        self.phase = Phase::Told;
        told.push((self.connection, Event::Failed(error.into()), None));
    }

    /// Its process has ended, even if another process holds the other end of the conversation.
    fn end(&mut self, told: &mut Vec<Told>) {
        self.conversation = None;
        let Some(process) = self.process.take() else { return };
        let code = process.wait().map_or(255, Ended::code);
        if self.phase == Phase::Starting {
            // It said nothing of a failure.
            told.push((self.connection, Event::Started { pid: process.pid }, None));
        }
        if self.phase != Phase::Told {
            self.phase = Phase::Told;
            told.push((self.connection, Event::Exited { code, missed: 0 }, None));
        }
    }
}

/// Whether it is a pipe of this user's, as the command has made it; an older rc hands over what it was given.
fn is_own_pipe(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::Fifo && stat.st_uid == rustix::process::geteuid().as_raw()
    })
}
