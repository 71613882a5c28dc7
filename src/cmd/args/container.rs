use std::path::PathBuf;

use super::cgroup::CgroupArgs;
use super::environment::EnvironmentArgs;
use super::explain::{Explain, ExplainArgs};
use super::health::HealthArgs;
use super::image::{PullArgs, pull_policy};
use super::init::InitArgs;
use super::kernel::KernelArgs;
use super::labels::LabelArgs;
use super::limits::LimitArgs;
use super::mounts::MountArgs;
use super::network::ContainerNetworkArgs;
use super::process::ProcessArgs;
use super::security::SecurityArgs;
use super::service::ServiceArgs;
use super::users::UserArgs;
use super::{redact, stop_timeout};
use crate::plan::{PullPolicy, Request};
use crate::types::Report;

/// The options of `run` and `create`, and the image with its command.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ContainerArgs {
    /// Attach to STDIN, STDOUT or STDERR (default: all three)
    #[arg(short, long, value_name = "STREAM")]
    attach: Vec<String>,
    /// Write the container ID to the file
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    /// Overwrite the default ENTRYPOINT of the image: a program or a JSON array; "" for none
    #[arg(long, value_name = "ENTRYPOINT")]
    entrypoint: Option<String>,
    /// Add additional groups to the primary container process
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Set proxy environment variables in the container based on the host proxy vars (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    http_proxy: Option<bool>,
    /// Assign a name to the container
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    name: Option<String>,
    /// Pull image policy: always, missing, never or newer
    #[arg(long, value_name = "POLICY", value_parser = pull_policy)]
    pull: Option<PullPolicy>,
    /// If a container with the same name exists, replace it
    #[arg(long)]
    replace: bool,
    /// Remove the container and its anonymous volumes after exit
    #[arg(long)]
    rm: bool,
    /// Signal to stop the container (default: the image's, or SIGTERM)
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds that the container has to exit when it is stopped, before it is killed; -1: it is not killed
    #[arg(long, value_name = "SECONDS", value_parser = stop_timeout, allow_negative_numbers = true)]
    stop_timeout: Option<u32>,
    /// Ulimit options: NAME=SOFT[:HARD]
    #[arg(long, value_name = "LIMIT")]
    ulimit: Vec<String>,
    #[command(flatten)]
    cgroup: CgroupArgs,
    #[command(flatten)]
    environment: EnvironmentArgs,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    health: HealthArgs,
    #[command(flatten)]
    init: InitArgs,
    #[command(flatten)]
    kernel: KernelArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    mounts: MountArgs,
    #[command(flatten)]
    network: ContainerNetworkArgs,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    pull_args: PullArgs,
    #[command(flatten)]
    security: SecurityArgs,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    users: UserArgs,
    /// The image, and a command with its arguments instead of the image's
    #[arg(value_name = "IMAGE", hide = true, required = true, num_args = 1.., trailing_var_arg = true)]
    words: Vec<String>,
}

impl ContainerArgs {
    /// `--explain`.
    pub(crate) fn explain(&self) -> Option<Explain> {
        self.explain.explain
    }

    /// Whether `--quiet` suppresses the progress of a pull.
    pub(crate) fn is_quiet(&self) -> bool {
        self.pull_args.quiet
    }

    /// The request. `typed` is the whole command line, which the request keeps without the values of the environment.
    /// Fails if a file that an option names cannot be read, or an option is not in its grammar.
    pub(crate) fn into_request(self, typed: &[String]) -> Result<Request, Report> {
        let mut words = self.words.into_iter();
        let image = words.next().unwrap_or_default();
        let command: Vec<String> = words.collect();
        let create_command = redact(typed, &self.process.env, self.pull_args.creds.as_ref(), command.len());
        let mut request = Request {
            image,
            command,
            create_command,
            attach: self.attach,
            entrypoint: self.entrypoint,
            name: self.name,
            replace: self.replace,
            auto_remove: self.rm,
            cidfile: self.cidfile,
            http_proxy: self.http_proxy,
            groups: self.group_add,
            limits: self.limits.into_request(),
            ulimits: self.ulimit,
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            pull: self.pull,
            platform: self.pull_args.platform_text(),
            registry: self.pull_args.registry(),
            tls_verify: self.pull_args.tls_verify,
            ..Request::default()
        };
        self.cgroup.fill(&mut request);
        self.environment.fill(&mut request);
        self.health.fill(&mut request);
        self.init.fill(&mut request);
        self.kernel.fill(&mut request);
        self.labels.fill(&mut request)?;
        self.mounts.fill(&mut request)?;
        self.network.fill(&mut request)?;
        self.process.fill(&mut request)?;
        self.security.fill(&mut request)?;
        self.service.fill(&mut request);
        self.users.fill(&mut request);
        Ok(request)
    }
}
