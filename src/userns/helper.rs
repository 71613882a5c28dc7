//! Runs the host's programs that read and write the ID maps of users: newuidmap, newgidmap, getsubids, getent.

use std::process::{Command, Stdio};

use crate::sys::programs;

/// The output of `program`, if it is installed and succeeds. Empty arguments are left out.
pub(super) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(&programs::find(program)?)
        .args(arguments.iter().filter(|a| !a.is_empty()))
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command with an empty environment. `Command` uses posix_spawn(3), which is a vfork, if it has nothing to do
/// between fork and exec.
pub(super) fn command(path: &std::path::Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null());
    command
}
