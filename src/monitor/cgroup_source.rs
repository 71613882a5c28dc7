//! Where the container's cgroup comes from: the cgroup that rc is in, a scope of the service manager, or nowhere.
//!
//! ```text
//! ask     finds the cgroup of this process; a limit that cannot be set is an error now, before anything is made;
//!         in a session, and for a pod, asks the service manager for a scope, which it makes while IDs are mapped
//! finish  this process is in the scope, which is delegated to it
//! ```
//!
//! Only the monitor, a new process of rc's own, enters a scope; the command stays in its cgroup.

use super::start::Start;
use crate::plan::{Cgroup, CgroupMode, ContainerConfig};
use crate::runtime::cgroup::{self, Error, Group, Own, Place, RequestedLimits, Unit};
use crate::sys::fs;
use crate::systemd::{self, Pending, Scope, Weights};
use crate::types::{ContainerId, Name};

/// The name of a container's cgroup.
pub(crate) fn cgroup_name(id: &ContainerId) -> String {
    format!("rc-{id}")
}

/// The name of a pod's cgroup, in which those of its members are.
pub(crate) fn pod_cgroup_name(id: &ContainerId) -> String {
    format!("rc-pod-{id}")
}

/// The cgroup of a pod, by that of its process.
pub(crate) fn pod_cgroup<'a>(of_process: &'a str, id: &ContainerId) -> Option<&'a str> {
    let (path, _) = of_process.rsplit_once('/')?;
    path.ends_with(&pod_cgroup_name(id)).then_some(path)
}

/// Where a container's cgroup is made.
#[derive(Debug)]
pub(crate) enum Source {
    /// Nowhere: the container stays in its monitor's cgroup.
    Nowhere,
    /// In the cgroup of this process.
    Own(Own),
    /// In a scope that the service manager is making.
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
    /// The name of the scope, if one is made. It must be unique.
    pub(crate) unit: &'a str,
    /// The description of the scope.
    pub(crate) description: &'a str,
    /// The user's options for the cgroup; `None` if it is not for a container.
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
    /// The controllers that can limit it.
    pub(crate) controllers: Vec<String>,
}

/// How a container that this process starts would get its cgroup. It asks the same questions as [`ask`], but makes no
/// scope.
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
pub(super) fn wanted(start: &Start) -> RequestedLimits<'_> {
    let resources = start.spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    RequestedLimits { resources, default_pids: start.extras.default_pids, is_divided: start.config.is_systemd }
}

/// Finds the source of a container's cgroup.
pub(super) fn ask_for(start: &Start) -> Result<Source, Error> {
    let description = description(&start.config.name);
    let purpose = Purpose { unit: &unit(start), description: &description, cgroup: Some(&start.config.cgroup) };
    if stands_apart(&start.config)
        && let Ok(pending) = ask_for_scope(&purpose, systemd::slice(), &wanted(start))
    {
        return Ok(Source::Scope { pending, slice: None });
    }
    ask(&purpose, &wanted(start))
}

/// Whether it gets a scope wherever this process is: a pod, which the first of its members may have started. When the
/// unit ends that the member is in, the others keep the pod. One that writes the PID of its monitor is what a unit
/// consists of, and stays in it.
fn stands_apart(config: &ContainerConfig) -> bool {
    let is_free = config.cgroup.parent.is_none() && config.cgroup.mode == CgroupMode::Enabled;
    config.sandbox.is_some() && is_free && config.service.conmon_pidfile.is_none()
}

/// Finds the source of a cgroup for this process, which may be moved to a scope. Fails if a wanted limit cannot be set,
/// or a wanted parent cannot be used.
pub(crate) fn ask(purpose: &Purpose<'_>, wanted: &RequestedLimits<'_>) -> Result<Source, Error> {
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
        // The user has asked for this cgroup by name.
        other if purpose.parent().is_some() || purpose.mode() == CgroupMode::Split => Err(other.refuse()),
        Place::Session if purpose.mode() == CgroupMode::NoConmon => {
            // The container could have a scope without the monitor, but then the kernel would not let the monitor move
            // processes into it: neither at the start nor for exec.
            cgroup::without_monitor(wanted)?;
            Ok(Source::Nowhere)
        }
        Place::Session => match ask_for_scope(purpose, systemd::slice(), wanted) {
            Ok(pending) => Ok(Source::Scope { pending, slice: None }),
            Err(error) => {
                cgroup::without_scope(wanted, &error)?;
                Ok(Source::Nowhere)
            }
        },
        other => {
            other.check(wanted)?;
            Ok(Source::Nowhere)
        }
    }
}

/// Asks the user's manager whether a unit is delegated: only the manager knows.
fn look_closer(place: Place) -> Place {
    let Place::Unit(Unit { name, unmarked: Some(own) }) = place else { return place };
    match systemd::is_delegated(&systemd::socket(), &name) {
        Ok(true) => Place::Own(own),
        // If the manager does not know the unit, its cgroup must not be divided.
        Ok(false) | Err(_) => Place::Unit(Unit { name, unmarked: None }),
    }
}

fn ask_for_scope(purpose: &Purpose<'_>, slice: &str, wanted: &RequestedLimits<'_>) -> Result<Pending, systemd::Error> {
    Pending::ask(
        &systemd::socket(),
        &Scope {
            unit: purpose.unit,
            description: purpose.description,
            slice,
            pids: &[rustix::process::getpid().as_raw_nonzero().get()],
            is_delegated: true,
            stop_signal: None,
            weights: weights(wanted),
        },
    )
}

/// The container's weights. Its scope needs them as well, because the container has no sibling within the scope.
fn weights(wanted: &RequestedLimits<'_>) -> Weights {
    let (cpu, io) = wanted.weights();
    Weights { cpu, io }
}

/// Changes the weights of the scope of the container whose cgroup is `name`, if it has one.
pub(super) fn reweigh(cgroup: &Group, name: &str, wanted: &RequestedLimits<'_>) -> Result<(), systemd::Error> {
    let above = cgroup.path().rsplit('/').nth(1).unwrap_or_default();
    if above.starts_with(name) && above.ends_with(".scope") {
        systemd::set_weights(&systemd::socket(), above, weights(wanted))?;
    }
    Ok(())
}

/// Gives the scope of a container, in which the monitor with this PID is, the container's name. What it is called is
/// for people, so it is no failure if there is no scope.
pub(crate) fn describe_scope(id: &ContainerId, monitor: i32, name: &Name) {
    let own = fs::read_limited(format!("/proc/{monitor}/cgroup"), 1 << 16).unwrap_or_default();
    let own = String::from_utf8_lossy(&own);
    let is_scope = |group: &&str| group.starts_with(&cgroup_name(id)) && group.ends_with(".scope");
    if let Some(unit) = own.trim_end().split('/').find(is_scope) {
        drop(systemd::describe(&systemd::socket(), unit, &description(name)));
    }
}

fn description(name: &Name) -> String {
    format!("rc: {name}")
}

/// A unique name for a scope: the scope of the last run may still exist.
fn unit(start: &Start) -> String {
    let name = cgroup_name(&start.config.id);
    match start.state.run {
        0 | 1 => format!("{name}.scope"),
        run => format!("{name}-{run}.scope"),
    }
}

impl Source {
    /// The cgroup in which the container's own is made; `None` if it gets none.
    ///
    /// A missing scope is an error only if the user has asked for a limit or a slice.
    pub(crate) fn finish(self, wanted: &RequestedLimits<'_>) -> Result<Option<Own>, Error> {
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
