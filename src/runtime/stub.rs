//! A container's process executes its program through the stub, a static file of about a kilobyte inside rc, so that
//! `/proc/self/exe` and `/proc/PID/exe` never name rc (CVE-2019-5736).
//!
//! `stub/stub.rs` describes what the stub does and its arguments. It runs from a sealed memfd, which no process can
//! write to, rc included; if the kernel forbids that (`vm.memfd_noexec=2`), from a file on a read-only tmpfs of our
//! own.
//!
//! An execve makes a process dumpable again, and then others in the container could inspect it and take its descriptors
//! (pidfd_getfd(2)), the monitor's socket among them. If the process may execute a file but not read it, the kernel
//! keeps the process not dumpable from its first instruction on (fs/exec.c, `would_dump`;
//! `BINPRM_FLAGS_ENFORCE_NONDUMP`). So the stub's file has mode 0111, and root gives up its effective capabilities,
//! CAP_DAC_OVERRIDE among them, just before: the permitted ones stay, and the execve computes root's effective ones
//! from the bounding set again. A process with CAP_SYS_PTRACE (`--cap-add`) may inspect it all the same: it can take
//! the socket, and the monitor must not wait for the socket's end alone.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::fcntl::AtFlags;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::{Errno, FdFlags};
use rustix::mount::MountAttrFlags;

use crate::sys::fs::plain;
use crate::sys::mount::{self, Parameter};
use crate::sys::signal;
use crate::types::{Report, ReportKind};

/// The stub itself; `build/stub.rs` makes it.
static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stub"));

/// The process that runs it may not read it.
const MODE: Mode = Mode::XUSR.union(Mode::XGRP).union(Mode::XOTH);

/// argv[0] of the stub; no `#!` line can hold a newline.
const MARK: &CStr = c"\nrc-stub";

/// Why no executable descriptor of the stub could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel refuses executable memory files (`vm.memfd_noexec=2`).
    #[error("the kernel forbids executing memory files (vm.memfd_noexec is 2)")]
    Forbidden,
    /// A step failed.
    #[error("cannot {step} the stub: {}", plain(.source))]
    Step {
        /// What was tried, as an infinitive.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Forbidden => ReportKind::Denied,
            Error::Step { ref source, .. } => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string())
    }
}

/// Names the step of an errno.
fn step(step: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::Step { step, source: errno.into() }
}

/// What the stub becomes, and how.
#[derive(Debug)]
pub(crate) struct Stub<'a> {
    /// The program's path, absolute as the process sees it.
    pub(crate) program: &'a CStr,
    /// The program's arguments, its own name first.
    pub(crate) arguments: &'a [CString],
    /// The program's environment, `NAME=value`.
    pub(crate) environment: &'a [CString],
    /// A failed execve writes its errno here, an i32 in native order; closed if it succeeds. It must be above 2.
    pub(crate) report: Option<BorrowedFd<'a>>,
    /// Whether the kernel kills the process when its parent dies. The stub sets that again because the last change of
    /// IDs clears it.
    pub(crate) dies_with_parent: bool,
    /// What remains of the stub.
    pub(crate) role: Role,
}

/// What the process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It becomes the program.
    Program,
    /// It stays as the init of its pid namespace, passes on signals and reaps orphans (`--init`).
    Init,
    /// It runs no program, and reaps orphans until a signal asks for its end.
    Rest,
}

/// Creates an executable descriptor of the stub, close-on-exec: a sealed memory file, or, if those may not be executed
/// (`vm.memfd_noexec=2`), a file without a name on a read-only tmpfs.
///
/// The second way needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace.
pub(crate) fn executable() -> Result<OwnedFd, Error> {
    match memfd() {
        Err(Error::Forbidden) => on_tmpfs(),
        other => other,
    }
}

/// A file on a tmpfs that is mounted nowhere, and is freed with its last descriptor and process.
fn on_tmpfs() -> Result<OwnedFd, Error> {
    let parameters = [Parameter::Value("size", "16k"), Parameter::Value("mode", "0755")];
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let failed = |source| Error::Step { step: "create a filesystem for", source };
    let root = mount::new_filesystem("tmpfs", &parameters, attributes).map_err(failed)?;
    let file = file(root.as_fd())?;
    mount::set_attributes(root.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, false).map_err(failed)?;
    Ok(file)
}

/// Creates a sealed memory file of the stub, close-on-exec, in about 10 µs.
///
/// Fails with `Forbidden` if the kernel lets no memory file be executed.
/// Source: `memfd_create(2)`; kernel `userspace-api/mfd_noexec.rst`.
fn memfd() -> Result<OwnedFd, Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // MFD_EXEC needs Linux 6.3; older kernels make every memory file executable.
    let made = rustix::fs::memfd_create(c"rc-stub", flags | MemfdFlags::EXEC).or_else(|errno| match errno {
        Errno::INVAL => rustix::fs::memfd_create(c"rc-stub", flags),
        errno => Err(errno),
    });
    let memfd = made.map_err(|errno| match errno {
        Errno::ACCESS => Error::Forbidden,
        errno => step("create a memory file for")(errno),
    })?;
    fill(&memfd)?;
    rustix::fs::fchmod(&memfd, MODE).map_err(step("set the mode of"))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&memfd, seals).map_err(step("seal"))?;
    Ok(memfd)
}

/// Writes the stub as a file into `directory`, the root of an empty filesystem that only this process has, and opens
/// it to be executed, close-on-exec.
fn file(directory: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let name = c"stub";
    let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let writable = rustix::fs::openat(directory, name, create, Mode::WUSR).map_err(step("create"))?;
    fill(&writable)?;
    rustix::fs::fchmod(&writable, MODE).map_err(step("set the mode of"))?;
    // A file that is open for writing cannot be executed (ETXTBSY).
    drop(writable);
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(step("open"))
}

/// Writes the whole stub.
fn fill(file: &OwnedFd) -> Result<(), Error> {
    let mut rest = IMAGE;
    while !rest.is_empty() {
        let written = rustix::io::write(file, rest).map_err(step("write"))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Executes the stub from `executable`; it becomes the program. Returns only if that failed, with the errno of the
/// step.
///
/// This clears the close-on-exec flag of `report`; the stub sets it again. If it failed, this process has lost its
/// effective capabilities; the execve of the program computes the program's own.
pub(crate) fn exec(executable: BorrowedFd<'_>, stub: &Stub<'_>) -> Result<Infallible, Errno> {
    if let Some(report) = stub.report {
        rustix::io::fcntl_setfd(report, FdFlags::empty())?;
    }
    // The stub, too, must not ignore any as init: without CHLD the kernel would drop the exit codes of children.
    signal::set_defaults(signal::ignored());
    become_unreadable()?;
    let mode = stub.mode();
    let mut arguments: Vec<&CStr> = Vec::with_capacity(stub.arguments.len() + 3);
    arguments.extend([MARK, mode.as_c_str(), stub.program]);
    arguments.extend(stub.arguments.iter().map(CString::as_c_str));
    nix::unistd::execveat(executable, c"", &arguments, stub.environment, AtFlags::AT_EMPTY_PATH)
        .map_err(|errno| Errno::from_raw_os_error(errno as i32))
}

/// Makes the coming execve end in a process that is not dumpable.
///
/// The permitted capabilities stay: with `no_new_privs` an execve grants none that were not permitted before
/// (security/commoncap.c, `cap_bprm_creds_from_file`). The last change of IDs has made this process dumpable if the
/// administrator has set `fs.suid_dumpable` to 1 (kernel/cred.c, `commit_creds`).
fn become_unreadable() -> Result<(), Errno> {
    let mut capabilities = rustix::thread::capabilities(None)?;
    if !capabilities.effective.is_empty() {
        capabilities.effective = rustix::thread::CapabilitySet::empty();
        rustix::thread::set_capabilities(None, capabilities)?;
    }
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
}

impl Stub<'_> {
    /// argv[1]: letters and a number.
    fn mode(&self) -> CString {
        let parent = if self.dies_with_parent { "p" } else { "" };
        let role = match self.role {
            Role::Program => "",
            Role::Init => "i",
            Role::Rest => "r",
        };
        let report = self.report.map(|fd| fd.as_raw_fd().to_string()).unwrap_or_default();
        CString::new(format!("{parent}{role}{report}")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
