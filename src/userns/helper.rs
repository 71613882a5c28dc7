//! Runs the host's programs that tell of users and their IDs: getsubids, getent.

use std::process::{Command, Stdio};

use crate::sys::programs;

/// The output of `program`, if it is installed and succeeds; its environment is empty. Empty arguments are left out.
pub(super) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(programs::find(program)?)
        .env_clear()
        .args(arguments.iter().filter(|a| !a.is_empty()))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
