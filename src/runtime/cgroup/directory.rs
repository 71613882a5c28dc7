//! A cgroup's directory, as a descriptor, and the small files in it.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};

use crate::sys::fs::{AtPath as _, PathError};

/// A cgroup's directory. The path is for messages; everything is opened relative to the descriptor.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens a cgroup's directory by its absolute path.
    pub(super) fn open(path: PathBuf) -> Result<Self, PathError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty()).at("open", &path)?;
        Ok(Self { fd, path })
    }

    /// Opens the child cgroup `name`.
    pub(super) fn child(&self, name: &str) -> Result<Self, PathError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty()).at("open", &path)?;
        Ok(Self { fd, path })
    }

    /// Creates the child cgroup `name`.
    pub(super) fn make(&self, name: &str) -> Result<(), PathError> {
        rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)).at("create the cgroup", self.path.join(name))
    }

    /// Removes the empty child cgroup `name`.
    pub(super) fn remove(&self, name: &str) -> Result<(), PathError> {
        rustix::fs::unlinkat(&self.fd, name, rustix::fs::AtFlags::REMOVEDIR)
            .at("remove the cgroup", self.path.join(name))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a control file.
    pub(super) fn read(&self, file: &str) -> Result<String, PathError> {
        let path = self.path.join(file);
        let fd = openat(&self.fd, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open", &path)?;
        let mut text = Vec::with_capacity(4096);
        while rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut text)).at("read", &path)? > 0 {
            text.reserve(4096);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Writes a control file in one call, as the kernel requires.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), PathError> {
        let path = self.path.join(file);
        let fd = openat(&self.fd, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).at("open", &path)?;
        rustix::io::write(&fd, value.as_bytes()).at("write", &path)?;
        Ok(())
    }

    /// The names of the child cgroups.
    pub(super) fn children(&self) -> Result<Vec<String>, PathError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).at("list", &self.path)? {
            let entry = entry.at("list", &self.path)?;
            let name = entry.file_name().to_string_lossy();
            if entry.file_type() == FileType::Directory && name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    /// The processes in this cgroup itself; 0 stands for one outside this pid namespace.
    pub(super) fn processes(&self) -> Result<Vec<i32>, PathError> {
        Ok(self.read("cgroup.procs")?.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Waits until `cgroup.events` says `key value`; `false` if it does not within `patience`.
    ///
    /// The kernel notifies a process that polls the file at each change. Source: cgroup-v2.rst, "[Un]populated
    /// Notification".
    pub(super) fn wait_for(&self, key: &str, value: &str, patience: Duration) -> Result<bool, PathError> {
        let path = self.path.join("cgroup.events");
        let fd =
            openat(&self.fd, "cgroup.events", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open", &path)?;
        let end = Instant::now() + patience;
        loop {
            let mut text = [0; 256];
            let length = rustix::io::pread(&fd, &mut text, 0).at("read", &path)?;
            if number(&String::from_utf8_lossy(&text[..length]), key).as_deref() == Some(value) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let left =
                Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&fd, PollFlags::PRI)], Some(&left)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).at("wait for", &path),
            }
        }
    }
}

/// The value of `key` in a file of `key value` lines.
pub(super) fn number(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).map(|value| value.trim().to_owned())
}
