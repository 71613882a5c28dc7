//! Signals as events: blocked, and read from a descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocked signals, as a descriptor to poll. The mask is process-wide and inherited by fork; [`unblock_all`] resets it.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks every signal except those that cannot or must not be blocked (SIGKILL, SIGSTOP, faults), and opens the
    /// descriptor.
    pub(crate) fn all() -> io::Result<Self> {
        let mut set = SigSet::all();
        for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP, Signal::SIGABRT]
        {
            set.remove(fault);
        }
        Self::of(&set)
    }

    /// Blocks these signals, and opens the descriptor.
    pub(crate) fn only(signals: &[Signal]) -> io::Result<Self> {
        Self::of(&signals.iter().copied().collect())
    }

    fn of(set: &SigSet) -> io::Result<Self> {
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(set), None)?;
        Ok(Self(SignalFd::with_flags(set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The number of the next pending signal and whether the kernel itself sent it (for the terminal); `None` if none
    /// is pending.
    pub(crate) fn take(&mut self) -> io::Result<Option<Arrived>> {
        Ok(self.0.read_signal()?.map(|info| Arrived { number: i32::try_from(info.ssi_signo).unwrap_or_default() }))
    }
}

/// A signal that has arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    /// Its number.
    pub(crate) number: i32,
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Unblocks all signals: before execve, because the mask survives it.
pub(crate) fn unblock_all() -> io::Result<()> {
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
}
