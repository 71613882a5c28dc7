//! Which unit or session this process is in, and so where a container's cgroup can come from.
//!
//! ```text
//! delegated           …/app.slice/web.service (Delegate=yes)   in place
//! a unit              …/app.slice/web.service                  what runs in a unit stays in it: no cgroup, no limits
//!                     …/app.slice/run-u7.scope                 the same: a user has put it there with systemd-run
//! where people type   …/user-1001.slice/session-3.scope        a scope from the service manager
//!                     …/app.slice/vte-spawn-….scope            a terminal's
//!                     …/app.slice/app-code@….service           an application of the desktop, with a terminal in it
//! ```
//!
//! Source: systemd's CGROUP_DELEGATION.md; systemd's DESKTOP_ENVIRONMENTS.md for the names of applications.

use super::limits::Setting;
use super::{Error, NOT_GIVEN, Own, RequestedLimits, locate};

/// Where a container's cgroup can come from.
#[derive(Debug)]
pub enum Place {
    /// Our own cgroup is delegated to us.
    Own(Own),
    /// A unit, delegated or not.
    Unit(Unit),
    /// A session, a terminal, or nothing that systemd has created: rc may ask the service manager for a scope.
    Session,
    /// This process is in no cgroup of version 2, or there is no systemd.
    Nowhere,
}

/// A unit that this process is in, and that its manager has not marked.
#[derive(Debug)]
pub struct Unit {
    /// Its name, `web.service`.
    pub name: String,
    /// Its cgroup, if it belongs to the user's manager. That marks nothing, so rc must ask it whether the unit is
    /// delegated.
    pub unmarked: Option<Own>,
}

impl Place {
    /// Finds the place of this process, in a handful of system calls. Fails only if `/proc` cannot be read.
    pub fn find() -> Result<Self, Error> {
        let Some((mount, path)) = locate::here()? else { return Ok(Self::Nowhere) };
        if let Some(own) = locate::delegated(&mount, &path)? {
            return Ok(Self::Own(own));
        }
        if !locate::has_manager() {
            return Ok(Self::Nowhere);
        }
        let Some(name) = unit_that_keeps(&path) else { return Ok(Self::Session) };
        let unmarked = if locate::is_user_unit(&path) { locate::writable(&mount, &path)? } else { None };
        Ok(Self::Unit(Unit { name: name.to_owned(), unmarked }))
    }

    /// The place for a container's cgroup in the cgroup `path`, relative to the mount, wherever this process is.
    ///
    /// Returns the cgroup, or a unit that is not marked; fails if there is no such cgroup, or it is not delegated to
    /// this user.
    pub fn at(path: &str) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Parent { group: path.to_owned(), reason: reason.to_owned() };
        let mount = locate::mount_with(path)?.ok_or_else(|| refused("no such cgroup"))?;
        let own = locate::writable(&mount, path)?.ok_or_else(|| refused(NOT_GIVEN))?;
        if !locate::can_reach(&mount, path)? {
            return Err(refused("this process may not move another one there from its own cgroup"));
        }
        if locate::is_user_unit(path) {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            return Ok(Self::Unit(Unit { name, unmarked: Some(own) }));
        }
        match locate::delegated(&mount, path)? {
            Some(_) => Ok(Self::Own(own)),
            None => Err(refused(NOT_GIVEN)),
        }
    }

    /// The error of a container whose cgroup can be created only in place, if that is impossible.
    pub fn refuse(&self) -> Error {
        let group = match self {
            Self::Own(own) => own.path().to_owned(),
            Self::Unit(unit) => unit.name.clone(),
            Self::Session | Self::Nowhere => {
                locate::here().ok().flatten().map_or_else(|| "/".to_owned(), |(_, path)| path)
            }
        };
        Error::Parent { group, reason: NOT_GIVEN.to_owned() }
    }

    /// Checks whether the requested limits can be set in place, with the error that [`Own::make`] would return; in a
    /// session, the service manager decides.
    pub fn check(&self, wanted: &RequestedLimits<'_>) -> Result<(), Error> {
        match self {
            Self::Own(own) => super::check(Some(own), wanted),
            Self::Nowhere => super::check(None, wanted),
            Self::Unit(unit) => match wanted.first()? {
                Some(setting) => Err(in_unit(&setting, &unit.name)),
                None => Ok(()),
            },
            Self::Session => Ok(()),
        }
    }
}

fn in_unit(setting: &Setting, unit: &str) -> Error {
    let unit = unit.to_owned();
    Error::InUnit { limit: setting.file.clone(), controller: setting.controller().to_owned(), unit }
}

/// The unit that the cgroup `path` is in, if it is one that keeps its processes.
fn unit_that_keeps(path: &str) -> Option<&str> {
    let unit = path.rsplit('/').find(|name| name.ends_with(".service") || name.ends_with(".scope"))?;
    // systemd-run(1) names a scope `run-…` unless it is given a name; with a name, the scope looks like a terminal's.
    let keeps = if unit.ends_with(".scope") { unit.starts_with("run-") } else { !unit.starts_with("app-") };
    keeps.then_some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_in_a_unit_stays_there_and_what_is_typed_does_not() {
        for (path, unit) in [
            ("/user.slice/user-1.slice/session-3.scope", None),
            ("/user.slice/user-1.slice/user@1.service/app.slice/vte-spawn-ab.scope", None),
            ("/user.slice/user-1.slice/user@1.service/app.slice/app-code@1f.service", None),
            ("/user.slice/user-1.slice/user@1.service/app.slice/web.service", Some("web.service")),
            ("/user.slice/user-1.slice/user@1.service/app.slice/web.service/below", Some("web.service")),
            ("/user.slice/user-1.slice/user@1.service/app.slice/run-u7.scope", Some("run-u7.scope")),
            ("/system.slice/cron.service", Some("cron.service")),
            ("/", None),
            ("/docker/0123", None),
        ] {
            assert_eq!(unit_that_keeps(path), unit, "{path}");
        }
    }
}
