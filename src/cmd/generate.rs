//! `rc generate`: files for other programs.

mod environment;
mod retype;
pub(crate) mod systemd;
mod unit;
