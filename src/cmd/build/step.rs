//! Options for every RUN of a build.

use crate::cmd::args::LimitArgs;
use crate::error::Error;
use crate::plan::{self, MountRequest, Request};

/// What every step gets.
#[derive(Debug, Default, clap::Args)]
pub(super) struct StepArgs {
    /// Add Linux capabilities to every step
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_add: Vec<String>,
    /// Drop Linux capabilities of every step
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_drop: Vec<String>,
    /// Set name servers of every step
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Set options of resolv.conf of every step
    #[arg(long = "dns-option", value_name = "OPTION", visible_alias = "dns-opt")]
    dns_options: Vec<String>,
    /// Set search domains of every step
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Set the size of /dev/shm in every step (format: NUMBER[UNIT], where UNIT = b, k, m or g)
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Set ulimits of every step: NAME=SOFT[:HARD]
    #[arg(long = "ulimit", value_name = "LIMIT")]
    ulimits: Vec<String>,
    /// Bind mount into every step: SOURCE:DIR[:OPTIONS]
    #[arg(short = 'v', long = "volume", value_name = "VOLUME")]
    volumes: Vec<String>,
}

impl StepArgs {
    /// What is asked for every step. Fails if a volume is not in the grammar of `--volume`.
    pub(super) fn request(self) -> Result<Request, Error> {
        let volumes = self.volumes.iter().map(|text| MountRequest::from_volume(text));
        let mounts: Vec<MountRequest> = volumes.collect::<Result<_, plan::Error>>()?;
        if let Some(mount) = mounts.iter().find(|mount| !mount.source.as_ref().is_some_and(|it| it.contains('/'))) {
            let error =
                Error::new(format!("`--volume` of a build needs a directory of the host: `{}`", mount.destination));
            return Err(error.with_hint("for what outlives a build: RUN --mount=type=cache"));
        }
        Ok(Request {
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            dns: self.dns,
            dns_options: self.dns_options,
            dns_search: self.dns_search,
            limits: self.limits.into_request(),
            shm_size: self.shm_size,
            ulimits: self.ulimits,
            mounts,
            ..Request::default()
        })
    }
}
