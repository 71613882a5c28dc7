//! Global flags, and the table of commands.

mod mistake;

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _, value_parser};
use jiff::tz::TimeZone;

use crate::cmd::{self, Ctx};
use crate::dirs::Dirs;
use crate::engine::Context;
use crate::error::{Error, Exit};
use crate::registry::Places;
use crate::settings::Settings;
use crate::ui;

/// A command: its name, its definition, and its function.
struct Entry {
    name: &'static str,
    aliases: &'static [&'static str],
    define: fn(Command) -> Command,
    run: fn(&Ctx, &ArgMatches) -> Result<Exit, Error>,
}

/// One line of the table: the module, how its `run` takes the arguments, and aliases.
macro_rules! entry {
    ($module:ident) => {
        entry!(@ $module, stringify!($module), [], |ctx, args| cmd::$module::run(ctx, &args))
    };
    ($module:ident with the definition) => {
        entry!(@ $module, stringify!($module), [], |_ctx, args| cmd::$module::run(definition, &args))
    };
    ($module:ident by value, with the definition) => {
        entry!(@ $module, stringify!($module), [], |ctx, args| cmd::$module::run(ctx, args, definition))
    };
    ($module:ident by value) => {
        entry!(@ $module, stringify!($module), [], |ctx, args| cmd::$module::run(ctx, args))
    };
    ($module:ident alias $($alias:literal)+) => {
        entry!(@ $module, stringify!($module), [$($alias),+], |ctx, args| cmd::$module::run(ctx, &args))
    };
    (@ $module:ident, $name:expr, [$($alias:literal),*], |$ctx:ident, $args:ident| $run:expr) => {
        Entry {
            name: $name,
            aliases: &[$($alias),*],
            define: cmd::$module::Args::augment_args,
            run: |$ctx, matches| {
                let args = cmd::$module::Args::from_arg_matches(matches);
                let $args = args.map_err(|error| Error::new(error.to_string()))?;
                $run
            },
        }
    };
}

/// All commands.
const COMMANDS: &[Entry] = &[
    entry!(attach by value),
    entry!(completion with the definition),
    entry!(create by value),
    entry!(doctor),
    entry!(exec by value),
    entry!(generate by value, with the definition),
    entry!(images),
    entry!(import by value),
    entry!(info),
    entry!(inspect),
    entry!(kill by value),
    entry!(load),
    entry!(logs),
    entry!(pause by value),
    entry!(ps alias "ls" "list"),
    entry!(pull),
    entry!(request),
    entry!(restart by value),
    entry!(rm by value),
    entry!(rmi by value),
    entry!(run by value),
    entry!(save),
    entry!(start by value),
    entry!(stats),
    entry!(stop by value),
    entry!(tag),
    entry!(top),
    entry!(unpause by value),
    entry!(unshare),
    entry!(untag),
    entry!(update by value),
    entry!(version),
    entry!(wait by value),
];

/// Commands whose `-h` is the hostname, or nothing, as with podman.
const WITHOUT_SHORT_HELP: [&str; 3] = ["create", "exec", "run"];

/// Commands for programs, which no help lists.
const HIDDEN: [&str; 1] = ["request"];

impl Entry {
    fn command(&self) -> Command {
        // Lists options alphabetically, as podman does; by default clap lists one group after the other.
        let command = Command::new(self.name)
            .next_display_order(None)
            .visible_aliases(self.aliases)
            .hide(HIDDEN.contains(&self.name))
            .disable_help_flag(WITHOUT_SHORT_HELP.contains(&self.name));
        cmd::args::with_values((self.define)(command))
    }
}

fn globals() -> Command {
    Command::new("rc")
        .about("Rootless, daemonless containers for one user")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .override_usage("rc [OPTIONS] COMMAND [ARG...]")
        // Of an option that takes one value the last one counts, as with podman and docker, so that scripts can add
        // options to a command line that they get.
        .args_override_self(true)
        .arg(
            Arg::new("root")
                .long("root")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Directory where images, containers and volumes are stored"),
        )
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::Version).help("Print the version"))
}

/// The whole definition, for the parser, the manual and the completions.
pub fn definition() -> Command {
    globals().subcommands(COMMANDS.iter().map(Entry::command))
}

/// The command that was typed, if rc has it.
fn entry_of(typed: &[String]) -> Option<&'static Entry> {
    let mut words = typed.iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--root" => drop(words.next()),
            word if word.starts_with("--root=") => {}
            word => return COMMANDS.iter().find(|entry| entry.name == word || entry.aliases.contains(&word)),
        }
    }
    None
}

/// The definition of the command that was typed: defining all others takes longer than `ps` runs.
fn definition_for(typed: &[String]) -> Command {
    entry_of(typed).map_or_else(definition, |entry| globals().subcommand(entry.command()))
}

/// Parses the command line, runs the command, prints its error, and returns the exit code.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = typed.into_iter().collect();
    let typed: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let command = entry_of(&typed).map_or("", |entry| entry.name);
    match run(&words, typed) {
        Ok(exit) => ExitCode::from(exit.0),
        Err(error) => {
            if let Some(message) = &error.message {
                ui::error(message, error.hint.as_deref());
            }
            ExitCode::from(error.exit_code(command))
        }
    }
}

/// Runs the command of `words`; `typed` are the same words as text.
fn run(words: &[OsString], typed: Vec<String>) -> Result<Exit, Error> {
    let matches = match definition_for(&typed).try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::InvalidUtf8 => return Err(not_text(words)),
        Err(error) if error.use_stderr() => {
            let command = entry_of(&typed).map_or("", |entry| entry.name);
            return Err(mistake::explain(&error, command, &typed));
        }
        Err(error) => return print(&error),
    };
    let Some((name, arguments)) = matches.subcommand() else { return Err(Error::new("no command given")) };
    if matches!(name, "create" | "run") && words.iter().any(|word| word.to_str().is_none()) {
        // A container keeps its command line as text, for `inspect` and `generate`.
        return Err(not_text(words));
    }
    let Some(entry) = COMMANDS.iter().find(|entry| entry.name == name) else {
        return Err(Error::new(format!("unknown command `{name}`")));
    };
    // Closes the descriptors that the caller left open, before rc opens any.
    let manager = RefCell::new(cmd::manager(name, &typed, arguments)?);
    let dirs = Dirs::find(matches.get_one::<PathBuf>("root").map(PathBuf::as_path))?;
    let settings = Settings::load(&dirs)?;
    let engine = Context::new(dirs, settings, Places::from_env(), TimeZone::system);
    (entry.run)(&Ctx { engine, typed, manager }, arguments)
}

/// The error of a word that is not text where only text can be. A path may be any bytes.
fn not_text(words: &[OsString]) -> Error {
    let word = words.iter().find(|word| word.to_str().is_none());
    Error::new(format!("the argument `{}` is not UTF-8", word.map(|word| word.to_string_lossy()).unwrap_or_default()))
}

/// Prints help and version to standard output.
fn print(answer: &clap::Error) -> Result<Exit, Error> {
    let mut out = ui::out();
    out.raw(answer.render().to_string().as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

#[cfg(test)]
mod tests;
