//! `rc start`.

use super::Ctx;
use super::containers::{Selection, each};
use super::outcome::exit_of;
use crate::container::{self, Attach, Container, Environment, Outcome};
use crate::engine::{self, start};
use crate::error::{Error, Exit};
use crate::monitor::Status;
use crate::types::DetachKeys;

/// Start one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Attach standard output and error, and exit with the program's exit code
    #[arg(short, long)]
    attach: bool,
    /// Attach standard input
    #[arg(short, long)]
    interactive: bool,
    /// Override the key sequence for detaching: `ctrl-X` or characters, separated by commas
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Proxy received signals to the process (default: true with --attach)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: Option<bool>,
    /// Start all containers that are not running
    #[arg(long)]
    all: bool,
    /// Act only on containers that match: KEY=VALUE
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let environment = ctx.engine.environment(ctx.manager.take())?;
    let ended = start_each(&environment, args);
    engine::sweep_soon(&ctx.engine);
    ended
}

fn start_each(environment: &Environment, args: Args) -> Result<Exit, Error> {
    if args.attach || args.interactive {
        let [word] = args.containers.as_slice() else {
            return Err(Error::new("exactly one container can be started and attached"));
        };
        let attach = Attach::Yes { stdin: args.interactive, proxy_signals: args.sig_proxy.unwrap_or(true) };
        let mut container = container::find(&environment.store, word)?;
        if let Some(keys) = args.detach_keys {
            keys.parse::<DetachKeys>()?;
            container.config.detach_keys = keys;
        }
        return exit_of(start(environment, container, &attach)?);
    }
    if args.detach_keys.is_some() {
        return Err(Error::new("`--detach-keys` is for `--attach` and `--interactive`"));
    }
    let selection = Selection {
        all: args.all,
        containers: args.containers,
        filters: args.filters,
        latest: args.latest,
        ..Selection::default()
    };
    // None was named: what runs is not meant.
    let is_of_many = selection.is_of_many();
    let store = environment.store.clone();
    let mut outcome = Outcome::Detached;
    let exit = each(&store, &selection, |container| {
        // One that is paused is refused below.
        if container.is_running() && (is_of_many || container.status != Status::Paused) {
            // As docker and podman have it: what runs is started.
            return Ok(!is_of_many);
        }
        let fresh = Container::read(container.directory.clone())?;
        outcome = start(environment, fresh, &Attach::No)?;
        Ok(true)
    })?;
    if exit == Exit::SUCCESS { exit_of(outcome) } else { Ok(exit) }
}
