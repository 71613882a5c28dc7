//! Signals as events: blocked, and read from a descriptor. And ignored signals, which a new program must not inherit.
#![expect(unsafe_code, reason = "rt_sigaction(2): the C library's function does not accept all signals")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

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

/// The kernel's `struct sigaction`: handler, flags, restorer, mask. All of them 0 are the default.
type Action = [u64; 4];

/// The number of the last signal.
const LAST: i32 = 64;

/// The signals that this process ignores, which survive execve(2): bit n-1 is signal n. Rust's runtime ignores PIPE,
/// and the caller of rc may have ignored others (nohup(1)); rc itself changes none. So they are asked for once, and
/// forked children know them.
pub(crate) fn ignored() -> u64 {
    static IGNORED: OnceLock<u64> = OnceLock::new();
    *IGNORED.get_or_init(|| (1..=LAST).filter(|number| is_ignored(*number)).fold(0, |set, number| set | bit(number)))
}

/// The bit of a signal in a set.
pub(crate) const fn bit(number: i32) -> u64 {
    1 << (number - 1)
}

fn is_ignored(number: i32) -> bool {
    let mut action: Action = [0; 4];
    let nothing = std::ptr::null::<Action>();
    // SAFETY: the kernel writes one `struct sigaction`, for which `action` has room, and changes nothing.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, nothing, &raw mut action, size_of::<u64>()) };
    action[0] == libc::SIG_IGN as u64
}

/// Sets the signals in `set` to their defaults: the last thing before execve. Makes system calls only. Source:
/// sigaction(2).
pub(crate) fn set_defaults(set: u64) {
    let action: Action = [0; 4];
    let nothing = std::ptr::null_mut::<Action>();
    for number in (1..=LAST).filter(|number| set & bit(*number) != 0) {
        // SAFETY: zeroes are SIG_DFL, no flags and an empty mask; the kernel only reads them. KILL and STOP, which it
        // would refuse, are never ignored.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, &raw const action, nothing, size_of::<u64>()) };
    }
}
