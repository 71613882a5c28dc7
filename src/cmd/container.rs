//! `rc container …`: those of its commands that have no name outside.

pub(crate) mod cleanup;
pub(crate) mod exists;
pub(crate) mod inspect;
