use std::path::PathBuf;

use ipnet::Ipv4Net;

use super::programs::Programs;
use crate::types::PortMapping;

/// The network of one container, as requested.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The container's name, for names of processes.
    pub(crate) name: String,
    /// The published ports, with all fields set.
    pub(crate) ports: Vec<PortMapping>,
    /// The options of the network, as typed after its name and checked.
    pub(crate) options: Vec<String>,
    /// The network in which the helper and its interface have their addresses, unless the options name one; `None`
    /// stands for 10.0.2.0/24.
    pub(crate) range: Option<Ipv4Net>,
    /// The paths of the helpers.
    pub(crate) programs: Programs,
    /// An existing private directory of this container alone; nothing remains in it once the network is up.
    pub(crate) directory: PathBuf,
    /// The name of the interface that the helper makes.
    pub(crate) interface: &'static str,
    /// An existing private directory for locks, shared by all containers of the user.
    pub(crate) locks: PathBuf,
}
