//! The list of commands in `rc --help`: by what they are for.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Command;

use super::globals;

/// The headings, and the commands under each. A command that is under none is listed last.
const HEADINGS: &[(&str, &[&str])] = &[
    (
        "Run",
        &[
            "run", "create", "start", "exec", "attach", "stop", "kill", "restart", "pause", "unpause", "wait", "init",
            "update", "rename", "rm", "cleanup", "cp", "export", "commit", "mount", "unmount",
        ],
    ),
    ("Look", &["ps", "logs", "top", "stats", "inspect", "diff", "port", "events", "why", "healthcheck"]),
    (
        "Images",
        &[
            "pull", "push", "images", "rmi", "tag", "untag", "build", "history", "save", "load", "import", "search",
            "login", "logout", "manifest",
        ],
    ),
    ("Groups", &["container", "image", "volume", "network", "secret", "pod", "system", "generate", "setup"]),
    ("System", &["info", "version", "doctor", "auto-update", "unshare", "completion"]),
];

/// The words of `help [COMMAND...]` if `--help` is among them, which changes nothing; clap knows it as a command only.
pub(super) fn asked(typed: &[String]) -> Option<Vec<OsString>> {
    let command = globals::command_words(typed);
    let is_help = |word: &String| word == "--help" || word == "-h";
    let asks = command.first().is_some_and(|word| word == "help") && command.iter().any(is_help);
    asks.then(|| typed.iter().filter(|word| !is_help(word)).map(OsString::from).collect())
}

/// What replaces clap's list of commands, which has no headings. clap puts an empty line before `after-help`.
pub(super) const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}\n";

/// The list.
pub(super) fn list(commands: &[Command]) -> String {
    let shown: Vec<&Command> = commands.iter().filter(|command| !command.is_hide_set()).collect();
    let width = shown.iter().map(|command| command.get_name().len()).max().unwrap_or_default();
    let find = |name: &&&str| shown.iter().find(|command| command.get_name() == **name).copied();
    let known = |command: &&&Command| HEADINGS.iter().any(|(_, names)| names.contains(&command.get_name()));
    let others = shown.iter().filter(|command| !known(command)).copied().collect();
    let headed =
        HEADINGS.iter().map(|(heading, names)| (*heading, names.iter().filter_map(|name| find(&name)).collect()));
    let mut text = String::new();
    for (heading, commands) in headed.chain([("Other", others)]) {
        let commands: Vec<&Command> = commands;
        if commands.is_empty() {
            continue;
        }
        writeln!(text, "\n{heading}:").unwrap_or_default();
        for command in commands {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            writeln!(text, "  {:width$}  {about}", command.get_name()).unwrap_or_default();
        }
    }
    text.trim().to_owned()
}
