//! `rc image …`: those of its commands that have no name outside.

pub(crate) mod diff;
pub(crate) mod exists;
pub(crate) mod inspect;
pub(crate) mod mount;
pub(crate) mod tree;
pub(crate) mod trust;
pub(crate) mod unmount;
