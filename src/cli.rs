//! Global flags, and how a command line finds its command.

mod globals;
mod help;
mod mistake;
mod refused;
mod table;

use std::cell::RefCell;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{ArgMatches, Command};
use jiff::tz::TimeZone;

use self::table::{COMMANDS, Entry, GROUPS, Named};
use crate::cmd::{self, Ctx};
use crate::engine::Context;
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui::{self, Loudness};

/// The whole definition, for the parser, the manual and the completions.
pub fn definition() -> Command {
    whole(Dialect::Rc)
}

fn whole(dialect: Dialect) -> Command {
    let alone = COMMANDS.iter().filter(|entry| !entry.name.contains(' ')).map(Entry::command);
    let mut all: Vec<Command> = alone.chain(GROUPS.iter().map(table::Group::command)).collect();
    all.sort_by(|a, b| a.get_name().cmp(b.get_name()));
    let listed = help::list(&all);
    globals::define(dialect).subcommands(all).help_template(help::TEMPLATE).after_help(listed)
}

/// What of the table was typed: the first word that is no global option, and the next.
fn named(typed: &[String]) -> Named {
    let mut words = globals::command_words(typed).iter().map(String::as_str);
    Named::find(words.next(), words.next())
}

/// The definition of the command that was typed: defining all others takes longer than `ps` runs.
fn definition_for(typed: &[String], dialect: Dialect) -> Command {
    let globals = || globals::define(dialect);
    match named(typed) {
        Named { group: Some(group), command: Some(command) } => {
            globals().subcommand(group.empty().subcommand(in_words_of(dialect, command.command())))
        }
        Named { group: Some(group), command: None } => globals().subcommand(group.command()),
        Named { group: None, command: Some(command) } => globals().subcommand(in_words_of(dialect, command.command())),
        Named { group: None, command: None } => whole(dialect),
    }
}

/// The definition under docker's name where docker's letters mean something else: `logs -n` is `--tail`, and podman's
/// is `--names`.
fn in_words_of(dialect: Dialect, command: Command) -> Command {
    if dialect != Dialect::Docker || command.get_name() != "logs" {
        return command;
    }
    command.mut_arg("names", |arg| arg.short(Resettable::Reset)).mut_arg("tail", |arg| arg.short('n'))
}

/// The command that was parsed, and its arguments.
fn parsed(matches: &ArgMatches) -> Option<(&'static Entry, &ArgMatches)> {
    let (first, arguments) = matches.subcommand()?;
    let (second, inner) = arguments.subcommand().unzip();
    let entry = Named::find(Some(first), second).command?.entry;
    Some((entry, inner.unwrap_or(arguments)))
}

/// Parses the command line, runs the command, prints its error, and returns the exit code.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = typed.into_iter().collect();
    let typed: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let command = named(&typed).command.map_or("", |command| command.entry.name);
    ui::speak(globals::notation(&typed), Loudness::Warnings);
    match run(&words, typed) {
        Ok(exit) => ExitCode::from(exit.0),
        Err(error) => {
            if let Some(message) = &error.message {
                ui::error(message, error.hint.as_deref(), error.kind());
            }
            ExitCode::from(error.exit_code(command))
        }
    }
}

/// Runs the command of `words`; `typed` are the same words as text.
fn run(words: &[OsString], typed: Vec<String>) -> Result<Exit, Error> {
    let dialect = words.first().map_or(Dialect::Rc, |program| Dialect::of_program(program));
    if typed.get(1).is_some_and(|word| word == "--version" || word == "-v") {
        // Tools ask before each call, and no definition is needed to answer.
        return print(&(dialect.version_line() + "\n"));
    }
    let help = help::asked(&typed);
    let words = help.as_deref().unwrap_or(words);
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
    let (dirs, settings, places) = globals::follow(&matches, &typed)?;
    let engine = Context::new(dirs, settings, places, TimeZone::system);
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
