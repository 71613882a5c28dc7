//! What may stand for a value: what the store has, or the words that an option knows.

use clap::{Arg, Command};

use super::{Files, Word, stored};
use crate::engine::Context;
use crate::types::capability;

/// The words of options that their definitions do not list. The first is the option, without `--`.
const WORDS: &[(&str, &[&str])] = &[
    ("attach", &["stdin", "stdout", "stderr"]),
    ("cgroupns", &["private", "host"]),
    ("cgroups", &["enabled", "disabled", "no-conmon", "split"]),
    ("error-format", &["text", "json"]),
    ("format", &["json", "{{json .}}", "table"]),
    ("ipc", &["private", "shareable", "none", "host"]),
    ("log-driver", &["k8s-file", "json-file", "journald", "none", "passthrough"]),
    ("log-level", &["debug", "info", "warn", "error"]),
    ("platform", &["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64", "linux/s390x"]),
    ("policy", &["always", "missing", "never", "newer"]),
    ("pull", &["always", "missing", "never", "newer"]),
    ("restart", &["no", "always", "on-failure", "unless-stopped"]),
    ("sdnotify", &["container", "conmon", "healthy", "ignore"]),
    ("security-opt", &["no-new-privileges", "seccomp=unconfined", "mask=", "unmask=", "label=disable"]),
    ("signal", SIGNALS),
    ("stop-signal", SIGNALS),
    ("storage-driver", &["auto", "overlay", "fuse-overlayfs"]),
    ("uts", &["private", "host"]),
];

const NETWORKS: &[&str] = &["slirp4netns", "pasta", "host", "none"];

const SIGNALS: &[&str] = &["HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP", "WINCH"];

/// The words for a value of an option, or for an argument if `option` is empty, and whether files come in question.
pub(super) fn of(context: &Context, command: &Command, option: &str, arg: &Arg) -> (Vec<Word>, Files) {
    let listed: Vec<Word> = arg
        .get_possible_values()
        .iter()
        .map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()))
        .collect();
    if !listed.is_empty() {
        return (listed, Files::None);
    }
    let kind = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    if let Some(names) = stored(context, &kind) {
        return (names.into_iter().map(|name| (name, String::new())).collect(), Files::None);
    }
    let words = match (option, kind.as_str()) {
        ("cap-add" | "cap-drop", _) => capabilities(),
        // `rc inspect` takes anything.
        ("", "NAME") if command.get_name() == "inspect" => ["CONTAINER", "IMAGE", "VOLUME", "NETWORK", "POD"]
            .iter()
            .filter_map(|kind| stored(context, kind))
            .flatten()
            .collect(),
        ("", "SOURCE" | "DESTINATION") if command.get_name() == "cp" => {
            let names = stored(context, "CONTAINER").unwrap_or_default();
            return (names.into_iter().map(|name| (format!("{name}:"), String::new())).collect(), Files::Any);
        }
        ("network" | "net", _) => {
            let names = stored(context, "NETWORK").unwrap_or_default();
            NETWORKS.iter().map(|word| (*word).to_owned()).chain(names).collect()
        }
        ("", _) => Vec::new(),
        (option, _) => known(option),
    };
    let files = match kind.as_str() {
        "FILE" | "PATH" | "SOURCE" | "DEVICE" => Files::Any,
        "DIR" => Files::Directories,
        _ if option == "volume" => Files::Any,
        _ => Files::None,
    };
    (words.into_iter().map(|word| (word, String::new())).collect(), files)
}

fn capabilities() -> Vec<String> {
    let short = capability::ALL.iter().map(|name| name.trim_start_matches("CAP_"));
    short.chain(["ALL"]).map(str::to_owned).collect()
}

fn known(option: &str) -> Vec<String> {
    let found = WORDS.iter().find(|(name, _)| *name == option);
    found.map_or_else(Vec::new, |(_, words)| words.iter().map(|word| (*word).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(WORDS.is_sorted_by_key(|(name, _)| *name));
        assert!(known("pull").contains(&"newer".to_owned()) && known("ghost").is_empty());
    }
}
