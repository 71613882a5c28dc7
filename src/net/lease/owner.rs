//! Whose a lease is.

use std::fmt;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;
use std::str::FromStr;

use crate::sys::fs;
use crate::sys::lock::ProcessLock;
use crate::types::{ContainerId, Invalid, serde_as_string};

/// A container, which a pod's process is too, or a step of a build, as the path of its directory in the store:
/// `containers/ID`, `tmp/BUILD/STEP`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner(String);

impl Owner {
    /// A container.
    pub(crate) fn container(id: &ContainerId) -> Self {
        Self(format!("containers/{id}"))
    }

    /// What has this directory in the store at `root`; `None` if nothing can.
    pub(crate) fn at(root: &Path, directory: &Path) -> Option<Self> {
        directory.strip_prefix(root).ok()?.to_str()?.parse().ok()
    }

    /// Whether it is a step of a build.
    pub(crate) fn is_step(&self) -> bool {
        self.0.starts_with("tmp/")
    }

    /// The last part of the path.
    pub(super) fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A number that is its own, in the form of an address: the FNV-1a hash of its path.
    pub(super) fn number(&self) -> Ipv4Addr {
        let hash =
            self.0.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Ipv4Addr::from_bits(hash)
    }

    /// The PID of its monitor, if that lives.
    pub(super) fn monitor(&self, root: &Path) -> Option<i32> {
        ProcessLock::holder_of(&self.open_lock(root)?)
    }

    /// The file that its monitor locks, open to read. The monitor itself must not call this: it would lose its lock.
    ///
    /// The directory is in `tmp/` until the container has its name, and the monitor may have the address before that.
    pub(crate) fn open_lock(&self, root: &Path) -> Option<File> {
        let place = root.join(&self.0);
        let new = root.join("tmp").join(self.id());
        [&place, &new, &place].into_iter().find_map(|directory| fs::open_record(directory.join("lock")).ok())
    }
}

impl FromStr for Owner {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_plain = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let parts: Vec<&str> = text.split('/').collect();
        let is_owner = match parts[..] {
            ["containers", id] => id.parse::<ContainerId>().is_ok(),
            ["tmp", build, step] => is_plain(build) && is_plain(step),
            _ => false,
        };
        let reason = "must be `containers/ID` or `tmp/BUILD/STEP`";
        if is_owner { Ok(Self(text.to_owned())) } else { Err(Invalid::new("owner", text, reason)) }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_string!(Owner);
