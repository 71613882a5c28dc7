//! Where the container's cgroup comes from: the group that rc is in, a scope of the service manager, or nowhere.
//!
//! ```text
//! ask     looks where this process is; a limit that cannot be set is an error now, before anything is made;
//!         in a session the service manager is asked for a scope, and goes to work while ids are mapped
//! finish  this process is in the scope, which is delegated to it
//! ```
//!
//! Only the monitor enters a scope, which is rc's own fresh process; the command stays where it was typed.

use super::start::Start;
use crate::runtime::cgroup::{self, Error, Group, Own, Place, Unit, Wanted};
use crate::systemd::{self, Pending, Scope, Weights};

/// The slice of a user's containers, and of root's. Source: podman, which has them there.
const SLICES: (&str, &str) = ("user.slice", "machine.slice");

/// The cgroup that a container's own is made in, or is to be made in.
#[derive(Debug)]
pub enum Source {
    /// Nowhere: it runs where its monitor does.
    Nowhere,
    /// In place.
    Own(Own),
    /// A scope that has been asked for.
    Scope(Pending),
}

/// Whom a group is for.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// The name of the scope, if it comes to one; no other unit may have it.
    pub unit: &'a str,
    /// What the scope says about itself.
    pub description: &'a str,
}

/// The limits of a container.
pub(super) fn wanted(start: &Start) -> Wanted<'_> {
    let resources = start.spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    Wanted { resources, default_pids: start.config.limits.default_pids }
}

/// Finds the source of a container's group.
pub(super) fn ask_for(start: &Start) -> Result<Source, Error> {
    let description = format!("rc: {}", start.config.name);
    ask(&Purpose { unit: &unit(start), description: &description }, &wanted(start))
}

/// Finds the source of a group for this process, which may be moved to a scope. Fails if a limit is wanted that cannot be
/// set.
pub fn ask(purpose: &Purpose<'_>, wanted: &Wanted<'_>) -> Result<Source, Error> {
    let place = match Place::find()? {
        Place::Unit(unit) => look_closer(unit),
        other => other,
    };
    place.check(wanted)?;
    match place {
        Place::Own(own) => Ok(Source::Own(own)),
        Place::Unit(_) | Place::Nowhere => Ok(Source::Nowhere),
        Place::Session => match ask_for_scope(purpose, wanted) {
            Ok(pending) => Ok(Source::Scope(pending)),
            Err(error) => {
                cgroup::without_scope(wanted, &error)?;
                Ok(Source::Nowhere)
            }
        },
    }
}

/// The user's manager is the only one that knows whether a unit of it is delegated.
fn look_closer(unit: Unit) -> Place {
    let Unit { name, unmarked: Some(own) } = unit else { return Place::Unit(unit) };
    match systemd::is_delegated(&systemd::socket(), &name) {
        Ok(true) => Place::Own(own),
        // Nobody knows: then nothing may be divided there.
        Ok(false) | Err(_) => Place::Unit(Unit { name, unmarked: None }),
    }
}

fn ask_for_scope(purpose: &Purpose<'_>, wanted: &Wanted<'_>) -> Result<Pending, systemd::Error> {
    let is_root = rustix::process::geteuid().is_root();
    Pending::ask(
        &systemd::socket(),
        &Scope {
            unit: purpose.unit,
            description: purpose.description,
            slice: if is_root { SLICES.1 } else { SLICES.0 },
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            weights: weights(wanted),
        },
    )
}

/// The container's weights, which its scope needs as well: within that the container has nobody beside it.
fn weights(wanted: &Wanted<'_>) -> Weights {
    let (cpu, io) = wanted.weights();
    Weights { cpu, io }
}

/// Changes the weights of the scope that was made for the container `name` (of its group), if one was.
pub(super) fn reweigh(group: &Group, name: &str, wanted: &Wanted<'_>) -> Result<(), systemd::Error> {
    let above = group.path().rsplit('/').nth(1).unwrap_or_default();
    if above.starts_with(name) && above.ends_with(".scope") {
        systemd::set_weights(&systemd::socket(), above, weights(wanted))?;
    }
    Ok(())
}

/// A name that no other scope has: the last run's may not have been collected yet.
fn unit(start: &Start) -> String {
    let group = super::group_name(&start.config.id);
    match start.state.run {
        0 | 1 => format!("{group}.scope"),
        run => format!("{group}-{run}.scope"),
    }
}

impl Source {
    /// The group that the container's own is made in; `None` if it gets none.
    ///
    /// A scope that cannot be had is an error only if a limit was asked for.
    pub fn finish(self, wanted: &Wanted<'_>) -> Result<Option<Own>, Error> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Own(own) => Ok(Some(own)),
            Self::Scope(pending) => match pending.wait() {
                Ok(()) => {
                    let own = Own::here()?;
                    cgroup::check(own.as_ref(), wanted)?;
                    Ok(own)
                }
                Err(error) => {
                    cgroup::without_scope(wanted, &error)?;
                    Ok(None)
                }
            },
        }
    }
}
