//! Helper programs: started by absolute path, with exactly the given descriptors, watched by pidfd; their last words
//! are kept.
//!
//! A helper gets its argv, its environment and its descriptors, and nothing else: every other descriptor is closed,
//! signals are at their defaults, the working directory is `/`. It dies with this process (`PR_SET_PDEATHSIG`) and with
//! its [`Helper`]. Standard input and output are `/dev/null` unless given; standard error is a small pipe that need not
//! be read: what does not fit is dropped, so a helper that prints for years neither blocks nor uses more memory.
//!
//! The child shares our memory until it executes (`CLONE_VM | CLONE_VFORK`, as in posix_spawn(3)): no page table is
//! copied, and the child reports an error in a field instead of through a pipe.
#![expect(unsafe_code, reason = "clone(2) with shared memory, and execve(2) in that child")]

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};

use caps::{CapSet, Capability};
use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::pipe::PipeFlags;
use rustix::process::Pid;

use super::process::{Child, Ended, place, signal_pidfd};
use super::signal;

/// The child's stack until execve: a few calls deep. Only the pages that are used cost memory.
const STACK_BYTES: usize = 64 << 10;
/// How much the pipe of standard error holds.
const LAST_WORDS_BYTES: usize = 16 << 10;

/// The program to execute.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// The absolute path.
    pub(crate) path: &'a CStr,
    /// The arguments, with the program's own name first.
    pub(crate) argv: &'a [CString],
    /// The whole environment, `NAME=value`.
    pub(crate) env: &'a [CString],
    /// Descriptors, each with the number that the helper sees. 0 and 1 replace `/dev/null`; 2 replaces the capture.
    pub(crate) descriptors: &'a [(BorrowedFd<'a>, i32)],
    /// Whether it gets a mount namespace of its own, to which the host's mounts propagate, but not the other way round;
    /// needs root.
    pub(crate) own_mounts: bool,
}

/// Why a program could not be started: the step and the kernel's answer. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {}", super::fs::plain(.source))]
pub(crate) struct Error {
    /// What was tried, as an infinitive: `execute`, `clone`.
    pub(crate) step: &'static str,
    /// The kernel's answer.
    #[source]
    pub(crate) source: io::Error,
}

/// A running helper. Dropping it kills and reaps it; [`Helper::wait`] reaps it too.
#[derive(Debug)]
pub(crate) struct Helper {
    child: Child,
    errors: OwnedFd,
}

impl Helper {
    /// The pid.
    pub(crate) fn pid(&self) -> i32 {
        self.child.pid
    }

    /// The pidfd: readable when the helper has ended.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }

    /// Waits until the helper has ended, and reaps it; `ECHILD` if it was already reaped.
    pub(crate) fn wait(&self) -> io::Result<Ended> {
        self.child.wait()
    }

    /// Sends SIGKILL; succeeds if it has ended. By pidfd, so never to another process that reuses the pid.
    pub(crate) fn kill(&self) -> io::Result<()> {
        signal_pidfd(self.pidfd(), libc::SIGKILL)
    }

    /// What the helper has written to standard error since the last call, without waiting; empty if nothing.
    pub(crate) fn last_words(&self) -> String {
        let mut bytes = vec![0; LAST_WORDS_BYTES];
        let length = rustix::io::read(&self.errors, &mut bytes[..]).unwrap_or_default();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Another part of this process that reaps every child may have been faster: then both calls fail, which does no
        // harm.
        if self.kill().is_ok() {
            self.wait().ok();
        }
    }
}

/// Starts a helper, and returns when it has been executed.
///
/// Must be called from a single-threaded process: PDEATHSIG follows the thread that cloned, and the caller is suspended
/// until the child executes. Fails with the step; no process is left then. Source: clone(2), `CLONE_VFORK`;
/// PR_SET_PDEATHSIG(2const); posix_spawn(3).
pub(crate) fn spawn(program: &Program<'_>) -> Result<Helper, Error> {
    let at = |step| move |errno: Errno| Error { step, source: errno.into() };
    let null =
        rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(at("open null"))?;
    let (errors, errors_in) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(at("pipe"))?;
    // The kernel refuses it to a user whose pipes are at their limit (pasta uses megabytes of them): the pipe is small
    // already.
    rustix::pipe::fcntl_setpipe_size(&errors, LAST_WORDS_BYTES).ok();

    let mut descriptors = vec![(null.as_fd(), 0), (null.as_fd(), 1), (errors_in.as_fd(), 2)];
    for &(fd, number) in program.descriptors {
        descriptors.retain(|&(_, taken)| taken != number);
        descriptors.push((fd, number));
    }
    descriptors.sort_unstable_by_key(|&(_, number)| number);
    // Moves the sources above every number that the child fills, so that no dup2 replaces one that is still needed.
    let above = descriptors.last().map_or(3, |&(_, number)| number + 1);
    let sources = descriptors
        .iter()
        .map(|(fd, _)| rustix::io::fcntl_dupfd_cloexec(fd, above))
        .collect::<Result<Vec<_>, _>>()
        .map_err(at("duplicate a descriptor"))?;
    let placed: Vec<_> =
        sources.iter().zip(&descriptors).map(|(source, (_, number))| (source.as_fd(), *number)).collect();

    let start = Start {
        path: program.path,
        argv: &null_terminated(program.argv),
        env: &null_terminated(program.env),
        descriptors: &placed,
        own_mounts: program.own_mounts,
        parent: rustix::process::getpid(),
        // An ignored signal stays ignored across execve; the two have handlers of Rust's, which must not run in the
        // child.
        defaults: signal::ignored() | signal::bit(libc::SIGSEGV) | signal::bit(libc::SIGBUS),
        failed: Cell::new(None),
    };
    let child = clone(&start)?;
    let helper = Helper { child, errors };
    match start.failed.get() {
        None => Ok(helper),
        Some((step, errno)) => Err(Error { step, source: errno.into() }),
    }
}

fn null_terminated(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Everything that the child needs, prepared before the clone: the child allocates nothing.
struct Start<'a> {
    path: &'a CStr,
    argv: &'a [*const c_char],
    env: &'a [*const c_char],
    /// Ordered by target number; every source is above all targets.
    descriptors: &'a [(BorrowedFd<'a>, i32)],
    own_mounts: bool,
    parent: Pid,
    /// The signals that are set to their defaults.
    defaults: u64,
    /// The child writes it if it cannot execute.
    failed: Cell<Option<(&'static str, Errno)>>,
}

/// Clones the child that runs [`Start::execute`]; returns when it has executed or ended.
fn clone(start: &Start<'_>) -> Result<Child, Error> {
    let clone_failed = |source: io::Error| Error { step: "clone", source };
    let mut stack = Box::<[u8]>::new_uninit_slice(STACK_BYTES);
    let top = stack.as_mut_ptr_range().end;
    let top = top.map_addr(|address| address & !15);
    let mut pidfd: c_int = -1;
    let mut before = SigSet::empty();
    // No handler of ours may run in the child, on our memory: signals stay blocked until there are none.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
        .map_err(|e| clone_failed(e.into()))?;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: `top` is the aligned end of a live block of STACK_BYTES; CLONE_VFORK suspends us until the child has
    // executed or ended, so `stack`, `start` and `pidfd` outlive its use of them and nobody else touches them
    // meanwhile. The child shares our memory: it runs `run_child`, which allocates nothing, takes no lock, makes system
    // calls only, and ends by execve or by returning to the wrapper's _exit.
    let pid = unsafe {
        libc::clone(run_child, top.cast(), flags, std::ptr::from_ref(start).cast_mut().cast(), &raw mut pidfd)
    };
    let cloned = if pid < 0 { Err(clone_failed(io::Error::last_os_error())) } else { Ok(()) };
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).map_err(|e| clone_failed(e.into()))?;
    cloned?;
    // SAFETY: clone succeeded with CLONE_PIDFD, so the kernel has stored a new descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

extern "C" fn run_child(argument: *mut c_void) -> c_int {
    // SAFETY: `clone` passes a `Start` that lives until this child has executed or ended; the parent is suspended.
    let start = unsafe { &*argument.cast::<Start<'_>>() };
    let Err(failed) = start.execute();
    start.failed.set(Some(failed));
    127
}

impl Start<'_> {
    /// Runs in the child, on the parent's memory: system calls only.
    fn execute(&self) -> Result<std::convert::Infallible, (&'static str, Errno)> {
        let at = |step| move |errno| (step, errno);
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).map_err(at("tie"))?;
        // If the parent was killed before the line above, no signal will come; then someone else is our parent by now.
        if rustix::process::getppid() != Some(self.parent) {
            return Err(("tie", Errno::SRCH));
        }
        signal::set_defaults(self.defaults);
        if self.own_mounts {
            nix::sched::unshare(CloneFlags::CLONE_NEWNS)
                .map_err(|errno| ("create a mount namespace", Errno::from_raw_os_error(errno as i32)))?;
            let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
            rustix::mount::mount_change(c"/", downstream).map_err(at("isolate mounts"))?;
        }
        rustix::process::chdir(c"/").map_err(at("change to `/`"))?;
        let mut next = 0;
        for &(source, number) in self.descriptors {
            close_between(next, number).map_err(at("close descriptors"))?;
            place(source, number).map_err(|error| ("place a descriptor", errno_of(&error)))?;
            next = number + 1;
        }
        close_between(next, c_int::MAX).map_err(at("close descriptors"))?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            .map_err(|errno| ("unblock signals", Errno::from_raw_os_error(errno as i32)))?;
        // SAFETY: path, argv and env are NUL-terminated strings and null-terminated arrays of them, alive in our
        // parent.
        unsafe { libc::execve(self.path.as_ptr(), self.argv.as_ptr(), self.env.as_ptr()) };
        Err(("execute", errno_of(&io::Error::last_os_error())))
    }
}

/// Confines a forked child that does not execute as strictly as a [`Helper`]: only `kept` descriptors and `/dev/null`
/// at 0, 1 and 2 stay open, the working directory is `/`, it gives up every capability but `capabilities` permanently,
/// no other process may inspect it, and it dies with `parent`. Call it after the last change of IDs or namespaces,
/// which would undo part of it.
pub(crate) fn seclude(kept: &[BorrowedFd<'_>], parent: Pid, capabilities: &[Capability]) -> io::Result<()> {
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    (0..3).try_for_each(|number| place(null.as_fd(), number))?;
    let mut numbers: Vec<_> = kept.iter().map(AsRawFd::as_raw_fd).collect();
    numbers.sort_unstable();
    let mut next = 3;
    for number in numbers {
        close_between(next, number)?;
        next = number.max(2) + 1;
    }
    std::mem::forget(null);
    close_between(next, c_int::MAX)?;
    rustix::process::chdir(c"/")?;
    let capabilities = capabilities.iter().copied().collect();
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &capabilities).map_err(io::Error::other)?;
    }
    super::prctl::set_no_new_privs()?;
    super::prctl::set_dumpable(false)?;
    super::prctl::die_with_parent()?;
    if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::INVAL, Errno::from_raw_os_error)
}

/// Closes the descriptors from `first` up to, not including, `end`. Source: close_range(2).
fn close_between(first: c_int, end: c_int) -> Result<(), Errno> {
    if first >= end {
        return Ok(());
    }
    // SAFETY: the child's descriptor table is its own (no CLONE_FILES): the parent's descriptors stay open. The sources
    // that are not placed yet are above every `end` but the last.
    match unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) } {
        0 => Ok(()),
        _ => Err(errno_of(&io::Error::last_os_error())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn shell(script: &str, descriptors: &[(BorrowedFd<'_>, i32)]) -> Result<Helper, Error> {
        let argv = [c"sh".to_owned(), c"-c".to_owned(), CString::new(script).expect("script")];
        spawn(&Program {
            path: c"/bin/sh",
            argv: &argv,
            env: &[c"ONLY=this".to_owned()],
            descriptors,
            own_mounts: false,
        })
    }

    fn output(script: &str) -> String {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).expect("pipe");
        let helper = shell(script, &[(write.as_fd(), 1)]).expect("spawn");
        drop(write);
        let mut text = String::new();
        std::fs::File::from(read).read_to_string(&mut text).expect("read");
        assert_eq!(helper.wait().expect("wait"), Ended::Exited(0));
        text
    }

    #[test]
    fn a_helper_gets_its_descriptors_environment_and_nothing_else() {
        let _open_here = super::super::fs::open("/dev/zero").expect("open");
        let (_read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).expect("pipe");
        let (_errors, out) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).expect("pipe");
        // The shell itself opens the directory that it lists, so `cat` reads a list that `ls` cannot disturb: 0 1 2 7
        // and 3 for ls.
        let text = output("ls /proc/self/fd | tr '\\n' ' '; pwd; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=");
        assert_eq!(text, "0 1 2 3 /\nONLY=this\n");
        let helper = shell("test -p /dev/fd/7 && ! test -e /dev/fd/6", &[(write.as_fd(), 7), (out.as_fd(), 1)]);
        assert_eq!(helper.expect("spawn").wait().expect("wait"), Ended::Exited(0));
    }

    #[test]
    fn signals_are_at_their_defaults_in_a_helper() {
        let text = output("sed -n 's/^Sig[BIC][a-z]*:\\t//p' /proc/self/status");
        // Bits 31 and 32 are the C library's own signals, which it does not let us change.
        let sets = text.lines().map(|line| u64::from_str_radix(line, 16).map(|set| set & !0x1_8000_0000));
        assert_eq!(sets.collect::<Result<Vec<_>, _>>().expect("sets"), [0, 0, 0]);
    }

    #[test]
    fn a_failing_helper_is_heard() {
        let helper = shell("echo sorry >&2; exit 3", &[]).expect("spawn");
        assert_eq!(helper.wait().expect("wait"), Ended::Exited(3));
        assert_eq!(helper.last_words(), "sorry");
    }

    #[test]
    fn a_chattering_helper_does_not_block() {
        let helper = shell("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 0", &[]);
        assert_eq!(helper.expect("spawn").wait().expect("wait"), Ended::Exited(0));
    }

    #[test]
    fn a_missing_program_is_an_error_and_no_process() {
        let argv = [c"nothing".to_owned()];
        let error =
            spawn(&Program { path: c"/nowhere/at/all", argv: &argv, env: &[], descriptors: &[], own_mounts: false });
        assert_eq!(error.map(drop).map_err(|e| e.to_string()), Err("execute: no such file or directory".to_owned()));
    }

    #[test]
    fn a_dropped_helper_is_gone() {
        let helper = shell("exec sleep 1000", &[]).expect("spawn");
        let pid = Pid::from_raw(helper.pid()).expect("pid");
        drop(helper);
        assert_eq!(rustix::process::test_kill_process(pid), Err(Errno::SRCH));
    }
}
