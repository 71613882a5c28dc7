//! `RUN --mount=type=ssh`: a socket for one step, which a child serves.
//!
//! ```text
//! program ── socket in the build's directory ── child ── the caller's agent
//!                                                 └ lets only "list" and "sign" through
//! ```
//! The child has no descriptors but the socket, no capabilities, and dies with this process or with the step.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Mode, Uid};

use super::Scene;
use crate::build::dockerfile::mount::Owner;
use crate::build::ssh::{REFUSAL, Request, request};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::process::{Child, CloneOptions, fork};
use crate::sys::rest::Rest;
use crate::sys::spawn::seclude;
use crate::sys::{prctl, signal};
use crate::types::{Report, ReportKind};
use crate::userns;

/// The most connections at once.
const MOST: usize = 64;

/// A child that serves a socket, until this is dropped.
pub(super) struct Agent {
    child: Child,
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SIGKILL: 9 on every architecture.
        if self.child.signal(9).is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Serves the agent at `upstream` by a socket of its own, and returns that.
pub(super) fn serve(scene: &Scene<'_>, upstream: &Path, owner: Owner) -> Result<(PathBuf, Agent), Report> {
    let directory = scene.new_directory("agent")?;
    fs::create_dir(&directory)?;
    let socket = directory.join("socket");
    // Its own path may be longer than an address can be.
    let opened = fs::open_directory(&directory)?;
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/socket", opened.as_raw_fd()));
    let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    let listener = listener.at("listen at", &socket)?;
    userns::inside(&scene.home, "rc: build", || {
        let (uid, gid) = (Uid::from_raw(owner.uid.unwrap_or(0)), Gid::from_raw(owner.gid.unwrap_or(0)));
        rustix::fs::chown(&socket, Some(uid), Some(gid)).at("set the owner of", &socket)?;
        let mode = Mode::from_raw_mode(owner.mode.unwrap_or(0o600));
        rustix::fs::chmod(&socket, mode).at("set the mode of", &socket)?;
        Ok::<_, Report>(())
    })?;
    let parent = rustix::process::getpid();
    let child = fork(&CloneOptions::default(), || {
        let ready = seclude(&[listener.as_fd()], parent, &[])
            .and_then(|()| prctl::set_name("rc: agent"))
            .and_then(|()| signal::unblock_all());
        i32::from(ready.and_then(|()| listen(&listener, upstream)).is_err())
    });
    let child = child
        .map_err(|error| Report::new(ReportKind::of_step(&error), format!("cannot fork: {}", fs::plain(&error))))?;
    Ok((socket, Agent { child }))
}

/// A connection of a program, and one to the agent for it.
struct Pair {
    program: UnixStream,
    agent: UnixStream,
    /// What the program has sent of a request.
    unread: Vec<u8>,
}

/// Serves until this process is killed.
fn listen(listener: &UnixListener, upstream: &Path) -> io::Result<()> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut rest = Rest::default();
    loop {
        rest.end(Instant::now());
        let (is_called, ready) = {
            let awaited = if rest.deadline().is_none() { PollFlags::IN } else { PollFlags::empty() };
            let mut polled: Vec<PollFd<'_>> = vec![PollFd::new(listener, awaited)];
            for pair in &pairs {
                polled.push(PollFd::new(&pair.program, PollFlags::IN));
                polled.push(PollFd::new(&pair.agent, PollFlags::IN));
            }
            let left = rest.deadline().map(|until| until.saturating_duration_since(Instant::now()));
            match poll(&mut polled, left.and_then(|left| Timespec::try_from(left).ok()).as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
            (ready[0], ready)
        };
        let mut number = 0;
        pairs.retain_mut(|pair| {
            let (program, agent) = (ready[1 + 2 * number], ready[2 + 2 * number]);
            number += 1;
            (!program || pair.ask().is_ok()) && (!agent || pair.answer().is_ok())
        });
        if is_called {
            match listener.accept() {
                Ok((program, _)) => {
                    // Without an agent, or with too many at once, the program finds its connection closed.
                    let agent = connect(upstream).ok().filter(|_| pairs.len() < MOST);
                    pairs.extend(agent.map(|agent| Pair { program, agent, unread: Vec::new() }));
                }
                Err(error) => drop(rest.after(&error)),
            }
        }
    }
}

/// Connects to a socket whose path may be longer than an address can be.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return UnixStream::connect(path) };
    let directory = fs::open_directory(directory).map_err(|error| error.source)?;
    UnixStream::connect(Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name))
}

impl Pair {
    /// Reads from the program; an error ends the connection.
    fn ask(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        let count = self.program.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&buffer[..count]);
        loop {
            let length = match request(&self.unread) {
                Request::Incomplete => return Ok(()),
                Request::Nonsense => return Err(io::ErrorKind::InvalidData.into()),
                Request::Passed(length) => {
                    self.agent.write_all(&self.unread[..length])?;
                    length
                }
                Request::Refused(length) => {
                    self.program.write_all(&REFUSAL)?;
                    length
                }
            };
            self.unread.drain(..length);
        }
    }

    /// Passes on what the agent says.
    fn answer(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        match self.agent.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => self.program.write_all(&buffer[..count]),
        }
    }
}
