//! System calls with types: descriptors are owned, paths travel in errors, and all unsafe code of rc is in this module.

pub mod fs;
pub mod lock;
