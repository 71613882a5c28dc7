//! Life cycle and state on disk: create, start, stop, remove, wait, exec, names, liveness.

pub mod logs;
