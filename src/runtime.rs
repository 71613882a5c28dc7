//! Not yet built.

pub mod cgroup;
pub mod stub;
