//! `logs -f`: waits for the kernel to say that the log grew, was rotated, or that nobody writes it any more.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::{Error, LogFile, Select, Sink, open_newer_than, tail};

/// Hands over what there is and what comes, until `writer` becomes readable (the monitor's pidfd: it writes the last
/// byte before it ends), `select.until` has passed, or the sink fails. Without a `writer` nothing can come, and this is
/// [`super::read`].
///
/// Nothing is polled by time: inotify tells of writes and of new names in the directory.
pub(crate) fn follow<S: Sink>(
    directory: &Path,
    select: &Select,
    writer: Option<BorrowedFd<'_>>,
    sink: &mut S,
) -> Result<(), Error<S::Error>> {
    let Some(writer) = writer else { return super::read(directory, select, sink) };
    let failed = |source: io::Error| Error::Watch { directory: directory.to_owned(), source };
    // Before the first read, so that no write falls between the two.
    let watch = watch(directory).map_err(failed)?;
    let mut files = open_newer_than(directory, None)?;
    tail::skip(&mut files, select)?;
    loop {
        let wait = wait(&watch, writer, select, false).map_err(failed)?;
        advance(directory, &mut files, select, sink)?;
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

/// Reads the current file to its end, and whatever a rotation has put after it.
fn advance<S: Sink>(
    directory: &Path,
    files: &mut Vec<LogFile>,
    select: &Select,
    sink: &mut S,
) -> Result<(), Error<S::Error>> {
    loop {
        let newer = open_newer_than(directory, files.last().map(|file| file.identity))?;
        // A rotated file got its last byte before it was renamed, and so before its successor was seen here.
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
    /// The writer is gone: what is in the files now is all.
    NoMore,
    /// `--until` has passed.
    TimeIsUp,
}

/// Waits for a change of the directory or the writer's end (`blocks`), or only looks; forgets the changes so far.
fn wait(watch: &OwnedFd, writer: BorrowedFd<'_>, select: &Select, blocks: bool) -> io::Result<Woken> {
    let timeout = match (blocks, select.until) {
        (false, _) => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
        (true, None) => None,
        (true, Some(until)) => match Timespec::try_from(until.duration_since(Timestamp::now()).unsigned_abs()) {
            Ok(rest) if until > Timestamp::now() => Some(rest),
            _ => return Ok(Woken::TimeIsUp),
        },
    };
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
