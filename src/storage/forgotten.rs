//! Which steps the cache has forgotten, for the reasons of later builds.
//!
//! ```text
//! cache/forgotten   a line each, the latest last: KEY, the time in RFC 3339, `pruned` or `trimmed`
//! ```
//! It is a hint: a line that is lost, or half written, costs a date in a sentence.

use jiff::Timestamp;

use super::Store;
use crate::sys::fs::{self, Durability, PathError};
use crate::types::Digest;

/// The most bytes of the file: some two thousand steps.
const LIMIT: usize = 256 << 10;

/// When and why the cache has forgotten a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// When, RFC 3339.
    pub(crate) when: String,
    /// The user has pruned it; otherwise the cache was larger than it may be.
    pub(crate) was_pruned: bool,
}

impl Store {
    /// Notes that these steps were forgotten now.
    pub(crate) fn note_forgotten(&self, keys: &[Digest], was_pruned: bool) -> Result<(), PathError> {
        if keys.is_empty() {
            return Ok(());
        }
        let path = self.root.join("cache").join("forgotten");
        let mut text = self.forgotten_text();
        let (now, why) = (Timestamp::now(), if was_pruned { "pruned" } else { "trimmed" });
        for key in keys {
            text.push_str(&format!("{} {now:.0} {why}\n", key.hex()));
        }
        let excess = text.len().saturating_sub(LIMIT);
        // The oldest go, whole lines of them; of a damaged file perhaps all.
        let rest = || text.get(excess..)?.split_once('\n').map(|(_, rest)| rest);
        let kept = if excess > 0 { rest().unwrap_or_default() } else { &text };
        fs::replace(path, kept.as_bytes(), Durability::Volatile)
    }

    /// When and why a step was forgotten last, if that is known.
    pub(crate) fn forgotten(&self, key: &Digest) -> Option<Forgotten> {
        let text = self.forgotten_text();
        let line = text.lines().rfind(|line| line.starts_with(key.hex()))?;
        let mut words = line.split(' ').skip(1);
        let (when, why) = (words.next()?, words.next()?);
        Some(Forgotten { when: when.to_owned(), was_pruned: why == "pruned" })
    }

    fn forgotten_text(&self) -> String {
        let limit = u64::try_from(2 * LIMIT).unwrap_or(u64::MAX);
        let read = fs::read_record(self.root.join("cache").join("forgotten"), limit);
        read.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_forgotten_is_known_by_its_day_and_the_oldest_go_first() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        fs::create_dir_all(home.path().join("store/cache")).expect("made");
        let key = |number: u8| Digest::sha256([number; 32]);
        assert_eq!(store.forgotten(&key(1)), None);
        store.note_forgotten(&[key(1), key(2)], false).expect("noted");
        store.note_forgotten(&[key(1)], true).expect("noted");
        let found = store.forgotten(&key(1)).expect("known");
        assert!(found.was_pruned && found.when.starts_with("20") && found.when.ends_with('Z'), "{found:?}");
        assert!(store.forgotten(&key(2)).is_some_and(|found| !found.was_pruned));
        for number in 0..40 {
            store.note_forgotten(&vec![key(100 + number); 100], true).expect("noted");
        }
        assert_eq!(store.forgotten(&key(2)), None);
        assert!(store.forgotten_text().len() <= LIMIT && store.forgotten(&key(139)).is_some());
    }
}
