//! The user's directories, determined once.
//!
//! ```text
//! data     --root, else RC_ROOT, else $XDG_DATA_HOME/rc, else ~/.local/share/rc
//! config   only RC_CONFIG, else /etc/rc/rc.toml and then $XDG_CONFIG_HOME/rc/rc.toml (~/.config/rc/rc.toml)
//! runtime  $XDG_RUNTIME_DIR/rc, else /run/user/UID/rc, else run/ in the data directory
//! ```
//!
//! Our own code: the crate `directories` asks the password database if HOME is not set, which loads code into a static
//! program (safety.md V2); and it does not make the checks that rc makes here.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid, getgid, getuid};

use crate::sys::fs::{self, PathError};
use crate::types::{Report, ReportKind};

/// Why the directories cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// rc runs with more rights than its caller has.
    #[error("rc must not run setuid or setgid (user {user}, acting as {effective})")]
    Setuid {
        /// The caller's ID.
        user: u32,
        /// The ID that it gained.
        effective: u32,
    },
    /// Root with a directory of another user: that user could not remove root's files there, and root would trust that
    /// user's files.
    #[error("rc runs as root, but `{variable}` names `{}`, which belongs to user {owner}", .path.display())]
    Foreign {
        /// `HOME` or an XDG variable.
        variable: &'static str,
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The user has no home directory.
    #[error("`HOME` is not set, and user {user} has no home directory in `/etc/passwd`")]
    NoHome {
        /// The user's ID.
        user: u32,
    },
    /// The runtime directory of rc is not private to the user.
    #[error("`{}` is not a directory that only user {user} can write", .path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// The user's ID.
        user: u32,
    },
    /// A file operation failed.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::Setuid { .. } | Error::Foreign { .. } | Error::NotPrivate { .. } => ReportKind::Denied,
            Error::NoHome { .. } => ReportKind::Unavailable,
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// How to fix it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Setuid { .. } => Some("remove the bit: `chmod u-s,g-s \"$(command -v rc)\"`".to_owned()),
            Self::Foreign { .. } => {
                Some("run rc without sudo, or for root's own containers: `sudo -H rc …`".to_owned())
            }
            Self::NoHome { .. } => Some("name a directory: `HOME=/path rc …`".to_owned()),
            Self::NotPrivate { path, .. } => Some(format!("remove it: `rm -r {}`", path.display())),
            Self::Path(_) => None,
        }
    }
}

/// The user's directories. They are created when they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dirs {
    user: u32,
    root: PathBuf,
    runtime: Option<PathBuf>,
    /// What `--runroot` has named.
    runroot: Option<PathBuf>,
    config: ConfigFiles,
}

/// Directories that the command line names. A relative path starts at the current directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// `--root`.
    pub(crate) root: Option<PathBuf>,
    /// `--runroot`.
    pub(crate) runtime: Option<PathBuf>,
}

/// The configuration files to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigFiles {
    /// The file of `RC_CONFIG`, which must exist.
    Only(PathBuf),
    /// Each may be missing, and may have drop-ins.
    Usual {
        /// The user's containers.conf.
        podman: PathBuf,
        /// The host's rc.toml and the user's, in this order.
        own: [PathBuf; 2],
    },
}

impl Dirs {
    /// Finds the directories of this process' user, but for those that were named.
    ///
    /// Fails if rc is setuid, and for root with a home or XDG directory of another user.
    pub(crate) fn find(given: &Given) -> Result<Self, Error> {
        for (real, effective) in [(getuid().as_raw(), geteuid().as_raw()), (getgid().as_raw(), getegid().as_raw())] {
            if real != effective {
                return Err(Error::Setuid { user: real, effective });
            }
        }
        Self::of(geteuid().as_raw(), given, &|name| std::env::var_os(name))
    }

    fn of(user: u32, named: &Given, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let whole =
            |path: &Path| std::path::absolute(path).map_err(|error| PathError::new("find", path.to_owned(), error));
        let given = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The base directory specification: a relative path in an XDG variable must be ignored.
        let absolute = |name| given(name).filter(|path| path.is_absolute());
        let foreign = |name: &'static str, path: PathBuf| not_foreign(user, name, &path).map(|()| path);
        // Looked up only if no XDG variable replaces it.
        let home = || match absolute("HOME") {
            Some(home) => foreign("HOME", home),
            None => home_in_passwd(user),
        };
        let xdg = |name: &'static str, beneath_home: &str| match absolute(name) {
            Some(path) => foreign(name, path),
            None => home().map(|home| home.join(beneath_home)),
        };
        let root = match named.root.clone().or_else(|| given("RC_ROOT")) {
            Some(root) => whole(&root)?,
            None => xdg("XDG_DATA_HOME", ".local/share")?.join("rc"),
        };
        let config = match given("RC_CONFIG") {
            Some(file) => ConfigFiles::Only(file),
            None => {
                let home = xdg("XDG_CONFIG_HOME", ".config")?;
                let podman = given("CONTAINERS_CONF").unwrap_or_else(|| home.join("containers/containers.conf"));
                ConfigFiles::Usual { podman, own: [PathBuf::from("/etc/rc/rc.toml"), home.join("rc/rc.toml")] }
            }
        };
        let runroot = named.runtime.as_deref().map(whole).transpose()?;
        Ok(Self { user, root, runtime: absolute("XDG_RUNTIME_DIR"), runroot, config })
    }

    /// The data directory: images, layers, containers, volumes. The store creates it, 0700.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration files.
    pub(crate) fn config(&self) -> &ConfigFiles {
        &self.config
    }

    /// The directory for files that may vanish at any time, created with mode 0700 if missing.
    ///
    /// Skips a base directory that is a symlink, belongs to another user or can be written by others; never repairs it.
    /// Whether it is noexec does not matter: nothing is executed from it. Fails with `NotPrivate` if the `rc` in a
    /// usable base directory is not private to the user.
    pub(crate) fn runtime(&self) -> Result<PathBuf, Error> {
        if let Some(named) = &self.runroot {
            fs::create_dir_all(named)?;
            return self.private(named.clone());
        }
        let usual = PathBuf::from(format!("/run/user/{}", self.user));
        let base = self.runtime.iter().chain([&usual]).find(|base| self.is_private(base));
        let directory = match base {
            Some(base) => base.join("rc"),
            None => {
                fs::create_dir_all(&self.root)?;
                self.root.join("run")
            }
        };
        match fs::create_dir(&directory) {
            Err(error) if error.source.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        self.private(directory)
    }

    fn private(&self, directory: PathBuf) -> Result<PathBuf, Error> {
        if self.is_private(&directory) {
            Ok(directory)
        } else {
            Err(Error::NotPrivate { path: directory, user: self.user })
        }
    }

    /// Whether `path` is a real directory of the user that no other user can write.
    fn is_private(&self, path: &Path) -> bool {
        fs::symlink_metadata(path)
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == self.user && metadata.mode() & 0o022 == 0)
    }
}

/// Refuses root in a directory of another user (`sudo rc` with the caller's HOME).
fn not_foreign(user: u32, variable: &'static str, path: &Path) -> Result<(), Error> {
    if user != 0 {
        return Ok(());
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.uid() != 0 => {
            Err(Error::Foreign { variable, path: path.to_owned(), owner: metadata.uid() })
        }
        _ => Ok(()),
    }
}

/// The sixth field of the user's line in `/etc/passwd` (passwd(5)), for callers without HOME: services, cron.
fn home_in_passwd(user: u32) -> Result<PathBuf, Error> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    home_of(user, &passwd).ok_or(Error::NoHome { user })
}

fn home_of(user: u32, passwd: &str) -> Option<PathBuf> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let id = fields.nth(2)?.parse::<u32>().ok()?;
        let home = PathBuf::from(fields.nth(2)?);
        (id == user && home.is_absolute()).then_some(home)
    })
}

#[cfg(test)]
mod tests;
