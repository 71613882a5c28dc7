//! A container's cgroup: its processes, freezing, killing, removing.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use super::directory::{Directory, number};
use super::{Error, locate};
use crate::sys::fs::PathError;
use crate::sys::process::{open_pidfd, signal_pidfd};

/// A container's cgroup.
#[derive(Debug)]
pub struct Group {
    directory: Directory,
    path: String,
}

impl Group {
    pub(super) fn new(directory: Directory, path: String) -> Self {
        Self { directory, path }
    }

    /// Opens a cgroup by its path as [`path`](Self::path) returns it; `None` if it does not exist. The top of the mount
    /// is never a container's: everything is in it.
    pub fn open(path: &str) -> Result<Option<Self>, Error> {
        if path.split('/').all(|part| matches!(part, "" | ".")) {
            return Err(Error::Invalid { what: "path of a container's cgroup", value: path.to_owned() });
        }
        Ok(locate::open(path)?.map(|directory| Self { directory, path: path.to_owned() }))
    }

    /// The directory, for `CLONE_INTO_CGROUP`.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.directory.fd()
    }

    /// The cgroup that a process of the container is in: this one, or one within it. `None` if it is elsewhere.
    ///
    /// The container has made those within, but none is a link, and each leads down.
    pub fn of_process(&self, pid: i32) -> Result<Option<Self>, Error> {
        let text = crate::sys::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let own = self.path.rsplit('/').next();
        let mut names = locate::own_group(&text).unwrap_or_default().split('/');
        if !names.any(|name| Some(name) == own) {
            return Ok(None);
        }
        let mut group = Self { directory: self.directory.child(".")?, path: self.path.clone() };
        for name in names {
            group = Self { directory: group.directory.child(name)?, path: format!("{}/{name}", group.path) };
        }
        Ok(Some(group))
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The path, relative to the mount of cgroup v2.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The pids of all processes in the cgroup and its descendants, as this process sees them; 0 for one outside its
    /// pid namespace.
    pub fn processes(&self) -> Result<Vec<i32>, Error> {
        let mut pids = Vec::new();
        for_each(&self.directory, &mut |directory| {
            pids.extend(directory.processes()?);
            Ok(())
        })?;
        Ok(pids)
    }

    /// Stops all processes in the cgroup and its descendants, and returns when they are stopped. Fails after
    /// `patience`; they run again then.
    ///
    /// The kernel calls a cgroup frozen when its own processes are, whatever those of its descendants do: rc reads the
    /// state of each. Source: `cgroup_update_frozen` in the kernel's kernel/cgroup/freezer.c.
    pub fn freeze(&self, patience: Duration) -> Result<(), Error> {
        self.directory.write("cgroup.freeze", "1")?;
        let end = Instant::now() + patience;
        let mut is_frozen = true;
        let waited = for_each(&self.directory, &mut |directory| {
            let left = end.saturating_duration_since(Instant::now());
            is_frozen = is_frozen && directory.wait_for("frozen", "1", left)?;
            Ok(())
        });
        if waited.is_ok() && is_frozen {
            return Ok(());
        }
        self.directory.write("cgroup.freeze", "0")?;
        waited?;
        Err(self.late("did not freeze", patience))
    }

    /// Lets the processes run again, and returns when they do.
    pub fn thaw(&self, patience: Duration) -> Result<(), Error> {
        self.directory.write("cgroup.freeze", "0")?;
        if self.directory.wait_for("frozen", "0", patience)? {
            Ok(())
        } else {
            Err(self.late("did not thaw", patience))
        }
    }

    /// Kills every process in the cgroup and its descendants, including frozen ones and those that are forked
    /// meanwhile. They may take a moment to end: [`remove`](Self::remove) waits for that.
    pub fn kill(&self) -> Result<(), Error> {
        match self.directory.write("cgroup.kill", "1") {
            Ok(()) => Ok(()),
            // Linux before 5.14 does not have the file, and a threaded cgroup does not support it.
            Err(_) => self.kill_one_by_one(),
        }
    }

    /// While they are frozen, no process can fork, and no pid that was read can end and be reused. SIGKILL thaws its
    /// target.
    fn kill_one_by_one(&self) -> Result<(), Error> {
        // If it fails, a fork may escape one round: the loop below goes on until no process is left.
        drop(self.freeze(Duration::from_secs(1)));
        for _ in 0..16 {
            let pids = self.processes()?;
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                // A process that has ended, or that is outside this pid namespace, cannot be killed from here.
                if let Ok(pidfd) = open_pidfd(pid) {
                    drop(signal_pidfd(pidfd.as_fd(), libc::SIGKILL));
                }
            }
        }
        Ok(self.directory.write("cgroup.freeze", "0")?)
    }

    /// Whether the kernel has killed a process of the cgroup because of its memory limit; `false` without that limit.
    pub fn oom_killed(&self) -> Result<bool, Error> {
        match self.directory.read("memory.events") {
            Ok(text) => Ok(number(&text, "oom_kill").is_some_and(|count| count != "0")),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the cgroup, and those that the container has created in it, as soon as the last process has ended. Fails
    /// with the remaining processes after `patience`. Succeeds if the cgroup does not exist.
    ///
    /// A descendant that belongs to one of the user's subordinate IDs can only be removed from within the root
    /// namespace.
    pub fn remove(&self, patience: Duration) -> Result<(), Error> {
        match self.directory.wait_for("populated", "0", patience) {
            Ok(true) => {}
            Ok(false) => return Err(self.late("did not end", patience)),
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        remove_children(&self.directory)?;
        match crate::sys::fs::remove_dir(self.directory.path()) {
            Err(error) if is_gone(&error) => Ok(()),
            // A process has joined it since then.
            Err(error) if error.source.raw_os_error() == Some(libc::EBUSY) => {
                Err(Error::InUse { group: self.path.clone() })
            }
            other => Ok(other?),
        }
    }

    fn late(&self, what: &'static str, patience: Duration) -> Error {
        Error::Late { group: self.path.clone(), what, seconds: patience.as_secs() }
    }
}

/// ENODEV is the error of a cgroup's file that was opened before the cgroup was removed.
fn is_gone(error: &PathError) -> bool {
    error.is_not_found() || error.source.raw_os_error() == Some(libc::ENODEV)
}

/// Visits a cgroup and its descendants, deepest last; skips those that are removed meanwhile.
fn for_each(
    directory: &Directory,
    visit: &mut impl FnMut(&Directory) -> Result<(), PathError>,
) -> Result<(), PathError> {
    match visit(directory) {
        Err(error) if is_gone(&error) => return Ok(()),
        other => other?,
    }
    for name in directory.children()? {
        match directory.child(&name) {
            Ok(child) => for_each(&child, visit)?,
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn remove_children(directory: &Directory) -> Result<(), PathError> {
    for name in directory.children()? {
        match directory.child(&name).and_then(|child| remove_children(&child)).and_then(|()| directory.remove(&name)) {
            Err(error) if is_gone(&error) => {}
            other => other?,
        }
    }
    Ok(())
}
