//! `rc pod top`.

use crate::cmd::{Ctx, processes};
use crate::engine::{self, PodSelection};
use crate::error::{Error, Exit};

/// Display the running processes of all containers in a pod
///
/// rc reads them from the host; it executes nothing in the containers.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Act on the latest created pod
    #[arg(short, long)]
    latest: bool,
    /// Name or ID of the pod, and the columns, such as user, pid, hpid or args, or options of ps
    #[arg(value_name = "POD", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let named = if args.latest { 0 } else { 1.min(args.words.len()) };
    let (names, words) = args.words.split_at(named);
    let selection = PodSelection { names: names.to_vec(), latest: args.latest, ..PodSelection::default() };
    let members = engine::pod_members(&ctx.engine, &selection)?;
    let running = members.iter().filter(|member| member.is_alive());
    let containers: Vec<String> = running.map(|member| member.config.id.to_string()).collect();
    if containers.is_empty() {
        return Err(Error::new("no container of the pod runs").with_hint("start it: `rc pod start POD`"));
    }
    processes::show(ctx, &containers, words)
}
