//! The tests interpret the program; one installs it.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use rustix::net::{AddressFamily, SocketType};

use super::*;
use crate::types::capability::DEFAULT;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allow,
    Errno(i32),
}
use crate::types::json;
use Verdict::{Allow, Errno};

const EPERM: Verdict = Errno(libc::EPERM);
const ENOSYS: Verdict = Errno(libc::ENOSYS);

const CLONE_NEWUSER: u64 = 0x1000_0000;
const SIGCHLD: u64 = 17;
/// Bits above an int, which the kernel ignores and a filter must ignore too.
const HIGH: u64 = 1 << 32;

/// From the name of a call to its number.
type Table = fn(&str) -> Option<u32>;

/// The kinds of calls of this host: the kernel's number and the table.
#[cfg(target_arch = "x86_64")]
const KINDS: [(u32, Table); 2] = [
    (0xc000_003e, |name| syscalls::x86_64::Sysno::from_str(name).ok().map(|call| call as u32)),
    (0x4000_0003, |name| syscalls::x86::Sysno::from_str(name).ok().map(|call| call as u32)),
];
#[cfg(target_arch = "aarch64")]
const KINDS: [(u32, Table); 2] = [
    (0xc000_00b7, |name| syscalls::aarch64::Sysno::from_str(name).ok().map(|call| call as u32)),
    (0x4000_0028, |name| syscalls::arm::Sysno::from_str(name).ok().map(|call| call as u32)),
];

/// The data that the kernel passes to a filter (struct seccomp_data), word by word.
fn data(arch: u32, number: u32, arguments: [u64; 3]) -> Vec<u32> {
    let mut words = vec![number, arch, 0, 0];
    for argument in arguments.into_iter().chain([0; 3]) {
        words.push(u32::try_from(argument & 0xffff_ffff).unwrap());
        words.push(u32::try_from(argument >> 32).unwrap());
    }
    words
}

/// Runs the program as the kernel does; also counts the words of arguments that it reads.
fn interpret(program: &[sock_filter], data: &[u32]) -> (Verdict, usize) {
    let (mut accumulator, mut at, mut looked) = (0_u32, 0_usize, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        let jump = |condition: bool| usize::from(if condition { jt } else { jf });
        at += 1;
        match code {
            0x20 => {
                assert_eq!(k % 4, 0);
                looked += usize::from(k >= 16);
                accumulator = data[usize::try_from(k).unwrap() / 4];
            }
            0x54 => accumulator &= k,
            0x05 => at += usize::try_from(k).unwrap(),
            0x15 => at += jump(accumulator == k),
            0x25 => at += jump(accumulator > k),
            0x35 => at += jump(accumulator >= k),
            0x06 => {
                let verdict = match k & 0xffff_0000 {
                    SECCOMP_RET_ALLOW => Allow,
                    libc::SECCOMP_RET_ERRNO => Errno(i32::try_from(k & 0xffff).unwrap()),
                    other => panic!("unexpected return {other:#x}"),
                };
                return (verdict, looked);
            }
            other => panic!("unexpected instruction {other:#x}"),
        }
    }
}

fn caps(names: &[&str]) -> CapSet {
    CapSet::from_names(names.iter().copied()).unwrap()
}

/// Checks a call in each kind of calls that has it; at least one must have it.
fn check(capabilities: CapSet, name: &str, arguments: [u64; 3], expected: Verdict) {
    let filter = filter(capabilities);
    let mut seen = 0;
    for (arch, table) in KINDS {
        let Some(number) = table(name) else { continue };
        let (verdict, _) = interpret(&filter, &data(arch, number, arguments));
        assert_eq!(verdict, expected, "{name}{arguments:x?} by {arch:#x} with {capabilities:?}");
        seen += 1;
    }
    assert_ne!(seen, 0, "no kind of calls has {name}");
}

#[test]
fn default_filter_is_not_even_copied() {
    assert!(matches!(filter(caps(&DEFAULT)), Cow::Borrowed(_)));
    assert!(matches!(filter(CapSet::EMPTY), Cow::Borrowed(_)));
    assert!(BASE.len() < 1024, "{} instructions", BASE.len());
}

#[test]
fn everyday_calls_are_allowed_without_a_look_at_their_arguments() {
    let filter = filter(caps(&DEFAULT));
    let everyday = [
        "read",
        "write",
        "openat",
        "openat2",
        "close",
        "mmap",
        "execve",
        "exit_group",
        "wait4",
        "futex",
        "epoll_pwait",
        "chroot",
        "ptrace",
        "process_vm_readv",
        "mknodat",
        "setgroups",
        "capset",
        "prctl",
        "seccomp",
        "rt_sigtimedwait",
        "socketcall",
        "accept4",
        "connect",
        "sendmsg",
        "statx",
        "inotify_init1",
        "memfd_create",
        "close_range",
        "rseq",
        "cachestat",
        "mseal",
        "statmount",
        "listmount",
        "setxattrat",
        "getxattrat",
        "listxattrat",
        "removexattrat",
        "map_shadow_stack",
        "futex_wait",
        "futex_wake",
        "futex_requeue",
        "fchmodat2",
        "landlock_create_ruleset",
        "clock_adjtime64",
        "timerfd_settime64",
        "arch_prctl",
    ];
    for name in everyday {
        for (arch, table) in KINDS {
            let Some(number) = table(name) else { continue };
            // The kernel's bitmap contains a constant answer, but no answer that depends on an argument.
            assert_eq!(interpret(&filter, &data(arch, number, [0; 3])), (Allow, 0), "{name} by {arch:#x}");
        }
    }
}

#[test]
fn unknown_calls_do_not_exist() {
    let filter = filter(caps(&DEFAULT));
    for (arch, _) in KINDS {
        for number in [999, 0x0001_0000, 0x3fff_ffff, u32::MAX] {
            assert_eq!(interpret(&filter, &data(arch, number, [0; 3])).0, ENOSYS, "{number}");
        }
    }
    // x32: the host's own arch value, numbers from 0x40000000 on (write, execve, ptrace of x32).
    for number in [1, 59, 520, 521, 101] {
        assert_eq!(interpret(&filter, &data(KINDS[0].0, 0x4000_0000 | number, [0; 3])).0, ENOSYS, "{number}");
    }
    // Any other kind of calls.
    assert_eq!(interpret(&filter, &data(0xc000_0016, 1, [0; 3])).0, ENOSYS);
    check(caps(&DEFAULT), "clone3", [0; 3], ENOSYS);
    check(caps(&DEFAULT), "vm86", [0; 3], ENOSYS);
}

#[test]
fn dangerous_calls_are_not_permitted() {
    let refused = [
        "keyctl",
        "add_key",
        "request_key",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "userfaultfd",
        "vmsplice",
        "perf_event_open",
        "bpf",
        "mount",
        "umount2",
        "pivot_root",
        "setns",
        "fsopen",
        "fsmount",
        "fsconfig",
        "fspick",
        "open_tree",
        "open_tree_attr",
        "move_mount",
        "mount_setattr",
        "kexec_load",
        "kexec_file_load",
        "swapon",
        "swapoff",
        "reboot",
        "acct",
        "init_module",
        "finit_module",
        "delete_module",
        "iopl",
        "ioperm",
        "open_by_handle_at",
        "settimeofday",
        "clock_settime",
        "clock_settime64",
        "stime",
        "syslog",
        "quotactl",
        "quotactl_fd",
        "sethostname",
        "setdomainname",
        "fanotify_init",
        "mbind",
        "kcmp",
        "pidfd_getfd",
        "process_madvise",
        "vhangup",
    ];
    for name in refused {
        check(caps(&DEFAULT), name, [0; 3], EPERM);
    }
}

#[test]
fn new_namespaces_are_not_permitted() {
    let default = caps(&DEFAULT);
    for flag in [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, CLONE_NEWUSER, 0x2000_0000, 0x4000_0000_u64] {
        check(default, "clone", [flag | SIGCHLD, 0, 0], EPERM);
        check(default, "clone", [HIGH | flag, 0, 0], EPERM);
        check(default, "unshare", [flag, 0, 0], EPERM);
        check(default, "unshare", [HIGH | flag | 0x200, 0, 0], EPERM);
    }
    check(default, "unshare", [0x80, 0, 0], EPERM);
    // fork, a thread, vfork; unshare of the working directory and of the descriptor table.
    for flags in [SIGCHLD, 0x003d_0f00, 0x4111] {
        check(default, "clone", [flags, 0, 0], Allow);
        check(default, "clone", [HIGH | flags, 0, 0], Allow);
    }
    check(default, "unshare", [0x600, 0, 0], Allow);
    check(caps(&["CAP_SYS_ADMIN"]), "clone", [CLONE_NEWUSER | SIGCHLD, 0, 0], Allow);
    check(caps(&["CAP_SYS_ADMIN"]), "unshare", [CLONE_NEWUSER, 0, 0], Allow);
    check(caps(&["CAP_SYS_ADMIN"]), "clone3", [0; 3], Allow);
}

#[test]
fn sockets_are_of_the_families_that_containers_need() {
    let (default, raw) = (caps(&DEFAULT), caps(&["CAP_NET_RAW"]));
    for call in ["socket", "socketpair"] {
        for family in 0..64 {
            let expected = if [1, 2, 10, 16].contains(&family) { Allow } else { EPERM };
            check(default, call, [family, 1, 0], expected);
            check(default, call, [HIGH | family, 1, 0], expected);
            check(raw, call, [family, 1, 0], if family == 17 { Allow } else { expected });
        }
        // AF_ALG, with all capabilities (safety.md X11).
        check(caps(&["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW"]), call, [38, 5, 0], EPERM);
    }
}

#[test]
fn terminals_take_no_input_from_programs() {
    let default = caps(&DEFAULT);
    for request in [0x5412, 0x541c] {
        check(default, "ioctl", [0, request, 0], EPERM);
        check(default, "ioctl", [0, HIGH | request, 0], EPERM);
    }
    // TCGETS, TIOCGWINSZ, TIOCSPGRP, FICLONE.
    for request in [0x5401, 0x5413, 0x5410, 0x4004_9409] {
        check(default, "ioctl", [0, request, 0], Allow);
    }
}

#[test]
fn personality_has_five_values() {
    for value in [0, 8, 0x0002_0000, 0x0002_0008, 0xffff_ffff] {
        check(caps(&DEFAULT), "personality", [value, 0, 0], Allow);
    }
    // ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO.
    for value in [0x0004_0000, 0x0040_0000, 0x0010_0000, 0x0040_0008] {
        check(caps(&DEFAULT), "personality", [value, 0, 0], EPERM);
    }
}

#[test]
fn capabilities_open_their_own_calls_and_no_others() {
    let opened = [
        (
            "CAP_SYS_ADMIN",
            &["mount", "setns", "pivot_root", "fsopen", "sethostname", "bpf", "perf_event_open", "syslog"][..],
        ),
        ("CAP_SYS_PTRACE", &["kcmp", "pidfd_getfd", "process_madvise"]),
        ("CAP_SYS_NICE", &["mbind", "set_mempolicy"]),
        ("CAP_SYS_TIME", &["settimeofday", "clock_settime", "clock_settime64"]),
        ("CAP_SYSLOG", &["syslog"]),
        ("CAP_SYS_MODULE", &["init_module", "finit_module", "delete_module"]),
        ("CAP_SYS_RAWIO", &["iopl", "ioperm"]),
        ("CAP_BPF", &["bpf"]),
        ("CAP_PERFMON", &["perf_event_open"]),
        ("CAP_SYS_BOOT", &["reboot"]),
        ("CAP_SYS_PACCT", &["acct"]),
        ("CAP_SYS_TTY_CONFIG", &["vhangup"]),
        ("CAP_DAC_READ_SEARCH", &["open_by_handle_at"]),
    ];
    let all: BTreeSet<&str> = opened.iter().flat_map(|(_, calls)| calls.iter().copied()).collect();
    for (capability, calls) in opened {
        for call in &all {
            check(caps(&[capability]), call, [0; 3], if calls.contains(call) { Allow } else { EPERM });
        }
        for never in ["keyctl", "io_uring_setup", "userfaultfd", "vmsplice", "kexec_load"] {
            check(caps(&[capability]), never, [0; 3], EPERM);
        }
    }
}

/// A call that a new version of the crate adds to the tables must be put into a group, or it silently stays ENOSYS.
#[test]
fn every_known_call_is_in_a_group() {
    let profile: serde_json::Value = json::from_str(include_str!("../../../config/seccomp.json")).unwrap();
    let calls = profile["groups"].as_array().unwrap().iter().flat_map(|group| group["calls"].as_array().unwrap());
    let named: BTreeSet<&str> = calls.map(|call| call.as_str().unwrap()).collect();
    macro_rules! names {
        ($architecture:ident) => {
            (0..syscalls::$architecture::Sysno::table_size())
                .filter_map(syscalls::$architecture::Sysno::new)
                .map(|call| call.name().trim_start_matches("r#"))
        };
    }
    let known = names!(x86_64).chain(names!(x86)).chain(names!(aarch64)).chain(names!(arm));
    let forgotten: Vec<&str> = known.filter(|call| !named.contains(call)).collect();
    assert_eq!(forgotten, Vec::<&str>::new());
}

#[test]
fn kernel_takes_the_filter_and_keeps_to_it() {
    // A filter applies to one thread, and ends with it.
    let thread = std::thread::spawn(|| {
        rustix::thread::set_no_new_privs(true).unwrap();
        install(&filter(caps(&DEFAULT))).unwrap();
        let socket = |family| rustix::net::socket(AddressFamily::from_raw(family), SocketType::STREAM, None).err();
        assert_eq!(socket(1), None);
        assert_eq!(socket(2), None);
        assert_eq!(socket(38), Some(rustix::io::Errno::PERM));
        assert_eq!(socket(40), Some(rustix::io::Errno::PERM));
        assert_eq!(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER), Err(nix::errno::Errno::EPERM));
        assert_eq!(nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS), Ok(()));
        // Libraries start threads with clone3, or with clone if that does not exist.
        assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
        let output = std::process::Command::new("/bin/sh").args(["-c", "echo $((6 * 7))"]).output().unwrap();
        assert_eq!(output.stdout, b"42\n");
    });
    thread.join().unwrap();
}

/// Compiles a profile in the format of the runtime spec.
fn compiled(profile: serde_json::Value) -> Vec<sock_filter> {
    compile(&serde_json::from_value(profile).unwrap()).unwrap()
}

/// The outcome of a native call.
fn asked(program: &[sock_filter], name: &str, arguments: [u64; 3]) -> Verdict {
    let (arch, table) = KINDS[0];
    interpret(program, &data(arch, table(name).unwrap(), arguments)).0
}

#[test]
fn conditions_of_a_profile_compare_all_bits_without_sign() {
    let values = [0, 1, 5, 6, HIGH, HIGH | 5, HIGH | 6, 5 << 32, u64::MAX, u64::MAX - 1];
    type Holds = fn(u64, u64) -> bool;
    let operators: [(&str, Holds); 6] = [
        ("EQ", |a, b| a == b),
        ("NE", |a, b| a != b),
        ("LT", |a, b| a < b),
        ("LE", |a, b| a <= b),
        ("GT", |a, b| a > b),
        ("GE", |a, b| a >= b),
    ];
    for (operator, holds) in operators {
        for with in values {
            let rule = serde_json::json!({ "index": 1, "value": with, "op": format!("SCMP_CMP_{operator}") });
            let program = compiled(serde_json::json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{ "names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [rule] }],
            }));
            for value in values {
                let expected = if holds(value, with) { Allow } else { EPERM };
                assert_eq!(asked(&program, "ioctl", [0, value, 0]), expected, "{value:#x} {operator} {with:#x}");
            }
        }
    }
    let (mask, value) = (0xff_0000_00ff_u64, 0x12_0000_0034_u64);
    let masked = serde_json::json!({ "index": 0, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ" });
    let program = compiled(serde_json::json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{ "names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [masked] }],
    }));
    assert_eq!(asked(&program, "clone", [0xaa12_bbbb_bb34, 0, 0]), Allow);
    assert_eq!(asked(&program, "clone", [0xaa12_bbbb_bb35, 0, 0]), EPERM);
    assert_eq!(asked(&program, "clone", [0xaa13_bbbb_bb34, 0, 0]), EPERM);
}

#[test]
fn rules_of_a_profile_are_libseccomp_s() {
    let is = |index: u8, value: u64| serde_json::json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" });
    let program = compiled(serde_json::json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "syscalls": [
            // All conditions hold, or, on one argument, any.
            { "names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [is(0, 1), is(1, 2)] },
            { "names": ["fcntl"], "action": "SCMP_ACT_ALLOW", "args": [is(1, 3), is(1, 4)] },
            // A rule without a condition counts first.
            { "names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9, "args": [is(0, 1)] },
            { "names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW" },
        ],
    }));
    for (name, arguments, verdict) in [
        ("ioctl", [1, 2, 0], Allow),
        ("ioctl", [1, 3, 0], ENOSYS),
        ("ioctl", [0, 2, 0], ENOSYS),
        ("fcntl", [0, 3, 0], Allow),
        ("fcntl", [0, 4, 0], Allow),
        ("fcntl", [0, 5, 0], ENOSYS),
        ("read", [1, 0, 0], Allow),
        ("write", [1, 0, 0], ENOSYS),
    ] {
        assert_eq!(asked(&program, name, arguments), verdict, "{name}{arguments:?}");
    }
    // Calls of other kinds, and x32, are refused whatever the profile says about others.
    let open = compiled(serde_json::json!({ "defaultAction": "SCMP_ACT_ALLOW" }));
    let (native, _) = KINDS[0];
    assert_eq!(interpret(&open, &data(native, 0, [0; 3])).0, Allow);
    assert_eq!(interpret(&open, &data(native, 0x4000_0000, [0; 3])).0, ENOSYS);
    assert_eq!(interpret(&open, &data(native, u32::MAX, [0; 3])).0, ENOSYS);
    assert_eq!(interpret(&open, &data(KINDS[1].0, 0, [0; 3])).0, ENOSYS);
    assert_eq!(interpret(&open, &data(0xc000_00f3, 0, [0; 3])).0, ENOSYS);
}

/// More ranges than a jump within one instruction can span.
#[test]
fn a_profile_may_be_about_every_second_call() {
    let (_, table) = KINDS[0];
    let names: Vec<&str> = tables::kinds(std::env::consts::ARCH).unwrap()[0].calls.keys().copied().collect();
    let syscalls: Vec<_> = names
        .iter()
        .filter(|name| table(name).is_some_and(|number| number % 2 == 0))
        .map(|name| {
            let errno = table(name).unwrap() + 1;
            serde_json::json!({ "names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": errno })
        })
        .collect();
    assert!(syscalls.len() > 150);
    let program = compiled(serde_json::json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls }));
    for name in names {
        let Some(number) = table(name) else { continue };
        let expected = if number % 2 == 0 { Errno(i32::try_from(number + 1).unwrap()) } else { Allow };
        assert_eq!(asked(&program, name, [0; 3]), expected, "{name}");
    }
}

#[test]
fn profiles_that_cannot_be_compiled_say_why() {
    for (profile, error) in [
        (
            serde_json::json!({ "defaultAction": "SCMP_ACT_NOTIFY" }),
            "the seccomp profile is not supported: it uses SCMP_ACT_NOTIFY, which needs a process that answers",
        ),
        (
            serde_json::json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 70000 }),
            "the seccomp profile is invalid: 70000 is not an errno",
        ),
        (
            serde_json::json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{
                "names": ["read"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{ "index": 6, "value": 0, "op": "SCMP_CMP_EQ" }],
            }]}),
            "the seccomp profile is invalid: a call has no argument 6; they are counted from 0 to 5",
        ),
    ] {
        let profile = serde_json::from_value(profile).unwrap();
        assert_eq!(compile(&profile).map(drop).map_err(|error| error.to_string()), Err(error.to_owned()));
    }
}
