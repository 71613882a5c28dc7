//! `rc pod logs`.

use crate::cmd::Ctx;
use crate::cmd::logging::{self, LogArgs};
use crate::engine::{self, PodSelection};
use crate::error::{Error, Exit};
use crate::types::{Report, ReportKind, Thing};

/// Fetch the logs of the containers in a pod
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: LogArgs,
    /// Only the container of this name or ID
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Act on the latest created pod
    #[arg(short, long)]
    latest: bool,
    /// Name, ID or unique prefix of an ID
    #[arg(value_name = "POD")]
    pod: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let names = args.pod.iter().cloned().collect();
    let pod = PodSelection { names, latest: args.latest, ..PodSelection::default() };
    let mut members = engine::pod_members(&ctx.engine, &pod)?;
    if let Some(wanted) = &args.container {
        members.retain(|member| {
            member.config.name.as_str() == wanted || !wanted.is_empty() && member.config.id.as_str().starts_with(wanted)
        });
        if members.is_empty() {
            let message = format!("container `{}` does not belong to the pod", wanted.escape_debug());
            return Err(Report::new(ReportKind::NotFound(Thing::Container), message).into());
        }
    }
    let ids: Vec<String> = members.iter().map(|member| member.config.id.to_string()).collect();
    logging::show(ctx, &ids, &args.shown, false)
}
