//! `rc pod …`.

pub(crate) mod create;
pub(crate) mod exists;
pub(crate) mod inspect;
pub(crate) mod ps;
pub(crate) mod rm;
pub(crate) mod start;
pub(crate) mod stop;
