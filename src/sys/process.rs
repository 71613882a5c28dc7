//! Processes: fork by clone3(2), and waiting by pidfd.
#![expect(unsafe_code, reason = "clone3(2) and waitid(2) have no safe wrapper with these flags")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::sched::CloneFlags;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::exit::exit_now;
use super::failpoint;

/// A child that has not been waited for, by pidfd, so that its pid cannot be mistaken for another process.
#[derive(Debug)]
pub(crate) struct Child {
    /// The pid as this process sees it.
    pub(crate) pid: i32,
    /// The pidfd: readable when the child has ended.
    pub(crate) pidfd: OwnedFd,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
}

impl Ended {
    /// The exit code as in a shell: 128 + n for signal n.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => 128 + signal,
        }
    }
}

impl Child {
    /// Waits until the child has ended, and reaps it.
    pub(crate) fn wait(&self) -> io::Result<Ended> {
        wait_pidfd(self.pidfd.as_fd())
    }

    /// Sends a signal; succeeds if the child has ended.
    pub(crate) fn signal(&self, number: i32) -> io::Result<()> {
        signal_pidfd(self.pidfd.as_fd(), number)
    }
}

/// Waits for the child that `pidfd` refers to, and reaps it. Source: waitid(2), `P_PIDFD`.
pub(crate) fn wait_pidfd(pidfd: BorrowedFd<'_>) -> io::Result<Ended> {
    loop {
        match waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED) {
            Ok(Some(status)) => {
                return Ok(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Ended::Exited(code),
                    (None, Some(signal)) => Ended::Killed(signal),
                    (None, None) => Ended::Exited(0),
                });
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reaps those children of this process in process group `group` that have ended; returns whether there are others.
/// Never waits. Source: waitid(2), `P_PGID`.
pub(crate) fn reap_group(group: i32) -> bool {
    loop {
        match waitid(WaitId::Pgid(rustix::process::Pid::from_raw(group)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
        {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Sends signal `number` by pidfd; succeeds if the process has ended. Source: pidfd_send_signal(2).
pub(crate) fn signal_pidfd(pidfd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: pidfd is an open descriptor; the kernel reads no memory because the siginfo pointer is null.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    match io::Error::last_os_error() {
        _ if result == 0 => Ok(()),
        error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        error => Err(error),
    }
}

/// Whether the process of a pidfd has ended: only then the pidfd is readable.
pub(crate) fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], Some(&at_once)) == Ok(1)
}

/// The pid of the process of a pidfd, in this process' pid namespace. Source: pidfd_open(2), `/proc/self/fdinfo`.
///
/// Fails with ESRCH if the process has ended and was waited for: another one may have the pid.
pub(crate) fn pid_of(pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    let info = super::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).map_err(|e| e.source)?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
        .filter(|pid| *pid > 0)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// Opens a pidfd for any process. Source: pidfd_open(2).
pub(crate) fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    Ok(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?)
}

/// The options of a clone beyond those of a plain fork.
#[derive(Debug, Default)]
pub(crate) struct CloneOptions<'a> {
    /// New namespaces, and `CLONE_PARENT` for a child of our own parent.
    pub(crate) flags: Option<CloneFlags>,
    /// The cgroup that the child is created in. Source: clone(2), `CLONE_INTO_CGROUP`.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
}

/// The kernel's `struct clone_args`, `CLONE_ARGS_SIZE_VER2`.
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks, and runs `body` in the child, which never returns from here: it ends by `execve` or, with the code that
/// `body` returns, by `_exit`, so that no destructor or exit handler of this process runs twice.
///
/// Fails with `EAGAIN`-like errors of clone3(2), and with `EDEADLK` if this process has a second thread: then a lock
/// could be held forever in the child, and `unshare(CLONE_NEWUSER)` would fail (style.md, "One thread until exec").
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn fork(options: &CloneOptions<'_>, body: impl FnOnce() -> i32) -> io::Result<Child> {
    failpoint::point()?;
    if has_threads() {
        return Err(io::Error::from_raw_os_error(libc::EDEADLK));
    }
    let mut pidfd: libc::c_int = -1;
    let flags = options.flags.unwrap_or(CloneFlags::empty());
    let mut args = CloneArgs {
        flags: u64::from(flags.bits().cast_unsigned()) | u64::from(libc::CLONE_PIDFD.cast_unsigned()),
        pidfd: (&raw mut pidfd) as u64,
        // A child of our parent sends the same signal to it as we do; clone3 requires 0 here.
        exit_signal: if flags.contains(CloneFlags::CLONE_PARENT) { 0 } else { libc::SIGCHLD as u64 },
        ..CloneArgs::default()
    };
    if let Some(cgroup) = options.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    // SAFETY: no other thread exists (checked above), so locks and heap are consistent in the child, which leaves only
    // through execve or _exit. Without CLONE_VM and with a null stack the child runs on its own copy of this stack.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        // A child that dies at once is a separate point of failure.
        0 => exit_now(if failpoint::point().is_ok() { body() } else { 125 }),
        pid => {
            let pid = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?;
            // SAFETY: clone3 succeeded with CLONE_PIDFD, so the kernel has stored a new descriptor that nothing else
            // owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Child { pid, pidfd })
        }
    }
}

/// Runs `body` in a child that shares this process' memory, and returns when the child has ended. Nothing of the memory
/// is copied, which is most of the time that a fork takes, for the child and for the pages that both write afterwards.
///
/// The child has descriptors, signal mask, IDs and namespaces of its own. This process sleeps meanwhile, so the child
/// may do what this one may, except drop an owner of a descriptor that it has not opened itself. A process that it
/// forks has a copy of the memory, as any other. Fails as [`fork`]; the child leaves by `_exit`. Source: clone(2),
/// `CLONE_VFORK`.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn fork_sharing<F: FnOnce() -> i32>(body: F) -> io::Result<Child> {
    failpoint::point()?;
    if has_threads() {
        return Err(io::Error::from_raw_os_error(libc::EDEADLK));
    }
    let stack = Stack::new()?;
    let mut body = Some(body);
    let mut pidfd: libc::c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack's end is aligned, and CLONE_VFORK suspends us until the child has ended, so the stack, `body`
    // and `pidfd` outlive its use of them, and nothing else touches our memory meanwhile: no other thread exists
    // (checked above). `run_sharing::<F>` gets the type that it expects, and leaves by _exit.
    let pid = unsafe { libc::clone(run_sharing::<F>, stack.end(), flags, (&raw mut body).cast(), &raw mut pidfd) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: clone succeeded with CLONE_PIDFD, so the kernel has stored a new descriptor that nothing else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

extern "C" fn run_sharing<F: FnOnce() -> i32>(body: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `fork_sharing` passes the `Option<F>` of its frame, which lives until this child has ended.
    let body = unsafe { &mut *body.cast::<Option<F>>() };
    match body.take() {
        Some(body) if failpoint::point().is_ok() => exit_now(body()),
        _ => exit_now(125),
    }
}

/// A stack for a child. Its lowest page is closed, so that a stack that is too deep ends the child.
struct Stack {
    start: *mut libc::c_void,
}

impl Stack {
    /// As much as a program usually has (setrlimit(2), `RLIMIT_STACK`), since init goes on on a copy of it. Only pages
    /// that are used cost memory; MAP_STACK keeps the kernel (6.7) from using huge ones.
    const BYTES: usize = 8 << 20;

    fn new() -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: new memory at an address that the kernel chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), Self::BYTES, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self { start };
        // SAFETY: the first page of the memory above, which nothing uses yet.
        match unsafe { libc::mprotect(stack.start, rustix::param::page_size(), libc::PROT_NONE) } {
            0 => Ok(stack),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// One past its highest byte; stacks grow downwards.
    fn end(&self) -> *mut libc::c_void {
        self.start.wrapping_byte_add(Self::BYTES)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the memory is ours, and the child that used it has ended.
        unsafe { libc::munmap(self.start, Self::BYTES) };
    }
}

fn has_threads() -> bool {
    threads() > 1
}

/// How many threads this process has; 0 if that cannot be known.
pub(super) fn threads() -> usize {
    // The link count of a process's task directory is its number of threads plus two.
    let links = rustix::fs::stat("/proc/self/task").map_or(0, |stat| usize::try_from(stat.st_nlink).unwrap_or(0));
    links.saturating_sub(2)
}

/// When process `pid` was started, in clock ticks since boot, which distinguishes it from a process that reuses the
/// pid; `None` if there is no such process, or if it has ended and its parent has not reaped it yet.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    super::proc::Entry::open(pid)?.stat().filter(|stat| stat.state != 'Z').map(|stat| stat.started)
}

/// Whether process `pid` has ended, or is exiting and closing its files.
pub(crate) fn is_ending(pid: i32) -> bool {
    super::proc::Entry::open(pid).and_then(|entry| entry.stat()).is_none_or(|stat| stat.is_exiting || stat.state == 'Z')
}

/// The kernel's ID of this boot.
pub(crate) fn boot_id() -> Result<String, super::fs::PathError> {
    Ok(super::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned())
}

/// Marks every descriptor from `first` on close-on-exec. Source: close_range(2), `CLOSE_RANGE_CLOEXEC`.
pub(crate) fn cloexec_from(first: u32) -> io::Result<()> {
    // SAFETY: sets a flag on descriptors; closes none.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Closes every descriptor from `first` on, in a forked child that keeps none of its parent's. Their owners in this
/// process must not be used or dropped afterwards, as in a child that leaves by exec or `_exit`. Source:
/// close_range(2).
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: the numbers' owners live in stack frames that this forked child never returns to.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Closes every descriptor from 3 on except `kept`, in a forked child. As with [`close_from`], their owners in this
/// process must not be used or dropped afterwards.
pub(crate) fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut numbers: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd().unsigned_abs()).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers {
        if number > first {
            // SAFETY: as in `close_from`; what is between two numbers that are kept is not kept.
            if unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        first = first.max(number + 1);
    }
    close_from(first)
}

/// Overwrites this process' command line, as `ps` shows it, with `text` (cut to the available room): a command line may
/// contain secrets of `-e`, and a monitor lives long. `std::env::args` must not be called afterwards.
///
/// Source: proc_pid_stat(5), `arg_start` and `arg_end`.
pub(crate) fn replace_command_line(text: &str) -> io::Result<()> {
    let stat = super::fs::read_to_string("/proc/self/stat").map_err(|error| error.source)?;
    let malformed = || io::Error::from_raw_os_error(libc::EINVAL);
    // Fields 48 and 49; the name in parentheses is the second.
    let (_, rest) = stat.rsplit_once(')').ok_or_else(malformed)?;
    let mut fields = rest.split_ascii_whitespace().skip(45).map(str::parse::<usize>);
    let (Some(Ok(start)), Some(Ok(end))) = (fields.next(), fields.next()) else { return Err(malformed()) };
    if start == 0 || end <= start {
        return Err(malformed());
    }
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(end - start, 0);
    if let Some(last) = bytes.last_mut() {
        *last = 0;
    }
    // SAFETY: the kernel put the arguments on this stack between these addresses; `bytes` has exactly that length.
    // Nothing reads them any more: the start of `main` has copied what was typed.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), std::ptr::with_exposed_provenance_mut(start), bytes.len());
    }
    Ok(())
}

/// Makes `fd` also available as descriptor `number`, without close-on-exec; replaces an open descriptor `number`.
pub(crate) fn place(fd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    if fd.as_raw_fd() == number {
        // SAFETY: F_SETFD changes a flag of an open descriptor only.
        return match unsafe { libc::fcntl(number, libc::F_SETFD, 0) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
    }
    // SAFETY: the caller is about to exec, or owns `number` by convention (0, 1, 2, the namespace's number); no OwnedFd
    // of this process refers to it.
    match unsafe { libc::dup2(fd.as_raw_fd(), number) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Leaves `fd` open until this process ends, also in the programs that it executes.
pub(crate) fn keep_open(fd: OwnedFd) -> io::Result<()> {
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::empty())?;
    std::mem::forget(fd);
    Ok(())
}

/// A descriptor without a use, to be closed when there is no room for another.
pub(crate) fn reserve_descriptor() -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Closes a descriptor that a forked child has inherited and must not keep. Its owner in this process must not be used
/// or dropped afterwards; in a child that leaves by exec or `_exit` neither happens.
pub(crate) fn close(inherited: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the number is open, and its owner lives in a stack frame that this forked child never returns to.
    match unsafe { libc::close(inherited.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A descriptor that [`place`] has put at `number`, to pass on to the next program.
pub(crate) fn borrow_placed(number: i32) -> BorrowedFd<'static> {
    // SAFETY: `place` succeeded with this number in this process, which execs or exits without closing it.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// The caller's own descriptor 0, 1 or 2, if it is open.
pub(crate) fn standard(number: i32) -> Option<BorrowedFd<'static>> {
    // SAFETY: F_GETFD on any number is harmless.
    let open = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
    // SAFETY: 0, 1 and 2 are never closed by rc, only replaced by dup2; the check above saw it open.
    open.then(|| unsafe { BorrowedFd::borrow_raw(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_whatever_it_calls_itself() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut named = std::process::Command::new("/bin/sh")
            .args(["-c", "printf '\\377) Z' >/proc/self/comm; echo; read -r end"])
            .stdin(std::process::Stdio::piped())
            .stdout(writer)
            .spawn()
            .expect("a shell");
        io::Read::read_exact(&mut reader, &mut [0]).expect("it has its name");
        let pid = i32::try_from(named.id()).expect("pid");
        assert!(start_time(pid).is_some() && !is_ending(pid));
        drop(named.stdin.take());
        named.wait().expect("it ends");
        assert!(is_ending(pid));
        assert_eq!(start_time(pid), None);
    }

    #[test]
    fn a_child_keeps_the_descriptors_that_are_named_and_no_others() {
        let open = || rustix::fs::open(c"/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
        let files: Vec<OwnedFd> = (0..9).map(|_| open().expect("a file")).collect();
        let kept = [&files[6], &files[1], &files[2], &files[1]].map(AsFd::as_fd);
        let is_open = |fd: &OwnedFd| standard(fd.as_raw_fd()).is_some();
        // SAFETY: the child makes system calls on memory of its own only, and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let result = close_all_but(&kept);
            let left = files.iter().enumerate().filter(|(_, fd)| is_open(fd)).fold(0, |bits, (at, _)| bits | 1 << at);
            exit_now(if result.is_ok() && standard(2).is_some() && left == 0b0100_0110 { 0 } else { 1 });
        }
        let child = open_pidfd(child).expect("a child");
        assert_eq!(wait_pidfd(child.as_fd()).expect("it ends"), Ended::Exited(0));
        assert!(files.iter().all(is_open));
    }

    #[test]
    fn a_child_that_shares_memory_has_descriptors_and_ids_of_its_own() {
        // The tests have threads; a forked process has one.
        // SAFETY: the child allocates in its own copy of the memory, and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut seen = Vec::new();
            let file = reserve_descriptor().expect("a descriptor");
            let me = rustix::process::getpid();
            let shared = fork_sharing(|| {
                seen.push(rustix::process::getppid());
                close(file.as_fd()).map_or(1, |()| 43)
            });
            let code = shared.and_then(|shared| shared.wait()).map_or(-1, Ended::code);
            let is_open = standard(file.as_raw_fd()).is_some();
            exit_now(i32::from(!(code == 43 && seen == [Some(me)] && is_open)));
        }
        let child = open_pidfd(child).expect("a child");
        assert_eq!(wait_pidfd(child.as_fd()).expect("it ends"), Ended::Exited(0));
    }

    #[test]
    fn start_time_tells_this_process_and_no_other() {
        let me = i32::try_from(std::process::id()).expect("pid");
        assert!(start_time(me).is_some());
        assert_eq!(start_time(i32::MAX), None);
    }
}
