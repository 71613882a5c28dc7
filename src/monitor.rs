//! One process per container: pty, log, control socket, exit code, clean-up.

mod record;

pub use record::{ExitRecord, ProcessId, State, Status};
