//! The programs of the uidmap package, from fixed directories and never from a `PATH` that came from outside.

use std::path::PathBuf;
use std::process::{Command, Stdio};

const DIRECTORIES: [&str; 5] = ["/usr/bin", "/run/wrappers/bin", "/usr/local/bin", "/bin", "/usr/sbin"];

/// Where `program` is, if it is installed.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    DIRECTORIES
        .iter()
        .map(|directory| PathBuf::from(directory).join(program))
        .find(|path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok())
}

/// What `program` prints, if it is installed and succeeds. Empty arguments are left out.
pub(super) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(&find(program)?)
        .args(arguments.iter().filter(|a| !a.is_empty()))
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command with an empty environment. Without anything to do between fork and exec, `Command` uses posix_spawn(3),
/// which is a vfork.
pub(super) fn command(path: &std::path::Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null());
    command
}
