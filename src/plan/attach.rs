//! What a command does that waits for a program: the streams that it passes on, and the keys that end that.

use super::{Attached, Defaults, Error, Request};
use crate::types::{DetachKeys, Invalid};

/// The streams that a command passes on which waits for the program: those of `--attach`, else all. Fails if one is
/// none, or if no command waits. Source: docker-run(1).
pub(crate) fn attached(request: &Request) -> Result<Attached, Error> {
    if request.attach.is_empty() {
        return Ok(Attached { stdin: true, stdout: true, stderr: true });
    }
    let mut attached = Attached::default();
    for stream in &request.attach {
        match stream.to_ascii_lowercase().as_str() {
            "stdin" => attached.stdin = true,
            "stdout" => attached.stdout = true,
            "stderr" => attached.stderr = true,
            _ => {
                return Err(Error::option("--attach")(Invalid::new(
                    "stream",
                    stream,
                    "must be stdin, stdout or stderr",
                )));
            }
        }
    }
    Ok(attached)
}

/// The key sequence that leaves a terminal.
pub(super) fn detach_keys(request: &Request, defaults: &Defaults) -> Result<String, Error> {
    match &request.detach_keys {
        Some(text) => text.parse().map(|_: DetachKeys| text.clone()).map_err(Error::option("--detach-keys")),
        None => Ok(defaults.detach_keys.clone()),
    }
}
