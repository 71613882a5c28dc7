//! Global options: what stands before the command.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::dirs::{Dirs, Given};
use crate::error::Error;
use crate::registry::Places;
use crate::settings::Settings;
use crate::types::{Dialect, StorageDriver};
use crate::ui::{self, Loudness, Notation};

/// The options that take a value, which may be the next word. The value of a short one may be in the same word.
const VALUED: [&str; 10] = [
    "--cdi-spec-dir",
    "--config",
    "--context",
    "--error-format",
    "--events-backend",
    "--log-level",
    "--root",
    "--runroot",
    "--storage-driver",
    "-l",
];

/// What rc is called, and its global options.
pub(super) fn define(dialect: Dialect) -> Command {
    let name = dialect.program();
    let path = |long: &'static str, help: &'static str| {
        Arg::new(long).long(long).value_name("DIR").value_parser(value_parser!(PathBuf)).help(help)
    };
    let word = |long: &'static str, name: &'static str, values: &[&'static str], help: &'static str| {
        Arg::new(long).long(long).value_name(name).value_parser(values.to_vec()).hide_possible_values(true).help(help)
    };
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
            path(
                "cdi-spec-dir",
                "Directory of files that describe devices, instead of /etc/cdi and others; repeatable",
            )
            .action(ArgAction::Append),
        )
        .arg(path("config", "Directory of docker's config.json, which is then the only file with credentials"))
        .arg(word("context", "NAME", &["default"], "Docker's context: default, the only one").hide(true))
        .arg(Arg::new("debug").short('D').long("debug").action(ArgAction::SetTrue).help("As --log-level=debug"))
        .arg(word(
            "error-format",
            "FORMAT",
            &["text", "json"],
            "Print errors and warnings as text or as JSON, one object a line (default: text)",
        ))
        .arg(word("events-backend", "BACKEND", &["file"], "Where events are kept: file, the only one"))
        .arg(
            word(
                "log-level",
                "LEVEL",
                &LEVELS.map(|(name, _)| name),
                "Print warnings (warn and below) or only errors (error and above) (default: warn)",
            )
            .short('l'),
        )
        .arg(path("root", "Directory where images, containers and volumes are stored"))
        .arg(path("runroot", "Directory for files that need not outlive a reboot"))
        .arg(
            Arg::new("storage-driver")
                .long("storage-driver")
                .value_name("DRIVER")
                .value_parser(|text: &str| text.parse::<StorageDriver>())
                .help("How layers become a root filesystem: auto, overlay or fuse-overlayfs"),
        )
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::Version).help("Print the version"))
}

/// The values of `--log-level`, and what they leave of rc's messages. rc has none below warnings. Source: podman(1).
const LEVELS: [(&str, Loudness); 8] = [
    ("trace", Loudness::Warnings),
    ("debug", Loudness::Warnings),
    ("info", Loudness::Warnings),
    ("warn", Loudness::Warnings),
    ("warning", Loudness::Warnings),
    ("error", Loudness::Errors),
    ("fatal", Loudness::Errors),
    ("panic", Loudness::Errors),
];

/// The words of a command line from the command on: the first that is no global option and no value of one.
pub(super) fn command_words(typed: &[String]) -> &[String] {
    let mut at = 1;
    while let Some(word) = typed.get(at) {
        at += match word.as_str() {
            word if VALUED.contains(&word) => 2,
            "--debug" | "-D" => 1,
            word if is_joined(word) => 1,
            _ => break,
        };
    }
    typed.get(at..).unwrap_or_default()
}

/// Whether a word is a global option and its value.
fn is_joined(word: &str) -> bool {
    match word.split_once('=') {
        Some((name, _)) if name.starts_with("--") => name == "--debug" || VALUED.contains(&name),
        _ => word.starts_with("-l") && word.len() > 2,
    }
}

/// How errors are printed, which must be known before the command line is understood.
pub(super) fn notation(typed: &[String]) -> Notation {
    let own = &typed[..typed.len() - command_words(typed).len()];
    let is_json = |(at, word): (usize, &String)| match word.as_str() {
        "--error-format" => own.get(at + 1).is_some_and(|value| value == "json"),
        word => word == "--error-format=json",
    };
    if own.iter().enumerate().any(is_json) { Notation::Json } else { Notation::Text }
}

/// Follows the options: the directories, the settings, and where credentials are.
pub(super) fn follow(matches: &ArgMatches, typed: &[String]) -> Result<(Dirs, Settings, Places), Error> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let level = matches.get_one::<String>("log-level").map_or("warn", String::as_str);
    let loudness = LEVELS.iter().find(|(name, _)| *name == level).map_or(Loudness::Warnings, |(_, loudness)| *loudness);
    ui::speak(notation(typed), loudness);
    let dirs = Dirs::find(&Given { root: path("root"), runtime: path("runroot") })?;
    let mut settings = Settings::load(&dirs)?;
    if let Some(driver) = matches.get_one::<StorageDriver>("storage-driver") {
        settings.choose_storage(*driver);
    }
    if let Some(directories) = matches.get_many::<PathBuf>("cdi-spec-dir") {
        let text = |path: &PathBuf| path.to_str().map(str::to_owned).ok_or_else(|| not_text(path));
        settings.choose_devices(directories.map(text).collect::<Result<_, _>>()?);
    }
    let mut places = Places::from_env();
    if let Some(directory) = path("config") {
        places.registry_auth_file = Some(directory.join("config.json"));
    }
    Ok((dirs, settings, places))
}

/// The error of a path that a setting cannot have.
fn not_text(path: &Path) -> Error {
    Error::new(format!("`--cdi-spec-dir`: the path `{}` is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_command_is_found_behind_every_global_option() {
        let definition = define(Dialect::Rc);
        let valued = definition.get_opts().filter(|arg| arg.get_action().takes_values());
        for long in valued.filter_map(Arg::get_long) {
            assert!(VALUED.contains(&format!("--{long}").as_str()), "{long}");
        }
        for (line, rest) in [
            ("rc ps -a", &["ps", "-a"][..]),
            ("rc --root /x --runroot=/y ps", &["ps"]),
            ("rc -l debug -D ps", &["ps"]),
            ("rc -ldebug --debug=false --log-level error ps", &["ps"]),
            ("rc --bogus ps", &["--bogus", "ps"]),
            ("rc --root", &[]),
            ("rc", &[]),
        ] {
            assert_eq!(command_words(&words(line)), rest, "{line}");
        }
    }

    #[test]
    fn the_format_of_errors_is_known_before_anything_else() {
        for (line, is_json) in [
            ("rc --error-format json ps", true),
            ("rc --root /x --error-format=json --bogus", true),
            ("rc ps --error-format json", false),
            ("rc --error-format text ps", false),
        ] {
            assert_eq!(notation(&words(line)) == Notation::Json, is_json, "{line}");
        }
    }
}
