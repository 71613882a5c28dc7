//! System calls with types: descriptors are owned, paths travel in errors, and all unsafe code of rc is in this module.

pub mod datagram;
mod failpoint;
pub mod filesystem;
pub mod fs;
pub mod ids;
pub mod inherited;
pub mod keyring;
pub mod limits;
pub mod lock;
pub mod mount;
pub mod namespace;
pub mod netif;
pub mod pipe;
pub mod prctl;
pub mod proc;
pub mod process;
pub mod replacement;
pub mod root;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod steering;
pub mod tty;
