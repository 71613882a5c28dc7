//! `rc builder …`.

pub(crate) mod du;
