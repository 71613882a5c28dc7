//! Programs that keep credentials: `docker-credential-NAME get|store|erase`. Source: docker's credential-helpers
//! protocol.

use std::io::{self, Read as _, Write as _};
use std::process::{Command, ExitStatus, Stdio};

use serde::Deserialize;
use serde_json::json;

use super::error::CredentialsError;
use crate::registry::SMALL_LIMIT;
use crate::sys::fs;
use crate::types::{Invalid, json};

/// The name of docker.io in helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a helper knows about a server.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    /// `<token>` says that the secret is an identity token.
    #[serde(default)]
    pub(super) username: String,
    #[serde(default)]
    pub(super) secret: String,
}

/// The name of a registry in a credential store.
pub(super) fn server(registry: &str) -> &str {
    if registry == "docker.io" { DOCKER_HUB } else { registry }
}

/// Asks a helper for the credentials of `server`; `None` if it has none.
pub(super) fn get(name: &str, server: &str) -> Result<Option<Answer>, CredentialsError> {
    let Some(answer) = talk(name, "get", &format!("{server}\n"))? else { return Ok(None) };
    let reason = "it did not answer with JSON as it should".to_owned();
    let answer = json::from_slice(&answer).map_err(|_| CredentialsError::Helper { name: name.to_owned(), reason })?;
    Ok(Some(answer))
}

/// Gives credentials to a helper.
pub(super) fn store(name: &str, server: &str, user: &str, secret: &str) -> Result<(), CredentialsError> {
    let request = json!({ "ServerURL": server, "Username": user, "Secret": secret });
    talk(name, "store", &request.to_string()).map(drop)
}

/// Makes a helper forget a server. Returns whether it knew it, as far as it says so.
pub(super) fn erase(name: &str, server: &str) -> Result<bool, CredentialsError> {
    if get(name, server)?.is_none() {
        return Ok(false);
    }
    Ok(talk(name, "erase", &format!("{server}\n"))?.is_some())
}

/// Runs a helper with this input. Returns its output; `None` if it says that there are no such credentials.
///
/// No error quotes what the helper printed: that could be a secret.
fn talk(name: &str, action: &str, input: &str) -> Result<Option<Vec<u8>>, CredentialsError> {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if name.is_empty() || !name.bytes().all(fine) {
        return Err(Invalid::new("credential helper", name, "must match [a-z0-9_-]+").into());
    }
    let fail = |reason: String| CredentialsError::Helper { name: name.to_owned(), reason };
    let mut helper = Command::new(format!("docker-credential-{name}"));
    let (status, answer) = converse(helper.arg(action), input).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CredentialsError::NoHelper { name: name.to_owned() },
        _ => fail(fs::plain(&error)),
    })?;
    if status.success() {
        return Ok(Some(answer));
    }
    // The protocol's only way to say so; it is a constant of the helpers' library.
    if String::from_utf8_lossy(&answer).contains("credentials not found") {
        Ok(None)
    } else {
        Err(fail(format!("it failed ({status})")))
    }
}

/// Gives a program this input, and returns how it ended and what it printed, up to [`SMALL_LIMIT`] bytes.
///
/// A program may end without reading its input: its exit code tells whether it did its work.
fn converse(program: &mut Command, input: &str) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(SMALL_LIMIT).read_to_end(&mut answer)?;
    }
    Ok((child.wait()?, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_need_not_read_what_it_is_given() {
        // More than a pipe holds, so that the write meets the closed end.
        let input = "x".repeat(1 << 20);
        let run = |script: &str| converse(Command::new("/bin/sh").args(["-c", script]), &input);
        for (script, code) in [("exec <&-; echo done", 0), ("exec <&-; echo done; exit 3", 3)] {
            let (status, answer) = run(script).unwrap_or_else(|error| panic!("{script}: {error}"));
            assert_eq!((status.code(), &answer[..]), (Some(code), &b"done\n"[..]), "{script}");
        }
    }
}
