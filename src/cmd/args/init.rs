use std::path::PathBuf;

use crate::plan::Request;

/// What process 1 of the container is.
#[derive(Debug, Default, clap::Args)]
pub(super) struct InitArgs {
    /// Run an init inside the container that forwards signals and reaps processes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    init: Option<bool>,
    /// Program of the host for --init, instead of rc's own
    #[arg(long, value_name = "PATH")]
    init_path: Option<PathBuf>,
    /// Prepare the container for systemd: true (if it is the program), always or false
    #[arg(long, value_name = "MODE")]
    systemd: Option<String>,
}

impl InitArgs {
    /// Fills in this part of the request.
    pub(super) fn fill(self, request: &mut Request) {
        request.init = self.init;
        request.init_path = self.init_path;
        request.systemd = self.systemd;
    }
}
