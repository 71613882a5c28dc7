//! The system's journal, by its native protocol: one datagram per line of the program.
//!
//! ```text
//! NAME=value\n          a field whose value is one line
//! NAME\n                a field with any bytes: their number, 64 bits, little endian, then they, then a newline
//! ```
//!
//! The fields are those of podman and docker: `CONTAINER_ID`, `CONTAINER_ID_FULL`, `CONTAINER_NAME`, `CONTAINER_TAG`,
//! `IMAGE_NAME`, `SYSLOG_IDENTIFIER`; `PRIORITY` is 6 for standard output and 3 for standard error;
//! `CONTAINER_PARTIAL_MESSAGE` marks a part of a line that continues in the stream's next entry. The message's own
//! bytes can forge none of them. Source: systemd, "Native Journal Protocol"; conmon, `ctr_logging.c`.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use crate::monitor::stream::Stream;
use crate::plan::ContainerConfig;
use crate::sys::datagram::{Sender, Sent};

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// The longest message of one entry; longer lines are split. It is far below the limit of a datagram.
const LONGEST: usize = 32 * 1024;

/// How long the journal's queue may be full, and the program wait, before lines are dropped and counted. After that
/// they are dropped at once, until the journal accepts one again.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A connection to the journal.
#[derive(Debug)]
pub(in crate::monitor) struct Journal {
    sender: Sender,
    /// The fields that every entry has.
    fields: Vec<u8>,
    /// Reused between entries.
    entry: Vec<u8>,
    /// Output for which the journal's queue had no room, and when waiting for room ends.
    waiting: VecDeque<(Stream, Vec<u8>)>,
    deadline: Option<Instant>,
    /// Bytes of the program that were dropped since the journal last accepted some.
    lost: u64,
}

impl Journal {
    /// Connects to the journal. Fails if it does not run.
    pub(super) fn open(config: &ContainerConfig) -> io::Result<Self> {
        Self::connect(SOCKET, config)
    }

    fn connect(path: &str, config: &ContainerConfig) -> io::Result<Self> {
        let mut fields = Vec::new();
        let name = config.name.as_str();
        let tag = config.log_tag.as_deref();
        for (field, value) in [
            ("CONTAINER_ID", Some(config.id.short())),
            ("CONTAINER_ID_FULL", Some(config.id.as_str())),
            ("CONTAINER_NAME", Some(name)),
            ("CONTAINER_TAG", tag),
            ("IMAGE_NAME", Some(config.image.reference.as_str())),
            ("SYSLOG_IDENTIFIER", Some(tag.unwrap_or(name))),
        ] {
            if let Some(value) = value {
                put(&mut fields, field, value.as_bytes());
            }
        }
        // Names of rc's own cannot be taken: the journal shows only the first value of some.
        let further = config.log_labels.iter().filter(|(name, _)| !name.starts_with("CONTAINER_"));
        further.for_each(|(name, value)| put(&mut fields, name, value.as_bytes()));
        let sender = Sender::connect(path)?;
        Ok(Self { sender, fields, entry: Vec::new(), waiting: VecDeque::new(), deadline: None, lost: 0 })
    }

    /// Passes on what the program has just written, line by line. Output for which the journal has no room waits here;
    /// then the caller should append no more until [`flush`](Self::flush) has passed it on.
    pub(super) fn append(&mut self, stream: Stream, bytes: &[u8]) {
        if self.waiting.is_empty() {
            let taken = self.lines(stream, bytes);
            if taken == bytes.len() {
                return;
            }
            self.deadline = Some(Instant::now() + TIMEOUT);
            self.waiting.push_back((stream, bytes[taken..].to_vec()));
        } else {
            self.waiting.push_back((stream, bytes.to_vec()));
        }
    }

    /// The descriptor that must be writable, if output waits.
    pub(super) fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.waiting.is_empty()).then(|| self.sender.as_fd())
    }

    /// When waiting for that ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Passes on the output that waits, as far as the journal has room.
    pub(super) fn flush(&mut self) {
        while let Some((stream, bytes)) = self.waiting.pop_front() {
            let taken = self.lines(stream, &bytes);
            if taken < bytes.len() {
                self.waiting.push_front((stream, bytes[taken..].to_vec()));
                return;
            }
        }
        self.deadline = None;
    }

    /// Drops the output that waits if its time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.lost += self.waiting.drain(..).map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
            self.deadline = None;
        }
    }

    /// Sends line by line, and returns how many of the bytes were sent or dropped. Bytes are dropped only if the
    /// journal has not accepted any since earlier ones were.
    fn lines(&mut self, stream: Stream, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            let end = memchr::memchr(b'\n', rest);
            let length = end.unwrap_or(rest.len()).min(LONGEST);
            let is_whole = end == Some(length);
            let size = length + usize::from(is_whole);
            if self.lost > 0 {
                let note = format!("rc: {} bytes of output were lost here", self.lost);
                if !matches!(self.send(Stream::Stderr, note.as_bytes(), true), Ok(Sent::Taken)) {
                    self.lost += size as u64;
                    done += size;
                    continue;
                }
                self.lost = 0;
            }
            match self.send(stream, &rest[..length], is_whole) {
                Ok(Sent::Taken) => {}
                Ok(Sent::Full) => return done,
                // A journal that does not run will not accept it later either.
                Err(_) => self.lost += size as u64,
            }
            done += size;
        }
        done
    }

    /// Sends one entry.
    fn send(&mut self, stream: Stream, text: &[u8], is_whole: bool) -> io::Result<Sent> {
        let priority: &[u8] = if stream == Stream::Stdout { b"6" } else { b"3" };
        self.entry.clear();
        self.entry.extend_from_slice(&self.fields);
        put(&mut self.entry, "PRIORITY", priority);
        if !is_whole {
            put(&mut self.entry, "CONTAINER_PARTIAL_MESSAGE", b"true");
        }
        put(&mut self.entry, "MESSAGE", text);
        self.sender.send(&self.entry)
    }

    /// Frees the buffer.
    pub(super) fn rest(&mut self) {
        self.entry = Vec::new();
    }
}

/// Adds a field, in the form for any bytes.
fn put(entry: &mut Vec<u8>, name: &str, value: &[u8]) {
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// A journal of the test's own, and the connection to it.
    fn pair(directory: &std::path::Path) -> (UnixDatagram, Journal) {
        let path = directory.join("socket");
        let journal = UnixDatagram::bind(&path).expect("socket");
        journal.set_nonblocking(true).expect("flag");
        let mut config = crate::plan::example();
        config.log_tag = Some("tagged".to_owned());
        let writer = Journal::connect(path.to_str().expect("path"), &config).expect("connected");
        (journal, writer)
    }

    /// The fields of the next entry.
    fn next(journal: &UnixDatagram) -> Option<Vec<(String, Vec<u8>)>> {
        let mut space = vec![0; 1 << 17];
        let length = journal.recv(&mut space).ok()?;
        let mut rest = &space[..length];
        let mut fields = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let name = String::from_utf8(rest[..end].to_vec()).expect("a name");
            let (number, after) = rest[end + 1..].split_at(8);
            let length = usize::try_from(u64::from_le_bytes(number.try_into().expect("8 bytes"))).expect("length");
            fields.push((name, after[..length].to_vec()));
            rest = &after[length + 1..];
        }
        Some(fields)
    }

    /// Message, priority and whether it is a part, of the next entry.
    fn brief(journal: &UnixDatagram) -> Option<(String, String, bool)> {
        let fields = next(journal)?;
        let get = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let text = |name| String::from_utf8_lossy(&get(name).unwrap_or_default()).into_owned();
        Some((text("MESSAGE"), text("PRIORITY"), get("CONTAINER_PARTIAL_MESSAGE").is_some()))
    }

    #[test]
    fn an_entry_has_the_fields_of_podman_and_nothing_can_be_forged() {
        let directory = tempfile::tempdir().expect("directory");
        let (journal, mut writer) = pair(directory.path());
        writer.append(Stream::Stdout, b"a\0b\rPRIORITY=0\n");
        let names = ["CONTAINER_ID", "CONTAINER_ID_FULL", "CONTAINER_NAME", "CONTAINER_TAG", "IMAGE_NAME"];
        let names: Vec<_> = names.into_iter().chain(["SYSLOG_IDENTIFIER", "PRIORITY", "MESSAGE"]).collect();
        let fields = next(&journal).expect("an entry");
        assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!(fields.last().expect("a message").1, b"a\0b\rPRIORITY=0");
        assert_eq!(fields[5].1, b"tagged");
    }

    #[test]
    fn lines_are_entries_and_parts_are_marked() {
        let directory = tempfile::tempdir().expect("directory");
        let (journal, mut writer) = pair(directory.path());
        writer.append(Stream::Stdout, b"one\n\ntw");
        writer.append(Stream::Stderr, b"o\n");
        let entry = |text: &str, priority: &str, part| Some((text.to_owned(), priority.to_owned(), part));
        assert_eq!(brief(&journal), entry("one", "6", false));
        assert_eq!(brief(&journal), entry("", "6", false));
        assert_eq!(brief(&journal), entry("tw", "6", true));
        assert_eq!(brief(&journal), entry("o", "3", false));
        let long = "x".repeat(LONGEST + 3);
        writer.append(Stream::Stdout, format!("{long}\n").as_bytes());
        assert_eq!(brief(&journal), entry(&long[..LONGEST], "6", true));
        assert_eq!(brief(&journal), entry("xxx", "6", false));
        assert_eq!(brief(&journal), None);
    }

    #[test]
    fn what_a_full_journal_does_not_take_is_counted_and_reported() {
        let directory = tempfile::tempdir().expect("directory");
        let (journal, mut writer) = pair(directory.path());
        let mut written = 0u64;
        while writer.poll_fd().is_none() {
            writer.append(Stream::Stdout, b"1234567\n");
            written += 8;
        }
        // It waits for room, for so long.
        let deadline = writer.deadline().expect("a time");
        writer.flush();
        writer.expire(deadline - TIMEOUT);
        assert!(writer.poll_fd().is_some() && writer.lost == 0);
        assert_eq!(brief(&journal).expect("an entry").0, "1234567");
        writer.flush();
        assert!(writer.poll_fd().is_none() && writer.deadline().is_none());
        // Then it drops, and does not wait again until the journal has taken something.
        writer.append(Stream::Stdout, b"1234567\n");
        writer.expire(Instant::now() + TIMEOUT);
        assert!(writer.poll_fd().is_none());
        writer.append(Stream::Stdout, b"1234567\n");
        assert!(writer.poll_fd().is_none());
        assert_eq!(writer.lost, 16);
        let taken = std::iter::from_fn(|| brief(&journal)).count();
        assert_eq!((taken as u64 + 1) * 8, written);
        writer.append(Stream::Stdout, b"again\n");
        assert_eq!(brief(&journal).expect("a note").0, "rc: 16 bytes of output were lost here");
        assert_eq!(brief(&journal).expect("an entry").0, "again");
    }
}
