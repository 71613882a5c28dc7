//! Files that the user names for writing: `--pidfile`, `save -o`, `generate --files`, `build --logfile`.
//!
//! A container may share their directory, and put anything there: a link in place of the file, or of a temporary name
//! that can be guessed, would lead to any file of the user; a FIFO would make the writer hang. So rc opens nothing that
//! exists there. The new file has no name while it is written (O_TMPFILE, open(2)), then a random one for a moment, and
//! is renamed over the existing file. All of this uses a descriptor of the directory, which cannot be replaced in
//! between. A process that is killed meanwhile leaves nothing, unless it has just given the file its random name: then
//! it leaves one file of that name, as it also does if the filesystem has no O_TMPFILE.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fchmod, linkat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::failpoint;
use super::fs::{self, AtPath as _, PathError};

/// A new file that will replace the existing one. Dropped unfinished, it is removed and the old one remains.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: File,
    directory: OwnedFd,
    path: PathBuf,
    name: OsString,
    /// Its random name; `None` before it has one.
    aside: Option<OsString>,
}

impl Replacement {
    /// Starts a file with these permissions, less the umask, which [`Replacement::finish`] puts at `path`. If this user
    /// already has a regular file there, the new one gets its permissions, as if it had been written to: it may be
    /// private.
    ///
    /// Fails if a directory is there, or if the parent directory does not exist or cannot be written to.
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn begin(path: &Path, mode: u32) -> Result<Self, PathError> {
        failpoint::point().at("create", path)?;
        Self::begin_at(Named::open(path).at("create", path)?, mode)
    }

    /// As [`Replacement::begin`], with a file that only this user can read, whatever was there.
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn begin_private(path: &Path) -> Result<Self, PathError> {
        let new = Self::begin(path, 0o600)?;
        fchmod(&new.file, Mode::RUSR | Mode::WUSR).at("set the mode of", path)?;
        Ok(new)
    }

    fn begin_at(place: Named, mode: u32) -> Result<Self, PathError> {
        let Named { directory, name, path } = place;
        let mode = Mode::from_raw_mode(mode);
        let old = statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let kind = old.map(|old| FileType::from_raw_mode(old.st_mode));
        if kind == Some(FileType::Directory) {
            return Err(Errno::ISDIR).at("create", &path);
        }
        let (file, aside) = match openat(&directory, c".", OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode) {
            Ok(file) => (file, None),
            // The filesystem does not support it, or the kernel takes the flag for O_DIRECTORY (open(2), "O_TMPFILE").
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
                named(&directory, mode).at("create", &path)?
            }
            Err(error) => return Err(error).at("create", &path),
        };
        let new = Self { file: file.into(), directory, path, name, aside };
        let own = |old: &rustix::fs::Stat| old.st_uid == rustix::process::geteuid().as_raw();
        if let Some(old) = old.filter(|old| kind == Some(FileType::RegularFile) && own(old)) {
            fchmod(&new.file, Mode::from_raw_mode(old.st_mode & 0o777)).at("set the mode of", &new.path)?;
        }
        Ok(new)
    }

    /// Moves the file into its place.
    ///
    /// Fails if a directory is there; nothing is left behind then.
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn finish(mut self) -> Result<(), PathError> {
        failpoint::point().at("rename", &self.path)?;
        if self.aside.is_none() {
            self.aside = Some(self.link().at("create", &self.path)?);
        }
        let Some(aside) = &self.aside else { return Ok(()) };
        renameat(&self.directory, aside, &self.directory, &self.name).at("replace", &self.path)?;
        self.aside = None;
        Ok(())
    }

    /// Gives the file a random name, through /proc: linking by the descriptor alone needs CAP_DAC_READ_SEARCH
    /// (linkat(2), AT_EMPTY_PATH).
    fn link(&self) -> io::Result<OsString> {
        let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        loop {
            let name = random_name()?;
            match linkat(CWD, &file, &self.directory, &name, AtFlags::SYMLINK_FOLLOW) {
                Ok(()) => return Ok(name),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(aside) = &self.aside {
            // Nothing else can be done about it.
            unlinkat(&self.directory, aside, AtFlags::empty()).ok();
        }
    }
}

fn named(directory: &OwnedFd, mode: Mode) -> io::Result<(OwnedFd, Option<OsString>)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let name = random_name()?;
        match openat(directory, &name, flags, mode) {
            Ok(file) => return Ok((file, Some(name))),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A name that cannot be guessed, hidden from `ls`.
fn random_name() -> io::Result<OsString> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())?;
    Ok(OsString::from(format!(".rc-{:032x}", u128::from_ne_bytes(bytes))))
}

/// A name in an open directory: it does not matter if the directory's path leads elsewhere later.
#[derive(Debug)]
pub(crate) struct Named {
    directory: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl Named {
    /// Opens the parent directory of `path`. Fails if it does not exist, or if `path` can only name a directory.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // `Path` does not distinguish `name/` and `name/.` from `name`.
        let is_directory = [&b"/"[..], b"/."].iter().any(|end| path.as_os_str().as_bytes().ends_with(end));
        let Some(name) = path.file_name().filter(|_| !is_directory) else { return Err(Errno::ISDIR.into()) };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty())?;
        Ok(Self { directory, name: name.to_owned(), path: path.to_owned() })
    }

    /// Like [`replace_named`], in this directory.
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn replace(&self, bytes: &[u8]) -> Result<(), PathError> {
        failpoint::point().at("create", &self.path)?;
        let directory = rustix::io::fcntl_dupfd_cloexec(&self.directory, 0).at("create", &self.path)?;
        let mut file =
            Replacement::begin_at(Self { directory, name: self.name.clone(), path: self.path.clone() }, 0o600)?;
        file.write_all(bytes).at("write", &self.path)?;
        file.finish()
    }

    /// Removes the file if it is a regular one with exactly these bytes; leaves anything else alone, and never waits
    /// for it.
    pub(crate) fn remove_if(&self, bytes: &[u8]) {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let Ok(file) = openat(&self.directory, &self.name, flags, Mode::empty()) else { return };
        let file = File::from(file);
        let mut held = Vec::new();
        let read = |held: &mut Vec<u8>| (&file).take(bytes.len() as u64 + 1).read_to_end(held);
        if file.metadata().is_ok_and(|found| found.is_file()) && read(&mut held).is_ok() && held == bytes {
            // If it cannot be removed, it stays.
            unlinkat(&self.directory, &self.name, AtFlags::empty()).ok();
        }
    }
}

/// Replaces the file at `path`, whatever it is, with a new 0600 one.
///
/// On failure the old one remains.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn replace_named(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    let mut file = Replacement::begin(path, 0o600)?;
    file.write_all(bytes).at("write", path)?;
    file.finish()
}

/// The output that the user has named, for longer writes.
#[derive(Debug)]
pub(crate) enum Output {
    /// A file, which appears when it is complete.
    File(Replacement),
    /// Written in place: a device, a FIFO, a descriptor of the caller by its path in `/dev` or `/proc`, or a file in a
    /// directory that accepts no new one.
    InPlace(File),
}

impl Output {
    /// Opens `path` for writing; a new file has these permissions, less the umask. Waits for the reader of a FIFO.
    pub(crate) fn open(path: &Path, mode: u32) -> Result<Self, PathError> {
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        if is_of_the_system(path) {
            // `/dev/stdout` and `/dev/fd/N` are links to descriptors of the caller.
            let file: File = rustix::fs::open(path, flags, Mode::empty()).at("open", path)?.into();
            if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                file.set_len(0).at("truncate", path)?;
            }
            return Ok(Self::InPlace(file));
        }
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_symlink() && !found.is_dir()) {
            // A regular file that was put there meanwhile keeps its length: it is not truncated.
            let file: File = rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty()).at("open", path)?.into();
            return Ok(Self::InPlace(file));
        }
        match Replacement::begin(path, mode) {
            Err(error) if is_closed(&error.source) => match existing(path) {
                Some(file) => Ok(Self::InPlace(file)),
                None => Err(error),
            },
            other => other.map(Self::File),
        }
    }

    /// Moves a file into its place.
    pub(crate) fn finish(self) -> Result<(), PathError> {
        match self {
            Self::File(file) => file.finish(),
            Self::InPlace(_) => Ok(()),
        }
    }

    /// Moves a file into its place while it is still empty, and returns it: what is written to it is seen at once.
    pub(crate) fn put(self) -> Result<File, PathError> {
        match self {
            Self::File(new) => {
                let file = new.file.try_clone().at("duplicate", &new.path)?;
                new.finish()?;
                Ok(file)
            }
            Self::InPlace(file) => Ok(file),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the directory accepts no new file.
fn is_closed(error: &io::Error) -> bool {
    fs::is_foreign(error) || error.raw_os_error() == Some(libc::EROFS)
}

/// The regular file at `path`, emptied, if it is writable and has no other name: a link that was put there leads
/// nowhere.
fn existing(path: &Path) -> Option<File> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags, Mode::empty()).ok()?.into();
    file.metadata().ok().filter(|found| found.is_file() && found.nlink() == 1)?;
    file.set_len(0).ok()?;
    Some(file)
}

/// Whether the system names devices and open descriptors by this path: no container can put anything there.
fn is_of_the_system(path: &Path) -> bool {
    let parts: Option<Vec<_>> = path.components().skip(1).map(|part| part.as_os_str().to_str()).collect();
    path.is_absolute()
        && match parts.as_deref() {
            Some(["dev", name] | ["dev", "fd" | "pts", name] | ["proc", _, "fd", name]) => *name != "..",
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .expect("lists")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn whatever_has_the_name_is_replaced_and_never_written_through() {
        let home = tempfile::tempdir().expect("directory");
        let victim = home.path().join("victim");
        fs::write(&victim, "untouched").expect("written");
        let shared = home.path().join("shared");
        fs::create_dir(&shared).expect("made");
        let path = shared.join("file");
        for planted in ["nothing", "file", "link", "dangling link", "fifo"] {
            match planted {
                "file" => fs::write(&path, "old").expect("written"),
                "link" => fs::symlink(&victim, &path).expect("a link"),
                "dangling link" => fs::symlink(home.path().join("created"), &path).expect("a link"),
                "fifo" => rustix::fs::mkfifoat(CWD, &path, Mode::RWXU).expect("a FIFO"),
                _ => {}
            }
            // Both ways: with O_TMPFILE, and without, as on some filesystems.
            replace_named(&path, b"new").expect("replaced");
            assert_eq!(fs::read_record(&path, 64).expect("a regular file"), b"new", "{planted}");
            let mut by_name = Replacement::begin(&path, 0o600).expect("begun");
            let (file, aside) = named(&by_name.directory, Mode::RUSR | Mode::WUSR).expect("a file");
            (by_name.file, by_name.aside) = (file.into(), aside);
            assert_eq!(entries(&shared).len(), 2, "one has a random name");
            by_name.write_all(b"newer").expect("written");
            by_name.finish().expect("finished");
            assert_eq!(fs::read_record(&path, 64).expect("a regular file"), b"newer", "{planted}");
            assert_eq!(entries(&shared), ["file"], "{planted}");
            fs::remove_file(&path).expect("removed");
        }
        assert_eq!(fs::read(&victim).expect("there"), b"untouched");
        assert_eq!(entries(home.path()), ["shared", "victim"]);
    }

    #[test]
    fn what_is_not_finished_leaves_the_old_file_and_nothing_else() {
        let home = tempfile::tempdir().expect("directory");
        let path = home.path().join("file");
        fs::write(&path, "old").expect("written");
        let mut unfinished = Replacement::begin(&path, 0o600).expect("begun");
        unfinished.write_all(b"half").expect("written");
        drop(unfinished);
        let mut begun = Replacement::begin(&path, 0o600).expect("begun");
        let (file, aside) = named(&begun.directory, Mode::RUSR | Mode::WUSR).expect("a file");
        (begun.file, begun.aside) = (file.into(), aside);
        drop(begun);
        assert_eq!(entries(home.path()), ["file"]);
        assert_eq!(fs::read(&path).expect("there"), b"old");
        fs::create_dir(home.path().join("directory")).expect("made");
        for wrong in ["directory", "directory/", "new/", "new/.", "directory/.", "directory/.."] {
            assert!(Replacement::begin(&home.path().join(wrong), 0o600).is_err(), "{wrong}");
        }
        assert!(replace_named(&home.path().join("no/such"), b"new").is_err());
        assert!(replace_named(Path::new("/"), b"new").is_err());
        assert_eq!(entries(home.path()), ["directory", "file"]);
    }

    #[test]
    fn a_file_that_is_replaced_hands_its_permissions_on() {
        let home = tempfile::tempdir().expect("directory");
        let (path, link) = (home.path().join("file"), home.path().join("link"));
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o7777;
        for (old, new) in [(0o600, 0o600), (0o664, 0o664), (0o4755, 0o755)] {
            fs::write(&path, "old").expect("written");
            rustix::fs::chmod(&path, Mode::from_raw_mode(old)).expect("a mode");
            Replacement::begin(&path, 0o644).and_then(Replacement::finish).expect("replaced");
            assert_eq!(mode(&path), new, "{old:o}");
        }
        // The permissions of a link's target do not matter.
        fs::symlink(&path, &link).expect("a link");
        Replacement::begin(&link, 0o600).and_then(Replacement::finish).expect("replaced");
        assert_eq!((mode(&link), mode(&path)), (0o600, 0o755));
    }

    #[test]
    fn a_file_is_written_where_its_directory_takes_no_other() {
        if rustix::process::geteuid().is_root() {
            return;
        }
        let home = tempfile::tempdir().expect("directory");
        let [file, linked, link] = ["file", "linked", "link"].map(|name| home.path().join(name));
        for path in [&file, &linked] {
            fs::write(path, "old and long").expect("written");
        }
        linkat(CWD, &linked, CWD, home.path().join("other"), AtFlags::empty()).expect("a name");
        fs::symlink(&file, &link).expect("a link");
        rustix::fs::chmod(home.path(), Mode::RUSR | Mode::XUSR).expect("closed");
        let write = |path: &Path| -> Result<(), PathError> {
            let mut output = Output::open(path, 0o600)?;
            output.write_all(b"new").at("write", path)?;
            output.finish()
        };
        let results = [write(&file), write(&linked), write(&link), write(&home.path().join("missing"))];
        rustix::fs::chmod(home.path(), Mode::RWXU).expect("open again");
        assert_eq!(results.each_ref().map(Result::is_ok), [true, false, false, false], "{results:?}");
        assert_eq!(fs::read(&file).expect("there"), b"new");
        assert_eq!(fs::read(&linked).expect("there"), b"old and long");
    }

    #[test]
    fn devices_and_descriptors_are_written_where_they_are() {
        for (path, expected) in [
            ("/dev/stdout", true),
            ("/dev/fd/3", true),
            ("/proc/self/fd/1", true),
            ("/dev/shm/file", false),
            ("/dev/..", false),
            ("/dev/fd/../file", false),
            ("/proc/self/root/file", false),
            ("dev/stdout", false),
            ("/home/dev/stdout", false),
        ] {
            assert_eq!(is_of_the_system(Path::new(path)), expected, "{path}");
        }
        assert!(matches!(Output::open(Path::new("/dev/null"), 0o600), Ok(Output::InPlace(_))));
        let home = tempfile::tempdir().expect("directory");
        let fifo = home.path().join("fifo");
        rustix::fs::mkfifoat(CWD, &fifo, Mode::RWXU).expect("a FIFO");
        let reader = rustix::fs::open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).expect("a reader");
        assert!(matches!(Output::open(&fifo, 0o600), Ok(Output::InPlace(_))));
        drop(reader);
        fs::symlink("/dev/null", home.path().join("link")).expect("a link");
        assert!(matches!(Output::open(&home.path().join("link"), 0o600), Ok(Output::File(_))));
    }
}
