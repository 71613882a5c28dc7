use std::path::PathBuf;

use super::process::read_all;
use crate::plan::{self, Request};
use crate::types::Report;

/// What the program may do.
#[derive(Debug, Default, clap::Args)]
pub(super) struct SecurityArgs {
    /// Add capabilities to the container
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop capabilities from the container
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Give the container access to a secret: NAME[,type=mount|env,target=TARGET,uid=UID,gid=GID,mode=MODE]
    #[arg(long, value_name = "SECRET")]
    secret: Vec<String>,
    /// Security options: no-new-privileges[=BOOL], seccomp=..., mask=..., unmask=..., systempaths=..., proc-opts=...
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
}

impl SecurityArgs {
    /// Fills in this part of the request. Fails if a file of `--security-opt seccomp=FILE` cannot be read.
    pub(super) fn fill(self, request: &mut Request) -> Result<(), Report> {
        request.secrets = self.secret;
        let profiles = self.security_opt.iter().filter_map(|option| plan::seccomp_file(option)).map(PathBuf::from);
        request.seccomp_profiles = read_all(&profiles.collect::<Vec<_>>())?;
        request.security_opts = self.security_opt;
        request.cap_add = self.cap_add;
        request.cap_drop = self.cap_drop;
        Ok(())
    }
}
