//! What was found on the host for a request: the answer to `needs`.

use std::collections::BTreeMap;

use super::{ContainerConfig, Described, HostAccount, ImageSource};
use crate::types::{IdRange, Name, NetworkRecord};

/// The numbers, major and minor, of the block devices at paths of the host, or why one has none.
pub(crate) type BlockDevices = BTreeMap<String, Result<(u32, u32), String>>;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    /// A port for each needed one, none twice for the same protocol; fewer if the host runs out of them.
    pub(crate) ports: Vec<u16>,
    /// The block devices.
    pub(crate) block_devices: BlockDevices,
    /// Names for anonymous volumes: 64 hex digits.
    pub(crate) volume_names: Vec<Name>,
    /// By path, why a device cannot be used.
    pub(crate) devices: BTreeMap<String, Result<(), String>>,
    /// The paths of all devices that the user may open, beside those that every container has.
    pub(crate) all_devices: Vec<String>,
    /// The least OOM score that the user may set; absent: any.
    pub(crate) least_oom_score_adj: Option<i32>,
    /// IDs of the root namespace that other containers have for themselves alone.
    pub(crate) taken_ids: Vec<IdRange>,
    /// What these devices need.
    pub(crate) described: BTreeMap<String, Described>,
    /// Whether the host has the file of the time zone.
    pub(crate) has_zone: bool,
    /// The other containers; `None` for one that does not exist.
    pub(crate) containers: BTreeMap<String, Option<Box<ContainerConfig>>>,
    /// The networks; `None` for one that does not exist.
    pub(crate) networks: BTreeMap<String, Option<Box<NetworkRecord>>>,
    /// The users of the host; `None` for one that does not exist.
    pub(crate) accounts: BTreeMap<String, Option<HostAccount>>,
    /// The absolute paths that match the patterns, in order, or why a pattern has none.
    pub(crate) globs: BTreeMap<String, Result<Vec<String>, String>>,
    /// The images of mounts by the names that were typed.
    pub(crate) images: BTreeMap<String, ImageSource>,
}
