//! `rc __complete`, which the completion scripts of shells ask what may stand where the cursor is.
//!
//! It prints whole words that begin with the last one of the command line, each with a tab and what it is, if that is
//! known. The last line says what else there may be: `:files`, `:dirs` or `:none`. It never fails: a shell shows
//! nothing then.

mod place;
mod values;

use clap::Command;

use self::place::Place;
use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Print what may stand at the end of a command line
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command line after the program's name; the last word is completed, and may be empty
    #[arg(value_name = "WORDS", num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// What there may be beside the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    None,
    Any,
    Directories,
}

/// Runs the command; `definition` returns the definition of all commands.
pub(crate) fn run(ctx: &Ctx, args: &Args, definition: fn() -> Command) -> Result<Exit, Error> {
    let mut definition = definition();
    definition.build();
    let (last, before) = args.words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let (words, files) = match Place::of(&definition, before, last) {
        Place::Command(command) => (commands(command), Files::None),
        Place::Option(command) => (options(command), Files::None),
        Place::Value { name, prefix, arg, command } => {
            let (words, files) = values::of(&ctx.engine, command, name, arg);
            (words.into_iter().map(|(word, about)| (format!("{prefix}{word}"), about)).collect(), files)
        }
        Place::Files => (Vec::new(), Files::Any),
        Place::Nothing => (Vec::new(), Files::None),
    };
    let mut out = ui::out();
    for (word, about) in words.iter().filter(|(word, _)| word.starts_with(last)) {
        // What a terminal would act on is in no name that a user types.
        if about.is_empty() {
            out.line(word)?;
        } else {
            out.raw(format!("{}\t{}\n", ui::escape::line(word), ui::escape::line(about)).as_bytes())?;
        }
    }
    out.line(match files {
        Files::None => ":none",
        Files::Any => ":files",
        Files::Directories => ":dirs",
    })?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

/// A word, and what it is.
type Word = (String, String);

fn commands(parent: &Command) -> Vec<Word> {
    let shown = parent.get_subcommands().filter(|command| !command.is_hide_set());
    let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut words: Vec<Word> = Vec::new();
    for command in shown {
        let names = std::iter::once(command.get_name()).chain(command.get_visible_aliases());
        words.extend(names.map(|name| (name.to_owned(), about(command))));
    }
    words
}

fn options(command: &Command) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for arg in command.get_opts().chain(command.get_arguments().filter(|arg| !arg.get_action().takes_values())) {
        if arg.is_hide_set() || arg.is_positional() {
            continue;
        }
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        for long in arg.get_long_and_visible_aliases().unwrap_or_default() {
            let word = format!("--{long}");
            if !words.iter().any(|(known, _)| *known == word) {
                words.push((word, about.clone()));
            }
        }
    }
    words
}

/// What the store has, for `values`.
fn stored(context: &engine::Context, name: &str) -> Option<Vec<String>> {
    Some(match name {
        "CONTAINER" => engine::container_names(context),
        "IMAGE" => engine::image_names(context),
        "NETWORK" => engine::network_names(context),
        "POD" => engine::pod_names(context),
        "VOLUME" => engine::volume_names(context),
        _ => return None,
    })
}
