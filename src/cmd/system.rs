//! `rc system …`.

pub(crate) mod check;
pub(crate) mod df;
pub(crate) mod migrate;
pub(crate) mod renumber;
pub(crate) mod reset;
