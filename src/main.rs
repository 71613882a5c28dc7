//! Parses, dispatches, prints the error, returns the exit code; starts no thread.

use std::process::ExitCode;

use rc::{cli, sys, ui};

fn main() -> ExitCode {
    // What the caller left open is nobody's business here, and a monitor that kept a pipe open would hang its reader.
    drop(sys::process::close_from(3));
    let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    match cli::main(typed) {
        Ok(exit) => ExitCode::from(exit.0),
        Err(error) => {
            if let Some(message) = &error.message {
                ui::error(message, error.hint.as_deref());
            }
            ExitCode::from(error.code)
        }
    }
}
