//! System calls with types: descriptors are owned, errors contain paths, and all of rc's unsafe code is in this module.

pub(crate) mod datagram;
pub(crate) mod exit;
mod failpoint;
pub(crate) mod filesystem;
pub(crate) mod fs;
pub(crate) mod ids;
pub(crate) mod inherited;
pub(crate) mod inlet;
pub(crate) mod keyring;
pub(crate) mod limits;
pub(crate) mod lock;
pub(crate) mod mount;
pub(crate) mod namespace;
pub(crate) mod netif;
pub(crate) mod pipe;
pub(crate) mod prctl;
pub(crate) mod proc;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod replacement;
pub(crate) mod root;
pub(crate) mod seccomp;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod steering;
pub(crate) mod tty;
