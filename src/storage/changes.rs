//! What a writable layer changes in the layers below it.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::pack::{is_opaque, names};
use crate::sys::steering;

/// How a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChangeKind {
    /// It is new.
    Added,
    /// It, or something in it, is different.
    Changed,
    /// It is gone.
    Deleted,
}

/// A changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// How.
    pub(crate) kind: ChangeKind,
    /// Its path, from the root.
    pub(crate) path: Vec<u8>,
}

/// What the directory `upper` changes in `lowers`, the topmost first; in the order of names, a directory before what is
/// in it. Leaves out the paths in `hidden`, with all that is in them.
pub(crate) fn changes(upper: &OwnedFd, lowers: &[OwnedFd], hidden: &[&str]) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    walk(upper, lowers, b"", hidden, &mut changes)?;
    Ok(changes)
}

fn walk(
    upper: &OwnedFd,
    lowers: &[OwnedFd],
    path: &[u8],
    hidden: &[&str],
    changes: &mut Vec<Change>,
) -> io::Result<()> {
    let own = names(upper)?;
    let is_replaced = is_opaque(upper) || own.iter().any(|name| name.to_bytes() == b".wh..wh..opq");
    for name in &own {
        let bytes = name.to_bytes();
        let whole = |name: &[u8]| [path, b"/", name].concat();
        let is_hidden = |path: &[u8]| hidden.iter().any(|hidden| hidden.as_bytes() == path);
        if is_hidden(&whole(bytes)) {
            continue;
        }
        let mut note = |kind, path| changes.push(Change { kind, path });
        // The other driver's form of a whiteout.
        if let Some(gone) = bytes.strip_prefix(steering::WHITEOUT.as_bytes()) {
            if !gone.starts_with(steering::WHITEOUT.as_bytes()) && below(lowers, OsStr::from_bytes(gone))?.is_some() {
                note(ChangeKind::Deleted, whole(gone));
            }
            continue;
        }
        let stat = statat(upper, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let old = if is_replaced { None } else { below(lowers, OsStr::from_bytes(bytes))? };
        if is_whiteout(&stat) {
            if old.is_some() {
                note(ChangeKind::Deleted, whole(bytes));
            }
            continue;
        }
        let kind = if old.is_some() { ChangeKind::Changed } else { ChangeKind::Added };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            note(kind, whole(bytes));
            continue;
        }
        let inner = open(upper, name)?;
        let beneath = if old.is_some_and(|old| is_directory(&old)) { directories(lowers, name)? } else { Vec::new() };
        let at = changes.len();
        changes.push(Change { kind, path: whole(bytes) });
        walk(&inner, &beneath, &whole(bytes), hidden, changes)?;
        // It was copied for what is in it, and nothing in it has changed.
        if kind == ChangeKind::Changed && changes.len() == at + 1 && old.is_some_and(|old| is_same(&old, &stat)) {
            changes.truncate(at);
        }
    }
    if is_replaced {
        for name in old_names(lowers)?.iter().filter(|name| !own.contains(name)) {
            changes.push(Change { kind: ChangeKind::Deleted, path: [path, b"/", name.to_bytes()].concat() });
        }
    }
    Ok(())
}

/// Mode and owner; the time changes with what is in a directory.
fn is_same(old: &Stat, new: &Stat) -> bool {
    (old.st_mode, old.st_uid, old.st_gid) == (new.st_mode, new.st_uid, new.st_gid)
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// The file of this name that directories of lower layers show, the topmost first.
fn below(lowers: &[OwnedFd], name: &OsStr) -> io::Result<Option<Stat>> {
    for lower in lowers {
        match statat(lower, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => return Ok((!is_whiteout(&stat)).then_some(stat)),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The directories of this name whose files are visible, the topmost first.
fn directories(lowers: &[OwnedFd], name: &CStr) -> io::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    for lower in lowers {
        match open(lower, name) {
            Ok(directory) => {
                let is_last = is_opaque(&directory);
                found.push(directory);
                if is_last {
                    break;
                }
            }
            Err(Errno::NOENT) => {}
            // A whiteout, or a file.
            Err(Errno::NOTDIR | Errno::LOOP) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The names that lower layers show in a directory.
fn old_names(lowers: &[OwnedFd]) -> io::Result<Vec<std::ffi::CString>> {
    let mut all = Vec::new();
    for lower in lowers {
        all.extend(names(lower)?);
    }
    all.sort();
    all.dedup();
    let mut shown = Vec::new();
    for name in all {
        if below(lowers, OsStr::from_bytes(name.to_bytes()))?.is_some() {
            shown.push(name);
        }
    }
    Ok(shown)
}

fn open(parent: &OwnedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs;

    #[test]
    fn files_are_added_changed_and_deleted_and_a_copied_directory_alone_is_no_change() {
        let home = tempfile::tempdir().expect("a directory");
        let make = |path: &str| fs::create_dir_all(home.path().join(path)).expect("made");
        let write = |path: &str| fs::write(home.path().join(path), "x").expect("written");
        ["low/a/b", "low/same", "top/a", "up/a/b", "up/same", "up/new/deep", "up/a/hidden", "low/gone"]
            .iter()
            .for_each(|path| make(path));
        ["low/a/b/file", "low/a/low", "top/a/top", "up/a/b/file", "up/a/low", "up/a/own", "up/new/file", "up/.wh.gone"]
            .iter()
            .for_each(|path| write(path));
        let open = |name: &str| OwnedFd::from(fs::open_directory(home.path().join(name)).expect("opens"));
        let found = changes(&open("up"), &[open("top"), open("low")], &["/a/hidden"]).expect("compared");
        let found: Vec<_> =
            found.iter().map(|change| (change.kind, String::from_utf8_lossy(&change.path).into_owned())).collect();
        let expected = [
            (ChangeKind::Deleted, "/gone"),
            (ChangeKind::Changed, "/a"),
            (ChangeKind::Changed, "/a/b"),
            (ChangeKind::Changed, "/a/b/file"),
            (ChangeKind::Changed, "/a/low"),
            (ChangeKind::Added, "/a/own"),
            (ChangeKind::Added, "/new"),
            (ChangeKind::Added, "/new/deep"),
            (ChangeKind::Added, "/new/file"),
        ];
        assert_eq!(found, expected.map(|(kind, path)| (kind, path.to_owned())));
    }
}
