//! Groups of options, which several commands share and which become a [`Request`](crate::plan::Request).
//!
//! `run` takes [`RunArgs`]: [`PreserveArgs`] and the [`ContainerArgs`] of `create`, which have a group for each topic.
//! Other commands take some of these groups: `update` takes [`LimitArgs`], `exec` takes [`ProcessArgs`], `pull` takes
//! [`PullArgs`]. A command that takes [`ContainerArgs`] or [`ProcessArgs`] sets `disable_help_flag`: its `-h` is the
//! hostname, or nothing, as with podman.

mod cgroup;
mod container;
mod image;
mod limits;
mod mounts;
mod network;
mod preserve;
mod process;
mod redact;
mod run;
mod security;
mod selection;
mod service;

use clap::{Arg, ArgAction, Command};

pub(crate) use container::ContainerArgs;
pub(crate) use image::PullArgs;
pub(super) use image::pull_policy;
pub(crate) use limits::LimitArgs;
pub(crate) use preserve::{PreserveArgs, keep_descriptors, keep_requested};
pub(crate) use process::ProcessArgs;
pub(crate) use redact::redact;
pub(crate) use run::RunArgs;
pub(crate) use selection::{FilterArgs, NameArgs, PauseArgs, SelectionArgs, StopArgs};

/// Lets every switch of a command also take `=true` and `=false`, as with podman and docker: scripts write `--rm=true`.
pub(crate) fn with_values(command: Command) -> Command {
    command.mut_args(|arg| if matches!(arg.get_action(), ArgAction::SetTrue) { optional_value(arg) } else { arg })
}

fn optional_value(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .value_parser(clap::value_parser!(bool))
        .hide_default_value(true)
        .hide_possible_values(true)
        .value_name("BOOL")
}

#[cfg(test)]
mod tests;
