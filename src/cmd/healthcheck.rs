//! `rc healthcheck`: health checks of containers.

pub(crate) mod run;
