//! Whom a step waits for.

use std::path::Path;

use crate::sys::fs;
use crate::sys::lock::flock_holder;

/// The most bytes of a command line that are read.
const LIMIT: u64 = 4 << 10;

/// How many characters of it are shown.
const SHOWN: usize = 60;

/// Who holds the lock on `path`, as words in a sentence; `own` is the process of this build, whose children stages are.
pub(super) fn holder(path: &Path, own: i32) -> String {
    let Some(pid) = flock_holder(path) else { return "another build".to_owned() };
    if pid == own || parent(pid) == Some(own) {
        return "another stage of this build".to_owned();
    }
    let words = fs::read_limited(format!("/proc/{pid}/cmdline"), LIMIT).unwrap_or_default();
    let words: Vec<_> = words.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let mut line = words.join(" ").trim_end().to_owned();
    if let Some((end, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(end);
        line.push_str("...");
    }
    format!("another build (process {pid}: {line})")
}

/// The parent of a process. Source: proc_pid_stat(5).
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_limited(format!("/proc/{pid}/stat"), LIMIT).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    // The name is in parentheses, and may have some itself.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
