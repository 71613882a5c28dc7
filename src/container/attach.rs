//! Attaches to a running container.

use std::os::fd::{AsFd, BorrowedFd};

use super::client::{ask, connect};
use super::session::{Session, Terminal, Unread};
use super::streams::PipePairs;
use super::{Container, Error};
use crate::monitor::Status;
use crate::monitor::protocol::Ask;
use crate::types::DetachKeys;

/// What a command does here, for errors.
const ACTION: &str = "attach to";

/// Attaches to a running container's streams. `size` is that of the caller's terminal.
///
/// Fails if it does not run, or if its streams do not go through its monitor.
pub(crate) fn attach(
    container: &Container,
    stdin: bool,
    size: Option<(u16, u16)>,
    detach_keys: DetachKeys,
) -> Result<Session, Error> {
    if !matches!(container.status, Status::Running | Status::Paused | Status::Stopping) {
        return Err(container.cannot(ACTION));
    }
    let seen = container.seen(ACTION);
    let mut session = attach_to(container, stdin, size, detach_keys).map_err(|error| seen.explain(error))?;
    session.seen = Some(seen);
    Ok(session)
}

/// [`attach`] in any state. What a failure means is for the caller to say.
pub(super) fn attach_to(
    container: &Container,
    stdin: bool,
    size: Option<(u16, u16)>,
    detach_keys: DetachKeys,
) -> Result<Session, Error> {
    if container.config.log_driver.is_passthrough() {
        return Err(Error::PassedThrough(container.config.name.to_string()));
    }
    let socket = connect(container)?;
    let tty = container.config.tty;
    let mut pipes = PipePairs::default();
    for (stream, is_wanted) in [stdin, true, !tty].into_iter().enumerate() {
        if is_wanted {
            pipes.add(stream)?;
        }
    }
    let request = Ask::Attach { stdin, stdout: true, stderr: !tty, size: size.filter(|_| tty) };
    let theirs: Vec<BorrowedFd<'_>> = pipes.theirs.iter().flatten().map(AsFd::as_fd).collect();
    ask(&socket, &request, &theirs)?;
    let [stdin, stdout, stderr] = pipes.ours;
    let terminal = tty.then_some(Terminal { master: None, detach_keys });
    Ok(Session { socket, seen: None, stdin, stdout, stderr, terminal, unread: Unread::Nothing, monitor: None })
}
