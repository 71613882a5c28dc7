use std::path::PathBuf;

use super::programs::Programs;
use crate::types::PortMapping;

/// What one container wants of its network.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The published ports, each complete.
    pub(crate) ports: Vec<PortMapping>,
    /// Where the helpers are.
    pub(crate) programs: Programs,
    /// An existing private directory of this container alone; nothing stays in it once the network is up.
    pub(crate) directory: PathBuf,
    /// An existing private directory that all containers of the user share, for locks.
    pub(crate) locks: PathBuf,
}
