//! Preconditions. A test that cannot run says why, and is counted; with `RC_TEST_STRICT=1` it fails.
//!
//! The tests run with three sets of IDs (`scripts/test` runs all three). A test for some of these sets is not part of
//! the others; that does not count as a skip (`only!`).

use std::io::Write;

/// The user who runs the tests, and the IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// An unprivileged user with subordinate ids.
    Full,
    /// An unprivileged user without: one id is mapped.
    One,
    /// Root.
    Root,
}

impl Set {
    /// The set that this process belongs to.
    pub(crate) fn current() -> Self {
        let user = rustix::process::getuid();
        if user.is_root() {
            return Self::Root;
        }
        let ranges = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
        let name = std::env::var("USER").unwrap_or_default();
        let number = user.as_raw().to_string();
        let has_range =
            ranges.lines().filter_map(|line| line.split(':').next()).any(|owner| owner == name || owner == number);
        if has_range { Self::Full } else { Self::One }
    }
}

/// Records the skip in the file that `scripts/test` counts (`RC_TEST_SKIPS`); fails if the run is strict.
pub(crate) fn record(test: &str, reason: &str) {
    assert!(std::env::var_os("RC_TEST_STRICT").is_none_or(|value| value != "1"), "skipped in a strict run: {reason}");
    eprintln!("skipped {test}: {reason}");
    let Some(path) = std::env::var_os("RC_TEST_SKIPS") else { return };
    let line = format!("{test}\t{reason}\n");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    // One write of less than a page to a file opened for appending does not mix with those of other tests.
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("RC_TEST_SKIPS names a file that can be written");
}

/// The name of the test that runs on this thread.
pub(crate) fn test_name() -> String {
    std::thread::current().name().unwrap_or("test").to_owned()
}

/// Looks for a program in the directories that the tests' PATH names.
pub(crate) fn has_program(name: &str) -> bool {
    super::lab::PATH.split(':').any(|directory| std::path::Path::new(directory).join(name).exists())
}

/// Ends the test as skipped, with the reason.
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::support::skip::record(&$crate::support::skip::test_name(), &format!($($reason)*));
        return;
    }};
}

/// Continues only if the fact is true: `require!(program "skopeo")`, `require!(fact, "reason {when}")`.
macro_rules! require {
    (program $name:expr) => {
        if !$crate::support::skip::has_program($name) {
            skip!("the program `{}` is not installed", $name);
        }
    };
    ($fact:expr, $($reason:tt)*) => {
        if !$fact {
            skip!($($reason)*);
        }
    };
}

/// Continues only in the given sets: `only!(Full | Root)`.
macro_rules! only {
    ($($set:ident)|+) => {
        if !matches!($crate::support::Set::current(), $($crate::support::Set::$set)|+) {
            return;
        }
    };
}

/// Continues only in the machine that `tests/vm/test` boots (`crate::system`).
macro_rules! machine {
    () => {
        require!(std::env::var_os("RC_TEST_MACHINE").is_some(), "only in the machine, which tests/vm/test boots");
    };
}
