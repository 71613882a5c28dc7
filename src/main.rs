//! The program: everything is in the library, whose tests need it there. It starts no thread.

use std::process::ExitCode;

fn main() -> ExitCode {
    rc::main(std::env::args_os())
}
