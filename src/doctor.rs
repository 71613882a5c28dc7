//! Checks whether the host can run containers, and names commands that fix what is missing.
//!
//! Each check calls the functions that a start calls, so that the two cannot disagree: the IDs and the root namespace
//! of `userns`, the overlay and fuse-overlayfs of `runtime`, the drivers of `net`, the cgroup that a monitor asks for.
//! A try that could hang, or would change this process, runs in a forked child with a few seconds of time (`attempt`).
//!
//! ```text
//! kernel     version, memory files, seccomp, keyrings
//! ids        user namespaces, subordinate IDs, newuidmap, newgidmap
//! storage    the store, overlay, fuse-overlayfs
//! network    slirp4netns, pasta, the tun device, low ports
//! session    runtime directory, service manager, user bus, lingering
//! limits     a line for each controller
//! ```

mod attempt;
mod bridges;
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

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It works.
    Ok,
    /// Containers run, but without something.
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
    /// The subject.
    pub(crate) check: &'static str,
    /// The result.
    pub(crate) status: Status,
    /// What the host has.
    pub(crate) found: String,
    /// What does not work because of it; `None` if all works.
    pub(crate) disables: Option<String>,
    /// The fix, with a command to paste; `None` if there is nothing to fix, or no fix.
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

/// The host as the user sees it: directories, programs and settings.
#[derive(Debug)]
pub(crate) struct Host<'a> {
    /// The store's directory.
    pub(crate) root: &'a Path,
    /// The runtime directory, or why there is none.
    pub(crate) runtime: Result<PathBuf, Report>,
    /// The storage driver in the settings.
    pub(crate) storage: StorageDriver,
    /// fuse-overlayfs, if it is installed.
    pub(crate) fuse_overlayfs: Option<PathBuf>,
    /// The default network of containers.
    pub(crate) network: Network,
    /// Where the network helpers are.
    pub(crate) programs: Programs,
    /// Files of podman's from which settings come.
    pub(crate) borrowed: Vec<PathBuf>,
}

/// Makes all checks. The process must have one thread. Nothing is left.
pub(crate) fn examine(host: &Host<'_>) -> Vec<Finding> {
    let mut findings = kernel::version();
    let map = IdMap::detect();
    let (mut found, home) = ids::check(host, map.as_ref().map_err(ToString::to_string));
    findings.append(&mut found);
    let home = home.as_ref();
    findings.append(&mut storage::check(host, home));
    let (mut found, way_out) = network::check(host, home);
    findings.append(&mut found);
    findings.push(bridges::check(home, &way_out));
    findings.append(&mut kernel::in_namespace(home));
    findings.append(&mut session::check(host));
    findings.append(&mut limits::check());
    findings.extend(
        host.borrowed
            .iter()
            .map(|path| Finding::ok("settings", format!("{} is read, too: an rc.toml goes before it", path.display()))),
    );
    findings
}

/// Whether the host has everything that `rc run` needs.
pub(crate) fn is_fit(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.status != Status::Missing)
}

/// Which storage driver `auto` chooses on this host, and why; `None` if it cannot be tried.
pub(crate) fn storage_driver(host: &Host<'_>, map: &IdMap) -> Option<(StorageDriver, String)> {
    storage::choose(host, map)
}

/// The result of checks that need the user's namespace, if there is none.
const NOT_TRIED: &str = "not tried: no user namespace";

/// How bad it is that one of two alternatives does not work.
fn severity(is_chosen: bool, other_works: bool) -> Status {
    if is_chosen && !other_works { Status::Missing } else { Status::Limited }
}

/// The user's namespace, if there is one.
type Home<'a> = Option<&'a UserNamespace>;
