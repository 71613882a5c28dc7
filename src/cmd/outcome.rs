use crate::console::Outcome;
use crate::error::{Error, Exit};
use crate::types::ReportKind;

/// The exit code of a command that was attached to a program.
pub(super) fn exit_of(outcome: Outcome) -> Result<Exit, Error> {
    match outcome {
        Outcome::Exited(code) => Ok(Exit::of_program(code)),
        Outcome::Detached => Ok(Exit::SUCCESS),
        // As if SIGPIPE had killed rc.
        Outcome::OutputClosed => Err(Error::said([ReportKind::Interrupted(libc::SIGPIPE)])),
    }
}
