//! Where the container's cgroup comes from: the cgroup that rc is in, a scope of the service manager, or nowhere.
//!
//! ```text
//! ask     looks where this process is; a limit that cannot be set is an error now, before anything is made;
//!         in a session the service manager is asked for a scope, and works while IDs are mapped
//! finish  this process is in the scope, which is delegated to it
//! ```
//!
//! Only the monitor enters a scope, which is rc's own fresh process; the command stays where it was typed.

use super::start::Start;
use crate::plan::{Cgroup, CgroupMode};
use crate::runtime::cgroup::{self, Error, Group, Own, Place, Unit, Wanted};
use crate::systemd::{self, Pending, Scope, Weights};
use crate::types::ContainerId;

/// The name of a container's cgroup.
pub(crate) fn cgroup_name(id: &ContainerId) -> String {
    format!("rc-{id}")
}

/// The slice of a user's containers, and of root's. Source: podman, which has them there.
const SLICES: (&str, &str) = ("user.slice", "machine.slice");

/// The cgroup that a container's own is made in, or is to be made in.
#[derive(Debug)]
pub(crate) enum Source {
    /// Nowhere: it runs where its monitor does.
    Nowhere,
    /// In place.
    Own(Own),
    /// A scope that has been asked for.
    Scope {
        /// The request to the manager.
        pending: Pending,
        /// The slice, if one was asked for.
        slice: Option<String>,
    },
}

/// What a cgroup is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose<'a> {
    /// The name of the scope, if one is made; no other unit may have it.
    pub(crate) unit: &'a str,
    /// What the scope says about itself.
    pub(crate) description: &'a str,
    /// What was asked for of the cgroup; nothing, if it is no container's.
    pub(crate) cgroup: Option<&'a Cgroup>,
}

impl Purpose<'_> {
    fn mode(&self) -> CgroupMode {
        self.cgroup.map(|asked| asked.mode).unwrap_or_default()
    }

    fn parent(&self) -> Option<&str> {
        self.cgroup.and_then(|asked| asked.parent.as_deref())
    }
}

/// How a container that is started here gets a cgroup of its own.
#[derive(Debug)]
pub(crate) struct Available {
    /// `cgroupfs`: in place; `systemd`: by a scope; `none`.
    pub(crate) manager: &'static str,
    /// What it can be limited by.
    pub(crate) controllers: Vec<String>,
}

/// Tells how a container that is started by this process would get its cgroup: by the questions of [`ask`], but no
/// scope is made.
pub(crate) fn available() -> Result<Available, Error> {
    let of = |manager, controllers| Available { manager, controllers };
    Ok(match look_closer(Place::find()?) {
        Place::Own(own) => of("cgroupfs", own.controllers()?),
        Place::Session => match systemd::control_group(&systemd::socket()) {
            Ok(group) => of("systemd", cgroup::controllers(&group)?),
            Err(_) => of("none", Vec::new()),
        },
        Place::Unit(_) | Place::Nowhere => of("none", Vec::new()),
    })
}

/// The limits of a container.
pub(super) fn wanted(start: &Start) -> Wanted<'_> {
    let resources = start.spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    Wanted { resources, default_pids: start.extras.default_pids }
}

/// Finds the source of a container's cgroup.
pub(super) fn ask_for(start: &Start) -> Result<Source, Error> {
    let description = format!("rc: {}", start.config.name);
    let purpose = Purpose { unit: &unit(start), description: &description, cgroup: Some(&start.config.cgroup) };
    ask(&purpose, &wanted(start))
}

/// Finds the source of a cgroup for this process, which may be moved to a scope. Fails if a limit is wanted that cannot
/// be set, or a parent that cannot be used.
pub(crate) fn ask(purpose: &Purpose<'_>, wanted: &Wanted<'_>) -> Result<Source, Error> {
    if purpose.mode() == CgroupMode::Disabled {
        return Ok(Source::Nowhere);
    }
    let place = match purpose.parent() {
        Some(slice) if !slice.starts_with('/') => {
            let refused = |error: systemd::Error| Error::Parent { group: slice.to_owned(), reason: error.to_string() };
            let pending = ask_for_scope(purpose, slice, wanted).map_err(refused)?;
            return Ok(Source::Scope { pending, slice: Some(slice.to_owned()) });
        }
        Some(path) => look_closer(Place::at(path)?),
        None => look_closer(Place::find()?),
    };
    match place {
        Place::Own(own) => {
            cgroup::check(Some(&own), wanted)?;
            Ok(Source::Own(own))
        }
        // It was asked for by name.
        other if purpose.parent().is_some() || purpose.mode() == CgroupMode::Split => Err(other.refuse()),
        Place::Session if purpose.mode() == CgroupMode::NoConmon => {
            // The container could have a scope without it, but the kernel would let the monitor put no process there:
            // not at the start, nor for exec.
            cgroup::without_monitor(wanted)?;
            Ok(Source::Nowhere)
        }
        Place::Session => {
            let is_root = rustix::process::geteuid().is_root();
            match ask_for_scope(purpose, if is_root { SLICES.1 } else { SLICES.0 }, wanted) {
                Ok(pending) => Ok(Source::Scope { pending, slice: None }),
                Err(error) => {
                    cgroup::without_scope(wanted, &error)?;
                    Ok(Source::Nowhere)
                }
            }
        }
        other => {
            other.check(wanted)?;
            Ok(Source::Nowhere)
        }
    }
}

/// The user's manager is the only one that knows whether a unit of it is delegated.
fn look_closer(place: Place) -> Place {
    let Place::Unit(Unit { name, unmarked: Some(own) }) = place else { return place };
    match systemd::is_delegated(&systemd::socket(), &name) {
        Ok(true) => Place::Own(own),
        // If the manager does not know the unit, its cgroup must not be divided.
        Ok(false) | Err(_) => Place::Unit(Unit { name, unmarked: None }),
    }
}

fn ask_for_scope(purpose: &Purpose<'_>, slice: &str, wanted: &Wanted<'_>) -> Result<Pending, systemd::Error> {
    Pending::ask(
        &systemd::socket(),
        &Scope {
            unit: purpose.unit,
            description: purpose.description,
            slice,
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            weights: weights(wanted),
        },
    )
}

/// The container's weights, which its scope needs as well: within the scope the container has no sibling.
fn weights(wanted: &Wanted<'_>) -> Weights {
    let (cpu, io) = wanted.weights();
    Weights { cpu, io }
}

/// Changes the weights of the scope that was made for the container whose cgroup is `name`, if one was.
pub(super) fn reweigh(cgroup: &Group, name: &str, wanted: &Wanted<'_>) -> Result<(), systemd::Error> {
    let above = cgroup.path().rsplit('/').nth(1).unwrap_or_default();
    if above.starts_with(name) && above.ends_with(".scope") {
        systemd::set_weights(&systemd::socket(), above, weights(wanted))?;
    }
    Ok(())
}

/// A name that no other scope has: the last run's may not have been collected yet.
fn unit(start: &Start) -> String {
    let name = cgroup_name(&start.config.id);
    match start.state.run {
        0 | 1 => format!("{name}.scope"),
        run => format!("{name}-{run}.scope"),
    }
}

impl Source {
    /// The cgroup that the container's own is made in; `None` if it gets none.
    ///
    /// A scope that cannot be had is an error only if a limit, or a slice, was asked for.
    pub(crate) fn finish(self, wanted: &Wanted<'_>) -> Result<Option<Own>, Error> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Own(own) => Ok(Some(own)),
            Self::Scope { pending, slice } => match pending.wait() {
                Ok(()) => {
                    let own = Own::here()?;
                    cgroup::check(own.as_ref(), wanted)?;
                    Ok(own)
                }
                Err(error) => {
                    if let Some(group) = slice {
                        return Err(Error::Parent { group, reason: error.to_string() });
                    }
                    cgroup::without_scope(wanted, &error)?;
                    Ok(None)
                }
            },
        }
    }
}
