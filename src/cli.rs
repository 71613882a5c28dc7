//! Global flags, and how a command line finds its command.

mod mistake;
mod table;

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use jiff::tz::TimeZone;

use self::table::{COMMANDS, Entry, GROUPS, Named};
use crate::cmd::{self, Ctx};
use crate::dirs::Dirs;
use crate::engine::Context;
use crate::error::{Error, Exit};
use crate::registry::Places;
use crate::settings::Settings;
use crate::types::Dialect;
use crate::ui;

fn globals(dialect: Dialect) -> Command {
    let name = dialect.program();
    Command::new(name)
        .about("Rootless, daemonless containers for one user")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .override_usage(format!("{name} [OPTIONS] COMMAND [ARG...]"))
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
    whole(Dialect::Rc)
}

fn whole(dialect: Dialect) -> Command {
    let alone = COMMANDS.iter().filter(|entry| !entry.name.contains(' ')).map(Entry::command);
    let mut all: Vec<Command> = alone.chain(GROUPS.iter().map(table::Group::command)).collect();
    all.sort_by(|a, b| a.get_name().cmp(b.get_name()));
    globals(dialect).subcommands(all)
}

/// What of the table was typed: the first word that is no global option, and the next.
fn named(typed: &[String]) -> Named {
    let mut words = typed.iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--root" => drop(words.next()),
            word if word.starts_with("--root=") => {}
            word => return Named::find(Some(word), words.next().map(String::as_str)),
        }
    }
    Named::find(None, None)
}

/// The definition of the command that was typed: defining all others takes longer than `ps` runs.
fn definition_for(typed: &[String], dialect: Dialect) -> Command {
    let globals = || globals(dialect);
    match named(typed) {
        Named { group: Some(group), entry: Some((_, command)) } => {
            globals().subcommand(group.empty().subcommand(command))
        }
        Named { group: Some(group), entry: None } => globals().subcommand(group.command()),
        Named { group: None, entry: Some((_, command)) } => globals().subcommand(command),
        Named { group: None, entry: None } => whole(dialect),
    }
}

/// The command that was parsed, and its arguments.
fn parsed(matches: &ArgMatches) -> Option<(&'static Entry, &ArgMatches)> {
    let (first, arguments) = matches.subcommand()?;
    let (second, inner) = arguments.subcommand().unzip();
    let (entry, _) = Named::find(Some(first), second).entry?;
    Some((entry, inner.unwrap_or(arguments)))
}

/// Parses the command line, runs the command, prints its error, and returns the exit code.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = typed.into_iter().collect();
    let typed: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let command = named(&typed).entry.map_or("", |(entry, _)| entry.name);
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
    let dialect = words.first().map_or(Dialect::Rc, |program| Dialect::of_program(program));
    let matches = match definition_for(&typed, dialect).try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::InvalidUtf8 => return Err(not_text(words)),
        Err(error) if error.use_stderr() => {
            return Err(mistake::explain(&error, &named(&typed)));
        }
        Err(error) if error.kind() == ErrorKind::DisplayVersion => return print(&(dialect.version_line() + "\n")),
        Err(error) => return print(&error.render().to_string()),
    };
    let Some((entry, arguments)) = parsed(&matches) else { return Err(Error::new("no command given")) };
    let name = entry.name;
    if matches!(name, "create" | "run") && words.iter().any(|word| word.to_str().is_none()) {
        // A container keeps its command line as text, for `inspect` and `generate`.
        return Err(not_text(words));
    }
    // Closes the descriptors that the caller left open, before rc opens any.
    let manager = RefCell::new(cmd::manager(name, &typed, arguments)?);
    let dirs = Dirs::find(matches.get_one::<PathBuf>("root").map(PathBuf::as_path))?;
    let settings = Settings::load(&dirs)?;
    let engine = Context::new(dirs, settings, Places::from_env(), TimeZone::system);
    (entry.run)(&Ctx { engine, typed, manager, dialect }, arguments)
}

/// The error of a word that is not text where only text can be. A path may be any bytes.
fn not_text(words: &[OsString]) -> Error {
    let word = words.iter().find(|word| word.to_str().is_none());
    Error::new(format!("the argument `{}` is not UTF-8", word.map(|word| word.to_string_lossy()).unwrap_or_default()))
}

/// Prints help and version to standard output.
fn print(answer: &str) -> Result<Exit, Error> {
    let mut out = ui::out();
    out.raw(answer.as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

#[cfg(test)]
mod tests;
