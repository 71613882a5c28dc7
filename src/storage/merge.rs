//! Several layers as one: of each file what the topmost layer has that says something of it. Layers never change, so
//! files are linked, not copied, where links disturb nobody.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fsetxattr,
    fstat, futimens, linkat, mkdirat, openat, statat,
};
use rustix::io::Errno;

use super::layer::{OPAQUE, is_whiteout};
use super::links::may_be_linked;
use super::pack::{attributes, is_opaque, names};
use crate::sys::fs::{self, AtPath as _, PathError};

/// How many levels of directories are merged: each takes descriptors and stack.
const DEEPEST: u32 = 1024;

/// Merges the files of layers, lowest first, into the directory `into`, which is empty and on their filesystem. With
/// nothing below them, nothing is left to hide. Returns whether one of them describes its root directory; `into` has
/// the attributes of the topmost one then.
///
/// This process must be root in the root namespace, or own everything. On failure a part is there.
pub(crate) fn merge(layers: &[PathBuf], into: &Path, is_lowest: bool) -> Result<bool, PathError> {
    let mut sources = Vec::new();
    let mut root = None;
    for layer in layers.iter().rev() {
        let files = OwnedFd::from(fs::open_directory(layer)?);
        let is_described = fs::symlink_metadata(layer.with_file_name("root")).is_ok();
        if is_described && root.is_none() {
            root = Some(files.try_clone().at("open", layer)?);
        }
        let hides = is_opaque(&files);
        sources.push(files);
        if hides {
            break;
        }
    }
    let target = OwnedFd::from(fs::open_directory(into)?);
    Merger { is_lowest }.contents(&sources, &target, Path::new(""), DEEPEST).at("merge layers into", into)?;
    match &root {
        Some(root) => describe(&target, root, false).at("set the attributes of", into)?,
        None => fchmod(&target, Mode::from_raw_mode(0o755)).at("set the mode of", into)?,
    }
    Ok(root.is_some())
}

struct Merger {
    is_lowest: bool,
}

impl Merger {
    /// Merges directories, topmost first, which are `at` this path from the root.
    fn contents(&self, sources: &[OwnedFd], into: &OwnedFd, at: &Path, levels: u32) -> io::Result<()> {
        let levels = levels.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
        let mut all: BTreeMap<CString, Vec<usize>> = BTreeMap::new();
        for (number, source) in sources.iter().enumerate() {
            for name in names(source)? {
                all.entry(name).or_default().push(number);
            }
        }
        for (name, numbers) in &all {
            let having: Vec<&OwnedFd> = numbers.iter().map(|number| &sources[*number]).collect();
            let Some(top) = having.first() else { continue };
            let stat = statat(top, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let path = at.join(OsStr::from_bytes(name.to_bytes()));
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => self.directory(&having, name, into, &path, levels)?,
                FileType::RegularFile if !may_be_linked(&path) => copy(top, name, into)?,
                _ if self.is_lowest && is_whiteout(&stat) => {}
                _ => linkat(top, name, into, name, AtFlags::empty())?,
            }
        }
        Ok(())
    }

    fn directory(&self, having: &[&OwnedFd], name: &CStr, into: &OwnedFd, at: &Path, levels: u32) -> io::Result<()> {
        let mut merged = Vec::new();
        let mut hides = false;
        for source in having {
            let stat = statat(source, name, AtFlags::SYMLINK_NOFOLLOW)?;
            // What is no directory hides what is below it.
            hides = FileType::from_raw_mode(stat.st_mode) != FileType::Directory;
            if hides {
                break;
            }
            let directory = open(source, name)?;
            hides = is_opaque(&directory);
            merged.push(directory);
            if hides {
                break;
            }
        }
        mkdirat(into, name, Mode::RWXU)?;
        let made = open(into, name)?;
        self.contents(&merged, &made, at, levels)?;
        match merged.first() {
            Some(top) => describe(&made, top, hides && !self.is_lowest),
            None => Ok(()),
        }
    }
}

fn open(parent: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Copies a file with its attributes.
fn copy(from: &OwnedFd, name: &CStr, into: &OwnedFd) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let like = openat(from, name, OFlags::RDONLY | flags, Mode::empty())?;
    let made = openat(into, name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | flags, Mode::RUSR | Mode::WUSR)?;
    io::copy(&mut File::from(like.try_clone()?), &mut File::from(made.try_clone()?))?;
    describe(&made, &like, false)
}

/// Gives a file or directory the attributes of another; owner first, since a new one clears some of the others.
fn describe(made: &OwnedFd, like: &OwnedFd, hides: bool) -> io::Result<()> {
    let stat: Stat = fstat(like)?;
    fchown(made, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    for (name, value) in attributes(like)? {
        fsetxattr(made, &name[..], &value, XattrFlags::empty())?;
    }
    if hides {
        fsetxattr(made, OPAQUE, b"y", XattrFlags::empty())?;
    }
    fchmod(made, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let time =
        |seconds, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: i64::try_from(nanoseconds).unwrap_or(0) };
    let last_modification = time(stat.st_mtime, stat.st_mtime_nsec);
    futimens(made, &Timestamps { last_access: last_modification, last_modification })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A layer of these files; a name with a slash at its end is a directory, and one with `!` before it is opaque.
    fn layer(home: &Path, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = home.join(name).join("fs");
        fs::create_dir_all(&root).expect("made");
        for (path, text) in files {
            if let Some(opaque) = path.strip_prefix('!') {
                fs::create_dir_all(root.join(opaque)).expect("made");
                let made = OwnedFd::from(fs::open_directory(root.join(opaque)).expect("opens"));
                fsetxattr(&made, OPAQUE, b"y", XattrFlags::empty()).expect("an attribute");
            } else if path.ends_with('/') {
                fs::create_dir_all(root.join(path)).expect("made");
            } else {
                let path = root.join(path);
                fs::create_dir_all(path.parent().expect("a directory")).expect("made");
                fs::write(path, text).expect("written");
            }
        }
        root
    }

    fn seen(directory: &Path, at: &str, all: &mut Vec<String>) {
        let mut paths = fs::paths_in(directory).expect("lists");
        paths.sort();
        for path in paths {
            let name = format!("{at}{}", path.file_name().expect("a name").to_string_lossy());
            if path.is_dir() {
                let opened = OwnedFd::from(fs::open_directory(&path).expect("opens"));
                all.push(format!("{name}/{}", if is_opaque(&opened) { " opaque" } else { "" }));
                seen(&path, &format!("{name}/"), all);
            } else {
                all.push(format!("{name} {}", fs::read_to_string(&path).expect("reads")));
            }
        }
    }

    #[test]
    fn the_topmost_layer_says_what_a_file_is() {
        let home = tempfile::tempdir().expect("a directory");
        let layers = [
            layer(home.path(), "1", &[("d/a", "1"), ("d/b", "1"), ("o/old", "1"), ("f", "1"), ("x/y", "1")]),
            layer(home.path(), "2", &[("d/b", "2"), ("!o/", ""), ("o/new", "2"), ("f/in", "2"), ("x", "2")]),
            layer(home.path(), "3", &[("d/c", "3"), ("o/newer", "3"), ("x/z", "3")]),
        ];
        let merged = |name: &str, layers: &[PathBuf], is_lowest| {
            let into = home.path().join(name);
            fs::create_dir(&into).expect("made");
            merge(layers, &into, is_lowest).expect("merged");
            let mut all = Vec::new();
            seen(&into, "", &mut all);
            all
        };
        let all = ["d/", "d/a 1", "d/b 2", "d/c 3", "f/", "f/in 2", "o/", "o/new 2", "o/newer 3", "x/", "x/z 3"];
        assert_eq!(merged("all", &layers, true), all);
        let upper = ["d/", "d/b 2", "d/c 3", "f/", "f/in 2", "o/ opaque", "o/new 2", "o/newer 3", "x/ opaque", "x/z 3"];
        assert_eq!(merged("upper", &layers[1..], false), upper);
    }

    #[test]
    fn what_programs_read_as_root_has_one_link() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let home = tempfile::tempdir().expect("a directory");
        let layers = [layer(home.path(), "1", &[("etc/cron.d/job", "text"), ("srv/file", "1")])];
        let job = layers[0].join("etc/cron.d/job");
        std::fs::set_permissions(&job, std::fs::Permissions::from_mode(0o640)).expect("a mode");
        let into = home.path().join("all");
        fs::create_dir(&into).expect("made");
        merge(&layers, &into, true).expect("merged");
        let (old, new) =
            (fs::metadata(&job).expect("there"), fs::metadata(into.join("etc/cron.d/job")).expect("there"));
        assert_eq!(
            (new.nlink(), new.mode(), new.mtime(), new.mtime_nsec()),
            (1, old.mode(), old.mtime(), old.mtime_nsec())
        );
        assert_eq!(fs::read_to_string(into.join("etc/cron.d/job")).expect("reads"), "text");
        assert_eq!(fs::metadata(into.join("srv/file")).expect("there").nlink(), 2);
    }
}
