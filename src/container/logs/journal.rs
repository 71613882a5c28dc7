//! The log of a container that logs to the system's journal. journalctl(1) reads it: a JSON object for each entry.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::Value;

use super::{BLOCK, Entry, Error, LogStream, Select, Sink};
use crate::sys::process::Ended;
use crate::sys::programs;
use crate::sys::spawn::{self, Helper, Program};
use crate::types::{ContainerId, json};

/// The fields of an entry that we ask for.
#[derive(Debug, Deserialize)]
struct Record {
    /// A string; an array of numbers if it is not text; null if it was left out.
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    #[serde(rename = "CONTAINER_PARTIAL_MESSAGE", default)]
    partial: Option<String>,
    /// Microseconds since 1970.
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    time: String,
    #[serde(rename = "__CURSOR", default)]
    cursor: String,
}

/// Hands over the entries of the container `id`, oldest first; with a `writer` (the monitor's pidfd) also new ones,
/// until the `writer` becomes readable, `select.until` has passed, or the sink fails.
///
/// Fails with `NoJournal` if journalctl is not installed. Entries that another user has forged are not shown.
pub(crate) fn journal<S: Sink>(
    id: &ContainerId,
    select: &Select,
    writer: Option<BorrowedFd<'_>>,
    sink: &mut S,
) -> Result<(), Error<S::Error>> {
    let mut reader = Reader { cursor: None, sink };
    let mut asked = options(select);
    if let Some(writer) = writer {
        reader.read(id, &[&asked[..], &["--follow".to_owned()]].concat(), Some((writer, select)))?;
        // journald stores entries with a delay, so the last ones may be missing.
        if let Some(cursor) = &reader.cursor {
            asked.retain(|option| option.starts_with("--until="));
            asked.extend(["--lines=all".to_owned(), format!("--after-cursor={cursor}")]);
        }
    }
    reader.read(id, &asked, None)
}

fn options(select: &Select) -> Vec<String> {
    let at = |time: Timestamp| {
        let microseconds = time.as_microsecond();
        format!("@{}.{:06}", microseconds.div_euclid(1_000_000), microseconds.rem_euclid(1_000_000))
    };
    let mut options = vec![match select.tail {
        Some(lines) => format!("--lines={lines}"),
        None => "--lines=all".to_owned(),
    }];
    options.extend(select.since.map(|time| format!("--since={}", at(time))));
    options.extend(select.until.map(|time| format!("--until={}", at(time))));
    options
}

struct Reader<'a, S> {
    /// The last entry that was handed over.
    cursor: Option<String>,
    sink: &'a mut S,
}

impl<S: Sink> Reader<'_, S> {
    fn read(
        &mut self,
        id: &ContainerId,
        options: &[String],
        follows: Option<(BorrowedFd<'_>, &Select)>,
    ) -> Result<(), Error<S::Error>> {
        let (helper, output) = start(id, options)?;
        let mut buffer = vec![0; BLOCK];
        let mut line = Vec::new();
        loop {
            let mut set = vec![PollFd::new(&output, PollFlags::IN)];
            set.extend(follows.iter().map(|(writer, _)| PollFd::new(writer, PollFlags::IN)));
            let timeout: Option<Timespec> = follows.and_then(|(_, select)| select.time_left());
            match poll(&mut set, timeout.as_ref()) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(failed(error.to_string())),
            }
            if set[0].revents().is_empty() {
                // There is no output, so the monitor has ended, or the time is over.
                return Ok(());
            }
            match rustix::io::read(&output, &mut buffer[..]) {
                Ok(0) => break,
                Ok(length) => {
                    for part in buffer[..length].split_inclusive(|byte| *byte == b'\n') {
                        line.extend_from_slice(part);
                        if part.ends_with(b"\n") {
                            self.entry(&line)?;
                            line.clear();
                        }
                    }
                    self.sink.caught_up().map_err(Error::Sink)?;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed(error.to_string())),
            }
        }
        match helper.wait() {
            // 1 without a message: there is no such entry.
            Ok(Ended::Exited(0)) => Ok(()),
            _ => match helper.last_words() {
                words if words.is_empty() => Ok(()),
                words => Err(failed(words)),
            },
        }
    }

    fn entry(&mut self, line: &[u8]) -> Result<(), Error<S::Error>> {
        // journalctl adds lines of its own about reboots and rotations.
        let Ok(record) = json::from_slice::<Record>(line) else { return Ok(()) };
        let text = match &record.message {
            Value::String(text) => text.clone().into_bytes(),
            Value::Array(bytes) => bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect(),
            _ => Vec::new(),
        };
        let time = record.time.parse().ok().and_then(|time| Timestamp::from_microsecond(time).ok());
        let time = time.map(|time| format!("{time:.9}")).unwrap_or_default();
        let stream = if record.priority == "3" { LogStream::Stderr } else { LogStream::Stdout };
        let is_partial = record.partial.is_some_and(|text| text == "true");
        self.cursor = Some(record.cursor).filter(|cursor| !cursor.is_empty());
        self.sink.entry(Entry { time: time.as_bytes(), stream, is_partial, text: &text }).map_err(Error::Sink)
    }
}

fn failed<E>(reason: String) -> Error<E> {
    Error::Journal(reason)
}

/// Starts journalctl, and returns its output.
fn start<E>(id: &ContainerId, options: &[String]) -> Result<(Helper, OwnedFd), Error<E>> {
    let program = programs::find("journalctl").ok_or(Error::NoJournal)?;
    let words = ["journalctl", "--quiet", "--no-pager", "--all", "--output=json"].map(str::to_owned).into_iter();
    let words = words
        .chain(["--output-fields=MESSAGE,PRIORITY,CONTAINER_PARTIAL_MESSAGE".to_owned()])
        .chain(options.iter().cloned())
        .chain([format!("CONTAINER_ID_FULL={id}"), format!("_UID={}", rustix::process::geteuid().as_raw())]);
    let argv: Vec<CString> = words.map(CString::new).collect::<Result<_, _>>().map_err(|e| failed(e.to_string()))?;
    let path = CString::new(program.into_os_string().into_vec()).map_err(|error| failed(error.to_string()))?;
    let (read, write) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| failed(error.to_string()))?;
    let descriptors = &[(write.as_fd(), 1)];
    let program = Program { path: &path, argv: &argv, env: &[], descriptors, own_mounts: false };
    let helper = spawn::spawn(&program).map_err(|error| failed(error.to_string()))?;
    Ok((helper, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<(String, bool, bool, Vec<u8>)>);

    impl Sink for Seen {
        type Error = std::convert::Infallible;

        fn entry(&mut self, entry: Entry<'_>) -> Result<(), Self::Error> {
            let time = String::from_utf8_lossy(entry.time).into_owned();
            self.0.push((time, entry.stream == LogStream::Stderr, entry.is_partial, entry.text.to_owned()));
            Ok(())
        }

        fn caught_up(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    #[test]
    fn entries_are_text_bytes_or_nothing() {
        let mut seen = Seen::default();
        let mut reader = Reader { cursor: None, sink: &mut seen };
        for line in [
            r#"{"MESSAGE":"one","PRIORITY":"6","__REALTIME_TIMESTAMP":"1700000000000001","__CURSOR":"a"}"#,
            concat!(
                r#"{"MESSAGE":[255,0],"PRIORITY":"3","CONTAINER_PARTIAL_MESSAGE":"true","#,
                r#""__REALTIME_TIMESTAMP":"0","__CURSOR":"b"}"#
            ),
            "-- Boot 1 --",
        ] {
            assert!(reader.entry(line.as_bytes()).is_ok());
        }
        assert_eq!(reader.cursor.as_deref(), Some("b"));
        let expected = [
            ("2023-11-14T22:13:20.000001000Z".to_owned(), false, false, b"one".to_vec()),
            ("1970-01-01T00:00:00.000000000Z".to_owned(), true, true, vec![255, 0]),
        ];
        assert_eq!(seen.0, expected);
    }

    #[test]
    fn times_and_numbers_are_asked_of_journalctl() {
        let time = Timestamp::from_microsecond(1_500_000).expect("time");
        let select = Select { tail: Some(3), since: Some(time), until: None };
        assert_eq!(options(&select), ["--lines=3", "--since=@1.500000"]);
        assert_eq!(options(&Select::default()), ["--lines=all"]);
    }
}
