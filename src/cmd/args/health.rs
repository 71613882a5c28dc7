use crate::plan::{HealthRequest, Request};

/// The health check.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct HealthArgs {
    /// Set a healthcheck command: a line for the shell or a JSON array; none disables the image's
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Set an interval for the healthcheck; disable turns the timer off (default: 30s)
    #[arg(long, value_name = "DURATION")]
    health_interval: Option<String>,
    /// Set the destination of the healthcheck log: local
    #[arg(long, value_name = "PLACE")]
    health_log_destination: Option<String>,
    /// Set the number of results in the healthcheck log (default: 5)
    #[arg(long, value_name = "NUMBER")]
    health_max_log_count: Option<u32>,
    /// Set the length in bytes of a result's output in the healthcheck log (default: 500)
    #[arg(long, value_name = "BYTES")]
    health_max_log_size: Option<u32>,
    /// Action to take once the container turns unhealthy: none, kill, restart or stop (default: none)
    #[arg(long, value_name = "ACTION")]
    health_on_failure: Option<String>,
    /// The number of failures in a row before the container is considered to be unhealthy (default: 3)
    #[arg(long, value_name = "NUMBER")]
    health_retries: Option<u32>,
    /// Set an interval for the healthcheck during the start period (default: 5s)
    #[arg(long, value_name = "DURATION")]
    health_start_interval: Option<String>,
    /// The initialization time needed for the container to bootstrap (default: 0s)
    #[arg(long, value_name = "DURATION")]
    health_start_period: Option<String>,
    /// Set a startup healthcheck command for the container
    #[arg(long, value_name = "COMMAND")]
    health_startup_cmd: Option<String>,
    /// Set an interval for the startup healthcheck (default: 30s)
    #[arg(long, value_name = "DURATION")]
    health_startup_interval: Option<String>,
    /// Set the number of failures of the startup healthcheck before the container is restarted (default: no limit)
    #[arg(long, value_name = "NUMBER")]
    health_startup_retries: Option<u32>,
    /// Set the number of times that the startup healthcheck must succeed before the regular one starts (default: 1)
    #[arg(long, value_name = "NUMBER")]
    health_startup_success: Option<u32>,
    /// Set the maximum time allowed to complete the startup healthcheck (default: 30s)
    #[arg(long, value_name = "DURATION")]
    health_startup_timeout: Option<String>,
    /// The maximum time allowed to complete the healthcheck (default: 30s)
    #[arg(long, value_name = "DURATION")]
    health_timeout: Option<String>,
    /// Disable healthchecks on the container
    #[arg(long)]
    no_healthcheck: bool,
}

impl HealthArgs {
    /// Fills in this part of the request.
    pub(super) fn fill(self, request: &mut Request) {
        request.health = self.into_request();
    }

    /// The request, for a container that exists.
    pub(crate) fn into_request(self) -> HealthRequest {
        HealthRequest {
            disabled: self.no_healthcheck,
            cmd: self.health_cmd,
            interval: self.health_interval,
            timeout: self.health_timeout,
            retries: self.health_retries,
            start_period: self.health_start_period,
            start_interval: self.health_start_interval,
            on_failure: self.health_on_failure,
            startup_cmd: self.health_startup_cmd,
            startup_interval: self.health_startup_interval,
            startup_timeout: self.health_startup_timeout,
            startup_retries: self.health_startup_retries,
            startup_success: self.health_startup_success,
            log_destination: self.health_log_destination,
            max_log_count: self.health_max_log_count,
            max_log_size: self.health_max_log_size,
        }
    }
}
