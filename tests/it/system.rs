//! Tests that need systemd: they run only in the machine that `tests/vm/test` boots.
//!
//! ```text
//! system::…                a unit of the user's manager, to which every controller except cpuset is delegated
//! system::root::…          the same boot, as root
//! system::undelegated::…   a boot in which the user's manager has only pids
//! system::stock::…         a boot of Debian's own kernel, with cpuset too, but ten times slower
//! ```
//! A test begins with `machine!();`. Its lab is `Lab::in_session()` if rc must find the user's manager; [`unit`] starts
//! a command in a unit of it. Tests of several boots, sessions or root are in `tests/vm/scenes`.

mod doctor;
mod explain;
mod limits;
mod root;
mod scope;
mod smoke;
mod stock;
mod undelegated;
mod units;

use std::ffi::OsStr;

use crate::support::command::Command;
use crate::support::{Exit, Lab, Output};

/// rc in a unit of the user's manager, with these options of systemd-run and the lab's environment; waits for the unit
/// and exits with rc's exit code: `unit(&lab, ["-p", "Delegate=yes"], ["run", …])`.
pub(crate) fn unit<'lab, O, A>(lab: &'lab Lab, options: O, arguments: A) -> Command<'lab>
where
    O: IntoIterator<Item: AsRef<OsStr>>,
    A: IntoIterator<Item: AsRef<OsStr>>,
{
    let command = lab.program("systemd-run", ["--user", "--quiet", "--collect", "--wait", "--pipe"]).args(options);
    in_unit(lab, command, arguments)
}

/// A container, `started` with these words of rc, exceeds its memory limit: it is killed, and every command reports
/// that.
fn is_killed_for_its_memory(lab: &Lab, started: impl FnOnce(&[&str]) -> Output) {
    let eater = started(&["run", "--network=none", "--name=eater", "-m32m", "payload", "/payload", "eat", "100000000"]);
    assert_eq!(eater.exit, Exit::Code(137), "{eater}");
    let format = "{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}";
    lab.rc(["inspect", "-f", format, "eater"]).run().prints("true 137 exited\n");
    let shown = lab.rc(["ps", "-a", "--format", "{{.Status}}"]).run().text();
    assert!(shown.starts_with("Exited (137)"), "{shown}");
    lab.rc(["rm", "eater"]).run().succeeds();
}

/// Completes a command of systemd-run: the lab's environment, then rc and its arguments.
fn in_unit<'lab, A>(lab: &Lab, command: Command<'lab>, arguments: A) -> Command<'lab>
where
    A: IntoIterator<Item: AsRef<OsStr>>,
{
    let variables = lab.environment().into_iter().map(|(name, value)| format!("--setenv={name}={}", value.display()));
    command.args(variables).arg("--working-directory").arg(lab.work("")).arg("--").arg(Lab::rc_path()).args(arguments)
}
