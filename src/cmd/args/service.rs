use std::path::PathBuf;

use crate::plan::{LogRequest, Request, ServiceRequest};

/// The options for a service manager and its journal.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ServiceArgs {
    /// Write the process ID of the container's monitor to the file
    #[arg(long, value_name = "FILE")]
    conmon_pidfile: Option<PathBuf>,
    /// Logging driver for the container: k8s-file, json-file, journald, none, passthrough or passthrough-tty
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// Logging driver options: max-size, max-file, path; tag and label, which journald shows
    #[arg(long, value_name = "NAME=VALUE")]
    log_opt: Vec<String>,
    /// Write the container process ID to the file
    #[arg(long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// Restart policy to apply when the container exits: no, always, on-failure[:RETRIES] or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Control sd-notify behavior: container, conmon, healthy or ignore
    #[arg(long, value_name = "MODE")]
    sdnotify: Option<String>,
}

impl ServiceArgs {
    /// Fills in this part of the request.
    pub(super) fn fill(self, request: &mut Request) {
        request.service =
            ServiceRequest { sdnotify: self.sdnotify, pidfile: self.pidfile, conmon_pidfile: self.conmon_pidfile };
        request.restart = self.restart;
        request.log = LogRequest { driver: self.log_driver, options: self.log_opt };
    }
}
