//! The list of commands in `rc --help`: by what they are for.

use std::fmt::Write as _;

use clap::Command;

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
    ("System", &["info", "version", "doctor", "unshare", "completion"]),
];

/// What replaces clap's list of commands, which has no headings.
pub(super) const TEMPLATE: &str =
    "{about-with-newline}\n{usage-heading} {usage}\n{after-help}\n\nOptions:\n{options}\n";

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
    text.trim_end().to_owned()
}
