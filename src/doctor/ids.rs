//! User namespaces, subordinate IDs, and the two programs that map them.

use super::attempt::{Trouble, attempt};
use super::{Finding, Host, Status};
use crate::sys::packages::Package;
use crate::sys::{fs, programs};
use crate::types::IdRange;
use crate::userns::{Error, IdMap, Privilege, UserNamespace, shared_ids};

/// So many IDs are enough for the files of nearly every image.
const USUAL_IDS: u32 = 65536;

/// Returns the findings, and the user's namespace if it can be created.
pub(super) fn check(host: &Host<'_>, map: Result<&IdMap, String>) -> (Vec<Finding>, Option<UserNamespace>) {
    let map = match map {
        Ok(map) => map,
        Err(why) => return (vec![Finding::bad("subordinate ids", Status::Missing, why).disables("everything")], None),
    };
    let made = match &host.runtime {
        Ok(runtime) => attempt(|| UserNamespace::make(map, runtime).map(drop).map_err(trouble)),
        Err(why) => Err(Trouble::new(format!("not tried: {why}"))),
    };
    let mut findings = vec![namespaces(made.as_ref().err()), subordinate(map), shared(&shared_ids())];
    findings.extend(["newuidmap", "newgidmap"].map(|program| mapper(program, map, made.as_ref().err())));
    // The one that a start would find or create.
    let home = made.ok().and(host.runtime.as_ref().ok()).and_then(|runtime| UserNamespace::open(map, runtime).ok());
    (findings, home)
}

fn trouble(error: Error) -> Trouble {
    let program = match &error {
        Error::Helper { program, .. } => Some(program.clone()),
        _ => None,
    };
    Trouble { program, ..error.into() }
}

fn namespaces(trouble: Option<&Trouble>) -> Finding {
    const CHECK: &str = "user namespaces";
    match trouble {
        // The line of newuidmap reports the failure.
        None | Some(Trouble { program: Some(_), .. }) => {
            let limit = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
            Finding::ok(CHECK, format!("allowed, up to {}", limit.trim()))
        }
        Some(trouble) => Finding::bad(CHECK, Status::Missing, trouble.report.message.clone())
            .disables("every container")
            .fix(trouble.report.hint.clone()),
    }
}

fn subordinate(map: &IdMap) -> Finding {
    const CHECK: &str = "subordinate ids";
    if let Some(single) = &map.single {
        return Finding::bad(CHECK, Status::Limited, single.reason())
            .disables("file owners in images, and programs that change their user: apt, su, many servers")
            .fix(single.fix());
    }
    let found = format!("users {}, groups {}", ranges(&map.uids), ranges(&map.gids));
    let least = map.users().min(map.groups());
    if least > USUAL_IDS - 1 {
        return Finding::ok(CHECK, found);
    }
    Finding::bad(CHECK, Status::Limited, found)
        .disables(format!("images with files of IDs above {}", least.saturating_sub(1)))
        .fix(crate::userns::grant())
}

/// A range that two users share is dangerous for both, and for this check it does not matter who of them runs rc.
fn shared(sentences: &Result<Vec<String>, String>) -> Finding {
    const CHECK: &str = "shared ids";
    match sentences {
        Err(why) => Finding::ok(CHECK, format!("not known: {why}")),
        Ok(none) if none.is_empty() => Finding::ok(CHECK, "every user has IDs of their own"),
        Ok(sentences) => Finding::bad(CHECK, Status::Limited, sentences.join("; "))
            .disables("the separation of these users: each can read and change the files of the other's containers")
            .fix(
                "an administrator gives one of them a range that nobody else has; files in that user's store keep the \
                 old IDs, so remove its containers and images first (`rc rm -fa`, `rc rmi -fa`)"
                    .to_owned(),
            ),
    }
}

/// The IDs of the host beside the user's own: `100000-165535`.
fn ranges(extents: &[IdRange]) -> String {
    let range = |extent: &IdRange| format!("{}-{}", extent.outside, extent.outside.saturating_add(extent.count - 1));
    let all: Vec<_> = extents.iter().filter(|extent| extent.inside != 0 && extent.count > 0).map(range).collect();
    all.join(", ")
}

fn mapper(program: &'static str, map: &IdMap, trouble: Option<&Trouble>) -> Finding {
    const DISABLES: &str = "more than one ID in containers";
    if rustix::process::geteuid().is_root() {
        return Finding::ok(program, "not needed by root");
    }
    let Some(path) = programs::find(program) else {
        return Finding::bad(program, Status::Limited, "not found").disables(DISABLES).fix(Package::Uidmap.install());
    };
    let shown = path.display();
    if let Some(trouble) = trouble.filter(|trouble| trouble.program.as_deref() == path.to_str()) {
        // It ran and failed, and would fail at every start.
        let (why, fix) = match Privilege::of(&path) {
            Err(lack) => (format!("{shown}: {lack}"), Some(lack.fix())),
            Ok(_) => (trouble.report.message.clone(), trouble.report.hint.clone()),
        };
        return Finding::bad(program, Status::Missing, why).disables("every container").fix(fix);
    }
    match Privilege::of(&path) {
        Ok(privilege) => Finding::ok(program, format!("{shown}, {}", privilege.as_str())),
        // With one ID rc does not use it.
        Err(lack) if map.is_single() => {
            Finding::bad(program, Status::Limited, format!("{shown}: {lack}")).disables(DISABLES).fix(lack.fix())
        }
        // It has its privileges in another way.
        Err(lack) if trouble.is_none() => Finding::ok(program, format!("{shown}, works ({lack})")),
        Err(lack) => Finding::bad(program, Status::Missing, format!("{shown}: {lack}"))
            .disables("every container")
            .fix(lack.fix()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_the_user_s_own_id_out() {
        let extent = |inside, outside, count| IdRange { inside, outside, count };
        assert_eq!(ranges(&[extent(0, 1000, 1), extent(1, 100_000, 65536)]), "100000-165535");
        assert_eq!(
            ranges(&[extent(0, 1000, 1), extent(1, 100_000, 10), extent(11, 500_000, 5)]),
            "100000-100009, 500000-500004"
        );
    }
}
