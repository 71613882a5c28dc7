//! The user's root namespace: finding and creating it.

use std::cell::{OnceCell, RefCell};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};

use super::{Error, IdMap};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::lock::FileLock;
use crate::sys::process::{Child, CloneOptions, Ended, fork};
use crate::sys::spawn::{Helper, Program, spawn};
use crate::sys::{namespace, prctl, programs};

/// The user's root namespace, as a descriptor; announced in the runtime directory as long as this process has it.
#[derive(Debug)]
pub(crate) struct UserNamespace {
    fd: OwnedFd,
    announced: PathBuf,
    by: u32,
}

impl UserNamespace {
    /// Finds the root namespace through the announcements of live processes in the runtime directory, or creates it
    /// with `map`.
    ///
    /// Fails if the kernel or the administrator allows no user namespaces; nothing is left behind then.
    pub(crate) fn open(map: &IdMap, runtime: &Path) -> Result<Self, Error> {
        match begin(map, runtime)? {
            Begun::Found(found) => Ok(found),
            Begun::Making(making) => making.finish(),
        }
    }

    /// Creates another root namespace, even if there is one: that shows whether newuidmap and newgidmap still work as
    /// they did when the existing one was created.
    pub(crate) fn make(map: &IdMap, runtime: &Path) -> Result<Self, Error> {
        let directory = runtime.join("userns");
        fs::create_dir_all(&directory)?;
        let lock = FileLock::exclusive(directory.join("lock"))?;
        make(map, directory, lock)?.finish()
    }

    /// Tries each announcement, a symlink `PID → /proc/PID/fd/N#KEY`, until one leads to a user namespace of this user.
    /// Removes those that lead nowhere: their process was killed. (The key identifies the map, so that a change of
    /// ranges creates another root namespace.)
    fn announced(directory: &Path, map: &IdMap) -> Result<Option<Self>, Error> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let key = map.key();
        for entry in entries.flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let Some((path, its_key)) = target.to_str().and_then(|target| target.split_once('#')) else { continue };
            // Another process may have the pid by now, and its descriptor may be a FIFO: opening it must not wait for
            // the other end.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            match rustix::fs::open(path, flags, Mode::empty()) {
                Ok(fd) if namespace::is_user_namespace_of(fd.as_fd(), rustix::process::geteuid().as_raw()) => {
                    if its_key == key {
                        return Ok(Some(Self::announce(fd, map, directory)));
                    }
                }
                // Another process may be removing the same one.
                _ => drop(fs::remove_file(entry.path())),
            }
        }
        Ok(None)
    }

    /// If the announcement cannot be written, later commands only take longer.
    fn announce(fd: OwnedFd, map: &IdMap, directory: &Path) -> Self {
        let by = std::process::id();
        let announced = directory.join(by.to_string());
        let target = format!("/proc/{by}/fd/{}#{}", fd.as_raw_fd(), map.key());
        if fs::symlink(&target, &announced).is_err() {
            // A process with the same pid was killed.
            drop(fs::remove_file(&announced));
            drop(fs::symlink(&target, &announced));
        }
        Self { fd, announced, by }
    }

    /// The descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Another descriptor of it.
    pub(crate) fn copy(&self) -> Result<OwnedFd, Error> {
        self.fd.try_clone().map_err(|source| Error::System { action: "duplicate a descriptor", source })
    }

    /// Makes the calling process, which has one thread, root in the root namespace.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        namespace::join(self.fd.as_fd(), CloneFlags::CLONE_NEWUSER)
            .map_err(|source| Error::System { action: "enter the root namespace", source })
    }
}

impl Drop for UserNamespace {
    fn drop(&mut self) {
        // A forked child must not withdraw its parent's announcement.
        if self.by == std::process::id() {
            drop(fs::remove_file(&self.announced));
        }
    }
}

/// A root namespace that may not be ready: newuidmap and newgidmap may still run, and its first user waits for them.
#[derive(Debug)]
pub(crate) struct Home {
    made: OnceCell<UserNamespace>,
    making: RefCell<Option<Making>>,
    member: RefCell<Option<Member>>,
}

impl Home {
    /// Finds the root namespace, or starts to create it with `map`; like [`UserNamespace::open`].
    pub(crate) fn begin(map: &IdMap, runtime: &Path) -> Result<Self, Error> {
        let (made, making) = match begin(map, runtime)? {
            Begun::Found(found) => (OnceCell::from(found), None),
            Begun::Making(making) => (OnceCell::new(), Some(making)),
        };
        Ok(Self { made, making: RefCell::new(making), member: RefCell::new(None) })
    }

    /// Waits until the root namespace is ready.
    ///
    /// Fails with the error of newuidmap or newgidmap, and again at every further call.
    pub(crate) fn ready(&self) -> Result<&UserNamespace, Error> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let failed_before = || Error::System {
            action: "create the root namespace",
            source: std::io::Error::from_raw_os_error(libc::ECANCELED),
        };
        let (made, member) = self.making.take().ok_or_else(failed_before)?.open()?;
        self.member.replace(Some(member));
        Ok(self.made.get_or_init(|| made))
    }

    /// Makes `home`, a user namespace with the map `map`, the root namespace of this process, if another one is: what
    /// is to be connected with something beneath it must be made beneath it, too.
    pub(crate) fn become_that(&mut self, home: BorrowedFd<'_>, map: &IdMap, runtime: &Path) -> Result<(), Error> {
        if self.made.get().is_some_and(|made| namespace::is_same(made.fd(), home)) {
            return Ok(());
        }
        let fd =
            home.try_clone_to_owned().map_err(|source| Error::System { action: "duplicate a descriptor", source })?;
        let directory = runtime.join("userns");
        fs::create_dir_all(&directory)?;
        self.made.take();
        self.making.take();
        self.made = OnceCell::from(UserNamespace::announce(fd, map, &directory));
        Ok(())
    }

    /// Ends the root namespace's first member, which is not needed any more. Waiting for its end takes a while, so call
    /// this when no other process waits for us.
    pub(crate) fn dismiss_member(&self) {
        drop(self.member.take());
    }
}

enum Begun {
    /// It already existed.
    Found(UserNamespace),
    Making(Making),
}

/// A root namespace that this process is creating.
#[derive(Debug)]
struct Making {
    member: Member,
    /// newuidmap and newgidmap; empty if the maps are already written.
    helpers: Vec<(String, Helper)>,
    /// The map that they write.
    map: IdMap,
    /// The directory of announcements.
    directory: PathBuf,
    /// Held so that two first containers do not create two of them.
    lock: FileLock,
}

/// The first member of a root namespace: it only waits, and exits when its creator drops this, or dies.
#[derive(Debug)]
struct Member {
    process: Child,
    by: u32,
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.by == std::process::id() {
            // Both calls can only fail if it has already ended.
            drop(self.process.signal(libc::SIGKILL));
            drop(self.process.wait());
        }
    }
}

fn begin(map: &IdMap, runtime: &Path) -> Result<Begun, Error> {
    let directory = runtime.join("userns");
    if let Some(found) = UserNamespace::announced(&directory, map)? {
        return Ok(Begun::Found(found));
    }
    fs::create_dir_all(&directory)?;
    let lock = FileLock::exclusive(directory.join("lock"))?;
    if let Some(found) = UserNamespace::announced(&directory, map)? {
        return Ok(Begun::Found(found));
    }
    make(map, directory, lock).map(Begun::Making)
}

fn make(map: &IdMap, directory: PathBuf, lock: FileLock) -> Result<Making, Error> {
    let options = CloneOptions { flags: Some(CloneFlags::CLONE_NEWUSER), cgroup: None };
    let maker = rustix::process::getpid();
    let process = fork(&options, || {
        // Only its namespace matters. It ends when its creator kills it, or dies. It has copies of the creator's locks:
        // if the creator was killed before the next line, no signal would come, and every other rc would wait forever.
        if prctl::die_with_parent().is_err() || rustix::process::getppid() != Some(maker) {
            return 1;
        }
        loop {
            nix::unistd::pause();
        }
    })
    .map_err(|source| Error::Refused { source })?;
    let member = Member { process, by: std::process::id() };
    let helpers = write_maps(map, member.process.pid)?;
    Ok(Making { member, helpers, map: map.clone(), directory, lock })
}

fn write_maps(map: &IdMap, pid: i32) -> Result<Vec<(String, Helper)>, Error> {
    let privileged = rustix::process::geteuid().is_root();
    if map.is_single() || privileged {
        if !privileged {
            // Otherwise a user could drop a group that denies access (user_namespaces(7)).
            fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        }
        fs::write(format!("/proc/{pid}/gid_map"), map.gid_lines())?;
        fs::write(format!("/proc/{pid}/uid_map"), map.uid_lines())?;
        return Ok(Vec::new());
    }
    let mut helpers = Vec::with_capacity(2);
    for (program, lines) in [("newuidmap", map.uid_lines()), ("newgidmap", map.gid_lines())] {
        let path = programs::find(program).unwrap_or_else(|| PathBuf::from("/usr/bin").join(program));
        let helper = start(&path, pid, &lines).map_err(|source| PathError::new("run", &path, source))?;
        helpers.push((path.display().to_string(), helper));
    }
    Ok(helpers)
}

/// Starts newuidmap or newgidmap.
fn start(path: &Path, pid: i32, lines: &str) -> std::io::Result<Helper> {
    let name = CString::new(path.as_os_str().as_encoded_bytes())?;
    let mut argv = vec![name.clone(), CString::new(pid.to_string())?];
    for word in lines.split_ascii_whitespace() {
        argv.push(CString::new(word)?);
    }
    let program = Program { path: &name, argv: &argv, env: &[], descriptors: &[], own_mounts: false };
    spawn(&program).map_err(|error| error.source)
}

impl Making {
    /// Waits for the helpers, opens the root namespace, and ends its first member.
    fn finish(self) -> Result<UserNamespace, Error> {
        self.open().map(|(made, _)| made)
    }

    /// Waits for the helpers, and opens the root namespace.
    ///
    /// Fails with the error of newuidmap or newgidmap; the first member has ended then.
    fn open(self) -> Result<(UserNamespace, Member), Error> {
        let Self { member, helpers, map, directory, lock } = self;
        let mut failure = None;
        for (program, helper) in helpers {
            let ended = helper.wait();
            // If it cannot be read, it is only missing from the message.
            let said = helper.last_words();
            match ended {
                Ok(Ended::Exited(0)) => {}
                Ok(_) if !said.is_empty() => failure = Some((program, said)),
                Ok(Ended::Exited(code)) => failure = Some((program, format!("exit status {code}"))),
                Ok(Ended::Killed(signal)) => failure = Some((program, format!("killed by signal {signal}"))),
                Err(error) => failure = Some((program, error.to_string())),
            }
        }
        if let Some((program, said)) = failure {
            return Err(Error::Helper { program, said });
        }
        let path = format!("/proc/{}/ns/user", member.process.pid);
        let fd = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open", &path)?;
        let made = UserNamespace::announce(fd, &map, &directory);
        // The first member, and other forked processes, have copies of it.
        lock.release();
        Ok((made, member))
    }
}
