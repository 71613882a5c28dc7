//! Parses the command line that created a container, so that a unit can repeat it.

use clap::{Arg, Command};

use super::environment::variables;
use crate::error::Error;
use crate::plan::ContainerConfig;

/// Options that the unit sets itself, and some that do not go with `--detach`, which is one of these. Source: podman's
/// `pkg/systemd/generate/containers.go`.
const OWN: [&str; 11] =
    ["attach", "cgroups", "cidfile", "conmon_pidfile", "detach", "name", "replace", "restart", "rm", "rmi", "sdnotify"];

/// Prefixes of variables that would control rc or systemd if the unit set them.
const CONTROLLING: [&str; 7] = ["HOME", "PATH", "XDG_", "NOTIFY_", "LISTEN_", "DBUS_", "RC_"];

/// What was typed, in the order of a command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Retyped {
    /// Global options, before the command.
    pub(super) globals: Vec<String>,
    /// Options of `run`, except those that the unit sets.
    pub(super) options: Vec<String>,
    /// The image and what follows.
    pub(super) words: Vec<String>,
    /// `--sdnotify`; never `ignore`, with which systemd would get no notification.
    pub(super) sdnotify: String,
    /// `--cgroups`; by default the mode that keeps the container in the unit, with or without a cgroup of its own.
    pub(super) cgroups: String,
    /// There was a `--restart`, which the unit has in systemd's words.
    pub(super) has_restart: bool,
    /// Variables that the command line has without their values: rc does not save those there.
    pub(super) environment: Vec<String>,
}

/// Parses the container's command line by the definition of all commands. Fails if no command line created the
/// container.
pub(super) fn retype(definition: &Command, config: &ContainerConfig) -> Result<Retyped, Error> {
    let no_line = || Error::new(format!("container `{}` was not created by `rc run` or `rc create`", config.name));
    let typed = config.create_command.get(1..).unwrap_or_default();
    let end_of_globals = end_of_globals(definition, typed).ok_or_else(no_line)?;
    // `rc container run` is `rc run`.
    let verb = end_of_globals + usize::from(typed.get(end_of_globals).is_some_and(|word| word == "container"));
    let name = typed.get(verb).filter(|word| matches!(word.as_str(), "run" | "create")).ok_or_else(no_line)?;
    let command = definition.find_subcommand(name).ok_or_else(no_line)?;
    let mut retyped = Retyped {
        globals: typed[..end_of_globals].to_vec(),
        sdnotify: "conmon".to_owned(),
        cgroups: "no-conmon".to_owned(),
        ..Retyped::default()
    };
    let mut rest = typed[verb + 1..].iter();
    while let Some(word) = rest.next() {
        if word == "--" || !word.starts_with('-') || word == "-" {
            retyped.words.extend((word != "--").then(|| word.clone()));
            retyped.words.extend(rest.cloned());
            break;
        }
        for (arg, mut value) in options_of(command, word).ok_or_else(no_line)? {
            if value.is_none() && takes_a_word(arg) {
                value = rest.next().cloned();
            }
            retyped.option(arg, value, config);
        }
    }
    Ok(retyped)
}

impl Retyped {
    fn option(&mut self, arg: &Arg, value: Option<String>, config: &ContainerConfig) {
        let id = arg.get_id().as_str();
        if OWN.contains(&id) {
            match (id, value) {
                // The last one counts, as for every option.
                ("sdnotify", Some(value)) => {
                    self.sdnotify = if value == "container" { value } else { "conmon".to_owned() };
                }
                ("cgroups", Some(value)) => self.cgroups = value,
                ("restart", _) => self.has_restart = true,
                _ => {}
            }
            return;
        }
        let mut value = value;
        if id == "env"
            && let Some(name) = value.as_deref().filter(|text| !text.contains('='))
        {
            let known = config.env.iter().filter_map(|line| line.split_once('='));
            let found = variables(name, known.map(|(name, value)| (name.to_owned(), value.to_owned())));
            let controls = |line: &String| CONTROLLING.iter().any(|name| line.starts_with(name));
            if let [line] = &found[..]
                && controls(line)
            {
                value = Some(line.clone());
            } else {
                self.environment.extend(found.into_iter().filter(|line| !controls(line)));
            }
        }
        let name = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, short) => short.map(|short| format!("-{short}")).unwrap_or_default(),
        };
        self.options.push(value.map_or(name.clone(), |value| format!("{name}={value}")));
    }
}

/// How many words stand before the command: global options, and their values, which may be called like a command.
/// `None` if one of them is unknown.
fn end_of_globals(definition: &Command, typed: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = typed.get(at).filter(|word| word.starts_with('-')) {
        let options = options_of(definition, word)?;
        let takes_next = options.iter().any(|(arg, value)| value.is_none() && takes_a_word(arg));
        at += 1 + usize::from(takes_next);
    }
    Some(at)
}

/// Whether an option without `=VALUE` takes the next word as its value.
fn takes_a_word(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

/// The options in one word, each with its value in the same word; `None` if one is unknown.
fn options_of<'a>(command: &'a Command, word: &str) -> Option<Vec<(&'a Arg, Option<String>)>> {
    let find = |is: &dyn Fn(&&Arg) -> bool| command.get_arguments().find(is);
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
        let arg = find(&|arg| arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&name)))?;
        return Some(vec![(arg, value)]);
    }
    let mut found = Vec::new();
    let mut rest = word[1..].chars();
    while let Some(short) = rest.next() {
        let arg = find(&|arg| arg.get_short() == Some(short))?;
        let after = rest.as_str();
        let value = after.strip_prefix('=').or_else(|| (takes_a_word(arg) && !after.is_empty()).then_some(after));
        let is_last = value.is_some();
        found.push((arg, value.map(str::to_owned)));
        if is_last {
            break;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests;
