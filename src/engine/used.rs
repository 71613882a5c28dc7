//! Removing what containers use, networks and volumes: what has become of one meanwhile, and its users.

use super::context::Context;
use super::dependents::Dependents;
use super::pods;
use crate::container::{self, Container, Removal};
use crate::storage::Store;
use crate::types::{Report, ReportKind, Thing};

/// What the removal of one thing comes to: with `force` a missing one is no failure, and if nobody used it when it was
/// looked for (`only_unused`), one that is gone or in use by now is none either.
pub(super) fn tolerate(
    removed: Result<bool, Report>,
    thing: Thing,
    force: bool,
    only_unused: bool,
) -> Result<bool, Report> {
    let is_tolerated = |kind: ReportKind| match kind {
        ReportKind::NotFound(missing) => missing == thing && (force || only_unused),
        ReportKind::InUse => only_unused,
        _ => false,
    };
    match removed {
        Err(report) if is_tolerated(report.kind) => Ok(false),
        other => other,
    }
}

/// Removes the containers and pods that use a thing which is removed by force.
///
/// As in podman, all of them stay if another container needs one, whose network it has for instance: the user has not
/// named it, and it would lose that.
pub(super) fn remove_users(
    context: &Context,
    store: &Store,
    users: Vec<Container>,
    timeout: Option<u32>,
) -> Result<(), Report> {
    Dependents::of_users(store, &users)?.check_all()?;
    let removal = Removal { force: true, timeout: timeout.or(Some(10)), volumes: false };
    for user in users {
        match user.config.sandbox {
            Some(_) => pods::remove_with_members(context, store, &user, &removal)?,
            None => container::remove(store, user, &removal, &context.runtime_dir()?)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_or_in_use_by_now_is_no_failure_if_it_was_unused_or_by_force() {
        let (volume, network) = (ReportKind::NotFound(Thing::Volume), ReportKind::NotFound(Thing::Network));
        for (kind, force, only_unused, is_tolerated) in [
            (volume, false, false, false),
            (volume, true, false, true),
            (volume, false, true, true),
            (network, true, true, false),
            (ReportKind::InUse, true, false, false),
            (ReportKind::InUse, false, true, true),
            (ReportKind::Damaged, true, true, false),
        ] {
            let removed = tolerate(Err(Report::new(kind, "x")), Thing::Volume, force, only_unused);
            assert_eq!(removed.is_ok(), is_tolerated, "{kind:?} {force} {only_unused}");
        }
    }
}
