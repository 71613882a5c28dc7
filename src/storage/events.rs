//! What happens to containers, images, volumes, networks and secrets: a line of JSON each, for `rc events`.
//!
//! ```text
//! events.log      appended to by each process that changes something: one write(2) for what belongs together, no lock
//! events.log.1    the one before, once the first has more than LARGEST bytes
//! ```
//!
//! Nobody depends on these files: an event that cannot be written is lost, and a line that cannot be read is skipped.

mod follow;

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

pub(crate) use self::follow::EventReader;
use super::Store;
use crate::sys::fs;

/// The current file.
const CURRENT: &str = "events.log";
/// The one before.
const BEFORE: &str = "events.log.1";

/// The size in bytes from which on the next file is begun.
const LARGEST: u64 = 1 << 20;

/// The most bytes of an event: without labels it always has fewer.
const LONGEST: usize = 8 << 10;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// When, RFC 3339 with nanoseconds, UTC.
    pub(crate) time: String,
    /// What it has happened to.
    pub(crate) kind: EventKind,
    /// What, in podman's words: `create`, `died`.
    pub(crate) action: String,
    /// The ID of the container or image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// The image of a container.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) image: String,
    /// The exit code of a program that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    /// The health of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<String>,
    /// Labels, and what else is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventKind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A network.
    Network,
    /// A secret.
    Secret,
    /// A pod.
    Pod,
    /// rc itself.
    System,
}

impl EventKind {
    /// The word of docker and podman.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
            Self::Secret => "secret",
            Self::Pod => "pod",
            Self::System => "system",
        }
    }

    /// The kind for a word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Container, Self::Image, Self::Volume, Self::Network, Self::Secret, Self::Pod, Self::System];
        all.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Event {
    /// An event of now.
    pub(crate) fn new(kind: EventKind, action: &str, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            time: format!("{:.9}", Timestamp::now()),
            kind,
            action: action.to_owned(),
            id: id.into(),
            name: name.into(),
            image: String::new(),
            exit_code: None,
            health: None,
            attributes: BTreeMap::new(),
        }
    }

    /// Another event of the same object, now.
    pub(crate) fn then(&self, action: &str) -> Self {
        let time = format!("{:.9}", Timestamp::now());
        Self { time, action: action.to_owned(), exit_code: None, health: None, ..self.clone() }
    }

    /// With another attribute.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    fn line(&self) -> Option<Vec<u8>> {
        let mut line = serde_json::to_vec(self).ok()?;
        if line.len() >= LONGEST {
            line = serde_json::to_vec(&Self { attributes: BTreeMap::new(), ..self.clone() }).ok()?;
        }
        line.push(b'\n');
        Some(line)
    }
}

/// The log of one store; without a path nothing is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventLog {
    directory: Option<PathBuf>,
}

impl Store {
    /// The store with or without a log of events; one that was just opened has none.
    #[must_use]
    pub(crate) fn with_events(self, has_events: bool) -> Self {
        Self { has_events, ..self }
    }

    /// Where events are written.
    pub(crate) fn events(&self) -> EventLog {
        EventLog { directory: self.has_events.then(|| self.root.clone()) }
    }
}

impl EventLog {
    /// Adds events, all at once. On failure they are lost.
    pub(crate) fn add(&self, events: &[Event]) {
        let Some(directory) = &self.directory else { return };
        let lines: Vec<u8> = events.iter().filter_map(Event::line).flatten().collect();
        // One fstat(2) tells what the file is, and how large: `run` waits for this twice.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let options = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).clone();
        let Ok(mut file) = fs::open_with(directory.join(CURRENT), &options) else { return };
        let Some(found) = file.metadata().ok().filter(Metadata::is_file) else { return };
        if file.write(&lines).is_ok_and(|length| length < lines.len()) {
            // The disk is full: the next event begins a line.
            drop(file.write(b"\n"));
        }
        if found.size() >= LARGEST {
            turn(directory, &file, &found);
        }
    }
}

/// Begins the next file. Of several processes that find this one full, one does so: it holds a lock on the file, and
/// looks whether that still has the name.
fn turn(directory: &Path, file: &File, found: &Metadata) {
    let current = directory.join(CURRENT);
    if rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && fs::symlink_metadata(&current).is_ok_and(|named| (named.dev(), named.ino()) == (found.dev(), found.ino()))
    {
        drop(fs::rename(current, directory.join(BEFORE)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, Store) {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a store").with_events(true);
        (home, store)
    }

    fn names(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.name.as_str()).collect()
    }

    #[test]
    fn events_are_read_in_order_and_a_follower_gets_the_new_ones() {
        let (_home, store) = log();
        let event = |name: &str| Event::new(EventKind::Volume, "create", "", name);
        store.events().add(&[event("a"), event("b")]);
        let mut late = EventReader::new(&store, false).expect("a reader");
        let mut all = EventReader::new(&store, true).expect("a reader");
        store.events().add(&[event("c").with("driver", "local")]);
        let found = all.read();
        assert_eq!(names(&found), ["a", "b", "c"]);
        assert_eq!(found[2].attributes["driver"], "local");
        assert_eq!(names(&late.read()), ["c"]);
        assert_eq!(late.read(), []);
        store.with_events(false).events().add(&[event("d")]);
        assert_eq!(late.read(), []);
    }

    #[test]
    fn the_log_is_bounded_and_a_follower_misses_nothing_when_the_next_file_begins() {
        let (_home, store) = log();
        let long = Event::new(EventKind::Image, "pull", "x".repeat(3000), "");
        let mut follower = EventReader::new(&store, false).expect("a reader");
        let mut seen = 0;
        for number in 0..1000 {
            store.events().add(&[Event { name: number.to_string(), ..long.clone() }]);
            if number % 100 == 0 {
                seen += follower.read().len();
            }
        }
        assert_eq!(seen + follower.read().len(), 1000);
        let size = |name| fs::metadata(store.root().join(name)).expect("it is there").len();
        assert!(size(CURRENT) + size(BEFORE) < 2 * LARGEST + 8192);
        let all = EventReader::new(&store, true).expect("a reader").read();
        assert!(all.len() > 300 && all.last().is_some_and(|event| event.name == "999"), "{}", all.len());
    }

    #[test]
    fn a_broken_line_is_skipped_and_labels_are_left_out_before_the_line_is_too_long() {
        let (_home, store) = log();
        fs::write(store.root().join(CURRENT), "{\"time\": 1}\nnonsense\n").expect("written");
        let event = Event::new(EventKind::Container, "create", "i", "n").with("label", "x".repeat(LONGEST));
        store.events().add(std::slice::from_ref(&event));
        let found = EventReader::new(&store, true).expect("a reader").read();
        assert_eq!(found, [Event { attributes: BTreeMap::new(), ..event }]);
        fs::remove_file(store.root().join(CURRENT)).expect("removed");
        fs::symlink("/dev/null", store.root().join(CURRENT)).expect("a link");
        store.events().add(&found);
        assert_eq!(EventReader::new(&store, true).expect("a reader").read(), []);
    }
}
