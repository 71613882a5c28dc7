//! What a keeper is started with, and what it keeps.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use super::super::programs::Programs;
use super::super::record::Networks;
use super::super::tell::Tell;
use crate::types::NetworkRecord;

/// What a keeper needs.
#[derive(Debug)]
pub(in crate::net) struct Keep<'a> {
    /// The networks of the store.
    pub(in crate::net) networks: &'a Networks,
    /// The network.
    pub(in crate::net) record: &'a NetworkRecord,
    /// Its directory.
    pub(in crate::net) directory: PathBuf,
    /// The programs for the way out.
    pub(in crate::net) programs: &'a Programs,
    /// A private directory for locks of drivers.
    pub(in crate::net) locks: PathBuf,
    /// Hears what happens to the network.
    pub(in crate::net) told: &'a dyn Tell,
    /// The user namespace that owns the network's namespace.
    pub(in crate::net) home: BorrowedFd<'a>,
    /// The network's namespace, if it exists.
    pub(in crate::net) namespace: Option<BorrowedFd<'a>>,
}

/// A network's namespace, and the user namespace that owns it.
#[derive(Debug)]
pub(in crate::net) struct Space {
    /// The user namespace.
    pub(in crate::net) home: OwnedFd,
    /// The network namespace.
    pub(in crate::net) namespace: OwnedFd,
    /// It has a packet filter.
    pub(in crate::net) has_filter: bool,
}
