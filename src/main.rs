//! Parses, dispatches, prints the error, returns the exit code; starts no thread.

use std::process::ExitCode;

use rc::{cli, ui};

fn main() -> ExitCode {
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
