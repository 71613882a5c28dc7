//! `rc network …`.

pub(crate) mod create;
pub(crate) mod exists;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod rm;
pub(crate) mod update;
