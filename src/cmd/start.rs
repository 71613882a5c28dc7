//! `rc start`.

use super::Ctx;
use super::args::FilterArgs;
use super::observer::Screen;
use super::outcome::exit_of;
use crate::console::{self, Console};
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};

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
    #[command(flatten)]
    filter: FilterArgs,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let ended = start(ctx, args);
    engine::sweep_soon(&ctx.engine);
    ended
}

fn start(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let manager = ctx.manager.take();
    let selection = Selection { all: args.all, names: args.containers, ..Selection::default() };
    let selection = args.filter.narrow(selection);
    if args.attach || args.interactive {
        let name = &one(ctx, &selection)?;
        let config = engine::find(&ctx.engine, name)?.config;
        if args.interactive && config.open_stdin && config.tty {
            console::check_input()?;
        }
        let console = Console::of(true, args.sig_proxy);
        let front_end = console.front_end(args.interactive);
        let started = engine::start_attached(&ctx.engine, manager, name, args.detach_keys, front_end)?;
        return exit_of(console.follow(started)?);
    }
    if args.detach_keys.is_some() {
        return Err(Error::new("`--detach-keys` needs `--attach` or `--interactive`"));
    }
    let mut screen = Screen::default();
    let front_end = Console::Apart.front_end(false);
    let started = engine::start(&ctx.engine, manager, &selection, front_end, &mut screen)?;
    screen.exit()?;
    exit_of(Console::Apart.follow(started)?)
}

/// The container to attach to.
fn one(ctx: &Ctx, selection: &Selection) -> Result<String, Error> {
    if selection.all || !selection.filters.is_empty() {
        return Err(Error::new("`--attach` and `--interactive` take neither `--all` nor `--filter`"));
    }
    match &engine::named(&ctx.engine, selection)?[..] {
        [name] => Ok(name.clone()),
        _ => Err(Error::new("`--attach` and `--interactive` take exactly one container")),
    }
}
