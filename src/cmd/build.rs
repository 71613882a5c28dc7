//! `rc build`.

use std::io::Read as _;
use std::num::NonZero;
use std::path::PathBuf;

mod accepted;
mod check;
mod explain;
mod journal;
mod make;
mod result;
mod secret;

use self::accepted::AcceptedArgs;
use self::check::Call;
use self::explain::Explain;
use self::result::ResultArgs;
use super::Ctx;
use super::args::{RegistryArgs, pull_policy};
use crate::build::dockerfile::source::FILE_LIMIT;
use crate::engine::{self, CheckBuild, DockerfileAt};
use crate::error::{Error, Exit};
use crate::plan::PullPolicy;
use crate::registry::Platform;
use crate::sys::fs::AtPath as _;
use crate::types::{Network, Report};

/// Build an image from a Dockerfile
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    accepted: AcceptedArgs,
    /// Add a line to /etc/hosts of every step: NAME:ADDRESS
    #[arg(long = "add-host", value_name = "HOST")]
    pub(crate) add_hosts: Vec<String>,
    /// Allow what takes confinement away: network.host or security.insecure
    #[arg(long = "allow", value_name = "ENTITLEMENT")]
    pub(crate) allowed: Vec<String>,
    /// Set a build argument: NAME=VALUE, or NAME for the value of the environment
    #[arg(long = "build-arg", value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
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
    /// Read the Dockerfile from this path, or from standard input if it is `-`
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: Option<String>,
    /// Read the patterns of what is ignored from this path
    #[arg(long = "ignorefile", value_name = "PATH")]
    pub(crate) ignore_file: Option<PathBuf>,
    /// Take at most so many steps at the same time (default: one for each CPU, at least 4: many steps only wait)
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZero<usize>>,
    /// Set the network of RUN: none, host, or a network mode of `rc run`
    #[arg(long, value_name = "NETWORK")]
    pub(crate) network: Option<Network>,
    /// Take nothing from the cache
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Take nothing from the cache for the steps of this stage
    #[arg(long = "no-cache-filter", value_name = "STAGE", value_delimiter = ',')]
    pub(crate) no_cache_stages: Vec<String>,
    /// Set the platform of the image: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// Show the build as auto, tty, plain, rawjson or quiet
    #[arg(long, value_name = "STYLE", default_value = "auto", hide_default_value = true, hide_possible_values = true)]
    pub(crate) progress: Progress,
    /// Pull base images: always, missing, never or newer (default: missing; without a value: always)
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    #[arg(value_parser = pull)]
    pub(crate) pull: Option<PullPolicy>,
    /// Print nothing but the image ID
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    result: ResultArgs,
    /// Give steps a secret: id=NAME, and src=FILE or env=VARIABLE
    #[arg(long = "secret", value_name = "SECRET")]
    pub(crate) secrets: Vec<String>,
    /// Set the stage to build, by name or number
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// The directory of the context, or `-` for a Dockerfile from standard input
    #[arg(value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
}

/// How a build is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Progress {
    /// As it fits standard error.
    Auto,
    /// By a display that moves.
    Tty,
    /// By plain lines.
    Plain,
    /// As BuildKit's status, in JSON.
    Rawjson,
    /// Not at all.
    Quiet,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let context = args.context.clone().unwrap_or_else(|| ".".to_owned());
    let file = match args.file.as_deref() {
        Some("-") => DockerfileAt::Text(standard_input()?),
        Some(path) => DockerfileAt::Path(path.into()),
        None if context == "-" => DockerfileAt::Text(standard_input()?),
        None => DockerfileAt::Usual,
    };
    let has_context = context != "-";
    let request = CheckBuild {
        context: if has_context { context } else { ".".to_owned() }.into(),
        file,
        ignore_file: args.ignore_file.clone(),
        arguments: args.arguments.clone(),
        target: args.target.clone(),
        platform: args.platform.clone(),
    };
    match args.call.or_else(|| args.check.then_some(Call::CHECK)) {
        Some(call) => check::show(&engine::check_build(&ctx.engine, &ctx.caller()?, &request)?, call),
        None => make::run(ctx, args, &request, has_context),
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

fn standard_input() -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    // One byte more than a Dockerfile may have, so that it is refused and not cut.
    let limit = u64::try_from(FILE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin().lock().take(limit).read_to_end(&mut bytes).at("read", "standard input")?;
    Ok(bytes)
}
