use crate::console::Outcome;
use crate::error::{Error, Exit};

/// The exit code of a command that was joined to a program.
pub(super) fn exit_of(outcome: Outcome) -> Result<Exit, Error> {
    match outcome {
        Outcome::Exited(code) => Ok(Exit::of_program(code)),
        Outcome::Detached => Ok(Exit::SUCCESS),
        // What SIGPIPE would have done to us.
        Outcome::OutputClosed => Err(Error::said(141)),
    }
}
