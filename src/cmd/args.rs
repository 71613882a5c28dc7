//! Groups of options, which several commands share and which become a [`Request`](crate::plan::Request).
//!
//! `run` takes [`RunArgs`]: [`PreserveArgs`] and the [`ContainerArgs`] of `create`, which have a group for each topic.
//! Other commands take some of these groups: `update` takes [`LimitArgs`], `exec` takes [`ProcessArgs`], `pull` takes
//! [`PullArgs`]. A command that takes [`ContainerArgs`] or [`ProcessArgs`] sets `disable_help_flag`: its `-h` is the
//! hostname, or nothing, as with podman.

mod cgroup;
mod compression;
mod container;
mod environment;
mod explain;
mod health;
mod image;
mod init;
mod kernel;
mod labels;
mod limits;
mod listing;
mod mounts;
mod network;
mod pod;
mod pod_options;
mod preserve;
mod process;
mod prune;
mod redact;
mod registry;
mod run;
mod security;
mod selection;
mod service;
mod signing;
mod users;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};

pub(crate) use compression::CompressionArgs;
pub(crate) use container::ContainerArgs;
pub(crate) use explain::Explain;
pub(crate) use health::HealthArgs;
pub(crate) use image::PullArgs;
pub(super) use image::pull_policy;
pub(crate) use labels::LabelArgs;
pub(crate) use limits::LimitArgs;
pub(crate) use listing::ListArgs;
pub(crate) use network::{AddressArgs, NetworkArgs};
pub(crate) use pod::PodNameArgs;
pub(crate) use pod_options::PodOptionArgs;
pub(crate) use preserve::{PreserveArgs, keep_descriptors, keep_requested};
pub(crate) use process::ProcessArgs;
pub(super) use process::read_all;
pub(crate) use prune::PruneArgs;
pub(crate) use redact::redact;
pub(super) use registry::retry_delay;
pub(crate) use registry::{RegistryArgs, Secret};
pub(crate) use run::RunArgs;
pub(crate) use selection::{FilterArgs, LatestArgs, NameArgs, PauseArgs, SelectionArgs, StopArgs, stop_timeout};
pub(crate) use signing::SigningArgs;

/// Lets every switch of a command also take `=true` and `=false`, as with podman and docker: scripts write `--rm=true`.
pub(crate) fn with_values(command: Command) -> Command {
    command.mut_args(|arg| {
        let arg = if matches!(arg.get_action(), ArgAction::SetTrue) { optional_value(arg) } else { arg };
        let is_truth = arg.get_value_parser().type_id() == ValueParser::bool().type_id();
        if is_truth && arg.get_action().takes_values() { arg.value_parser(truth) } else { arg }
    })
}

/// Reads the value of a switch. Source: Go's `strconv.ParseBool`, with which docker and podman read them.
fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

fn optional_value(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .value_parser(clap::value_parser!(bool))
        .hide_default_value(true)
        .value_name("BOOL")
}

#[cfg(test)]
mod tests;
