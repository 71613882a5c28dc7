//! `rc image …`: those of its commands that have no name outside.

pub(crate) mod diff;
pub(crate) mod exists;
pub(crate) mod inspect;
pub(crate) mod tree;
