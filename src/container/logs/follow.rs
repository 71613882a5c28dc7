//! `logs -f`: waits until the kernel reports that the log has grown or was rotated, or that its writer has ended.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::{Error, LogFile, Select, Sink, open_newer_than, tail};

/// Hands over existing and new entries, until `writer` becomes readable (the monitor's pidfd: the monitor writes the
/// last byte before it ends), `select.until` has passed, or the sink fails. Without a `writer` there are no new
/// entries, and this is [`super::read`].
///
/// It does not poll by time: inotify reports writes and new names in the directory.
pub(crate) fn follow<S: Sink>(
    log: &Path,
    select: &Select,
    writer: Option<BorrowedFd<'_>>,
    sink: &mut S,
) -> Result<(), Error<S::Error>> {
    let Some(writer) = writer else { return super::read(log, select, sink) };
    let directory = log.parent().unwrap_or(log);
    let failed = |source: io::Error| Error::Watch { directory: directory.to_owned(), source };
    // Before the first read, so that no write is missed in between.
    let watch = watch(directory).map_err(failed)?;
    let mut files = open_newer_than(log, None)?;
    tail::skip(&mut files, select)?;
    loop {
        let wait = wait(&watch, writer, select, false).map_err(failed)?;
        advance(log, &mut files, select, sink)?;
        sink.caught_up().map_err(Error::Sink)?;
        if wait == Woken::NoMore {
            break;
        }
        if self::wait(&watch, writer, select, true).map_err(failed)? == Woken::TimeIsUp {
            return Ok(());
        }
    }
    for file in &mut files {
        file.finish(select, sink)?;
    }
    sink.caught_up().map_err(Error::Sink)
}

/// Reads the current file to its end, and all files that a rotation has added since.
fn advance<S: Sink>(
    log: &Path,
    files: &mut Vec<LogFile>,
    select: &Select,
    sink: &mut S,
) -> Result<(), Error<S::Error>> {
    loop {
        let newer = open_newer_than(log, files.last().map(|file| file.identity))?;
        // The monitor writes the last byte of a file before it renames it, and so before its successor appears here.
        for file in files.iter_mut() {
            file.drain(select, sink)?;
        }
        let done = if newer.is_empty() { files.len().saturating_sub(1) } else { files.len() };
        for mut file in files.drain(..done) {
            file.finish(select, sink)?;
        }
        if newer.is_empty() {
            return Ok(());
        }
        *files = newer;
    }
}

fn watch(directory: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, directory, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
    Ok(watch)
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// There may be more to read, now or later.
    More,
    /// The writer has ended: the files are complete.
    NoMore,
    /// `--until` has passed.
    TimeIsUp,
}

/// Waits for a change of the directory or the writer's end; only checks for them unless it `blocks`. Consumes the
/// changes so far.
fn wait(watch: &OwnedFd, writer: BorrowedFd<'_>, select: &Select, blocks: bool) -> io::Result<Woken> {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let timeout = if blocks { select.time_left() } else { Some(AT_ONCE) };
    if blocks && timeout == Some(AT_ONCE) {
        return Ok(Woken::TimeIsUp);
    }
    let mut fds =
        [PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN), PollFd::from_borrowed_fd(writer, PollFlags::IN)];
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let is_over = !fds[1].revents().is_empty();
    let mut events = [0; 4096];
    loop {
        match rustix::io::read(watch, &mut events) {
            Ok(0) | Err(Errno::AGAIN) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if is_over { Woken::NoMore } else { Woken::More })
}
