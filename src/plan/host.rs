use crate::types::IdRange;

/// The IDs of the user, on the host and for containers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HostIds {
    /// The user's ID on the host.
    pub(crate) uid: u32,
    /// The group's.
    pub(crate) gid: u32,
    /// The user IDs of the root namespace.
    pub(crate) users: Vec<IdRange>,
    /// The group IDs.
    pub(crate) groups: Vec<IdRange>,
    /// If containers have only one ID, why, and the cure.
    pub(crate) single: Option<String>,
}

/// A user of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HostAccount {
    /// The name.
    pub(crate) name: String,
    /// The ID.
    pub(crate) uid: u32,
    /// The ID of the group.
    pub(crate) gid: u32,
    /// The full name.
    pub(crate) comment: String,
    /// The home directory.
    pub(crate) home: String,
}
