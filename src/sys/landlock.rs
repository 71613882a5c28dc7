//! Landlock: what a process gives up by itself, for good. Source: landlock(7).
#![expect(unsafe_code, reason = "the system calls of landlock(7) have no safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{FileType, Mode, OFlags, fstat};

/// `LANDLOCK_CREATE_RULESET_VERSION`.
const VERSION: u32 = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: u32 = 1;
/// `LANDLOCK_RULE_NET_PORT`.
const NET_PORT: u32 = 2;
/// `LANDLOCK_ACCESS_FS_READ_FILE`, `LANDLOCK_ACCESS_FS_READ_DIR`.
const READ: u64 = 1 << 2 | 1 << 3;
/// `LANDLOCK_ACCESS_FS_EXECUTE`.
const EXECUTE: u64 = 1;
/// `LANDLOCK_ACCESS_FS_WRITE_FILE`, `LANDLOCK_ACCESS_FS_READ_FILE`.
const READ_AND_WRITE: u64 = 1 << 1 | 1 << 2;
/// The rights of these that are for files; the kernel takes no other at what is no directory.
const OF_FILES: u64 = EXECUTE | READ_AND_WRITE;
/// `LANDLOCK_ACCESS_NET_BIND_TCP`, `LANDLOCK_ACCESS_NET_CONNECT_TCP`.
const NET: u64 = 1 | CONNECT_TCP;
/// `LANDLOCK_ACCESS_NET_CONNECT_TCP`.
const CONNECT_TCP: u64 = 1 << 1;
/// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET`, `LANDLOCK_SCOPE_SIGNAL`.
const SCOPE: u64 = 1 | 1 << 1;

/// `struct landlock_ruleset_attr`.
#[repr(C)]
struct Ruleset {
    fs: u64,
    net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// `struct landlock_net_port_attr`.
#[repr(C)]
struct NetPort {
    allowed: u64,
    port: u64,
}

/// What a process may still do.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    /// Read these files, and what is beneath these directories. A missing one is none.
    pub(crate) readable: Vec<PathBuf>,
    /// Read and execute what is beneath these directories.
    pub(crate) executable: Vec<PathBuf>,
    /// Read and write these files.
    pub(crate) writable: Vec<PathBuf>,
    /// Connect to this port by TCP.
    pub(crate) port: Option<u16>,
}

/// From now on this process, and those that it forks, can do nothing with files and TCP but what is `allowed`, and
/// signal and reach by abstract sockets only each other. What is open stays so. The process must have given up gaining
/// privileges.
///
/// Restricts what this kernel can: nothing without Landlock, files since 5.13, TCP since 6.7, the rest since 6.12.
pub(crate) fn restrict(allowed: &Allowed) -> io::Result<()> {
    let handled = match version() {
        0 => return Ok(()),
        1 => Ruleset { fs: 0x1fff, net: 0, scoped: 0 },
        2 => Ruleset { fs: 0x3fff, net: 0, scoped: 0 },
        3 => Ruleset { fs: 0x7fff, net: 0, scoped: 0 },
        4 => Ruleset { fs: 0x7fff, net: NET, scoped: 0 },
        5 => Ruleset { fs: 0xffff, net: NET, scoped: 0 },
        _ => Ruleset { fs: 0xffff, net: NET, scoped: SCOPE },
    };
    // Older kernels accept the longer structure if what they do not know is zero (copy_struct_from_user).
    // SAFETY: the kernel reads one structure of the size that it is told.
    let created =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size_of::<Ruleset>(), 0) };
    let number = i32::try_from(checked(created)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made the descriptor, which nothing else owns; it is close-on-exec.
    let rules = unsafe { OwnedFd::from_raw_fd(number) };
    let with = |paths, access| std::iter::repeat(access).zip(paths);
    let readable = with(allowed.readable.iter(), READ);
    let executable = with(allowed.executable.iter(), READ | EXECUTE);
    for (access, path) in readable.chain(executable).chain(with(allowed.writable.iter(), READ_AND_WRITE)) {
        let Ok(parent) = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else { continue };
        let access = match FileType::from_raw_mode(fstat(&parent)?.st_mode) {
            FileType::Directory => access,
            FileType::RegularFile | FileType::CharacterDevice => access & OF_FILES,
            _ => continue,
        };
        let rule = PathBeneath { allowed: access, parent: parent.as_raw_fd() };
        match add(&rules, &Rule::Path(rule)) {
            // In no file system that has directories: nobody can open it by a path.
            Err(error) if error.raw_os_error() == Some(libc::EBADFD) => {}
            other => other?,
        }
    }
    if let Some(port) = allowed.port.filter(|_| handled.net != 0) {
        let rule = NetPort { allowed: CONNECT_TCP, port: port.into() };
        add(&rules, &Rule::Port(rule))?;
    }
    // SAFETY: the descriptor is that of a ruleset.
    checked(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) }).map(drop)
}

/// Whether this kernel can restrict files.
#[cfg(test)]
pub(crate) fn is_there() -> bool {
    version() > 0
}

/// The version of the kernel's interface; 0 without Landlock.
fn version() -> i64 {
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel reads no structure, and makes no descriptor.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0usize, VERSION) }.max(0)
}

enum Rule {
    Path(PathBeneath),
    Port(NetPort),
}

fn add(rules: &OwnedFd, rule: &Rule) -> io::Result<()> {
    let (kind, rule) = match rule {
        Rule::Path(path) => (PATH_BENEATH, std::ptr::from_ref(path).cast::<libc::c_void>()),
        Rule::Port(port) => (NET_PORT, std::ptr::from_ref(port).cast()),
    };
    // SAFETY: `rule` is a living structure of this kind, which the kernel only reads.
    checked(unsafe { libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), kind, rule, 0) }).map(drop)
}

fn checked(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
