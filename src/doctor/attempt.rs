//! Trying something in a forked child, which may change its namespaces, hang or die.

use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sys::process::{CloneOptions, fork};
use crate::sys::{prctl, signal};
use crate::types::{Report, ReportKind, json};

/// The time limit of a try: many times what the slowest helper needs on a busy host.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Why something does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trouble {
    /// What went wrong.
    pub(super) report: Report,
    /// The program that failed, if a program did.
    pub(super) program: Option<String>,
}

impl Trouble {
    pub(super) fn new(message: impl Display) -> Self {
        Report::new(ReportKind::Internal, message.to_string()).into()
    }
}

impl<E: Into<Report>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self { report: error.into(), program: None }
    }
}

/// Runs `work` in a child, and returns its result; an error after [`PATIENCE`], or if the child dies. After that the
/// child is dead, and so are the processes that it started with a death signal.
pub(super) fn attempt<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble>
where
    T: Serialize + DeserializeOwned,
{
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Trouble::new)?;
    let child = fork(&CloneOptions::default(), || {
        let ready =
            prctl::die_with_parent().and_then(|()| prctl::set_name("rc: doctor")).and_then(|()| signal::unblock_all());
        let answer = ready.map_err(Trouble::new).and_then(|()| work());
        let sent = serde_json::to_vec(&answer)
            .is_ok_and(|bytes| std::io::Write::write_all(&mut File::from(write), &bytes).is_ok());
        i32::from(!sent)
    })
    .map_err(Trouble::new)?;
    let said = hear(File::from(read), Instant::now() + PATIENCE);
    drop(child.signal(libc::SIGKILL));
    let ended = child.wait().map_err(Trouble::new)?;
    let bytes = said?;
    json::from_slice(&bytes)
        .unwrap_or_else(|_| Err(Trouble::new(format!("the process that tried it exited with code {}", ended.code()))))
}

/// Reads to the end, or until the deadline.
fn hear(mut from: File, deadline: Instant) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&from.as_fd(), PollFlags::IN)], Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Trouble::new(error)),
            Ok(0) => return Err(Trouble::new(format!("no answer within {} s", PATIENCE.as_secs()))),
            Ok(_) => match from.read(&mut buffer) {
                Ok(0) => return Ok(bytes),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::new(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Unit tests run in threads, and `fork` refuses a process with threads: integration tests do the rest.
    #[test]
    fn a_process_with_threads_is_refused() {
        let answer = attempt(|| Ok(1));
        assert!(answer.is_err_and(|trouble| trouble.report.message.contains("deadlock")));
    }
}
