//! Whose a lease is.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;
use std::str::FromStr;

use crate::sys::lock::ProcessLock;
use crate::types::{ContainerId, Invalid, serde_as_string};

/// A container or a pod, as the path of its directory in the store: `containers/ID`, `pods/ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner(String);

impl Owner {
    /// A container.
    pub(crate) fn container(id: &ContainerId) -> Self {
        Self(format!("containers/{id}"))
    }

    /// Its ID.
    pub(crate) fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A number that is its own, in the form of an address: four bytes of its ID.
    pub(super) fn number(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.id().get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(1))
    }

    /// The PID of its monitor, if that lives.
    ///
    /// The directory is in `tmp/` until the container has its name, and the monitor may have the address before that.
    pub(super) fn monitor(&self, root: &Path) -> Option<i32> {
        let place = root.join(&self.0);
        let new = root.join("tmp").join(self.id());
        [&place, &new, &place].into_iter().find_map(|directory| ProcessLock::holder(directory.join("lock")).ok())?
    }
}

impl FromStr for Owner {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_owner = |text: &str| {
            let (kind, id) = text.split_once('/')?;
            (matches!(kind, "containers" | "pods") && id.parse::<ContainerId>().is_ok()).then_some(())
        };
        let reason = "must be `containers/ID` or `pods/ID`";
        is_owner(text).map(|()| Self(text.to_owned())).ok_or_else(|| Invalid::new("owner", text, reason))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_string!(Owner);
