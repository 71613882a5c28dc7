//! `rc secret`: values that containers get, and that no other file has.

pub(crate) mod create;
pub(crate) mod exists;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod rm;
