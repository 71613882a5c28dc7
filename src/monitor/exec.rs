//! Programs that `rc exec` starts beside the container's own.
//!
//! ```text
//! joiner, in the container's cgroup ── Process ─→ known ── Terminal? ─→ … ── end of conversation ─→ runs ─→ its end
//!    └── Failed, or its end ─→ its command is told, and the exec is over
//! ```
//!
//! A joiner can be killed, or blocked for good, after it has made the process and before it says so. That process would
//! stay a zombie, for which the kernel keeps the container's process 1 waiting (kernel/pid_namespace.c,
//! `zap_pid_ns_processes`). The monitor finds it by its process group, which is the joiner's.
//!
//! Each step is an event of the monitor's loop. The pidfd decides: a process that gets the other end of the
//! conversation can keep it open, but no more than that.

mod enter;
mod error;
mod one;

use std::os::fd::{BorrowedFd, OwnedFd};

pub(super) use self::enter::{Confinement, Destination};
use self::enter::{enter, wants_terminal};
pub(super) use self::error::Error;
use self::one::OneExec;
pub(super) use self::one::{Token, Told};
use super::protocol;
use crate::sys::process::reap_group;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Execs {
    all: Vec<OneExec>,
    next_id: u64,
    /// The process groups of joiners that have ended, and that may have left a process without reporting it.
    strays: Vec<i32>,
}

impl Execs {
    /// The descriptors to wait for, all of them to be read.
    pub(super) fn poll_set(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>, Token)> {
        self.all.iter().flat_map(|exec| exec.poll_set().map(|(fd, token)| (exec.id(), fd, token)))
    }

    /// Begins to start a program for the command on `connection`; the rest happens in [`ready`](Self::ready).
    pub(super) fn start(
        &mut self,
        connection: u64,
        container: &Destination<'_>,
        exec: &protocol::Exec,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), Error> {
        let joining = enter(container, exec, descriptors)?;
        self.next_id += 1;
        let mut exec = OneExec::new((self.next_id, connection), joining, wants_terminal(exec), exec.size);
        let reserved = exec.reserve();
        if reserved.is_err() {
            exec.give_up();
        }
        self.all.push(exec);
        reserved.map_err(Error::NoRoom)
    }

    /// Acts on one ready descriptor, and returns the events to send. Ignores a program that is over.
    pub(super) fn ready(&mut self, id: u64, token: Token) -> Vec<Told> {
        let mut told = Vec::new();
        let Some(exec) = self.all.iter_mut().find(|exec| exec.id() == id) else { return told };
        match token {
            Token::Conversation => exec.receive(&mut told),
            Token::JoinerEnd => self.strays.extend(exec.joiner_ended(&mut told)),
            Token::ProcessEnd => {
                exec.receive(&mut told);
                exec.end(&mut told);
            }
        }
        self.all.retain(|exec| !exec.is_over());
        told
    }

    /// Kills the program that was started for `connection`, and the processes that are in its group; its end follows.
    pub(super) fn kill(&self, connection: u64) {
        self.all.iter().filter(|exec| exec.connection() == connection).for_each(OneExec::kill);
    }

    /// A child of this process has ended: reaps it if it is a process that no joiner has reported. Returns the events
    /// of messages that were read before.
    pub(super) fn reap_strays(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for exec in &mut self.all {
            exec.receive(&mut told);
            if let Some(joiner) = exec.lone_joiner() {
                // This may reap the joiner itself; poll reports its end all the same.
                reap_group(joiner.pid);
            }
        }
        self.strays.retain(|group| reap_group(*group));
        told
    }

    /// The container has ended: ends programs that had not entered it yet, whatever blocks them, and returns the events
    /// to send. In a PID namespace of the container's own the kernel has killed all others before process 1 could end
    /// (pid_namespaces(7)); in that of others they are killed here, unless they have ended, which the monitor need not
    /// have seen yet.
    pub(super) fn end_all(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for exec in &mut self.all {
            exec.end_with_container(&mut told);
        }
        self.all.retain(|exec| !exec.is_over());
        told
    }

    /// The terminal of the program that the command on `connection` has started.
    pub(super) fn terminal_of(&self, connection: u64) -> Option<&OwnedFd> {
        self.all.iter().find(|exec| exec.connection() == connection)?.terminal()
    }
}
