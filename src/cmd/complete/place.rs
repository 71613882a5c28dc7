//! Where the cursor is in a command line.

use clap::{Arg, Command};

/// What the last word may be.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// The name of a command of this one.
    Command(&'a Command),
    /// An option of this command.
    Option(&'a Command),
    /// A value of an option, or an argument of the command.
    Value {
        /// The command.
        command: &'a Command,
        /// The option, without `--`; empty for an argument.
        name: &'a str,
        /// What stands before the value in the same word: `--NAME=`.
        prefix: String,
        /// What is defined about it.
        arg: &'a Arg,
    },
    /// A word of a program in a container: rc knows nothing of it, but files are a good guess.
    Files,
    /// Nothing more may be there.
    Nothing,
}

impl<'a> Place<'a> {
    /// Follows the words before the last one. A wrong one is passed over, as far as it is clear what follows it.
    pub(super) fn of(definition: &'a Command, before: &[String], last: &str) -> Self {
        let mut command = definition;
        let mut arguments = 0;
        let mut waiting: Option<&Arg> = None;
        let mut options_ended = false;
        for word in before {
            if waiting.take().is_some() {
                continue;
            }
            if word == "--" && !options_ended {
                options_ended = true;
            } else if word.starts_with('-') && word.len() > 1 && !options_ended {
                waiting = value_expected(command, word);
            } else if command.has_subcommands() {
                match command.find_subcommand(word) {
                    Some(found) => command = found,
                    None => return Self::Nothing,
                }
            } else {
                arguments += 1;
                options_ended |= command.get_positionals().any(Arg::is_trailing_var_arg_set);
            }
        }
        if let Some(arg) = waiting {
            return Self::value(command, arg, "");
        }
        match last.split_once('=') {
            Some((name, _)) if last.starts_with("--") && !options_ended => match long(command, &name[2..]) {
                Some(arg) => return Self::value(command, arg, &last[..=name.len()]),
                None => return Self::Nothing,
            },
            _ if last.starts_with('-') && !options_ended => return Self::Option(command),
            _ => {}
        }
        if command.has_subcommands() {
            return Self::Command(command);
        }
        let mut positionals = command.get_positionals();
        let last_arg = command.get_positionals().last();
        match positionals.nth(arguments) {
            Some(arg) => Self::Value { command, name: "", prefix: String::new(), arg },
            None => match last_arg {
                // The words after an image are the program's.
                Some(arg) if arg.is_trailing_var_arg_set() => Self::Files,
                Some(arg) if arg.get_num_args().is_some_and(|range| range.max_values() > 1) => {
                    Self::Value { command, name: "", prefix: String::new(), arg }
                }
                _ => Self::Nothing,
            },
        }
    }

    fn value(command: &'a Command, arg: &'a Arg, prefix: &str) -> Self {
        Self::Value { command, name: arg.get_long().unwrap_or_default(), prefix: prefix.to_owned(), arg }
    }
}

/// The option in a word whose value is the next word.
fn value_expected<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let is_apart = |arg: &&Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
    if let Some(name) = word.strip_prefix("--") {
        return long(command, name).filter(|arg| is_apart(arg));
    }
    let letters: Vec<char> = word.chars().skip(1).collect();
    for (at, letter) in letters.iter().enumerate() {
        let arg = command.get_arguments().find(|arg| arg.get_short() == Some(*letter))?;
        if is_apart(&arg) {
            // What follows in the same word is the value.
            return (at + 1 == letters.len()).then_some(arg);
        }
    }
    None
}

fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_long_and_visible_aliases().is_some_and(|longs| longs.contains(&name)))
}

#[cfg(test)]
mod tests;
