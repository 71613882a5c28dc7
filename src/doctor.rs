//! Whether the host can run containers, and the command that fixes what is missing.
//!
//! Each check calls what a start calls, so that the two cannot disagree: the ids and H of `userns`, the overlay and
//! fuse-overlayfs of `runtime`, the drivers of `net`, the cgroup that a monitor asks for. What could hang, or would
//! change this process, is tried in a forked child that is given a few seconds (`attempt`).
//!
//! ```text
//! kernel     version, memory files, seccomp, keyrings
//! ids        user namespaces, subordinate ids, newuidmap, newgidmap
//! storage    the store, overlay, fuse-overlayfs
//! network    slirp4netns, pasta, the tun device, low ports
//! session    runtime directory, service manager, user bus, lingering
//! limits     a line for each controller
//! ```

mod attempt;
mod device;
mod ids;
mod kernel;
mod limits;
mod network;
mod program;
mod session;
mod storage;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::net::Programs;
use crate::types::{Network, Report, StorageDriver};
use crate::userns::{IdMap, UserNamespace};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It is there.
    Ok,
    /// Containers run, without what the line names.
    Limited,
    /// `rc run` needs it.
    Missing,
}

impl Status {
    /// The word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: &'static str,
    /// How it went.
    pub(crate) status: Status,
    /// What there is.
    pub(crate) found: String,
    /// What does not work because of it; `None` if it is there.
    pub(crate) disables: Option<String>,
    /// What to do, with a command to paste; `None` if there is nothing to fix, or no way to.
    pub(crate) fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, found: found.into(), disables: None, fix: None }
    }

    fn bad(check: &'static str, status: Status, found: impl Into<String>) -> Self {
        Self { check, status, found: found.into(), disables: None, fix: None }
    }

    fn disables(mut self, what: impl Into<String>) -> Self {
        self.disables = Some(what.into());
        self
    }

    fn fix(mut self, fix: impl Into<Option<String>>) -> Self {
        self.fix = fix.into();
        self
    }
}

/// The host as this user has it: where things are, and what the settings choose.
#[derive(Debug)]
pub(crate) struct Host<'a> {
    /// The store's directory.
    pub(crate) root: &'a Path,
    /// The runtime directory, or why there is none and what to do.
    pub(crate) runtime: Result<PathBuf, Report>,
    /// The storage driver that is asked for.
    pub(crate) storage: StorageDriver,
    /// fuse-overlayfs, if it is installed.
    pub(crate) fuse_overlayfs: Option<PathBuf>,
    /// The network of a container that names none.
    pub(crate) network: Network,
    /// Where the network helpers are.
    pub(crate) programs: Programs,
}

/// Makes all checks. The process has one thread. Nothing is left behind.
pub(crate) fn examine(host: &Host<'_>) -> Vec<Finding> {
    let mut findings = kernel::version();
    let map = IdMap::detect();
    let (mut found, home) = ids::check(host, map.as_ref().map_err(ToString::to_string));
    findings.append(&mut found);
    let home = home.as_ref();
    findings.append(&mut storage::check(host, home));
    findings.append(&mut network::check(host, home));
    findings.append(&mut kernel::in_namespace(home));
    findings.append(&mut session::check(host));
    findings.append(&mut limits::check());
    findings
}

/// Whether nothing is missing that `rc run` needs.
pub(crate) fn is_fit(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.status != Status::Missing)
}

/// Which storage driver `auto` chooses on this host, and why; `None` if it cannot be tried.
pub(crate) fn storage_driver(host: &Host<'_>, map: &IdMap) -> Option<(StorageDriver, String)> {
    storage::choose(host, map)
}

/// Of a check that needs the user's namespace, where there is none.
const NOT_TRIED: &str = "not tried: no user namespace";

/// Of two ways to the same end, how bad it is that one does not work.
fn severity(is_chosen: bool, other_works: bool) -> Status {
    if is_chosen && !other_works { Status::Missing } else { Status::Limited }
}

/// The user's namespace, if there is one.
type Home<'a> = Option<&'a UserNamespace>;
