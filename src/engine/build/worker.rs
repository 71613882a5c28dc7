//! A stage that grows in a child of its own, beside others. The child ends with this process, and its containers with
//! the child.
//!
//! ```text
//! child ─→ build   frames: a tag, the length of the rest, the rest
//!   b  a step begins: JSON      m  it is not in the cache: JSON, why      n  something about it
//!   o, e  output      c  it was in the cache      d  it is done: JSON
//!   r  the stage, or why there is none: JSON; nothing follows
//! ```

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use super::Scene;
use super::event::{BuildEvent, Failed, Outcome, StepTitle, Stream};
use super::stage::Stage;
use crate::build::dockerfile::source::Span;
use crate::sys::process::{self, Child, CloneOptions, fork};
use crate::sys::{prctl, signal};
use crate::types::{Digest, Report, ReportKind, json};

/// A stage that grows.
pub(super) struct Worker {
    /// Its number.
    pub(super) index: usize,
    child: Child,
    /// Closed when the stage is not wanted any more.
    wanted: OwnedFd,
    pipe: File,
    unread: Vec<u8>,
}

/// How long a child that is not wanted any more may take to end what it runs.
const GRACE: Duration = Duration::from_secs(2);

/// About how many bytes are read before they are passed on.
const AT_ONCE: usize = 256 << 10;

/// The longest frame: an image's configuration, with much to spare.
const LONGEST: usize = 64 << 20;

/// A failure as data.
#[derive(Serialize, Deserialize)]
enum Told {
    Command { start: usize, end: usize, step: StepTitle, code: i32, kept: Option<Digest> },
    Step { start: usize, end: usize, report: Report },
    Report(Report),
}

impl From<Failed> for Told {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Command { span, step, code, kept } => {
                Self::Command { start: span.start, end: span.end, step, code, kept }
            }
            Failed::Step { span, report } => Self::Step { start: span.start, end: span.end, report },
            Failed::Report(report) => Self::Report(report),
            Failed::Problems(_) => Self::Report(Report::new(ReportKind::Internal, "a stage has found a mistake")),
        }
    }
}

impl From<Told> for Failed {
    fn from(told: Told) -> Self {
        match told {
            Told::Command { start, end, step, code, kept } => {
                Self::Command { span: Span { start, end }, step, code, kept }
            }
            Told::Step { start, end, report } => Self::Step { span: Span { start, end }, report },
            Told::Report(report) => Self::Report(report),
        }
    }
}

impl Worker {
    /// Starts a child in which `grow` makes the stage, beside `others`.
    pub(super) fn start(
        index: usize,
        scene: &Scene<'_>,
        others: &[Self],
        grow: impl FnOnce(&mut dyn FnMut(BuildEvent<'_>)) -> Result<Stage, Failed>,
    ) -> Result<Self, Report> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(cannot("create a pipe"))?;
        let (theirs, wanted) = pipe_with(PipeFlags::CLOEXEC).map_err(cannot("create a pipe"))?;
        let child = fork(&CloneOptions::default(), || {
            // With a copy of it, another one would never know that nothing is wanted of it any more.
            let own = [wanted.as_fd(), read.as_fd()].into_iter();
            let of_others = others.iter().flat_map(|other| [other.wanted.as_fd(), other.pipe.as_fd()]);
            own.chain(of_others).for_each(|end| drop(process::close(end)));
            let ready = prctl::die_with_parent().and_then(|()| prctl::set_name("rc: build"));
            if ready.and_then(|()| signal::unblock_all()).is_err() || scene.wanted.set(theirs).is_err() {
                return 125;
            }
            let mut out = File::from(write);
            let grown = grow(&mut |event| tell(&mut out, event).unwrap_or_default()).map_err(Told::from);
            let bytes = serde_json::to_vec(&grown).unwrap_or_default();
            let told = frame(&mut out, b'r', &bytes);
            scene.settle();
            i32::from(told.is_err())
        })
        .map_err(cannot("fork"))?;
        rustix::io::ioctl_fionbio(&read, true).map_err(cannot("read from a child"))?;
        Ok(Self { index, child, wanted, pipe: File::from(read), unread: Vec::new() })
    }

    /// Passes on what the child has told. Returns its stage once it is complete.
    pub(super) fn read(&mut self, tell: &mut dyn FnMut(BuildEvent<'_>)) -> Option<Result<Stage, Failed>> {
        let is_over = take(&mut self.pipe, &mut self.unread);
        let mut at = 0;
        while let Some((tag, bytes, next)) = split(&self.unread, at) {
            if tag == b'r' {
                return Some(stage(bytes));
            }
            pass_on(tag, bytes, tell);
            at = next;
        }
        self.unread.drain(..at);
        is_over.then(|| Err(Report::new(ReportKind::Internal, "a child of the build was killed").into()))
    }

    /// Waits for the end of the child, whose stage is complete.
    pub(super) fn finish(self) {
        let Self { child, wanted, pipe, .. } = self;
        drop((wanted, pipe));
        drop(child.wait());
    }

    /// Ends children whose stages nobody wants any more. They kill what they run; one that waits for something else,
    /// such as a lock of another build, is killed itself.
    pub(super) fn abandon(workers: Vec<Self>) {
        let deadline = Instant::now() + GRACE;
        let children: Vec<Child> = workers.into_iter().map(|worker| worker.child).collect();
        for child in children {
            while let Some(left) = deadline.checked_duration_since(Instant::now()) {
                let mut polled = [PollFd::new(&child.pidfd, PollFlags::IN)];
                let left = Timespec::try_from(left).ok();
                if !matches!(poll(&mut polled, left.as_ref()), Err(rustix::io::Errno::INTR) | Ok(0)) {
                    break;
                }
            }
            // It changes nothing for one that has ended. SIGKILL: 9 on every architecture.
            if child.signal(9).is_ok() {
                drop(child.wait());
            }
        }
    }
}

impl AsFd for Worker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Adds what is in the pipe, but not more than [`AT_ONCE`]: a child may write as fast as this reads. Returns whether
/// that was the end.
fn take(pipe: &mut File, unread: &mut Vec<u8>) -> bool {
    let mut buffer = vec![0; 64 << 10];
    let most = unread.len() + AT_ONCE;
    while unread.len() < most {
        match pipe.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => unread.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
    false
}

fn stage(bytes: &[u8]) -> Result<Stage, Failed> {
    match json::from_slice::<Result<Stage, Told>>(bytes) {
        Ok(Ok(stage)) => Ok(stage),
        Ok(Err(told)) => Err(told.into()),
        Err(_) => Err(Report::new(ReportKind::Internal, "a child of the build has told nonsense").into()),
    }
}

/// The frame at an offset, if all of it is there, and the offset of the next one.
fn split(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let header = bytes.get(at..at + 5)?;
    let length = usize::try_from(u32::from_le_bytes([header[1], header[2], header[3], header[4]])).ok()?;
    let end = at + 5 + length.min(LONGEST);
    Some((header[0], bytes.get(at + 5..end)?, end))
}

fn pass_on(tag: u8, bytes: &[u8], tell: &mut dyn FnMut(BuildEvent<'_>)) {
    match tag {
        b'b' => {
            if let Ok(step) = json::from_slice(bytes) {
                tell(BuildEvent::Begun(&step));
            }
        }
        b'm' => {
            if let Ok(reason) = json::from_slice(bytes) {
                tell(BuildEvent::Missed(&reason));
            }
        }
        b'n' => tell(BuildEvent::Noted(&String::from_utf8_lossy(bytes))),
        b'o' => tell(BuildEvent::Output { stream: Stream::Out, bytes }),
        b'e' => tell(BuildEvent::Output { stream: Stream::Err, bytes }),
        b'c' => tell(BuildEvent::Ended(Outcome::Cached)),
        _ => tell(BuildEvent::Ended(Outcome::Done { took: json::from_slice(bytes).unwrap_or_default() })),
    }
}

fn tell(out: &mut File, event: BuildEvent<'_>) -> io::Result<()> {
    match event {
        BuildEvent::Begun(step) => frame(out, b'b', &serde_json::to_vec(step)?),
        BuildEvent::Missed(reason) => frame(out, b'm', &serde_json::to_vec(reason)?),
        BuildEvent::Noted(text) => frame(out, b'n', text.as_bytes()),
        BuildEvent::Output { stream: Stream::Out, bytes } => frame(out, b'o', bytes),
        BuildEvent::Output { stream: Stream::Err, bytes } => frame(out, b'e', bytes),
        BuildEvent::Ended(Outcome::Cached) => frame(out, b'c', b""),
        BuildEvent::Ended(Outcome::Done { took }) => frame(out, b'd', &serde_json::to_vec(&took)?),
        BuildEvent::Tick => Ok(()),
    }
}

fn frame(out: &mut File, tag: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut whole = vec![tag];
    whole.extend_from_slice(&length.to_le_bytes());
    whole.extend_from_slice(bytes);
    out.write_all(&whole)
}

fn cannot<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Report {
    move |error| {
        let error = error.into();
        Report::new(ReportKind::of_step(&error), format!("cannot {action}: {}", crate::sys::fs::plain(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_never_stops_is_heard_all_the_same() {
        let (read, write) = io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&read, true).expect("set");
        let writer = std::thread::spawn(move || {
            let mut write = write;
            // Until the other end is closed.
            while write.write_all(&[b'x'; 64 << 10]).is_ok() {}
        });
        let (mut pipe, mut unread) = (File::from(OwnedFd::from(read)), Vec::new());
        while unread.len() < 8 * AT_ONCE {
            let before = unread.len();
            assert!(!take(&mut pipe, &mut unread));
            assert!(unread.len() < before + AT_ONCE + (64 << 10));
        }
        drop(pipe);
        writer.join().expect("ended");
    }

    #[test]
    fn frames_are_read_when_they_are_complete() {
        let mut bytes = vec![b'o', 3, 0, 0, 0];
        bytes.extend_from_slice(b"abcr");
        assert_eq!(split(&bytes, 0), Some((b'o', &b"abc"[..], 8)));
        assert_eq!(split(&bytes, 8), None);
        assert_eq!(split(&bytes[..7], 0), None);
    }
}
