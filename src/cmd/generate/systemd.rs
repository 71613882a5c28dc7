//! `rc generate systemd`.

use std::collections::BTreeMap;

use clap::Command;

use super::environment;
use super::retype::retype;
use super::unit::{self, RESTARTS, Restart, Unit};
use crate::cmd::{self, Ctx};
use crate::container::Container;
use crate::engine;
use crate::error::{Error, Exit};
use crate::plan::Sdnotify;
use crate::sys::fs;
use crate::sys::replacement::replace_named;
use crate::ui::{self, Format};

/// Generate a systemd unit for a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Add units to After= of the generated unit
    #[arg(long, value_name = "UNIT", value_delimiter = ',')]
    after: Vec<String>,
    /// Prefix of the unit's name (default: container)
    #[arg(long, value_name = "PREFIX", default_value = "container", hide_default_value = true)]
    container_prefix: String,
    /// Set environment variables of the unit: NAME=VALUE, or NAME or NAME* to copy the caller's
    #[arg(short, long, value_name = "ENV")]
    env: Vec<String>,
    /// Write a .service file to the current directory, and print its path
    #[arg(short, long)]
    files: bool,
    /// Print the unit as JSON, by the name of its file
    #[arg(long, value_name = "FORMAT", value_parser = ["json"], hide_possible_values = true, conflicts_with = "files")]
    format: Option<String>,
    /// Use the container's name instead of its ID
    #[arg(short, long)]
    name: bool,
    /// Create a new container at each start instead of starting the existing one
    #[arg(long)]
    new: bool,
    /// Skip the comment at the top
    #[arg(long)]
    no_header: bool,
    /// Add units to Requires= of the generated unit
    #[arg(long, value_name = "UNIT", value_delimiter = ',')]
    requires: Vec<String>,
    /// Restart policy of the unit (default: with --new the container's own, else on-failure)
    #[arg(long, value_name = "POLICY", value_parser = RESTARTS, hide_possible_values = true)]
    restart_policy: Option<String>,
    /// Seconds that systemd waits before it restarts the unit
    #[arg(long, value_name = "SECONDS")]
    restart_sec: Option<u32>,
    /// Separator between the prefix and the container's name or ID (default: -)
    #[arg(long, value_name = "SEPARATOR", default_value = "-", hide_default_value = true)]
    separator: String,
    /// Start timeout of the unit, in seconds
    #[arg(long, value_name = "SECONDS")]
    start_timeout: Option<u32>,
    /// Seconds between the stop signal and SIGKILL (default: the container's own)
    #[arg(short = 't', long, value_name = "SECONDS")]
    stop_timeout: Option<u32>,
    /// Generate a template for several containers; implies --new
    #[arg(long)]
    template: bool,
    /// Add units to Wants= of the generated unit
    #[arg(long, value_name = "UNIT", value_delimiter = ',')]
    wants: Vec<String>,
    /// The container's name or ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command; `definition` returns the definition of all commands.
pub(crate) fn run(ctx: &Ctx, args: &Args, definition: fn() -> Command) -> Result<Exit, Error> {
    let container = engine::find(&ctx.engine, &args.container)?;
    let unit = unit_of(ctx, args, &container, definition)?;
    let mut out = ui::out();
    if args.files {
        let directory = std::env::current_dir().map_err(|error| fs::PathError::new("find", ".", error))?;
        let path = directory.join(&unit.file);
        replace_named(&path, unit.to_string().as_bytes())?;
        out.line(path.display())?;
    } else if args.format.is_some() {
        let units = BTreeMap::from([(unit.file.trim_end_matches(".service"), unit.to_string())]);
        Format::Json.object(&mut out, &units)?;
    } else {
        out.raw(unit.to_string().as_bytes())?;
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn unit_of(ctx: &Ctx, args: &Args, container: &Container, definition: fn() -> Command) -> Result<Unit, Error> {
    let config = &container.config;
    let is_new = args.new || args.template;
    let shown = if args.name { config.name.as_str() } else { config.id.as_str() };
    let stem = format!("{}{}{shown}", args.container_prefix, args.separator);
    let rc = std::env::current_exe().map_err(|error| Error::new(format!("cannot find rc's own path: {error}")))?;
    let rc = rc.display().to_string();
    let stop_timeout = args.stop_timeout.unwrap_or(config.stop_timeout);
    let mut environment = environment::named(&args.env, &cmd::environment());
    let mut restart = Restart { policy: "on-failure".to_owned(), burst: None };
    let (start, stop, after_stop, notifies) = if is_new {
        let retyped = retype(&definition(), config)?;
        environment.extend(retyped.environment);
        if retyped.has_restart {
            restart = Restart::of(config.restart);
        }
        let name = format!("{}{}", config.name, if args.template { "-%i" } else { "" });
        let own = ["run", "-d", "--rm", "--replace", "--name"].map(str::to_owned).into_iter().chain([name.clone()]);
        let timeout = args.stop_timeout.map(|seconds| format!("--stop-timeout={seconds}"));
        let start = [rc.clone()].into_iter().chain(retyped.globals).chain(own);
        let owned = [format!("--sdnotify={}", retyped.sdnotify), format!("--cgroups={}", retyped.cgroups)];
        let start = start.chain(owned).chain(retyped.options).chain(timeout);
        let remove = [rc, "rm".to_owned(), "--force".to_owned(), "--ignore".to_owned(), name];
        (start.chain(retyped.words).collect(), None, Some(remove.to_vec()), true)
    } else {
        let notifies = config.service.sdnotify == Sdnotify::Conmon;
        let verb = if notifies { &["start"][..] } else { &["start", "--attach"] };
        let words = |verb: &[&str]| [&[rc.as_str()], verb, &[shown]].concat().iter().map(|w| (*w).to_owned()).collect();
        let seconds = stop_timeout.to_string();
        (words(verb), Some(words(&["stop", "-t", &seconds])), None, notifies)
    };
    if let Some(policy) = args.restart_policy.clone() {
        restart = Restart { policy, burst: None };
    }
    Ok(Unit {
        file: format!("{stem}{}.service", if args.template { "@" } else { "" }),
        header: (!args.no_header).then(unit::header),
        after: args.after.clone(),
        requires: args.requires.clone(),
        wants: args.wants.clone(),
        store: ctx.engine.dirs.root().display().to_string(),
        environment,
        restart,
        restart_sec: args.restart_sec,
        start_timeout: args.start_timeout,
        // The removal takes time after the program's own.
        stop_timeout: stop_timeout.saturating_add(60),
        killed: 128 + config.stop_signal.number(),
        start,
        stop,
        after_stop,
        notifies,
        is_template: args.template,
    })
}
