//! Limits and freezing with cgroup v2, in the cgroup that this process was given or in a scope created for it.
//!
//! ```text
//! OWN                     delegated to us: systemd's `Delegate=yes` in a unit or a scope, or writable without systemd
//!   cgroup.subtree_control  the controllers that our child cgroups have
//!   supervisor/           rc's own processes; exists only if a controller is needed: the kernel lets no cgroup have
//!                         both processes and child cgroups with controllers
//!   rc-ID/                one container: limits, freeze, kill
//!   rc-pod-ID/            one pod: its limits, and the cgroups of its members and of its own process
//! ```
//!
//! Without a delegated cgroup, containers run without limits. A requested limit that cannot be set is an error that
//! names the controller; only the default limit of processes is left out.
//!
//! Sources: the kernel's cgroup-v2.rst ("No Internal Process Constraint", "Delegation"); systemd's
//! CGROUP_DELEGATION.md.

mod apply;
mod controllers;
mod directory;
mod group;
mod limits;
mod locate;
mod place;
mod stat;

pub use group::Group;
pub use place::{Place, Unit};
pub use stat::Usage;

use std::time::Duration;

use oci_spec::runtime::LinuxResources;

use crate::sys::fs::PathError;
use crate::types::{Report, ReportKind};
use controllers::Neighbour;
use directory::Directory;
use limits::Setting;

/// The leaf cgroup that rc moves its own processes to.
const SUPERVISOR: &str = "supervisor";

/// Why a limit could not be set, or a cgroup could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This process has no cgroup of its own.
    #[error(
        "cannot set the limit `{limit}`: the controller `{controller}` needs a cgroup that is delegated to rc, and \
         this process is in none"
    )]
    NoGroup {
        /// The control file.
        limit: String,
        /// The controller.
        controller: String,
    },
    /// The cgroup that was to be the parent of the container's own cannot be used.
    #[error("cannot create a cgroup in `{group}`: {reason}")]
    Parent {
        /// The cgroup.
        group: String,
        /// Why it cannot.
        reason: String,
    },
    /// A container without a cgroup cannot be frozen.
    #[error("it has no cgroup, which is needed to stop its processes")]
    NoGroupToFreeze,
    /// This process is in a unit that its manager has not delegated, and rc never moves a process out of a unit.
    #[error(
        "cannot set the limit `{limit}`: the controller `{controller}` needs a cgroup that is delegated to rc, and \
         `{unit}` is not"
    )]
    InUnit {
        /// The control file.
        limit: String,
        /// The controller.
        controller: String,
        /// The unit.
        unit: String,
    },
    /// The service manager created no scope.
    #[error(
        "cannot set the limit `{limit}`: the controller `{controller}` needs a cgroup that is delegated to rc: {reason}"
    )]
    NoScope {
        /// The control file.
        limit: String,
        /// The controller.
        controller: String,
        /// The manager's error, or why there is none.
        reason: String,
    },
    /// The monitor must stay in its cgroup, and only a scope could be delegated, which would have to contain the
    /// monitor.
    #[error(
        "cannot set the limit `{limit}`: the controller `{controller}` needs a cgroup that is delegated to rc, and \
         `--cgroups=no-conmon` keeps the monitor out of the scope that there would be"
    )]
    MonitorStays {
        /// The control file.
        limit: String,
        /// The controller.
        controller: String,
    },
    /// The controller is not delegated to the cgroup.
    #[error("cannot set the limit `{limit}`: the controller `{controller}` is not delegated to the cgroup `{group}`")]
    NotDelegated {
        /// The control file.
        limit: String,
        /// The controller.
        controller: String,
        /// The cgroup of this process.
        group: String,
    },
    /// The cgroup has processes that are not rc's, so the kernel lets no controller be enabled for its child cgroups.
    #[error(
        "cannot set the limit `{limit}`: the controller `{controller}` cannot be enabled while the cgroup `{group}` \
         holds processes that are not rc's: {}",
        controllers::names(.others)
    )]
    Shared {
        /// The control file.
        limit: String,
        /// The controller.
        controller: String,
        /// The cgroup of this process.
        group: String,
        /// The processes.
        others: Vec<Neighbour>,
    },
    /// This kernel's controller does not have this file.
    #[error("cannot set the limit `{limit}`: this kernel does not support it")]
    NoFile {
        /// The control file.
        limit: String,
    },
    /// The kernel has the controller, but not for this device.
    #[error("cannot set the limit `{limit}` to `{asked}`: the kernel cannot limit this device")]
    NoDevice {
        /// The control file.
        limit: String,
        /// The value that was written.
        asked: String,
    },
    /// The kernel refused the value.
    #[error("cannot set the limit `{limit}` to `{asked}`: {}", crate::sys::fs::plain(.source))]
    Refused {
        /// The control file.
        limit: String,
        /// The value that was written.
        asked: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The kernel stores another value than the one written.
    #[error("cannot set the limit `{limit}` to `{asked}`: the kernel set it to `{found}`")]
    NotTaken {
        /// The control file.
        limit: String,
        /// The value that was written.
        asked: String,
        /// The value that was read back.
        found: String,
    },
    /// A limit that cgroup v2 does not have, or that rc does not set.
    #[error("the limit `{what}` is not supported")]
    Unsupported {
        /// The field of the spec.
        what: &'static str,
    },
    /// A value without a meaning.
    #[error("invalid {what} `{value}`")]
    Invalid {
        /// What kind of value it should be.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// A cgroup of that name has processes.
    #[error("the cgroup `{group}` is in use")]
    InUse {
        /// The cgroup.
        group: String,
    },
    /// Something did not happen in time.
    #[error("the processes in the cgroup `{group}` {what} within {seconds} s")]
    Late {
        /// The cgroup.
        group: String,
        /// What they did not do.
        what: &'static str,
        /// How long rc waited.
        seconds: u64,
    },
    /// A control file could not be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::NoGroup { .. } | Error::Parent { .. } | Error::InUnit { .. } | Error::NotDelegated { .. } => {
                ReportKind::Denied
            }
            Error::NoScope { .. } => ReportKind::Unavailable,
            Error::Shared { .. } => ReportKind::Conflict,
            Error::NoGroupToFreeze | Error::NoFile { .. } | Error::NoDevice { .. } | Error::Unsupported { .. } => {
                ReportKind::Unsupported
            }
            Error::Refused { ref source, .. } => match ReportKind::of_step(source) {
                ReportKind::Internal => ReportKind::Invalid,
                kind => kind,
            },
            Error::MonitorStays { .. } | Error::NotTaken { .. } | Error::Invalid { .. } => ReportKind::Invalid,
            Error::InUse { .. } => ReportKind::InUse,
            Error::Late { .. } => ReportKind::TimedOut,
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// How to fix it.
    pub fn hint(&self) -> Option<String> {
        let has_manager = locate::has_manager();
        match self {
            Self::NotDelegated { controller, .. } | Self::NoGroup { controller, .. }
                if controllers::is_in_version_1(controller) =>
            {
                Some(format!(
                    "the kernel has `{controller}` in cgroup version 1: boot with \
                     `systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all`"
                ))
            }
            Self::NotDelegated { .. } if has_manager => Some(
                "an administrator can delegate it to all users with the file \
                 `/etc/systemd/system/user@.service.d/delegate.conf` with the two lines `[Service]` and \
                 `Delegate=cpu cpuset io memory pids`, in force from the next login"
                    .to_owned(),
            ),
            Self::NotDelegated { controller, group, .. } => Some(format!(
                "an administrator must add `+{controller}` to `cgroup.subtree_control` of the cgroups above `{group}`"
            )),
            Self::InUnit { unit, .. } if unit.ends_with(".service") => {
                Some(format!("add `Delegate=yes` to the section `[Service]` of `{unit}`"))
            }
            Self::MonitorStays { .. } => Some(
                "leave `--cgroups=no-conmon` out, or run it in a unit with `Delegate=yes`: `systemd-run --user -p \
                 Delegate=yes rc run …`"
                    .to_owned(),
            ),
            Self::Parent { group, reason } if reason == NOT_GIVEN && group.ends_with(".slice") => {
                let slice = group.rsplit('/').next().unwrap_or_default();
                Some(format!("name the slice alone, for a scope in it: `--cgroup-parent={slice}`"))
            }
            Self::NoGroup { .. } | Self::NoGroupToFreeze | Self::InUnit { .. } | Self::Shared { .. } if has_manager => {
                Some(
                    "start it in a cgroup of its own: `systemd-run --user --scope -p Delegate=yes rc run …`".to_owned(),
                )
            }
            Self::Parent { reason, .. } if reason == NOT_GIVEN && has_manager => Some(
                "start it in a unit with `Delegate=yes`: `systemd-run --user --scope -p \
                 Delegate=yes rc run …`"
                    .to_owned(),
            ),
            Self::NoScope { .. } => Some(
                "log in as this user (`ssh`, `machinectl shell USER@`), or let the user's service manager run without \
                 a login: `loginctl enable-linger USER`"
                    .to_owned(),
            ),
            Self::NoGroup { .. } | Self::NoGroupToFreeze | Self::InUnit { .. } => {
                Some("start it in a cgroup of version 2 that this user may write to".to_owned())
            }
            Self::Shared { .. } => Some("start it in a cgroup without other processes".to_owned()),
            Self::NoDevice { .. } => Some("name the whole disk, not a part of it: `lsblk` lists them".to_owned()),
            Self::NoFile { limit } if limit == "memory.swap.max" => {
                Some("boot with `swapaccount=1`, or switch swap off".to_owned())
            }
            _ => None,
        }
    }
}

/// Why a cgroup cannot be the parent.
const NOT_GIVEN: &str = "it is not delegated to rc";

/// Where cgroup v2 is mounted; `None` if it is not.
pub fn mount_point() -> Result<Option<std::path::PathBuf>, Error> {
    Ok(locate::mount_point()?)
}

/// The controllers that the cgroup `path`, relative to the mount, can hand down; none if there is no such cgroup.
pub fn controllers(path: &str) -> Result<Vec<String>, Error> {
    let Some(directory) = locate::open(path)? else { return Ok(Vec::new()) };
    let text = directory.read("cgroup.controllers")?;
    Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
}

/// The limits of a new cgroup.
#[derive(Debug, Default)]
pub struct RequestedLimits<'a> {
    /// The requested limits; if one cannot be set, it is an error.
    pub resources: Option<&'a LinuxResources>,
    /// The maximum number of processes and threads if `resources` has none: left out if it cannot be set.
    pub default_pids: Option<u64>,
    /// Whether the container divides its cgroup itself, so that it gets every controller that there is.
    pub is_divided: bool,
}

impl RequestedLimits<'_> {
    fn settings(&self) -> Result<Vec<Setting>, Error> {
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let mut settings = self.resources.map_or_else(|| Ok(Vec::new()), |asked| limits::settings(asked, page))?;
        // A host without swap needs no limit for it, and its kernel may have been built without that limit.
        settings.retain(|setting| setting.file != "memory.swap.max" || !controllers::is_swapless());
        Ok(settings)
    }

    /// The first of the limits, for an error message.
    fn first(&self) -> Result<Option<Setting>, Error> {
        Ok(self.settings()?.into_iter().next())
    }
}

/// This process' own cgroup, which is delegated to its user.
#[derive(Debug)]
pub struct Own {
    directory: Directory,
    path: String,
}

impl Own {
    /// Finds the cgroup that is delegated to this process; `None` if none is, or no mount shows it. Takes a handful of
    /// system calls. Fails only if `/proc` cannot be read.
    pub fn find() -> Result<Option<Self>, Error> {
        let Some((mount, path)) = locate::here()? else { return Ok(None) };
        Ok(locate::delegated(&mount, &path)?)
    }

    /// The cgroup that this process is in, for use after its manager was asked whether it is delegated; `None` if it is
    /// not writable.
    pub fn here() -> Result<Option<Self>, Error> {
        let Some((mount, path)) = locate::here()? else { return Ok(None) };
        Ok(locate::writable(&mount, &path)?)
    }

    /// The path, relative to the mount of cgroup v2.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The controllers that the cgroup has, by which containers can be limited.
    pub fn controllers(&self) -> Result<Vec<String>, Error> {
        let text = self.directory.read("cgroup.controllers")?;
        Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// Creates the child cgroup `name`, with the limits. Replaces an empty cgroup of that name, left by a killed
    /// monitor.
    ///
    /// If a controller must be enabled, this moves rc's own processes in the cgroup (this one, those of the same
    /// program that started it, and their children; other monitors, and their children) to `supervisor`, where they
    /// stay. Fails as [`check`] does, or if the kernel refuses a value; no cgroup is left then.
    pub fn make(&self, name: &str, wanted: &RequestedLimits<'_>) -> Result<Group, Error> {
        let settings = wanted.settings()?;
        controllers::enable(self, &settings)?;
        let default = default_pids(wanted, &settings)
            .filter(|pids| controllers::enable(self, std::slice::from_ref(pids)).is_ok());
        if wanted.is_divided {
            controllers::enable_all(self);
        }
        match self.directory.make(name) {
            Err(error) if error.source.raw_os_error() == Some(libc::EEXIST) => {
                let group = Group::new(self.directory.child(name)?, self.path_of(name));
                // Its processes may be dying.
                match group.remove(LAST_PATIENCE) {
                    Err(Error::Late { group, .. }) => return Err(Error::InUse { group }),
                    other => other?,
                }
                self.directory.make(name)?;
            }
            other => other?,
        }
        let limited = self.limit(name, &settings, default.as_ref());
        if limited.is_err() {
            // The first error is the one to report.
            drop(self.directory.remove(name));
        }
        limited
    }

    /// Creates the child cgroup `name` with these limits, a pod's, in which other cgroups are made; one that exists
    /// gets the limits, and keeps what is in it. It can hand down every controller that it has.
    pub fn make_shared(&self, name: &str, wanted: &RequestedLimits<'_>) -> Result<Self, Error> {
        let settings = wanted.settings()?;
        controllers::enable(self, &settings)?;
        controllers::enable_all(self);
        let is_new = match self.directory.make(name) {
            Err(error) if error.source.raw_os_error() == Some(libc::EEXIST) => false,
            other => other.map(|()| true)?,
        };
        if let Err(error) = self.limit(name, &settings, None) {
            if is_new {
                // The first error is the one to report.
                drop(self.directory.remove(name));
            }
            return Err(error);
        }
        let shared = Self { directory: self.directory.child(name)?, path: self.path_of(name) };
        controllers::enable_all(&shared);
        Ok(shared)
    }

    /// The cgroup of a pod by its path, for cgroups of its members; `None` if there is none, or if this process may not
    /// put others there from its own cgroup.
    pub fn of_pod(path: &str) -> Result<Option<Self>, Error> {
        let Some(mount) = locate::mount_with(path)? else { return Ok(None) };
        let own = locate::writable(&mount, path)?;
        Ok(if locate::can_reach(&mount, path)? { own } else { None })
    }

    /// Removes it, if nothing is in it any more.
    pub fn remove(self) {
        // Somebody has just begun to use it, or has removed it.
        drop(Group::new(self.directory, self.path).remove(Duration::ZERO));
    }

    fn limit(&self, name: &str, settings: &[Setting], default: Option<&Setting>) -> Result<Group, Error> {
        let directory = self.directory.child(name)?;
        for setting in settings {
            apply::set_present(&directory, setting)?;
        }
        if let Some(pids) = default {
            // Optional: the user did not ask for it.
            drop(apply::set(&directory, pids));
        }
        Ok(Group::new(directory, self.path_of(name)))
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.path.trim_end_matches('/'))
    }
}

/// How long the kernel may take to end processes that it has killed, and to release their cgroup.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Kills and removes the cgroup `name` that a killed monitor has left: the one that it recorded, else the one that it
/// would have created in this process' own cgroup. Succeeds if there is none. A record that names any other cgroup is
/// damaged or hostile, and counts as none.
///
/// Fails if it still has processes after two seconds.
pub fn discard(recorded: Option<&str>, name: &str) -> Result<(), Error> {
    let path = match recorded.filter(|path| is_named(path, name)) {
        Some(path) => path.to_owned(),
        None => match Own::find()? {
            Some(own) => own.path_of(name),
            None => return Ok(()),
        },
    };
    let Some(group) = Group::open(&path)? else { return Ok(()) };
    match group.kill() {
        // Another process has removed it.
        Err(_) if Group::open(&path)?.is_none() => Ok(()),
        other => other.and_then(|()| group.remove(LAST_PATIENCE)),
    }
}

/// Whether the last component of a cgroup's path is `name`.
fn is_named(path: &str, name: &str) -> bool {
    !name.is_empty() && path.rsplit_once('/').is_some_and(|(_, last)| last == name)
}

/// Checks whether the limits can be set, with the error that [`Own::make`] would return, before anything is started.
pub fn check(own: Option<&Own>, wanted: &RequestedLimits<'_>) -> Result<(), Error> {
    let settings = wanted.settings()?;
    match (own, settings.first()) {
        (_, None) => Ok(()),
        (Some(own), _) => controllers::check(own, &settings),
        (None, Some(setting)) => {
            Err(Error::NoGroup { limit: setting.file.clone(), controller: setting.controller().to_owned() })
        }
    }
}

/// The error for limits that were requested although the service manager created no scope (`reason`); `Ok` without
/// limits.
pub fn without_scope(wanted: &RequestedLimits<'_>, reason: &dyn std::fmt::Display) -> Result<(), Error> {
    match wanted.first()? {
        Some(setting) => Err(Error::NoScope {
            limit: setting.file.clone(),
            controller: setting.controller().to_owned(),
            reason: reason.to_string(),
        }),
        None => Ok(()),
    }
}

/// The error for limits that were requested although the monitor may not enter a scope; `Ok` without limits.
pub fn without_monitor(wanted: &RequestedLimits<'_>) -> Result<(), Error> {
    match wanted.first()? {
        Some(setting) => {
            Err(Error::MonitorStays { limit: setting.file.clone(), controller: setting.controller().to_owned() })
        }
        None => Ok(()),
    }
}

fn default_pids(wanted: &RequestedLimits<'_>, settings: &[Setting]) -> Option<Setting> {
    let asked = settings.iter().any(|setting| setting.file == "pids.max");
    wanted.default_pids.filter(|_| !asked).map(limits::pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_the_cgroup_of_its_container_and_no_other() {
        let name = "rc-0123";
        for (path, is_own) in [
            ("/rc-0123", true),
            ("/user.slice/a.scope/rc-0123", true),
            ("/rc-pod-4567/rc-0123", true),
            ("", false),
            ("/", false),
            ("/user.slice", false),
            ("/rc-0123/", false),
            ("/rc-0123/..", false),
            ("/rc-01234", false),
            ("rc-0123", false),
        ] {
            assert_eq!(is_named(path, name), is_own, "{path}");
        }
        assert!(!is_named("/", ""));
        for top in ["", "/", "//", "/.", "/./"] {
            assert!(matches!(Group::open(top), Err(Error::Invalid { .. })), "{top}");
        }
    }
}
