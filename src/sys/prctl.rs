//! Properties that a process sets for itself, prctl(2).

use std::ffi::CString;
use std::io;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Whether other processes of the same user may inspect this process and write its ID maps; turning it off also
/// protects `/proc/PID/fd`. Source: PR_SET_DUMPABLE(2const).
pub(crate) fn set_dumpable(on: bool) -> io::Result<()> {
    let behavior = if on { DumpableBehavior::Dumpable } else { DumpableBehavior::NotDumpable };
    Ok(set_dumpable_behavior(behavior)?)
}

/// Kills this process when its parent dies. Source: PR_SET_PDEATHSIG(2const).
pub(crate) fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// Renames this process, so that `ps` shows what it does; at most 15 bytes are kept. Source: PR_SET_NAME(2const).
pub(crate) fn set_name(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    Ok(rustix::thread::set_name(&name)?)
}

/// Gives up gaining privileges through execve, permanently. Source: PR_SET_NO_NEW_PRIVS(2const).
pub(crate) fn set_no_new_privs() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}
