//! What a container shall be: pure functions from what was asked to what is saved.

mod config;

pub use config::{
    ContainerConfig, ImageSource, Limits, LogDriver, Mount, MountKind, NetworkMode, PullPolicy, RestartPolicy,
};
