//! Reading events, and waiting for more: inotify(7) tells when a file of the store has changed.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::{BEFORE, CURRENT, Event};
use crate::storage::Store;
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::types::json;

/// Reads the events of a store.
#[derive(Debug)]
pub(crate) struct EventReader {
    directory: PathBuf,
    watch: Option<OwnedFd>,
    /// Oldest first. The one before the last may still get events from a process that had it open.
    open: Vec<Tail>,
}

/// A file that is read to its end again and again.
#[derive(Debug)]
struct Tail {
    file: File,
    /// The beginning of a line.
    rest: Vec<u8>,
}

impl EventReader {
    /// A reader of all events, or only of those to come.
    pub(crate) fn new(store: &Store, all: bool) -> Result<Self, PathError> {
        let directory = store.root().to_owned();
        let mut open = Vec::new();
        // In this order: what is renamed in between is there twice, and not missing.
        if let Some(mut current) = Tail::open(directory.join(CURRENT))? {
            if !all {
                current.file.seek(SeekFrom::End(0)).at("read", directory.join(CURRENT))?;
            }
            open.push(current);
        }
        if all
            && let Some(before) = Tail::open(directory.join(BEFORE))?
            && !open.iter().any(|tail| tail.is(&before))
        {
            open.insert(0, before);
        }
        Ok(Self { directory, watch: None, open })
    }

    /// The events since the last call, oldest first.
    pub(crate) fn read(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            self.open.iter_mut().for_each(|tail| tail.read(&mut events));
            match Tail::open(self.directory.join(CURRENT)) {
                Ok(Some(next)) if !self.open.last().is_some_and(|last| last.is(&next)) => {
                    self.open.push(next);
                    self.open.drain(..self.open.len().saturating_sub(2));
                }
                _ => return events,
            }
        }
    }

    /// Waits until a file of the store has changed, or so long. Fails if the kernel cannot watch one more directory.
    pub(crate) fn wait(&mut self, most: Option<Duration>) -> Result<(), PathError> {
        let Some(watch) = self.watch.take() else {
            let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).at("watch", &self.directory)?;
            let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
            inotify::add_watch(&watch, &self.directory, flags).at("watch", &self.directory)?;
            // What has changed before is read once more.
            self.watch = Some(watch);
            return Ok(());
        };
        let most = most.map(|most| Timespec::try_from(most).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }));
        match poll(&mut [PollFd::new(&watch, PollFlags::IN)], most.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).at("watch", &self.directory),
        }
        let mut changes = [0; 4096];
        // An error means that nothing is left.
        while rustix::io::read(&watch, &mut changes).is_ok_and(|length| length > 0) {}
        self.watch = Some(watch);
        Ok(())
    }
}

impl Tail {
    /// Opens a file at its beginning; `None` if it does not exist, or is something else.
    fn open(path: PathBuf) -> Result<Option<Self>, PathError> {
        match fs::open_record(path) {
            Ok(file) => Ok(Some(Self { file, rest: Vec::new() })),
            Err(error) if error.is_not_found() || error.source.kind() == std::io::ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is(&self, other: &Self) -> bool {
        let inode = |tail: &Self| tail.file.metadata().map(|found| (found.dev(), found.ino())).ok();
        inode(self).is_some_and(|own| inode(other) == Some(own))
    }

    fn read(&mut self, events: &mut Vec<Event>) {
        let mut space = vec![0; 64 << 10];
        while let Ok(length @ 1..) = self.file.read(&mut space) {
            self.rest.extend_from_slice(space.get(..length).unwrap_or_default());
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                events.extend(json::from_slice::<Event>(&line).ok());
            }
        }
    }
}
