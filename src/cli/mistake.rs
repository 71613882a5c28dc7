//! A command line that rc does not understand, in rc's words: what is wrong with which word, and what comes nearest.

use std::num::{IntErrorKind, ParseIntError};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::table::{COMMANDS, GROUPS, HIDDEN, Named};
use super::{globals, refused};
use crate::error::Error;
use crate::types::{Dialect, nearest};

/// The error for the user. `named` is what was typed.
pub(super) fn explain(error: &clap::Error, named: &Named) -> Error {
    let words = named.words();
    let rc = if words.is_empty() { "rc".to_owned() } else { format!("rc {words}") };
    let listed = if named.command.is_some() { "its options" } else { "the commands" };
    let list = format!("`{rc} --help` lists {listed}");
    let arg = text(error, ContextKind::InvalidArg);
    // `--sort <KEY>`, `-u, --user <USER>`, `<IMAGE>...`: the name alone.
    let name = arg.split(' ').find(|word| word.starts_with("--")).or_else(|| arg.split(' ').next()).unwrap_or_default();
    let name = name.split(['=', '[']).next().unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand);
            let whole = named.group.map_or_else(|| word.clone(), |group| format!("{} {word}", group.name));
            let reason = refused::command_reason(&whole).map(str::to_owned);
            Error::new(format!("{rc} has no command `{word}`"))
                .with_hint(reason.or_else(|| command_hint(&word, named)).unwrap_or(list))
        }
        ErrorKind::UnknownArgument if arg.starts_with('-') => {
            Error::new(format!("`{rc}` has no option `{name}`")).with_hint(option_hint(name, named).unwrap_or(list))
        }
        ErrorKind::UnknownArgument => Error::new(format!("`{rc}` does not take the argument `{arg}`")).with_hint(list),
        ErrorKind::MissingRequiredArgument => {
            let missing = arg.replace(['<', '>'], "").replace("...", "");
            Error::new(format!("`{rc}` needs {missing}")).with_hint(usage(error).unwrap_or(list))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Error::new(format!("`{rc}` needs a command")).with_hint(list)
        }
        ErrorKind::InvalidValue if value.is_empty() => Error::new(format!("`{name}` needs a value")).with_hint(list),
        ErrorKind::InvalidValue => {
            let known = text(error, ContextKind::ValidValue);
            let reason = if known.is_empty() { String::new() } else { format!(": must be one of {known}") };
            let near = text(error, ContextKind::SuggestedValue);
            let hint = if near.is_empty() { list } else { format!("the nearest is `{near}`") };
            Error::new(format!("`{name}`: invalid value `{value}`{reason}")).with_hint(hint)
        }
        ErrorKind::ValueValidation => {
            let reason =
                std::error::Error::source(error).map(|source| format!(": {}", reason(source))).unwrap_or_default();
            Error::new(format!("`{name}`: invalid value `{value}`{reason}")).with_hint(list)
        }
        ErrorKind::ArgumentConflict => {
            let other = text(error, ContextKind::PriorArg);
            let other = other.split(' ').find(|word| word.starts_with("--")).unwrap_or(&other);
            let other = other.trim_matches(['<', '>', '[', ']', '.']);
            Error::new(format!("`{name}` and `{other}` cannot be used together")).with_hint(list)
        }
        _ => {
            // What clap says, on one line.
            let text = error.render().to_string();
            let (first, _) = text.trim_end().split_once("\n\n").unwrap_or((text.trim_end(), ""));
            let first = first.strip_prefix("error: ").unwrap_or(first);
            Error::new(first.lines().map(str::trim).collect::<Vec<_>>().join(" ")).with_hint(list)
        }
    }
}

/// Why a value is refused: as its parser says it, and in our words what Rust says about digits.
fn reason(source: &(dyn std::error::Error + 'static)) -> String {
    match source.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        None => source.to_string(),
        Some(IntErrorKind::Zero) => "must be at least 1".to_owned(),
        Some(IntErrorKind::PosOverflow) => "the number is too large".to_owned(),
        Some(IntErrorKind::NegOverflow) => "the number is too small".to_owned(),
        Some(_) => "must be a whole number".to_owned(),
    }
}

/// What does the same as an option that rc does not have, where the option belongs, or which is the nearest.
fn option_hint(name: &str, named: &Named) -> Option<String> {
    if let Some(reason) = refused::reason(name) {
        return Some(reason.to_owned());
    }
    let command = named.command?.command();
    if globals::define(Dialect::Rc)
        .get_opts()
        .any(|arg| arg.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long)))
    {
        return Some(format!("`{name}` belongs before the command: `rc {name}`"));
    }
    let longs: Vec<&str> = command.get_opts().filter_map(|arg| arg.get_long_and_visible_aliases()).flatten().collect();
    let near = nearest(name.strip_prefix("--")?, longs)?;
    Some(format!("the nearest is `--{near}`; `rc {} --help` lists all", named.words()))
}

/// The command that is nearest to a mistyped one.
fn command_hint(word: &str, named: &Named) -> Option<String> {
    if let Some(group) = named.group {
        let near = nearest(word, group.names())?;
        return Some(format!("the nearest is `rc {0} {near}`; `rc {0} --help` lists all", group.name));
    }
    let groups = GROUPS.iter().map(|group| group.name);
    let alone = COMMANDS.iter().map(|entry| entry.name).filter(|name| !HIDDEN.contains(name) && !name.contains(' '));
    let near = nearest(word, alone.chain(groups))?;
    Some(format!("the nearest is `rc {near}`; `rc --help` lists all"))
}

/// What clap knows about the error, as text; empty if nothing.
fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        Some(ContextValue::StyledStrs(texts)) => texts.iter().map(StyledStr::to_string).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    }
}

/// `usage: rc tag IMAGE TARGET_NAME...`.
fn usage(error: &clap::Error) -> Option<String> {
    let usage = text(error, ContextKind::Usage);
    let line = usage.lines().next()?.trim().replace(['<', '>'], "");
    Some(line.replacen("Usage:", "usage:", 1)).filter(|line| !line.is_empty())
}
