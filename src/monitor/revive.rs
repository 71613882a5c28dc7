use std::fmt;

use super::directory::ContainerDir;
use crate::types::{ContainerId, Report};

/// Starts a pod again whose monitor was killed.
pub(crate) trait Revive: fmt::Debug {
    /// Returns when the pod runs; it may run already. `false` if it has ended and must not run. For a forked child that
    /// has nothing open but its standard descriptors.
    fn revive(&self) -> Result<bool, Report>;
}

/// A container's pod, as its monitor needs it.
#[derive(Debug)]
pub(crate) struct MemberOf {
    /// The pod's ID.
    pub(crate) id: ContainerId,
    /// The pod's directory.
    pub(crate) directory: ContainerDir,
    /// The names of the container that the pod's `/etc/hosts` has while it runs: its own first, or none.
    pub(crate) names: Vec<String>,
    /// What starts it again.
    pub(crate) reviver: Box<dyn Revive>,
}
