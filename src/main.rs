//! Parses, dispatches, prints the error, returns the exit code; starts no thread.

use std::process::ExitCode;

use rc::error::Error;
use rc::{cli, ui};

fn main() -> ExitCode {
    let typed = std::env::args_os().map(std::ffi::OsString::into_string).collect::<Result<_, _>>();
    // What is not text would reach files and programs as something else than was typed.
    let run = typed.map_err(|word| Error::new(format!("the argument `{}` is not UTF-8", word.to_string_lossy())));
    match run.and_then(cli::main) {
        Ok(exit) => ExitCode::from(exit.0),
        Err(error) => {
            if let Some(message) = &error.message {
                ui::error(message, error.hint.as_deref());
            }
            ExitCode::from(error.code)
        }
    }
}
