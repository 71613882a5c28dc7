use std::path::PathBuf;

use crate::plan::ServiceRequest;

/// What concerns a service manager.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ServiceArgs {
    /// Write the pid of the container's monitor to the file
    #[arg(long, value_name = "FILE")]
    conmon_pidfile: Option<PathBuf>,
    /// Write the pid of the container's process to the file
    #[arg(long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// Who tells the service manager that the container is ready: container, conmon or ignore
    #[arg(long, value_name = "MODE")]
    sdnotify: Option<String>,
}

impl ServiceArgs {
    /// The part of the request.
    pub(super) fn into_request(self) -> ServiceRequest {
        ServiceRequest { sdnotify: self.sdnotify, pidfile: self.pidfile, conmon_pidfile: self.conmon_pidfile }
    }
}
