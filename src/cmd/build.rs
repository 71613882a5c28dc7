//! `rc build`.

use std::num::NonZero;
use std::path::PathBuf;

mod accepted;
mod caches;
mod check;
mod context;
mod delivery;
mod explain;
mod failure;
mod image;
mod journal;
mod kept;
mod logged;
mod make;
mod output;
mod outputs;
mod platform;
mod progress;
mod result;
mod secret;
mod sending;
mod shown;
mod step;
mod transfer;

use self::accepted::AcceptedArgs;
use self::caches::CacheArgs;
use self::check::Call;
use self::explain::Explain;
use self::image::ImageArgs;
use self::output::OutputArgs;
use self::platform::PlatformArgs;
use self::result::ResultArgs;
use self::shown::ShownArgs;
use self::step::StepArgs;
use self::transfer::TransferArgs;
use super::Ctx;
use super::args::pull_policy;
use crate::engine;
use crate::error::{Error, Exit};
use crate::plan::PullPolicy;
use crate::types::Network;

/// Build an image from a Dockerfile
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    accepted: AcceptedArgs,
    /// Add a line to /etc/hosts of every step: NAME:ADDRESS
    #[arg(long = "add-host", value_name = "HOST")]
    pub(crate) add_hosts: Vec<String>,
    /// Allow what takes confinement away: network.host, security.insecure, device or device=NAME
    #[arg(long = "allow", value_name = "ENTITLEMENT")]
    pub(crate) allowed: Vec<String>,
    /// Name a context: NAME=DIRECTORY, a URL, docker-image://IMAGE, oci-layout://DIRECTORY or target:STAGE
    #[arg(long = "build-context", value_name = "NAME=CONTEXT")]
    pub(crate) contexts: Vec<String>,
    /// Set a build argument: NAME=VALUE, or NAME for the value of the environment
    #[arg(long = "build-arg", value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    /// Read build arguments from a file of lines NAME=VALUE; those of --build-arg go before them
    #[arg(long = "build-arg-file", value_name = "FILE")]
    pub(crate) argument_files: Vec<PathBuf>,
    #[command(flatten)]
    caches: CacheArgs,
    /// Pass a flag to cpp(1), which reads a Dockerfile first whose name ends with .in
    #[arg(long = "cpp-flag", value_name = "FLAG", allow_hyphen_values = true)]
    pub(crate) cpp_flags: Vec<String>,
    /// Say something about the Dockerfile: check, outline, targets; with `,format=json` as JSON
    #[arg(long, value_name = "METHOD")]
    pub(crate) call: Option<Call>,
    /// Check the Dockerfile: the same as `--call=check`
    #[arg(long)]
    pub(crate) check: bool,
    /// Print which steps are in the cache and why the others are not, and do nothing: text or json (default: text)
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    #[arg(hide_possible_values = true)]
    pub(crate) explain: Option<Explain>,
    /// Read the Dockerfile from this path or URL, or from standard input if it is `-`
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: Option<String>,
    /// Read the patterns of what is ignored from this path
    #[arg(long = "ignorefile", value_name = "PATH")]
    pub(crate) ignore_file: Option<PathBuf>,
    /// Take at most so many steps at the same time (default: one for each CPU, at least 4: many steps only wait)
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZero<usize>>,
    /// Set the network of RUN: none, host, a network, or another mode of `rc run`
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    pub(crate) network: Option<Network>,
    /// Take nothing from the cache
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Take nothing from the cache for the steps of this stage
    #[arg(long = "no-cache-filter", value_name = "STAGE", value_delimiter = ',')]
    pub(crate) no_cache_stages: Vec<String>,
    #[command(flatten)]
    image: ImageArgs,
    #[command(flatten)]
    platform: PlatformArgs,
    /// Pull base images: always, missing, never or newer (default: missing; without a value: always)
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    #[arg(value_parser = pull)]
    pub(crate) pull: Option<PullPolicy>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    transfer: TransferArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    shown: ShownArgs,
    #[command(flatten)]
    steps: StepArgs,
    /// Give steps a secret: id=NAME, and src=FILE or env=VARIABLE
    #[arg(long = "secret", value_name = "SECRET")]
    pub(crate) secrets: Vec<String>,
    /// Let steps ask an SSH agent to sign: default, ID=SOCKET, or ID=KEYFILE for an agent with that key
    #[arg(long = "ssh", value_name = "AGENT")]
    pub(crate) agents: Vec<String>,
    /// Set the stage to build, by name or number
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// The context: a directory, an archive, a URL of one or of a Dockerfile, a git repository, or `-` for an
    /// archive or a Dockerfile from standard input
    #[arg(value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let request = context::read(&args, ctx)?;
    match args.call.or_else(|| args.check.then_some(Call::CHECK)) {
        Some(call) => check::show(&engine::check_build(&ctx.engine, &ctx.caller()?, &request)?, call),
        None => make::run(ctx, args, request),
    }
}

/// docker's `--pull` is a switch, podman's has a policy.
fn pull(text: &str) -> Result<PullPolicy, String> {
    match text {
        "true" => Ok(PullPolicy::Always),
        "false" => Ok(PullPolicy::Missing),
        policy => pull_policy(policy),
    }
}
