//! Global flags, and the table of commands.

use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::cmd::{self, Ctx};
use crate::dirs::Dirs;
use crate::error::{Error, Exit};
use crate::settings::Settings;

/// Rootless, daemonless containers for one user
#[derive(Debug, Parser)]
#[command(name = "rc", version, disable_version_flag = true, subcommand_required = true, arg_required_else_help = true)]
#[command(override_usage = "rc [OPTIONS] COMMAND [ARG...]")]
pub struct Cli {
    /// Folder of images, containers and volumes
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Print the version
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

/// What rc can be told to do.
#[derive(Debug, Subcommand)]
enum Command {
    Attach(cmd::attach::Args),
    #[command(disable_help_flag = true)]
    Create(cmd::create::Args),
    #[command(disable_help_flag = true)]
    Exec(cmd::exec::Args),
    Images(cmd::images::Args),
    Import(cmd::import::Args),
    Info(cmd::info::Args),
    Inspect(cmd::inspect::Args),
    Kill(cmd::kill::Args),
    Load(cmd::load::Args),
    Logs(cmd::logs::Args),
    #[command(visible_aliases = ["ls", "list"])]
    Ps(cmd::ps::Args),
    Pull(cmd::pull::Args),
    Rm(cmd::rm::Args),
    Rmi(cmd::rmi::Args),
    #[command(disable_help_flag = true)]
    Run(cmd::run::Args),
    Save(cmd::save::Args),
    Start(cmd::start::Args),
    Stop(cmd::stop::Args),
    Tag(cmd::tag::Args),
    Unshare(cmd::unshare::Args),
    Untag(cmd::untag::Args),
    Version(cmd::version::Args),
    Wait(cmd::wait::Args),
}

/// The whole definition, for the parser, the manual and the completions.
pub fn definition() -> clap::Command {
    let mut definition = Cli::command();
    let names: Vec<String> = definition.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        definition = definition.mut_subcommand(name, cmd::args::with_values);
    }
    definition
}

/// Parses the command line and runs the command.
pub fn main(typed: Vec<String>) -> Result<Exit, Error> {
    let cli = match definition().try_get_matches_from(&typed).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let dirs = Dirs::find(cli.root.as_deref())?;
    let settings = Settings::load(&dirs)?;
    let ctx = Ctx { dirs, settings, typed };
    match cli.command {
        Command::Attach(args) => cmd::attach::run(&ctx, &args),
        Command::Create(args) => cmd::create::run(&ctx, args),
        Command::Exec(args) => cmd::exec::run(&ctx, args),
        Command::Images(args) => cmd::images::run(&ctx, &args),
        Command::Import(args) => cmd::import::run(&ctx, args),
        Command::Info(args) => cmd::info::run(&ctx, &args),
        Command::Inspect(args) => cmd::inspect::run(&ctx, &args),
        Command::Kill(args) => cmd::kill::run(&ctx, &args),
        Command::Load(args) => cmd::load::run(&ctx, &args),
        Command::Logs(args) => cmd::logs::run(&ctx, &args),
        Command::Ps(args) => cmd::ps::run(&ctx, &args),
        Command::Pull(args) => cmd::pull::run(&ctx, &args),
        Command::Rm(args) => cmd::rm::run(&ctx, args),
        Command::Rmi(args) => cmd::rmi::run(&ctx, &args),
        Command::Run(args) => cmd::run::run(&ctx, args),
        Command::Save(args) => cmd::save::run(&ctx, &args),
        Command::Start(args) => cmd::start::run(&ctx, args),
        Command::Stop(args) => cmd::stop::run(&ctx, &args),
        Command::Tag(args) => cmd::tag::run(&ctx, &args),
        Command::Unshare(args) => cmd::unshare::run(&ctx, &args),
        Command::Untag(args) => cmd::untag::run(&ctx, &args),
        Command::Version(args) => cmd::version::run(&args),
        Command::Wait(args) => cmd::wait::run(&ctx, &args),
    }
}

/// Help and version go to standard output; what was typed wrong is an error that names it.
fn explain(error: &clap::Error) -> Result<Exit, Error> {
    let text = error.render().to_string();
    if error.use_stderr() {
        let text = text.trim_end();
        let message = text.strip_prefix("error: ").unwrap_or(text);
        let (first, _) = message.split_once("\n\n").unwrap_or((message, ""));
        let first = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        return Err(Error::new(first).with_hint("`rc --help` and `rc COMMAND --help` list what there is"));
    }
    let mut out = crate::ui::out();
    out.raw(text.as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
