//! From a prepared process to the program: the last steps, the same for a container's first process and for exec.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use libc::sock_filter;
use oci_spec::runtime::{LinuxPersonality, LinuxPersonalityDomain, LinuxSeccomp, Process};
use rustix::fs::{Mode, OFlags};

use super::caps::{self, CapSet, Identity};
use super::stub::{self, Role, Stub};
use super::sync::{Step as _, cut};
use super::users::{self, ResolvedUser};
use super::{Failure, keyring, mapped, seccomp};
use crate::sys::inherited::Inherited;
use crate::sys::personality::{self, Persona};
use crate::sys::{prctl, process as proc, signal, tty};
use crate::types::{Extras, ReportKind};

/// What remains to be done.
pub(super) struct Program<'a> {
    pub(super) process: &'a Process,
    pub(super) terminal: Terminal<'a>,
    /// Further descriptors, each with the number that the program sees.
    pub(super) descriptors: &'a [Inherited],
    /// What the spec has no field for.
    pub(super) extras: &'a Extras,
    /// The system call filter, if it is not rc's own: `linux.seccomp` of the spec.
    pub(super) profile: Option<&'a LinuxSeccomp>,
    /// The kernel that it sees: `linux.personality` of the spec.
    pub(super) personality: Option<&'a LinuxPersonality>,
    /// rc's own init stays as PID 1.
    pub(super) init: bool,
    pub(super) die_with_parent: bool,
    pub(super) single_id: bool,
    /// Failures are sent here; closed when the program runs.
    pub(super) sync: BorrowedFd<'a>,
}

/// What the program gets as descriptors 0, 1 and 2.
pub(super) enum Terminal<'a> {
    /// These descriptors, and which of them are rc's own pipes.
    None([BorrowedFd<'a>; 3], [bool; 3]),
    /// The program's side of its own terminal.
    Slave(OwnedFd),
}

/// Becomes the program; returns only if a step fails. The container's root is already in place.
pub(super) fn run(program: &Program<'_>) -> Result<Infallible, Failure> {
    let process = program.process;
    let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .step_on("open", "/")?;
    let wanted = process.user().username().as_deref().unwrap_or_default();
    let user = users::look_up(root.as_fd(), wanted, &program.extras.groups).map_err(Failure::of)?;
    mapped::check(&user, &program.extras.groups, program.single_id)?;
    let environment = environment(process, &user)?;
    let arguments = process
        .args()
        .iter()
        .flatten()
        .map(|argument| c_string("argument", argument))
        .collect::<Result<Vec<_>, _>>()?;
    let executable = stub::executable().map_err(Failure::of)?;

    rustix::process::setsid().step("start a session")?;
    standard_descriptors(&program.terminal, &user)?;
    keyring::leave(program.single_id)?;
    rustix::process::umask(Mode::from_raw_mode(process.user().umask().unwrap_or(0o022)));
    if let Some(asked) = program.personality {
        let persona = match asked.domain() {
            LinuxPersonalityDomain::PerLinux => Persona::Linux,
            LinuxPersonalityDomain::PerLinux32 => Persona::Linux32,
        };
        personality::set(persona).step("set the personality")?;
    }
    limits(process)?;
    if process.no_new_privileges().unwrap_or(false) {
        prctl::set_no_new_privs().step("give up new privileges")?;
    }

    let capabilities = process.capabilities().as_ref().and_then(|sets| sets.bounding().clone()).unwrap_or_default();
    let capabilities = CapSet::from_spec(&capabilities).map_err(Failure::of)?;
    caps::limit(capabilities).map_err(Failure::of)?;
    // As long as this process may: it needs CAP_SYS_ADMIN in its user namespace, or no_new_privs.
    if let Some(filter) = filter(program, capabilities)? {
        seccomp::install(&filter).step("install the seccomp filter")?;
    }
    let identity = Identity {
        uid: user.uid,
        gid: user.gid,
        groups: (!program.single_id && !program.extras.keep_groups).then(|| user.additional_gids.clone()),
    };
    let entered = rustix::process::chdir(process.cwd());
    caps::become_user(&identity, capabilities).map_err(Failure::of)?;
    // If `fs.suid_dumpable` is 1, that has made it dumpable.
    prctl::set_dumpable(false).step("protect the process")?;
    stay_in_working_directory(process, entered)?;

    let name = arguments.first().ok_or_else(|| Failure::reason(ReportKind::Invalid, "no command to run"))?;
    let path = if program.extras.rests { name.clone() } else { find_program(name, &environment)? };
    signal::unblock_all().step("unblock signals")?;
    let (executable, report) = place_descriptors(program, executable)?;
    let stub = Stub {
        program: &path,
        arguments: &arguments,
        environment: &environment,
        report: Some(report),
        dies_with_parent: program.die_with_parent,
        role: match program.init {
            _ if program.extras.rests => Role::Rest,
            true => Role::Init,
            false => Role::Program,
        },
    };
    match stub::exec(executable.as_fd(), &stub) {
        Err(errno) => Err(Failure::step("run the stub", &errno.into())),
        Ok(never) => match never {},
    }
}

/// rc's own filter, or the one that the user asked for, if any.
fn filter(program: &Program<'_>, capabilities: CapSet) -> Result<Option<Cow<'static, [sock_filter]>>, Failure> {
    if let Some(profile) = program.profile {
        let compiled = seccomp::compile(profile).map_err(Failure::of)?;
        return Ok(Some(Cow::Owned(compiled)));
    }
    Ok(program.extras.default_filter.then(|| seccomp::filter(capabilities)))
}

/// Closes, at the last execve, everything except the standard descriptors, those that are passed on, and, while the
/// stub runs, the sync socket, which gets the first number after them. Returns the stub and that descriptor.
fn place_descriptors(program: &Program<'_>, executable: OwnedFd) -> Result<(OwnedFd, BorrowedFd<'static>), Failure> {
    let sync = program.descriptors.iter().map(|inherited| inherited.number.saturating_add(1)).max().unwrap_or(3).max(3);
    // First copies all of them to higher numbers, so that placing one does not replace another.
    let above = |fd: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(fd, sync + 1);
    let copies = program
        .descriptors
        .iter()
        .map(|inherited| above(inherited.fd.as_fd()))
        .collect::<Result<Vec<_>, _>>()
        .step("copy a descriptor")?;
    let executable =
        if executable.as_raw_fd() > sync { executable } else { above(executable.as_fd()).step("place the stub")? };
    proc::place(program.sync, sync).step("place the sync socket")?;
    proc::cloexec_from(3).step("close descriptors")?;
    for (inherited, copy) in program.descriptors.iter().zip(&copies) {
        proc::place(copy.as_fd(), inherited.number).step("place a descriptor")?;
    }
    std::mem::forget(copies);
    Ok((executable, proc::borrow_placed(sync)))
}

fn c_string(what: &str, text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| {
        Failure::reason(
            ReportKind::Invalid,
            format!("the {what} `{}` contains a NUL byte", cut(text.escape_debug().to_string())),
        )
    })
}

/// The program's environment; `HOME` comes from the user's line in /etc/passwd unless it is already set.
fn environment(process: &Process, user: &ResolvedUser) -> Result<Vec<CString>, Failure> {
    let mut environment = process
        .env()
        .iter()
        .flatten()
        .map(|variable| c_string("environment variable", variable))
        .collect::<Result<Vec<_>, _>>()?;
    if !process.env().iter().flatten().any(|variable| variable.starts_with("HOME=")) {
        environment.push(c_string("home directory", &format!("HOME={}", user.home))?);
    }
    Ok(environment)
}

fn standard_descriptors(terminal: &Terminal<'_>, user: &ResolvedUser) -> Result<(), Failure> {
    match terminal {
        Terminal::Slave(slave) => {
            // Group 5 is tty, as in the mount options of devpts; the owner is the user of the program.
            rustix::fs::fchown(slave, Some(rustix::fs::Uid::from_raw(user.uid)), None)
                .step("change the owner of the terminal")?;
            tty::make_controlling(slave).step("make the terminal the controlling one")?;
            for number in 0..3 {
                proc::place(slave.as_fd(), number).step("place the terminal")?;
            }
        }
        Terminal::None(descriptors, own) => {
            // First copies them out of each other's way, then puts them into place.
            let mut copies = Vec::with_capacity(3);
            for (fd, own) in descriptors.iter().zip(own) {
                if *own {
                    // Lets a program open /dev/stdout again after it has become another user (nginx does).
                    let owner = (rustix::fs::Uid::from_raw(user.uid), rustix::fs::Gid::from_raw(user.gid));
                    match rustix::fs::fchown(fd, Some(owner.0), Some(owner.1)) {
                        // Its owner, the user, has no ID here: then any user may open it (`join`).
                        Ok(()) | Err(rustix::io::Errno::PERM) => {}
                        error => error.step("change the owner of the standard descriptors")?,
                    }
                }
                copies.push(rustix::io::fcntl_dupfd_cloexec(fd, 3).step("copy a standard descriptor")?);
            }
            for (number, copy) in (0..3).zip(&copies) {
                proc::place(copy.as_fd(), number).step("place a standard descriptor")?;
            }
        }
    }
    Ok(())
}

/// Sets how likely the kernel ends this process if memory runs out. While it is dumpable: later its own file of `/proc`
/// belongs to the host's root.
pub(super) fn set_oom_score(process: &Process) -> Result<(), Failure> {
    let Some(score) = process.oom_score_adj() else { return Ok(()) };
    crate::sys::fs::write("/proc/self/oom_score_adj", score.to_string()).map_err(Failure::of)
}

fn limits(process: &Process) -> Result<(), Failure> {
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ().to_string();
        crate::sys::limits::set(&name, limit.soft(), limit.hard()).step_on("set the limit", &name)?;
    }
    Ok(())
}

/// Stays in the working directory that was entered as root, so that a user may be in a directory that he could not
/// enter, as with runc; else enters it as the program's user. Checks that it is inside the root: a descriptor that
/// leaked from the host would show as `(unreachable)` (CVE-2024-21626).
fn stay_in_working_directory(process: &Process, entered: rustix::io::Result<()>) -> Result<(), Failure> {
    let path = process.cwd();
    let failed = |errno| Failure::working_directory(path, errno);
    entered.or_else(|_| rustix::process::chdir(path)).map_err(failed)?;
    let now = rustix::process::getcwd(Vec::new()).map_err(failed)?;
    if now.as_bytes().first() == Some(&b'/') {
        Ok(())
    } else {
        Err(Failure::reason(
            ReportKind::Invalid,
            format!("the working directory `{}` is outside the container", path.display()),
        ))
    }
}

/// Finds the program as execvp(3) does: a name without a slash along `PATH`. Unlike `sys::programs`, which finds the
/// host's programs, this runs in the container's root: the container's own `PATH` counts there, and an empty part of it
/// is the working directory.
fn find_program(name: &CString, environment: &[CString]) -> Result<CString, Failure> {
    let shown = name.to_string_lossy();
    if name.as_bytes().contains(&b'/') {
        return Ok(name.clone());
    }
    let path = environment.iter().find_map(|variable| variable.as_bytes().strip_prefix(b"PATH=")).unwrap_or_default();
    let mut refused = None;
    for directory in path.split(|b| *b == b':') {
        let mut candidate = if directory.is_empty() { b".".to_vec() } else { directory.to_vec() };
        candidate.push(b'/');
        candidate.extend(name.as_bytes());
        let Ok(candidate) = CString::new(candidate) else { continue };
        let is_file =
            rustix::fs::stat(&candidate).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file());
        if !is_file {
            continue;
        }
        match rustix::fs::access(&candidate, rustix::fs::Access::EXEC_OK) {
            Ok(()) => return Ok(candidate),
            Err(errno) => refused = Some(errno.raw_os_error()),
        }
    }
    let mut failure = Failure::program(&shown, refused.unwrap_or(libc::ENOENT));
    if refused.is_none() {
        let shown = cut(shown.escape_debug().to_string());
        failure.report.message = format!("cannot run `{shown}`: not found in the container's PATH");
    }
    Err(failure)
}
