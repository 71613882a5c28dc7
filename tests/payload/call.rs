//! System calls by number, as a hostile program makes them: without a library, and also as 32-bit and x32 calls.
#![expect(unsafe_code, reason = "a raw system call has no safe wrapper, and a wrapper would hide what is being tested")]

use std::io;

/// Calls that tests use by name; others have numbers.
const NAMES: [(&str, i64); 26] = [
    ("add_key", libc::SYS_add_key),
    ("bpf", libc::SYS_bpf),
    ("chroot", libc::SYS_chroot),
    ("clone", libc::SYS_clone),
    ("clone3", libc::SYS_clone3),
    ("fsopen", libc::SYS_fsopen),
    ("getpid", libc::SYS_getpid),
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("ioctl", libc::SYS_ioctl),
    ("kcmp", libc::SYS_kcmp),
    ("keyctl", libc::SYS_keyctl),
    ("mount", libc::SYS_mount),
    ("open_tree", libc::SYS_open_tree),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("personality", libc::SYS_personality),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("pivot_root", libc::SYS_pivot_root),
    ("process_madvise", libc::SYS_process_madvise),
    ("process_vm_readv", libc::SYS_process_vm_readv),
    ("ptrace", libc::SYS_ptrace),
    ("request_key", libc::SYS_request_key),
    ("setns", libc::SYS_setns),
    ("socket", libc::SYS_socket),
    ("unshare", libc::SYS_unshare),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("vmsplice", libc::SYS_vmsplice),
];

/// Makes each of `calls`, written `NAME,ARGUMENT…`, and prints its result: `ok` or the errno's name.
///
/// A call that would create a child must be one that is refused.
pub(crate) fn each(calls: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    for call in calls {
        let (kind, call) = call.split_once(':').unwrap_or(("native", call));
        let mut words = call.split(',');
        let name = words.next().unwrap_or_default();
        let number = match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, number)) => *number,
            None => name.parse()?,
        };
        let mut arguments = [0_i64; 3];
        for (place, word) in arguments.iter_mut().zip(words) {
            *place = match word.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16)?,
                None => word.parse()?,
            };
        }
        let result = match kind {
            "native" => native(number, arguments),
            "x32" => native(number | 0x4000_0000, arguments),
            "i386" => compat::call(number, arguments)?,
            "i386-socket" => compat::socket(arguments)?,
            _ => return Err("no such kind of calls".into()),
        };
        match result {
            Ok(()) => println!("{name} ok"),
            Err(error) => {
                println!("{name} {:?}", nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default()));
            }
        }
    }
    Ok(())
}

/// `KEY_SPEC_SESSION_KEYRING` of keyctl(2).
const SESSION: i64 = -3;

/// The number of this process' session keyring: KEYCTL_GET_KEYRING_ID.
pub(crate) fn session_keyring() -> io::Result<i64> {
    // SAFETY: takes numbers only.
    let number = unsafe { libc::syscall(libc::SYS_keyctl, 0_i64, SESSION, 0_i64) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
}

/// Creates a new session keyring without a name: KEYCTL_JOIN_SESSION_KEYRING.
pub(crate) fn new_session_keyring() -> io::Result<i64> {
    // SAFETY: the name is null, which means none.
    let number = unsafe { libc::syscall(libc::SYS_keyctl, 1_i64, 0_i64) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
}

/// The word that [`trace`] reads in another process: this program has fixed addresses.
static WORD: u64 = 0x0123_4567_89ab_cdef;

/// Attaches to a child, reads a word of its memory, and kills it, as a debugger does. Source: ptrace(2).
pub(crate) fn trace() -> Result<String, Box<dyn std::error::Error>> {
    let quiet = std::process::Stdio::null();
    let mut child = std::process::Command::new("/proc/self/exe").arg("hang").stdout(quiet).spawn()?;
    let pid = i64::from(child.id());
    for (request, what) in [(0x4206_i64, "seize"), (0x4207, "interrupt")] {
        // SAFETY: PTRACE_SEIZE and PTRACE_INTERRUPT take numbers only.
        if unsafe { libc::syscall(libc::SYS_ptrace, request, pid, 0_i64, 0_i64) } != 0 {
            return Err(format!("{what}: {}", io::Error::last_os_error()).into());
        }
    }
    let stopped = rustix::process::WaitOptions::UNTRACED;
    rustix::process::waitpid(rustix::process::Pid::from_raw(i32::try_from(pid)?), stopped)?;
    let (mut read, expected) = (0_u64, std::hint::black_box(WORD));
    let local = libc::iovec { iov_base: (&raw mut read).cast(), iov_len: size_of::<u64>() };
    let remote = libc::iovec { iov_base: (&raw const WORD).cast_mut().cast(), iov_len: size_of::<u64>() };
    // SAFETY: `local` is this function's own word; the remote address is looked up in the other process.
    let count = unsafe { libc::process_vm_readv(i32::try_from(pid)?, &raw const local, 1, &raw const remote, 1, 0) };
    if count < 0 {
        return Err(format!("process_vm_readv: {}", io::Error::last_os_error()).into());
    }
    child.kill()?;
    child.wait()?;
    Ok(if read == expected { "as expected".to_owned() } else { format!("{read:x}") })
}

/// Makes keyctl(2) fail with `errno` in this process and its children. Source: seccomp(2).
pub(crate) fn refuse_keyctl(errno: u32) -> Result<(), Box<dyn std::error::Error>> {
    let number = u32::try_from(libc::SYS_keyctl)?;
    let statement = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let filter = [
        // Load the number, compare, refuse or allow.
        statement(0x20, 0, 0, 0),
        statement(0x15, 0, 1, number),
        statement(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | errno),
        statement(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: u16::try_from(filter.len())?, filter: filter.as_ptr().cast_mut() };
    rustix::thread::set_no_new_privs(true)?;
    // SAFETY: the program points to as many instructions as it says, which the kernel only reads.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}

/// Adds keys to this process' session keyring until the user may have no more (EDQUOT).
pub(crate) fn fill_session_keyring() -> io::Result<()> {
    for number in 0..100_000 {
        let name = std::ffi::CString::new(format!("rc-test-{number}"))?;
        // SAFETY: two C strings, and a payload of one byte that is there.
        let key = unsafe {
            libc::syscall(libc::SYS_add_key, c"user".as_ptr(), name.as_ptr(), c"x".as_ptr(), 1_usize, SESSION)
        };
        match io::Error::last_os_error() {
            _ if key >= 0 => {}
            error if error.raw_os_error() == Some(libc::EDQUOT) => return Ok(()),
            error => return Err(error),
        }
    }
    Err(io::Error::other("there is no end of keys"))
}

/// Clears the session keyring: KEYCTL_CLEAR.
pub(crate) fn clear_session_keyring() -> io::Result<()> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, 7_i64, SESSION) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn native(number: i64, [a, b, c]: [i64; 3]) -> io::Result<()> {
    // SAFETY: pointers among the arguments are null or wild on purpose; the kernel answers EFAULT, or refuses before it
    // looks. No call that a test names changes this process' memory.
    let result = unsafe { libc::syscall(number, a, b, c, 0_i64, 0_i64, 0_i64) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Calls of the 32-bit architecture, from this 64-bit program.
#[cfg(target_arch = "x86_64")]
mod compat {
    use std::arch::asm;
    use std::io;
    use std::sync::atomic::{AtomicU32, Ordering};

    type Outcome = Result<io::Result<()>, Box<dyn std::error::Error>>;

    /// For `socketcall`, whose arguments must be in memory below 4 GiB: this program is linked to fixed low addresses.
    static ARGUMENTS: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];

    pub(super) fn call(number: i64, arguments: [i64; 3]) -> Outcome {
        let [a, b, c] = arguments;
        let result: i64;
        // SAFETY: as in `native`; the kernel cuts every register to 32 bits. rbx belongs to the compiler, so it is
        // exchanged.
        unsafe {
            asm!("xchg rbx, {a}", "int 0x80", "xchg rbx, {a}", a = inout(reg) a => _, inlateout("rax") number => result,
                in("rcx") b, in("rdx") c, in("rsi") 0_i64, in("rdi") 0_i64,
                lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _);
        }
        let result = u32::try_from(result & 0xffff_ffff)?.cast_signed();
        Ok(if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) })
    }

    /// `socketcall(SYS_SOCKET, …)`, with which 32-bit libraries create a socket.
    pub(super) fn socket(arguments: [i64; 3]) -> Outcome {
        for (place, argument) in ARGUMENTS.iter().zip(arguments) {
            place.store(u32::try_from(argument)?, Ordering::Relaxed);
        }
        let address = i64::try_from(ARGUMENTS.as_ptr().addr())?;
        call(102, [1, address, 0])
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod compat {
    pub(super) fn call(_: i64, _: [i64; 3]) -> Result<std::io::Result<()>, Box<dyn std::error::Error>> {
        Err("only x86_64 can make 32-bit calls from a 64-bit program".into())
    }

    pub(super) fn socket(arguments: [i64; 3]) -> Result<std::io::Result<()>, Box<dyn std::error::Error>> {
        call(0, arguments)
    }
}

/// From now on this process, and what it starts, is on a kernel without the packet filter's socket. The caller is root
/// of its user namespace. Source: seccomp(2), seccomp_unotify(2), netlink(7).
pub(crate) fn deny_netfilter() -> io::Result<()> {
    const AT_NUMBER: u32 = 0;
    const AT_DOMAIN: u32 = 16;
    const AT_PROTOCOL: u32 = 32;
    let filter = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let load = |at: u32| filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    let unless = |value: i64, skipped: u8| {
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, skipped, u32::try_from(value).unwrap_or_default())
    };
    let answer = |action: u32| filter(libc::BPF_RET | libc::BPF_K, 0, 0, action);
    let mut program = [
        load(AT_NUMBER),
        unless(libc::SYS_socket, 5),
        load(AT_DOMAIN),
        unless(libc::AF_NETLINK.into(), 3),
        load(AT_PROTOCOL),
        unless(libc::NETLINK_NETFILTER.into(), 1),
        answer(libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EPROTONOSUPPORT).unwrap_or_default()),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 8, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which lives until the call returns.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
