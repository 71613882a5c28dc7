//! The definition of the command line, and what of it every command shares.

use std::path::PathBuf;

use clap::{Arg, ArgAction, value_parser};

use super::*;

fn name_of(line: &[&str]) -> Option<String> {
    let typed: Vec<String> = line.iter().map(|&word| word.to_owned()).collect();
    let matches = definition_for(&typed, Dialect::Rc).try_get_matches_from(&typed).ok()?;
    matches.subcommand_name().map(str::to_owned)
}

#[test]
fn the_definition_is_sound_and_what_was_typed_is_found_in_it() {
    definition().debug_assert();
    for line in ["", "ps", "run", "create", "container create", "exec", "pod create", "pod clone", "network", "build"] {
        let words = ["rc"].into_iter().chain(line.split_whitespace()).chain(["--help"]);
        let shown = definition().try_get_matches_from(words).expect_err("its help");
        assert_eq!(shown.kind(), ErrorKind::DisplayHelp, "{line}");
    }
    for (line, name) in [
        (&["rc", "ps"][..], Some("ps")),
        (&["rc", "ls", "-a"], Some("ps")),
        (&["rc", "--root", "/x", "run", "-d", "box"], Some("run")),
        (&["rc", "--root=/x", "rm", "-f", "a"], Some("rm")),
        (&["rc", "nothing"], None),
        (&["rc", "--bogus", "ps"], None),
    ] {
        assert_eq!(name_of(line).as_deref(), name, "{line:?}");
    }
}

#[test]
fn a_command_of_a_group_is_the_command_outside() {
    for (line, name) in [
        ("container ls -a", "ps"),
        ("container list", "ps"),
        ("container ps", "ps"),
        ("container remove -f a", "rm"),
        ("--root /x container run -d box", "run"),
        ("image ls", "images"),
        ("image rm a", "rmi"),
        ("system info", "info"),
        ("generate systemd a", "generate systemd"),
    ] {
        let typed: Vec<String> = std::iter::once("rc").chain(line.split(' ')).map(str::to_owned).collect();
        for definition in [definition_for(&typed, Dialect::Rc), definition()] {
            let matches = definition.try_get_matches_from(&typed).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(parsed(&matches).map(|(entry, _)| entry.name), Some(name), "{line}");
        }
        assert_eq!(named(&typed).command.map(|command| command.entry.name), Some(name), "{line}");
    }
    for group in GROUPS {
        let names: Vec<_> = group.command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for name in group.names() {
            let found = Named::find(Some(group.name), Some(name)).command;
            assert!(found.is_some() && names.iter().any(|known| known == name), "{} {name}", group.name);
        }
    }
}

/// Two values that an option accepts, which are not the same.
fn two_values(command: &str, arg: &Arg) -> [&'static str; 2] {
    match (command, arg.get_id().as_str()) {
        ("completion", "shell") => ["bash", "zsh"],
        (_, "pull" | "policy") => ["never", "always"],
        (_, "platform") => ["linux/amd64", "linux/arm64"],
        (_, "retry_delay" | "max") => ["1s", "2s"],
        (_, "ttl") => ["1h", "2h"],
        ("image trust set", "kind") => ["accept", "reject"],
        ("buildx imagetools", "action") => ["inspect", "create"],
        (_, "kind") => ["image", "container"],
        ("save" | "image save", "format") => ["docker-archive", "oci-archive"],
        ("push" | "image push", "format") => ["oci", "v2s2"],
        (_, "compression_format") => ["gzip", "zstd"],
        (_, "sort") => ["id", "created"],
        (_, "call") => ["check", "outline"],
        (_, "progress") => ["plain", "tty"],
        (_, "explain") => ["text", "json"],
        (_, "on_error") => ["shell", "keep"],
        ("build" | "image build" | "builder build" | "buildx build", "format") => ["oci", "docker"],
        ("generate systemd", "format") => ["json", "json"],
        ("mount" | "container mount" | "image mount", "format") => ["json", "json"],
        ("manifest push", "format") => ["oci", "oci"],
        ("generate systemd", "restart_policy") => ["no", "always"],
        _ if arg.get_value_parser().type_id() == value_parser!(bool).type_id() => ["true", "false"],
        _ => ["1", "2"],
    }
}

/// Every command, with its name after `rc`; those within commands, too.
fn all_commands(parent: &Command, before: &str) -> Vec<(String, Command)> {
    let mut all = Vec::new();
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{before}{}", command.get_name());
        all.extend(all_commands(command, &format!("{name} ")));
        if !command.has_subcommands() {
            all.push((name, command.clone()));
        }
    }
    all
}

#[test]
fn every_command_answers_help_and_names_its_options() {
    let mut whole = definition();
    whole.build();
    let groups = GROUPS.iter().map(|group| (group.name.to_owned(), group.command()));
    let mut told = 0;
    for (name, command) in all_commands(&whole, "").into_iter().chain(groups) {
        let typed: Vec<String> =
            ["rc"].into_iter().chain(name.split(' ')).chain(["--help"]).map(str::to_owned).collect();
        let shown = definition_for(&typed, Dialect::Rc).try_get_matches_from(&typed).expect_err("its help");
        assert_eq!((shown.kind(), shown.exit_code()), (ErrorKind::DisplayHelp, 0), "{name}");
        let text = shown.render().to_string();
        let words: Vec<&str> = text.split([' ', '\n', ',', '=', '[']).collect();
        for arg in command.get_opts().filter(|arg| !arg.is_hide_set()) {
            let long = arg.get_long().map(|long| format!("--{long}"));
            let option = long.or_else(|| Some(format!("-{}", arg.get_short()?))).expect("a name");
            assert!(words.contains(&option.as_str()), "{name}: {option} is not in\n{text}");
            told += 1;
        }
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
            assert!(words.contains(&inner.get_name()), "{name}: {} is not in\n{text}", inner.get_name());
        }
    }
    assert!(told > 1000, "only {told} options");
}

#[test]
fn of_an_option_with_one_value_the_last_counts_in_every_command() {
    let mut definition = definition();
    definition.build();
    let mut tried = 0;
    for (name, command) in all_commands(&definition, "") {
        let needed = command.get_positionals().filter(|arg| arg.is_required_set());
        let needed: Vec<&str> = needed.map(|arg| two_values(&name, arg)[0]).collect();
        for arg in command.get_opts().filter(|arg| matches!(arg.get_action(), ArgAction::Set)) {
            let [first, last] = two_values(&name, arg);
            for long in arg.get_long_and_visible_aliases().unwrap_or_default() {
                let typed = [format!("--{long}={first}"), format!("--{}={last}", arg.get_long().unwrap_or(long))];
                // What makes no sense alone.
                let beside = (arg.get_id() == "sign_passphrase_file").then_some("--sign-by=key");
                let line = ["rc"].into_iter().chain(name.split(' ')).chain(typed.iter().map(String::as_str));
                let line = line.chain(beside);
                let matches = definition.clone().try_get_matches_from(line.chain(needed.iter().copied()));
                let mut matches = &matches.unwrap_or_else(|error| panic!("{name} {typed:?}: {error}"));
                while let Some((_, inner)) = matches.subcommand() {
                    matches = inner;
                }
                let values: Vec<_> = matches.get_raw(arg.get_id().as_str()).into_iter().flatten().collect();
                assert_eq!(values, [last], "{name} {typed:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "only {tried} options were tried");
    // A switch contradicts nothing just because it was given.
    for line in ["rmi --all --all=false x", "stats --all --all=false x", "ps --latest --latest=false --last 3"] {
        let matches = definition.clone().try_get_matches_from(["rc"].into_iter().chain(line.split(' ')));
        assert!(matches.is_ok(), "{line}");
    }
    let typed = ["rc", "--root", "/a", "--root=/b", "ps"].map(str::to_owned);
    let matches = definition_for(&typed, Dialect::Rc).try_get_matches_from(&typed).expect("a command line");
    assert_eq!(matches.get_one::<PathBuf>("root"), Some(&PathBuf::from("/b")));
}

#[test]
fn a_mistake_is_named_in_words_with_what_comes_nearest() {
    for (line, message, hint) in [
        ("", "`rc` needs a command", "`rc --help` lists the commands"),
        ("rnu box", "rc has no command `rnu`", "the nearest is `rc run`; `rc --help` lists all"),
        ("imgaes", "rc has no command `imgaes`", "the nearest is `rc images`; `rc --help` lists all"),
        ("compose up", "rc has no command `compose`", "`rc --help` lists the commands"),
        ("container", "`rc container` needs a command", "`rc container --help` lists the commands"),
        (
            "container lst",
            "rc container has no command `lst`",
            "the nearest is `rc container ls`; `rc container --help` lists all",
        ),
        ("container ls -z", "`rc container ls` has no option `-z`", "`rc container ls --help` lists its options"),
        ("imag ls", "rc has no command `imag`", "the nearest is `rc image`; `rc --help` lists all"),
        ("--runtime crun ps", "`rc` has no option `--runtime`", "rc starts containers itself"),
        (
            "run --kernel-memory 1g x",
            "`rc run` has no option `--kernel-memory`",
            "the kernel does not have that limit any more",
        ),
        (
            "--log-level loud ps",
            "`--log-level`: invalid value `loud`: must be one of trace, debug, info, warn, warning, error, fatal, \
             panic",
            "`rc ps --help` lists its options",
        ),
        ("image sign x", "rc image has no command `sign`", "`rc push --sign-by KEY` signs an image that it pushes"),
        ("swarm init", "rc has no command `swarm`", "rc works on this host alone"),
        ("-z ps", "`rc` has no option `-z`", "`rc --help` lists the commands"),
        (
            "build --link-local-ip x .",
            "`rc build` has no option `--link-local-ip`",
            "only IPv6 has link-local addresses, which the kernel gives",
        ),
        ("run --nmae=x box", "`rc run` has no option `--nmae`", "the nearest is `--name`; `rc run --help` lists all"),
        ("ps --sotr id", "`rc ps` has no option `--sotr`", "the nearest is `--sort`; `rc ps --help` lists all"),
        ("ps --nothing-like-it", "`rc ps` has no option `--nothing-like-it`", "`rc ps --help` lists its options"),
        ("ls --root /x", "`rc ps` has no option `--root`", "`--root` belongs before the command: `rc --root`"),
        ("ps -z", "`rc ps` has no option `-z`", "`rc ps --help` lists its options"),
        ("ps web", "`rc ps` does not take the argument `web`", "`rc ps --help` lists its options"),
        ("run --name", "`--name` needs a value", "`rc run --help` lists its options"),
        ("run -d", "`rc run` needs IMAGE", "usage: rc run [OPTIONS] IMAGE [COMMAND [ARG...]]"),
        ("tag", "`rc tag` needs IMAGE, TARGET_NAME", "usage: rc tag IMAGE TARGET_NAME..."),
        (
            "run --pull often box",
            "`--pull`: invalid value `often`: must be always, missing, never or newer",
            "`rc run --help` lists its options",
        ),
        (
            "inspect --type imgae x",
            "`--type`: invalid value `imgae`: must be one of all, container, image, volume, network, pod",
            "the nearest is `image`",
        ),
        (
            "stop -t abc web",
            "`--time`: invalid value `abc`: must be a whole number",
            "`rc stop --help` lists its options",
        ),
        (
            "network rm -f -t 99999999999999999999 app",
            "`--time`: invalid value `99999999999999999999`: the number is too large",
            "`rc network rm --help` lists its options",
        ),
        ("ps -a=yes", "`--all`: invalid value `yes`: must be true or false", "`rc ps --help` lists its options"),
        (
            "pull --arch arm64 --platform linux/arm64 x",
            "`--arch` and `--platform` cannot be used together",
            "`rc pull --help` lists its options",
        ),
        ("stats -i 0", "`--interval`: invalid value `0`: must be at least 1", "`rc stats --help` lists its options"),
        (
            "pod create --name a b",
            "`--name` and `NAME` cannot be used together",
            "`rc pod create --help` lists its options",
        ),
        ("generate", "`rc generate` needs a command", "`rc generate --help` lists the commands"),
    ] {
        let typed: Vec<String> = std::iter::once("rc").chain(line.split_whitespace()).map(str::to_owned).collect();
        let Err(error) = definition_for(&typed, Dialect::Rc).try_get_matches_from(&typed) else {
            panic!("{line} is understood")
        };
        let error = mistake::explain(&error, &named(&typed));
        assert_eq!(error.message.as_deref(), Some(message), "{line}");
        assert_eq!(error.hint.as_deref(), Some(hint), "{line}");
    }
}
