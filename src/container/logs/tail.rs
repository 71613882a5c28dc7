//! `--tail`: finds the beginning of the last lines, from the end backwards, without reading what is before.

use std::os::unix::fs::FileExt as _;

use super::{BLOCK, Entry, LogFile, Select};
use crate::sys::fs::{AtPath as _, PathError};

/// Drops older files, and seeks in the oldest remaining one, so that `select.tail` lines are left.
///
/// A line counts at the entry that ends it; parts after the last such entry are a line, too.
pub(super) fn skip(files: &mut Vec<LogFile>, select: &Select) -> Result<(), PathError> {
    let Some(wanted) = select.tail else { return Ok(()) };
    let mut count = Count { wanted, found: 0, is_open_at_end: false };
    for index in (0..files.len()).rev() {
        if let Some(start) = start_in(&files[index], &mut count, select)? {
            seek(&mut files[index], start)?;
            files.drain(..index);
            return Ok(());
        }
    }
    Ok(())
}

struct Count {
    wanted: u64,
    found: u64,
    /// The newest entry does not end its line.
    is_open_at_end: bool,
}

impl Count {
    /// Is called for each entry, the last one first; true for the first entry that is not wanted.
    fn is_before_tail(&mut self, entry: &Entry<'_>) -> bool {
        if self.wanted == 0 {
            return true;
        }
        if entry.is_partial {
            if self.found == 0 && !self.is_open_at_end {
                self.is_open_at_end = true;
                self.found = 1;
            }
            return false;
        }
        self.found += 1;
        self.found > self.wanted
    }
}

/// The offset after the last unwanted entry, or `None` if all of the file is wanted.
fn start_in(file: &LogFile, count: &mut Count, select: &Select) -> Result<Option<u64>, PathError> {
    let length = file.file.metadata().at("look at", &file.path)?.len();
    let mut begin = length;
    // The bytes from `begin` on whose line begins further ahead.
    let mut rest: Vec<u8> = Vec::new();
    // An incomplete line after the last newline does not count.
    let mut is_whole = false;
    while begin > 0 {
        let block = usize::try_from(begin).unwrap_or(BLOCK).min(BLOCK);
        begin -= block as u64;
        let mut bytes = vec![0; block];
        file.file.read_exact_at(&mut bytes, begin).at("read", &file.path)?;
        bytes.append(&mut rest);
        let mut end = bytes.len();
        while let Some(newline) = memchr::memrchr(b'\n', &bytes[..end]) {
            if is_whole && is_unwanted(&bytes[newline + 1..end], count, select) {
                return Ok(Some(begin + end as u64 + 1));
            }
            is_whole = true;
            end = newline;
        }
        bytes.truncate(end);
        rest = bytes;
    }
    if is_whole && is_unwanted(&rest, count, select) {
        return Ok(Some(rest.len() as u64 + 1));
    }
    Ok(None)
}

fn is_unwanted(line: &[u8], count: &mut Count, select: &Select) -> bool {
    Entry::parse(line).is_some_and(|entry| select.takes(&entry) && count.is_before_tail(&entry))
}

fn seek(file: &mut LogFile, offset: u64) -> Result<(), PathError> {
    use std::io::Seek as _;
    file.file.seek(std::io::SeekFrom::Start(offset)).map(drop).at("read", &file.path)
}
