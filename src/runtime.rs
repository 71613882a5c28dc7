//! Not yet built.

pub mod caps;
pub mod cgroup;
pub mod seccomp;
pub mod stub;
pub mod users;
