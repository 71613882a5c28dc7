//! The contents of files: linked from a layer that has them, shared with the source where the filesystem can do that,
//! or copied, with few system calls for each. Directories exist already.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, fstat, futimens, ioctl_ficlone, openat};
use rustix::io::Errno;

use super::attributes::{Times, set_all};
use super::copied::{Copied, Former, Wanted};
use super::destination::{Destination, replace};
use super::listing::{Item, ItemKind};
use super::onto::Directory;
use super::parallel::{GROUP, each};
use super::{Error, failed};
use crate::sys::root::{find_literally, open_in};

/// Files up to this size are read and written, in bytes: for these that is faster than to have the kernel copy them.
const SMALL: usize = 64 << 10;

/// Files that are to be written.
pub(super) struct Contents<'t> {
    sources: BorrowedFd<'t>,
    layer: BorrowedFd<'t>,
    former: Option<&'t Former>,
    to: &'t Destination<'t>,
    groups: Vec<Group<'t>>,
    /// Whether files can share their blocks with the source, as far as is known.
    shares: AtomicBool,
}

/// Files that go from one directory to another.
struct Group<'t> {
    /// From the root of the sources.
    from: PathBuf,
    /// From the root of the layer, with no link in it.
    to: PathBuf,
    /// See [`Directory`].
    is_plain: bool,
    files: Vec<File<'t>>,
}

/// A file.
#[derive(Clone, Copy)]
pub(super) struct File<'t> {
    /// Its name in the directory of the source.
    pub(super) from: &'t OsStr,
    /// Its name where it is written.
    pub(super) name: &'t OsStr,
    pub(super) item: &'t Item,
}

/// A group that is being written.
struct Work<'a> {
    group: &'a Group<'a>,
    from: OwnedFd,
    to: OwnedFd,
    former: Option<OwnedFd>,
}

impl<'t> Contents<'t> {
    pub(super) fn new(
        sources: BorrowedFd<'t>,
        layer: BorrowedFd<'t>,
        former: Option<&'t Former>,
        to: &'t Destination<'t>,
    ) -> Self {
        Self { sources, layer, former, to, groups: Vec::new(), shares: AtomicBool::new(true) }
    }

    /// Adds files of the directory `from`.
    pub(super) fn add(&mut self, from: &Path, to: &Directory, files: &[File<'t>]) {
        for files in files.chunks(GROUP) {
            let (from, to, is_plain) = (from.to_owned(), to.path.clone(), to.is_plain);
            self.groups.push(Group { from, to, is_plain, files: files.to_vec() });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Writes what was added, on as many threads as there are CPUs; notes it in `copied`.
    pub(super) fn write(&mut self, copied: &mut Copied) -> Result<(), Error> {
        let groups = std::mem::take(&mut self.groups);
        each(groups.len(), || vec![0; SMALL + 1], |number, buffer| self.group(&groups[number], buffer))?;
        for group in &groups {
            group.files.iter().for_each(|file| copied.add(&group.to.join(file.name), file.item));
        }
        Ok(())
    }

    fn group(&self, group: &Group<'_>, buffer: &mut [u8]) -> Result<(), Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let from = open_in(self.sources, &group.from, flags, Mode::empty());
        let work = Work {
            group,
            from: from.map_err(failed("open", group.from.as_os_str().as_bytes()))?,
            to: find_literally(self.layer, &group.to).map_err(failed("open", group.to.as_os_str().as_bytes()))?,
            former: self.former.and_then(|former| former.directory(&group.to)),
        };
        group.files.iter().try_for_each(|file| self.file(&work, file, buffer))
    }

    fn file(&self, work: &Work<'_>, file: &File<'_>, buffer: &mut [u8]) -> Result<(), Error> {
        let File { name, item, .. } = *file;
        let path = Path::new("/").join(&work.group.to).join(name);
        let shown = path.as_os_str().as_bytes();
        let wanted = Wanted { item, owner: self.to.owner_of(item), mode: (self.to.mode)(item.mode, false) };
        if let (Some(former), Some(directory)) = (self.former, &work.former)
            && former.link(directory, &path, &wanted, &work.to)
        {
            return Ok(());
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Nobody sees the layer yet.
        let mode = Mode::from_raw_mode(if work.group.is_plain { wanted.mode & 0o777 } else { 0o600 });
        let created = match openat(&work.to, name, flags, mode) {
            Err(Errno::EXIST) => {
                replace(&work.to, name, shown)?;
                openat(&work.to, name, flags, mode)
            }
            other => other,
        };
        let mut written = fs::File::from(created.map_err(failed("create", shown))?);
        self.content(work, file, &mut written, buffer, shown)?;
        let written = OwnedFd::from(written);
        let is_set =
            work.group.is_plain && wanted.owner == (0, 0) && item.attributes.is_empty() && wanted.mode & !0o777 == 0;
        if !is_set {
            set_all(&written, wanted.owner, &item.attributes, wanted.mode)
                .map_err(failed("set the attributes of", shown))?;
        }
        futimens(&written, &item.time().stamps()).map_err(failed("set the time of", shown))
    }

    /// Writes the content of a file, and checks that it is still the file that was listed.
    fn content(
        &self,
        work: &Work<'_>,
        file: &File<'_>,
        written: &mut fs::File,
        buffer: &mut [u8],
        shown: &[u8],
    ) -> Result<(), Error> {
        let ItemKind::File { size, .. } = file.item.kind else { return Ok(()) };
        let whole = work.group.from.join(file.from);
        let from = whole.as_os_str().as_bytes();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat(&work.from, file.from, flags, Mode::empty()).map_err(failed("open", from))?;
        let opened = fs::File::from(opened);
        let copied = self.bytes(&opened, written, size, buffer).map_err(failed("write", shown))?;
        let stat = fstat(&opened).map_err(failed("read", from))?;
        if copied != size || u64::try_from(stat.st_size) != Ok(size) || Times::of(&stat) != file.item.time() {
            return Err(Error::Changed(from.to_vec()));
        }
        Ok(())
    }

    fn bytes(&self, mut from: &fs::File, to: &mut fs::File, size: u64, buffer: &mut [u8]) -> io::Result<u64> {
        if size > 0 && self.shares.load(Ordering::Relaxed) {
            if ioctl_ficlone(to.as_fd(), from.as_fd()).is_ok() {
                return Ok(size);
            }
            self.shares.store(false, Ordering::Relaxed);
        }
        if size > SMALL as u64 {
            // With copy_file_range(2) where the filesystem has it.
            return io::copy(&mut from.take(size), to);
        }
        // One byte more shows a file that has become longer.
        let wanted = usize::try_from(size).unwrap_or(SMALL) + 1;
        let mut length = 0;
        while length < wanted {
            match from.read(&mut buffer[length..wanted]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if length + 1 == wanted {
                break;
            }
        }
        to.write_all(&buffer[..length])?;
        Ok(length as u64)
    }
}
