//! The last program before the container's own: one `execve`, so that `/proc/self/exe` never names rc.
//!
//! A program that rc starts from its own binary can reach that binary through `/proc/self/exe` and write to it later
//! (CVE-2019-5736). rc therefore executes this file last, from a sealed memfd; a program can only reach these few
//! hundred bytes, which contain no secret and cannot be changed.
//!
//! ```text
//! argv[0]   "\nrc-stub": the kernel ends a `#!` line at its newline, so no script can make this word
//! argv[1]   letters and one number: p = die with the parent, i = stay as init, r = run no program, N = the descriptor
//!           for the errno
//! argv[2]   the absolute path of the program
//! argv[3..] the program's arguments; the environment is passed on unchanged
//! ```
//! If the program cannot be executed, the stub writes the errno to descriptor N as an i32 in native order, and exits
//! with 127 for ENOENT, else with 126. If it can, the kernel closes N, which tells the reader. Without the mark in
//! argv[0] the stub exits with 127 and writes nothing, which is how an entrypoint `#!/proc/self/exe` ends.
//!
//! An execve makes a process dumpable, and then every process of the container with the same user may trace it and take
//! its descriptors (pidfd_getfd(2)), N among them. rc makes the kernel start the stub as not dumpable
//! (`src/runtime/stub.rs`), and the stub's first call requests that again. An init that stays (`i`) becomes dumpable
//! when it has closed everything that it must not show; a program is dumpable by its own execve.
//!
//! The program starts with no signal blocked and none ignored: rc has set those that it or its caller had ignored to
//! their defaults (`src/runtime/stub.rs`), and the stub unblocks all.
//!
//! As init (`--init`) it forks the program into a process group of its own, in the foreground if there is a terminal,
//! passes on every signal, reaps every orphan, and exits with the child's exit code, or 128+n if signal n killed the
//! child. It sleeps in `rt_sigtimedwait(2)` and wakes up for nothing else.
//!
//! Without a program (`r`) it keeps a pod's namespaces: it reaps every orphan, and exits with 0 when TERM, INT, QUIT or
//! HUP arrives. It closes N when nothing can fail any more.
//!
//! No allocator, no libc, no indexing: nothing here may panic, since there is no room for the machinery of panics. It
//! is compiled by `build/stub.rs`, apart from the crate.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::ptr::{null, null_mut};

const MARK: &[u8] = b"\nrc-stub\0";

const NOT_FOUND: usize = 127;
const NOT_EXECUTABLE: usize = 126;

const ENOENT: isize = 2;
const F_SETFD: usize = 2;
const FD_CLOEXEC: usize = 1;
const PR_SET_PDEATHSIG: usize = 1;
const PR_SET_DUMPABLE: usize = 4;
const NOT_DUMPABLE: usize = 0;
const DUMPABLE: usize = 1;
const SIGKILL: usize = 9;
const SIGCHLD: usize = 17;
/// HUP, INT, QUIT and TERM.
const ENDING: u64 = bit(1) | bit(2) | bit(3) | bit(15);
const SIG_SETMASK: usize = 2;
const WNOHANG: usize = 1;
const TIOCSPGRP: usize = 0x5410;
const FIRST_BEYOND_STANDARD: usize = 3;
/// Bytes in the kernel's `sigset_t`.
const SIGSET_SIZE: usize = 8;
/// All signals except those that the CPU raises for a fault of our own (ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS), which
/// must kill and not wait in a queue. KILL and STOP cannot be blocked; the kernel ignores their bits.
const PASSED_ON: u64 = !(bit(4) | bit(5) | bit(6) | bit(7) | bit(8) | bit(11) | bit(31));

/// The signal with which init tells its child to continue; if another process sends it first, the child continues too
/// early.
const GO_ON: usize = 18;

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: usize = 1;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const IOCTL: usize = 16;
    pub const GETPID: usize = 39;
    pub const CLONE: usize = 56;
    pub const EXECVE: usize = 59;
    pub const EXIT: usize = 60;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const FCNTL: usize = 72;
    pub const SETPGID: usize = 109;
    pub const RT_SIGTIMEDWAIT: usize = 128;
    pub const PRCTL: usize = 157;
    pub const CLOSE: usize = 3;
    pub const CLOSE_RANGE: usize = 436;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const FCNTL: usize = 25;
    pub const IOCTL: usize = 29;
    pub const WRITE: usize = 64;
    pub const EXIT: usize = 93;
    pub const KILL: usize = 129;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const RT_SIGTIMEDWAIT: usize = 137;
    pub const SETPGID: usize = 154;
    pub const PRCTL: usize = 167;
    pub const GETPID: usize = 172;
    pub const CLONE: usize = 220;
    pub const EXECVE: usize = 221;
    pub const WAIT4: usize = 260;
    pub const CLOSE: usize = 57;
    pub const CLOSE_RANGE: usize = 436;
}

// The kernel enters with argc, argv, NULL, envp, NULL on the stack and nothing in the registers.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "mov rdi, rsp", "and rsp, -16", "call {start}", start = sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {start}", start = sym start);

/// One system call; negative results are errnos.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn call(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let result;
    // SAFETY: the callers pass numbers and pointers that the call in question allows; the fifth argument of clone (tls)
    // is unused without its flag, that of prctl must be 0. syscall(2) clobbers rcx and r11 only.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            in("r8") 0, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// One system call; negative results are errnos.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn call(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let result;
    // SAFETY: as above; svc clobbers x0 only.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d,
            in("x4") 0, options(nostack));
    }
    result
}

fn exit(code: usize) -> ! {
    loop {
        call(number::EXIT, code, 0, 0, 0);
    }
}

/// The options in argv[1].
struct Mode {
    die_with_parent: bool,
    init: bool,
    rest: bool,
    /// Descriptor for the errno; -1 if there is none, so that calls on it do nothing.
    error: isize,
}

/// Reads argv[1], a C string.
fn mode(text: *const u8) -> Mode {
    let mut mode = Mode { die_with_parent: false, init: false, rest: false, error: -1 };
    let mut at = text;
    loop {
        // SAFETY: `at` runs over a C string of the kernel's making and stops at its end.
        match unsafe { *at } {
            0 => return mode,
            b'p' => mode.die_with_parent = true,
            b'i' => mode.init = true,
            b'r' => mode.rest = true,
            digit => {
                let value = (digit & 0x0f) as isize;
                mode.error = if mode.error < 0 { value } else { mode.error.wrapping_mul(10).wrapping_add(value) };
            }
        }
        at = at.wrapping_add(1);
    }
}

/// Whether argv[0] is the private mark.
fn is_marked(text: *const u8) -> bool {
    let mut at = text;
    for &expected in MARK {
        // SAFETY: `at` runs over a C string; a byte that is not the mark's, its end included, stops the loop.
        if unsafe { *at } != expected {
            return false;
        }
        at = at.wrapping_add(1);
    }
    true
}

/// The entry; `stack` points to argc as the kernel laid it out.
extern "C" fn start(stack: *const usize) -> ! {
    // First of all: the same request in rc has no effect if the administrator has set `fs.suid_dumpable` to 1.
    call(number::PRCTL, PR_SET_DUMPABLE, NOT_DUMPABLE, 0, 0);
    // SAFETY: the kernel puts argc first.
    let count = unsafe { *stack };
    let argv = stack.wrapping_add(1).cast::<*const u8>();
    let argument = |index: usize| -> *const u8 {
        // SAFETY: every index used is below `count`, checked first.
        unsafe { *argv.wrapping_add(index) }
    };
    if count < 4 || !is_marked(argument(0)) {
        exit(NOT_FOUND);
    }
    let mode = mode(argument(1));
    let environment = argv.wrapping_add(count + 1);
    if mode.die_with_parent {
        call(number::PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
    }
    call(number::FCNTL, mode.error as usize, F_SETFD, FD_CLOEXEC, 0);
    if mode.rest {
        rest(&mode);
    }
    if mode.init {
        stay(&mode, argument(2), argv.wrapping_add(3), environment);
    }
    execute(&mode, argument(2), argv.wrapping_add(3), environment)
}

/// Becomes the program, or reports why not.
fn execute(mode: &Mode, path: *const u8, argv: *const *const u8, environment: *const *const u8) -> ! {
    let nothing = 0_u64;
    call(number::RT_SIGPROCMASK, SIG_SETMASK, &raw const nothing as usize, 0, SIGSET_SIZE);
    let errno = -call(number::EXECVE, path as usize, argv as usize, environment as usize, 0);
    let report = errno as i32;
    call(number::WRITE, mode.error as usize, &raw const report as usize, size_of::<i32>(), 0);
    exit(if errno == ENOENT { NOT_FOUND } else { NOT_EXECUTABLE })
}

/// Starts the program as a child and remains as the init of the container.
fn stay(mode: &Mode, path: *const u8, argv: *const *const u8, environment: *const *const u8) -> ! {
    // Blocked before the fork: no signal is lost while there is no child to pass it on to, and the child may take the
    // terminal without being stopped by TTOU. A blocked signal is queued even if its default is to be ignored.
    let set = PASSED_ON;
    let set = &raw const set as usize;
    call(number::RT_SIGPROCMASK, SIG_SETMASK, set, 0, SIGSET_SIZE);

    let child = call(number::CLONE, SIGCHLD, 0, 0, 0);
    if child == 0 {
        call(number::SETPGID, 0, 0, 0, 0);
        let group = call(number::GETPID, 0, 0, 0, 0) as i32;
        // Fails if standard input is not a terminal, or not one that we may give away; nothing needs to be done then.
        call(number::IOCTL, 0, TIOCSPGRP, &raw const group as usize, 0);
        // Waits until process 1 is as the program may see it.
        let go_on = bit(GO_ON as u32);
        let nothing = null::<u8>() as usize;
        call(number::RT_SIGTIMEDWAIT, &raw const go_on as usize, nothing, nothing, SIGSET_SIZE);
        execute(mode, path, argv, environment);
    }
    if child < 0 {
        let report = -child as i32;
        call(number::WRITE, mode.error as usize, &raw const report as usize, size_of::<i32>(), 0);
        exit(NOT_EXECUTABLE);
    }
    // Only the child's copies may keep a reader waiting: of the errno, and of the descriptors passed to the program.
    call(number::CLOSE, mode.error as usize, 0, 0, 0);
    call(number::CLOSE_RANGE, FIRST_BEYOND_STANDARD, u32::MAX as usize, 0, 0);
    // It has nothing left to protect, and tools in a container read about process 1 (`/proc/1/environ`,
    // `/proc/1/root`).
    call(number::PRCTL, PR_SET_DUMPABLE, DUMPABLE, 0, 0);
    call(number::KILL, child as usize, GO_ON, 0, 0);
    loop {
        let signal = call(number::RT_SIGTIMEDWAIT, set, null_mut::<u8>() as usize, null::<u8>() as usize, SIGSET_SIZE);
        if signal == SIGCHLD as isize {
            reap(child);
        } else if signal > 0 {
            call(number::KILL, child as usize, signal as usize, 0, 0);
        }
    }
}

/// Runs no program: reaps orphans until it is told to end.
fn rest(mode: &Mode) -> ! {
    let set = PASSED_ON;
    let set = &raw const set as usize;
    call(number::RT_SIGPROCMASK, SIG_SETMASK, set, 0, SIGSET_SIZE);
    call(number::CLOSE, mode.error as usize, 0, 0, 0);
    call(number::CLOSE_RANGE, FIRST_BEYOND_STANDARD, u32::MAX as usize, 0, 0);
    // As init does: it has nothing left to protect.
    call(number::PRCTL, PR_SET_DUMPABLE, DUMPABLE, 0, 0);
    loop {
        let signal = call(number::RT_SIGTIMEDWAIT, set, null_mut::<u8>() as usize, null::<u8>() as usize, SIGSET_SIZE);
        if signal == SIGCHLD as isize {
            // No child of its own ends it.
            reap(-1);
        } else if signal > 0 && ENDING & bit(signal as u32) != 0 {
            exit(0);
        }
    }
}

/// Reaps everything that has ended, and ends like `child` if it was among them; the kernel kills the rest then.
fn reap(child: isize) {
    loop {
        let mut status = 0_i32;
        let ended = call(number::WAIT4, usize::MAX, &raw mut status as usize, WNOHANG, 0);
        if ended <= 0 {
            return;
        }
        if ended == child {
            let signal = status & 0x7f;
            exit(if signal == 0 { (status >> 8) & 0xff } else { 128 + signal } as usize);
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(NOT_EXECUTABLE)
}
