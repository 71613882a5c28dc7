//! Files by path, like `std::fs`, except that every error names its path and new files are private (0600, 0700).
//!
//! For paths that rc owns (its store, the user's own files). For a path that comes from an image or a container, use
//! `sys::root`.
#![expect(clippy::disallowed_methods, reason = "this module is what the ban on std::fs points to")]

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::failpoint;
use crate::types::{Report, ReportKind};

/// An I/O error with the action and its path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {}", .path.display().to_string().escape_debug(), plain(.source))]
pub struct PathError {
    /// What was tried, as an infinitive: `read`, `create directory`.
    pub(crate) action: &'static str,
    /// The path.
    pub(crate) path: PathBuf,
    /// The kernel's answer.
    #[source]
    pub(crate) source: io::Error,
}

impl From<PathError> for Report {
    fn from(error: PathError) -> Self {
        Self::new(ReportKind::of_file(&error.source), error.to_string())
    }
}

/// The text of an errno without Rust's `(os error N)`, in lower case like rc's other messages.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" (os error").map_or(text.as_str(), |(head, _)| head);
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// Whether a file operation was denied.
pub(crate) fn is_foreign(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM))
}

impl PathError {
    /// Adds the action and the path to an error.
    pub(crate) fn new(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self { action, path: path.into(), source: source.into() }
    }

    /// Whether the path does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether permission was denied: root in the root namespace may have it.
    pub(crate) fn is_foreign(&self) -> bool {
        is_foreign(&self.source)
    }
}

/// Adds action and path to an I/O result.
pub(crate) trait AtPath<T> {
    /// Names the action and the path, if it failed.
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, PathError>;
}

impl<T, E: Into<io::Error>> AtPath<T> for Result<T, E> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, PathError> {
        self.map_err(|source| PathError::new(action, path.as_ref(), source))
    }
}

/// Opens a file to read.
pub(crate) fn open(path: impl AsRef<Path>) -> Result<File, PathError> {
    File::open(&path).at("open", path)
}

/// Opens one of rc's own records to read, as [`open_record_with`] does.
pub(crate) fn open_record(path: impl AsRef<Path>) -> Result<File, PathError> {
    open_record_with(path, OpenOptions::new().read(true))
}

/// Opens one of rc's own records with the caller's options. It must be a regular file of this name: a link is not
/// followed, and a FIFO or a device is an error at once; open(2) would wait for the FIFO's other end or for the device.
pub(crate) fn open_record_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<File, PathError> {
    Ok(open_regular(path.as_ref(), options, libc::O_NOFOLLOW)?.0)
}

/// Opens a directory of the store, which must be a directory of this name: anything else is an error at once.
pub(crate) fn open_directory(path: impl AsRef<Path>) -> Result<File, PathError> {
    // A link is ENOTDIR (open(2), O_DIRECTORY with O_NOFOLLOW), and nothing but a directory is opened at all.
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(&path).at("open", path)
}

/// Restores the owner's permissions on a record or a directory of the store: to read, write and search. Changes nothing
/// else, and follows no link.
pub(crate) fn open_up(path: impl AsRef<Path>) -> Result<(), PathError> {
    use std::os::fd::AsRawFd as _;
    let path = path.as_ref();
    // An O_PATH reference needs no permission on the file (open(2), O_PATH).
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).at("open", path)?;
    let metadata = file.metadata().at("stat", path)?;
    let needed = match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => 0o600,
        (_, true) => 0o700,
        _ => return Ok(()),
    };
    let mode = metadata.permissions().mode();
    if mode & needed == needed {
        return Ok(());
    }
    let reference = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(reference, fs::Permissions::from_mode(mode | needed)).at("change the mode of", path)
}

/// A regular file, and its length in bytes.
fn open_regular(path: &Path, options: &OpenOptions, flags: i32) -> Result<(File, u64), PathError> {
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    // O_NONBLOCK has no effect on a regular file, and the check leaves no other (open(2)).
    match options.clone().custom_flags(flags | libc::O_NONBLOCK | libc::O_NOCTTY).open(path) {
        Ok(file) => match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok((file, metadata.len())),
            Ok(_) => Err(not_regular()),
            Err(error) => Err(error),
        },
        // A link, a FIFO without a reader or a socket, a directory opened for writing.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO | libc::EISDIR)) => {
            Err(not_regular())
        }
        Err(error) => Err(error),
    }
    .at("open", path)
}

/// Opens with the caller's options; new files are 0600 unless `options` sets a mode.
pub(crate) fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<File, PathError> {
    options.open(&path).at("open", path)
}

/// Creates a new 0600 file for writing; an existing file is an error.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn create_new(path: impl AsRef<Path>) -> Result<File, PathError> {
    failpoint::point().at("create", &path)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).at("create", path)
}

/// Reads at most `limit` bytes of a file; a longer one is an error, so that no file can exhaust memory.
///
/// Waits if the file is a FIFO, as a user who names one may want. For files that rc or a container may have written,
/// use [`read_record`] and [`read_regular`].
pub(crate) fn read_limited(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, PathError> {
    let file = open(&path)?;
    let size = file.metadata().at("stat", &path)?.len();
    read_at_most(file, size, path.as_ref(), limit)
}

/// Like [`read_limited`], for one of rc's own records: see [`open_record_with`].
pub(crate) fn read_record(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, PathError> {
    let (file, size) = open_regular(path.as_ref(), OpenOptions::new().read(true), libc::O_NOFOLLOW)?;
    read_at_most(file, size, path.as_ref(), limit)
}

/// Like [`read_limited`], for a regular file that the user names, in a directory that a container may share: follows
/// links; anything other than a regular file is an error at once.
pub(crate) fn read_regular(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, PathError> {
    let (file, size) = open_regular(path.as_ref(), OpenOptions::new().read(true), 0)?;
    read_at_most(file, size, path.as_ref(), limit)
}

fn read_at_most(file: File, size: u64, path: &Path, limit: u64) -> Result<Vec<u8>, PathError> {
    // Room for the whole file and for the read that finds its end; otherwise the first reads would be of 32 bytes.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or_default() + 64);
    file.take(limit + 1).read_to_end(&mut bytes).at("read", path)?;
    if bytes.len() as u64 > limit {
        return Err(PathError::new("read", path, io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    Ok(bytes)
}

/// Room for a short file, in bytes: into a vector without room the first reads are of 32 bytes, then of 64, and so on.
const SHORT: usize = 4 << 10;

/// Reads at most `limit` bytes: two calls for a short file, one of which finds its end.
pub(crate) fn read_up_to(file: impl io::Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(SHORT);
    file.take(limit).read_to_end(&mut bytes).map(|_| bytes)
}

/// Reads a whole UTF-8 file. The kernel's own say that they have no bytes, so their size is not asked for.
pub(crate) fn read_to_string(path: impl AsRef<Path>) -> Result<String, PathError> {
    let bytes = File::open(&path).and_then(|file| read_up_to(file, u64::MAX));
    let no_text = |_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(no_text));
    text.at("read", path)
}

/// Reads a whole file.
#[cfg(test)]
pub(crate) fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, PathError> {
    fs::read(&path).at("read", path)
}

/// Writes a file in place, which must be regular or not exist; for records use [`replace`], for files that the user
/// names [`super::replacement`].
///
/// On failure the file has its old content, or what could be written, and then perhaps the old end.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), PathError> {
    failpoint::point().at("write", &path)?;
    let (path, bytes) = (path.as_ref(), bytes.as_ref());
    // Not O_TRUNC: ext4 writes a file that was empty meanwhile to the disk when it is closed (`auto_da_alloc`), which
    // takes milliseconds.
    let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).clone();
    let (mut file, before) = open_regular(path, &options, libc::O_NOFOLLOW)?;
    file.write_all(bytes).at("write", path)?;
    let now = bytes.len() as u64;
    if before > now { file.set_len(now).at("truncate", path) } else { Ok(()) }
}

/// Whether a record must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// fsync the file and its directory: the new content survives a power cut, whole.
    Synced,
    /// No fsync: a power cut may bring the old content back. For files whose content means nothing after a reboot.
    Volatile,
    /// As `Volatile`, and a power cut may leave an empty file: ext4 writes the content of a file to the disk before
    /// that file replaces another (`auto_da_alloc`), and this spares it. For `--rm` containers; leases do the same.
    Fleeting,
}

/// Replaces one of rc's own records in one step: writes `NAME.new` beside it, syncs, renames, syncs the directory.
///
/// On failure the old content remains, and no other file is left; a process that is killed leaves at most `NAME.new`,
/// which the next call removes. That name is predictable, so use this only in directories that no container can write
/// to, and from one caller at a time; for a file that the user names, use [`super::replacement`].
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn replace(path: impl AsRef<Path>, bytes: &[u8], durability: Durability) -> Result<(), PathError> {
    failpoint::point().at("create", &path)?;
    let path = path.as_ref();
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let mut file = create_again(&aside)?;
    let written = file.write_all(bytes).at("write", &aside).and_then(|()| match durability {
        Durability::Synced => file.sync_data().at("sync", &aside),
        Durability::Volatile | Durability::Fleeting => Ok(()),
    });
    let put = || match durability {
        Durability::Fleeting => exchange(&aside, path),
        Durability::Synced | Durability::Volatile => rename(&aside, path),
    };
    if let Err(error) = written.and_then(|()| put()) {
        // The disk may be full because of it. If this fails too, the next call removes it.
        drop(fs::remove_file(&aside));
        return Err(error);
    }
    if durability == Durability::Synced
        && let Some(directory) = path.parent()
    {
        sync_dir(directory)?;
    }
    Ok(())
}

/// Puts the file `new` in the place of `path`, and removes what was there: two steps, of which a reader sees the first.
/// After a power cut it may be empty: see [`Durability::Fleeting`].
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn exchange(new: &Path, path: &Path) -> Result<(), PathError> {
    failpoint::point().at("rename", path)?;
    let (here, flags) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
    match rustix::fs::renameat_with(here, new, here, path, flags) {
        // What cannot be removed, the next call removes.
        Ok(()) => drop(remove_file(new)),
        // There is nothing, or the filesystem cannot do it.
        Err(_) => rename(new, path)?,
    }
    Ok(())
}

/// Creates a 0600 file to append to, replacing one that a killed process may have left: an existing file is unlinked,
/// never opened.
pub(crate) fn create_again(path: impl AsRef<Path>) -> Result<File, PathError> {
    let path = path.as_ref();
    let mut options = OpenOptions::new();
    // O_EXCL does not follow links (open(2)).
    options.append(true).create_new(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path).at("remove", path)?;
            options.open(path)
        }
        other => other,
    }
    .at("create", path)
}

/// Flushes a directory's entries to disk.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn sync_dir(path: impl AsRef<Path>) -> Result<(), PathError> {
    failpoint::point().at("sync", &path)?;
    File::open(&path).and_then(|dir| dir.sync_all()).at("sync", path)
}

/// Creates one 0700 directory.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn create_dir(path: impl AsRef<Path>) -> Result<(), PathError> {
    create_dir_with(path, 0o700)
}

/// Creates one directory with this mode.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn create_dir_with(path: impl AsRef<Path>, mode: u32) -> Result<(), PathError> {
    failpoint::point().at("create directory", &path)?;
    fs::DirBuilder::new().mode(mode).create(&path).at("create directory", path)
}

/// Creates a directory and its missing parents, all 0700; succeeds if it exists.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn create_dir_all(path: impl AsRef<Path>) -> Result<(), PathError> {
    failpoint::point().at("create directory", &path)?;
    fs::DirBuilder::new().mode(0o700).recursive(true).create(&path).at("create directory", path)
}

/// rename(2).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), PathError> {
    failpoint::point().at("rename", &from)?;
    fs::rename(&from, &to).at("rename", from)
}

/// renameat2(2), `RENAME_NOREPLACE`: fails if `to` exists.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn rename_to_new(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), PathError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    failpoint::point().at("rename", &from)?;
    renameat_with(CWD, from.as_ref(), CWD, to.as_ref(), RenameFlags::NOREPLACE).at("rename", from)
}

/// unlink(2).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn remove_file(path: impl AsRef<Path>) -> Result<(), PathError> {
    failpoint::point().at("remove", &path)?;
    fs::remove_file(&path).at("remove", path)
}

/// rmdir(2).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn remove_dir(path: impl AsRef<Path>) -> Result<(), PathError> {
    failpoint::point().at("remove directory", &path)?;
    fs::remove_dir(&path).at("remove directory", path)
}

/// Removes a tree without following symlinks; succeeds if it does not exist.
pub(crate) fn remove_dir_all(path: impl AsRef<Path>) -> Result<(), PathError> {
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", path),
    }
}

/// symlink(2): makes `link` point to `target`.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn symlink(target: impl AsRef<Path>, link: impl AsRef<Path>) -> Result<(), PathError> {
    failpoint::point().at("create link", &link)?;
    std::os::unix::fs::symlink(target, &link).at("create link", link)
}

/// readlink(2).
pub(crate) fn read_link(path: impl AsRef<Path>) -> Result<PathBuf, PathError> {
    fs::read_link(&path).at("read link", path)
}

/// The entries of a directory.
pub(crate) fn read_dir(path: impl AsRef<Path>) -> Result<fs::ReadDir, PathError> {
    fs::read_dir(&path).at("list", path)
}

/// The paths in a directory; none if it does not exist.
pub(crate) fn paths_in(directory: impl AsRef<Path>) -> Result<Vec<PathBuf>, PathError> {
    let directory = directory.as_ref();
    match read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).at("list", directory)).collect(),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// stat(2).
pub(crate) fn metadata(path: impl AsRef<Path>) -> Result<Metadata, PathError> {
    fs::metadata(&path).at("stat", path)
}

/// lstat(2).
pub(crate) fn symlink_metadata(path: impl AsRef<Path>) -> Result<Metadata, PathError> {
    fs::symlink_metadata(&path).at("stat", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_action_and_path_and_read_as_sentences() {
        let error = open("/nowhere/at/all").map(drop).map_err(|e| e.to_string());
        assert_eq!(error, Err("cannot open `/nowhere/at/all`: no such file or directory".to_owned()));
    }

    #[test]
    fn a_short_file_is_read_at_once_and_a_long_one_to_its_limit() {
        struct Counted<'a>(&'a [u8], usize);
        impl io::Read for Counted<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.1 += 1;
                self.0.read(buffer)
            }
        }
        let content = vec![b'x'; 100_000];
        let mut short = Counted(&content[..3000], 0);
        assert_eq!(read_up_to(&mut short, u64::MAX).expect("read").len(), 3000);
        assert_eq!(short.1, 2);
        assert_eq!(read_up_to(&content[..], 50_000).expect("read").len(), 50_000);
        assert_eq!(read_up_to(&content[..], u64::MAX).expect("read"), content);
    }

    #[test]
    fn a_file_that_is_written_in_place_has_the_new_content_alone() {
        use std::os::unix::fs::MetadataExt as _;
        let home = tempfile::tempdir().expect("directory");
        let path = home.path().join("hosts");
        let inode = || fs::metadata(&path).expect("there").ino();
        write(&path, "10.89.0.2 web\n").expect("created");
        let before = inode();
        for text in ["10.89.0.2 web\n10.89.0.3 db\n", "10.89.0.3\n", "10.89.0.4\n", ""] {
            write(&path, text).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("text"), text);
        }
        assert_eq!(inode(), before);
    }

    /// One of each kind of file that is not regular, and their names.
    fn special(directory: &Path) -> [PathBuf; 5] {
        fs::write(directory.join("regular"), "untouched").expect("written");
        let [fifo, link, dangling, inner, socket] =
            ["fifo", "link", "dangling", "directory", "socket"].map(|name| directory.join(name));
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).expect("a FIFO");
        symlink(directory.join("regular"), &link).expect("a link");
        symlink(directory.join("created"), &dangling).expect("a link");
        fs::create_dir(&inner).expect("a directory");
        drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
        [fifo, link, dangling, inner, socket]
    }

    #[test]
    fn a_record_is_a_regular_file_and_nothing_is_waited_for() {
        let home = tempfile::tempdir().expect("directory");
        for path in special(home.path()) {
            let read = OpenOptions::new().read(true).clone();
            let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
            for options in [read, lock, OpenOptions::new().append(true).create(true).clone()] {
                let error = open_record_with(&path, &options).map(drop).map_err(|error| error.to_string());
                let expected = format!("cannot open `{}`: not a regular file", path.display());
                assert_eq!(error, Err(expected), "{options:?}");
            }
            let opened = open_directory(&path).map(drop).map_err(|error| error.source.raw_os_error());
            assert_eq!(opened, if path.ends_with("directory") { Ok(()) } else { Err(Some(libc::ENOTDIR)) });
            assert!(read_record(&path, 64).is_err() && write(&path, "overwritten").is_err(), "{}", path.display());
            // A link of the user is followed.
            let read = read_regular(&path, 64).ok();
            assert_eq!(read.as_deref(), path.ends_with("link").then_some(&b"untouched"[..]), "{}", path.display());
        }
        assert_eq!(fs::read(home.path().join("regular")).expect("there"), b"untouched");
        assert!(!home.path().join("created").exists());
    }

    #[test]
    fn what_a_killed_process_left_is_replaced_and_never_written_through() {
        let home = tempfile::tempdir().expect("directory");
        let record = home.path().join("record");
        let durabilities = [Durability::Volatile, Durability::Fleeting, Durability::Synced];
        for (left, durability) in special(home.path()).into_iter().zip(durabilities.into_iter().cycle()) {
            let aside = home.path().join("record.new");
            fs::rename(&left, &aside).expect("moved");
            let replaced = replace(&record, b"new", durability);
            if left.ends_with("directory") {
                assert!(replaced.is_err());
                fs::remove_dir(&aside).expect("still there");
                continue;
            }
            replaced.expect("replaced");
            assert_eq!(read_record(&record, 64).expect("a record"), b"new");
            assert!(!aside.exists() && fs::symlink_metadata(&aside).is_err(), "{}", left.display());
            fs::remove_file(&record).expect("removed");
        }
        assert_eq!(fs::read(home.path().join("regular")).expect("there"), b"untouched");
        for durability in durabilities {
            for content in ["first", "second"] {
                replace(&record, content.as_bytes(), durability).expect("replaced");
                assert_eq!(read_record(&record, 64).expect("a record"), content.as_bytes());
                assert!(fs::symlink_metadata(home.path().join("record.new")).is_err(), "{durability:?}");
            }
            fs::remove_file(&record).expect("removed");
        }
        // A failure leaves nothing behind.
        fs::create_dir_all(record.join("full")).expect("a directory in the place of the record");
        assert!(replace(&record, b"new", Durability::Volatile).is_err());
        assert!(!home.path().join("record.new").exists());
    }
}
