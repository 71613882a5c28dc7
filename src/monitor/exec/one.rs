//! One program that exec starts: from its joiner to its end.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::error::Error;
use crate::monitor::protocol::Event;
use crate::runtime::{self, Conversation, Progress};
use crate::sys::process::{Child, Ended, has_ended, reap_group, reserve_descriptor};
use crate::sys::tty;

/// An event for the command on a connection, with a descriptor.
pub(in crate::monitor) type Told = (u64, Event, Option<OwnedFd>);

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(in crate::monitor) enum Token {
    Conversation,
    JoinerEnd,
    ProcessEnd,
}

/// One such program.
#[derive(Debug)]
pub(super) struct OneExec {
    id: u64,
    connection: u64,
    /// The process that enters the container and makes the program's process there, until it has ended.
    joiner: Option<Child>,
    /// The program's process, from when the monitor knows it until it has ended.
    process: Option<Child>,
    /// Until the program runs or has failed.
    conversation: Option<Conversation>,
    /// What its command knows.
    phase: Phase,
    wants_terminal: bool,
    terminal: Option<OwnedFd>,
    /// Reserved for the descriptors that are still to come: without room one would be lost, and with it a running
    /// program.
    reserve: Vec<OwnedFd>,
    size: Option<(u16, u16)>,
}

/// What the command of a program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Runs,
    /// Its end, or why it does not run.
    Told,
}

impl OneExec {
    /// The program that `joiner` starts for the command on `connection`; `size` is that of its terminal.
    pub(super) fn new(
        (id, connection): (u64, u64),
        (joiner, conversation): (Child, Conversation),
        wants_terminal: bool,
        size: Option<(u16, u16)>,
    ) -> Self {
        Self {
            id,
            connection,
            joiner: Some(joiner),
            process: None,
            conversation: Some(conversation),
            phase: Phase::Starting,
            wants_terminal,
            terminal: None,
            reserve: Vec::new(),
            size,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The connection of the command that has started it.
    pub(super) fn connection(&self) -> u64 {
        self.connection
    }

    /// The program's terminal, if it has one yet.
    pub(super) fn terminal(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref()
    }

    /// The descriptors to wait for, all of them to be read.
    pub(super) fn poll_set(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Token)> {
        let conversation = self.conversation.as_ref().map(|talk| (talk.sync(), Token::Conversation));
        let joiner = self.joiner.as_ref().map(|child| (child.pidfd.as_fd(), Token::JoinerEnd));
        let process = self.process.as_ref().map(|child| (child.pidfd.as_fd(), Token::ProcessEnd));
        conversation.into_iter().chain(joiner).chain(process)
    }

    /// Its joiner, while the monitor knows no process of it.
    pub(super) fn lone_joiner(&self) -> Option<&Child> {
        self.joiner.as_ref().filter(|_| self.process.is_none())
    }

    /// Whether both processes have ended.
    pub(super) fn is_over(&self) -> bool {
        self.joiner.is_none() && self.process.is_none()
    }

    /// Kills the joiner; the caller tells its command. The monitor finds a process that it has made by the process
    /// group.
    pub(super) fn give_up(&mut self) {
        drop(self.joiner.as_ref().map(|joiner| joiner.signal(libc::SIGKILL)));
        self.phase = Phase::Told;
    }

    /// Kills the program with its process group, or the joiner if it does not run yet.
    pub(super) fn kill(&self) {
        if let Some(process) = &self.process {
            // Its number cannot be another's before it is waited for, and neither can that of its group. It is in the
            // group of the joiner, or leads its own session.
            let group = rustix::process::Pid::from_raw(process.pid);
            let leads = group.and_then(|pid| rustix::process::getpgid(Some(pid)).ok()) == group;
            if let Some(group) = group.filter(|_| leads) {
                rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
            }
            drop(process.signal(libc::SIGKILL));
        }
        if let Some(joiner) = &self.joiner {
            drop(joiner.signal(libc::SIGKILL));
        }
    }

    /// The container has ended: ends a program that had not entered it yet, whatever blocks it, and one that has not
    /// ended with it.
    pub(super) fn end_with_container(&mut self, told: &mut Vec<Told>) {
        if let Some(joiner) = &self.joiner {
            drop(joiner.signal(libc::SIGKILL));
        }
        self.fail(Error::Ended, told);
        if self.phase != Phase::Runs {
            return;
        }
        if self.process.as_ref().is_some_and(|process| has_ended(process.pidfd.as_fd())) {
            return self.end(told);
        }
        // It is in the PID namespace of others, where the kernel does not kill it.
        self.kill();
        self.phase = Phase::Told;
        told.push((self.connection, Event::Exited { code: 128 + libc::SIGKILL, missed: 0 }, None));
    }

    /// The joiner has ended. Returns its process group if it may have left a process there without reporting it.
    pub(super) fn joiner_ended(&mut self, told: &mut Vec<Told>) -> Option<i32> {
        // All of its messages have arrived: if there is no process by now, there will be none.
        self.receive(told);
        let joiner = self.joiner.take();
        if let Some(joiner) = &joiner {
            drop(joiner.wait());
        }
        if self.process.is_some() {
            return None;
        }
        let stray = joiner.map(|joiner| joiner.pid).filter(|group| reap_group(*group));
        self.fail(runtime::Error::Died("the joining process").into(), told);
        stray
    }

    /// Reserves room for the descriptors that are still to come: the process's, and those of a terminal and its copy.
    pub(super) fn reserve(&mut self) -> std::io::Result<()> {
        let of_terminal = if self.wants_terminal && self.terminal.is_none() { 2 } else { 0 };
        let wanted = usize::from(self.process.is_none()) + of_terminal;
        while self.reserve.len() < wanted {
            self.reserve.push(reserve_descriptor()?);
        }
        Ok(())
    }

    /// Reads all messages that have arrived while it starts.
    pub(super) fn receive(&mut self, told: &mut Vec<Told>) {
        while let Some(conversation) = &self.conversation {
            // This process has one thread, so nothing else takes these descriptors.
            self.reserve.clear();
            match conversation.progress() {
                Ok(None) => {
                    // If there is no room any more, the next descriptor may be lost.
                    drop(self.reserve());
                    return;
                }
                Ok(Some(Progress::Process(pidfd))) if self.process.is_none() => match runtime::child_of(pidfd) {
                    Ok(process) => self.process = Some(process),
                    Err(error) => self.fail(error.into(), told),
                },
                // A process of the container that may trace can get this socket, and send anything.
                Ok(Some(Progress::Terminal(master)))
                    if self.wants_terminal && self.terminal.is_none() && rustix::termios::isatty(&master) =>
                {
                    if let Some((rows, columns)) = self.size {
                        // If it fails, the terminal has the kernel's default size.
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
                // rc's own processes never send that at this point.
                Ok(Some(_)) => self.fail(runtime::Error::Died("the new process").into(), told),
                Err(error) => self.fail(error.into(), told),
            }
        }
    }

    /// The program will not run: kills its process, if there is one.
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
    pub(super) fn end(&mut self, told: &mut Vec<Told>) {
        self.conversation = None;
        let Some(process) = self.process.take() else { return };
        let code = process.wait().map_or(255, Ended::code);
        if self.phase == Phase::Starting {
            // It reported no failure.
            told.push((self.connection, Event::Started { pid: process.pid }, None));
        }
        if self.phase != Phase::Told {
            self.phase = Phase::Told;
            told.push((self.connection, Event::Exited { code, missed: 0 }, None));
        }
    }
}
