//! The table of commands and of their groups, and how a command is found in it.

use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _};

use super::definition;
use crate::cmd::{self, Ctx};
use crate::error::{Error, Exit};

/// A command: its name, its definition, and its function.
pub(super) struct Entry {
    /// One word, or two if it belongs to a group: `volume ls`.
    pub(super) name: &'static str,
    /// Other names of the last word.
    pub(super) aliases: &'static [&'static str],
    define: fn(Command) -> Command,
    /// Runs it.
    pub(super) run: fn(&Ctx, &ArgMatches) -> Result<Exit, Error>,
}

/// A group of commands: those whose names begin with its own, and some that have a name outside, too.
pub(super) struct Group {
    /// Its name.
    pub(super) name: &'static str,
    about: &'static str,
    /// Commands that have a name elsewhere: the names here, and the name there.
    same: &'static [(&'static [&'static str], &'static str)],
}

/// One line of the table: the module, how its `run` takes the arguments, and aliases; the name if it is not the
/// module's.
macro_rules! entry {
    ($module:ident $($rest:tt)*) => { entry!(@ stringify!($module), [$module] $($rest)*) };
    ($name:literal $module:ident $(:: $inner:ident)* $(, $($rest:tt)*)?) => {
        entry!(@ $name, [$module $(:: $inner)*] $($($rest)*)?)
    };
    (@ $name:expr, [$($path:tt)+] with the definition) => {
        entry!(= $name, [], [$($path)+], |ctx, args| run(ctx, &args, definition))
    };
    (@ $name:expr, [$($path:tt)+] by value $(, alias $($alias:literal)+)?) => {
        entry!(= $name, [$($($alias),+)?], [$($path)+], |ctx, args| run(ctx, args))
    };
    (@ $name:expr, [$($path:tt)+] $(alias $($alias:literal)+)?) => {
        entry!(= $name, [$($($alias),+)?], [$($path)+], |ctx, args| run(ctx, &args))
    };
    (= $name:expr, [$($alias:literal),*], [$($path:tt)+], |$ctx:ident, $args:ident| run($($arg:expr),+)) => {
        Entry {
            name: $name,
            aliases: &[$($alias),*],
            define: cmd::$($path)+::Args::augment_args,
            run: |$ctx, matches| {
                let args = cmd::$($path)+::Args::from_arg_matches(matches);
                let $args = args.map_err(|error| Error::new(error.to_string()))?;
                cmd::$($path)+::run($($arg),+)
            },
        }
    };
}

/// All commands.
pub(super) const COMMANDS: &[Entry] = &[
    entry!(attach by value),
    entry!("auto-update" auto_update, by value),
    entry!(build by value),
    entry!(commit by value),
    entry!("__complete" complete, with the definition),
    entry!(completion with the definition),
    entry!("builder du" builder::du),
    entry!("builder prune" prune::builder, by value),
    entry!("buildx create" buildx::create),
    entry!("buildx imagetools" buildx::imagetools),
    entry!("buildx inspect" buildx::inspect),
    entry!("buildx ls" buildx::ls),
    entry!("buildx rm" buildx::rm),
    entry!("buildx stop" buildx::stop),
    entry!("buildx use" buildx::choose),
    entry!("buildx version" buildx::version),
    entry!("container cleanup" container::cleanup, by value),
    entry!("container prune" prune::container, by value),
    entry!("container exists" container::exists),
    entry!("container inspect" container::inspect),
    entry!(cp),
    entry!(create by value),
    entry!(diff by value),
    entry!("docker-cli-plugin-metadata" plugin),
    entry!(doctor),
    entry!(events),
    entry!(exec by value),
    entry!(export),
    entry!("generate systemd" generate::systemd, with the definition),
    entry!("image prune" prune::image, by value),
    entry!("image diff" image::diff),
    entry!("image exists" image::exists),
    entry!("image inspect" image::inspect),
    entry!("healthcheck run" healthcheck::run),
    entry!(history),
    entry!("image mount" image::mount),
    entry!("image tree" image::tree),
    entry!("image trust" image::trust),
    entry!("image unmount" image::unmount, alias "umount"),
    entry!(images),
    entry!(import by value),
    entry!(info),
    entry!(init by value),
    entry!(inspect),
    entry!(kill by value),
    entry!(load),
    entry!(login),
    entry!(logout),
    entry!(logs),
    entry!("manifest add" manifest::add),
    entry!("manifest annotate" manifest::annotate),
    entry!("manifest create" manifest::create),
    entry!("manifest exists" manifest::exists),
    entry!("manifest inspect" manifest::inspect),
    entry!("manifest push" manifest::push),
    entry!("manifest remove" manifest::remove),
    entry!("manifest rm" manifest::rm),
    entry!(mount),
    entry!("network connect" network::connect, by value),
    entry!("network create" network::create, by value),
    entry!("network disconnect" network::disconnect),
    entry!("network exists" network::exists),
    entry!("network inspect" network::inspect),
    entry!("network ls" network::ls, alias "list"),
    entry!("network prune" network::prune),
    entry!("network reload" network::reload, by value),
    entry!("network rm" network::rm, by value, alias "remove"),
    entry!("network update" network::update),
    entry!(pause by value),
    entry!("pod clone" pod::clone, by value),
    entry!("pod create" pod::create, by value),
    entry!("pod exists" pod::exists),
    entry!("pod inspect" pod::inspect),
    entry!("pod kill" pod::kill, by value),
    entry!("pod logs" pod::logs),
    entry!("pod pause" pod::pause, by value),
    entry!("pod prune" pod::prune),
    entry!("pod ps" pod::ps, alias "ls" "list"),
    entry!("pod restart" pod::restart, by value),
    entry!("pod rm" pod::rm, by value),
    entry!("pod start" pod::start, by value),
    entry!("pod stats" pod::stats),
    entry!("pod stop" pod::stop, by value),
    entry!("pod top" pod::top),
    entry!("pod unpause" pod::unpause, by value),
    entry!(port by value),
    entry!(ps alias "ls" "list"),
    entry!(pull),
    entry!(push),
    entry!(rename),
    entry!(request),
    entry!(restart by value),
    entry!(rm by value),
    entry!(rmi by value),
    entry!(run by value),
    entry!(save),
    entry!("secret create" secret::create, by value),
    entry!("secret exists" secret::exists),
    entry!("secret inspect" secret::inspect),
    entry!("secret ls" secret::ls, alias "list"),
    entry!("secret rm" secret::rm, alias "remove"),
    entry!("setup names" setup::names),
    entry!(search),
    entry!(start by value),
    entry!(stats),
    entry!(stop by value),
    entry!("system check" system::check),
    entry!("system df" system::df),
    entry!("system migrate" system::migrate),
    entry!("system prune" prune::system, by value),
    entry!("system renumber" system::renumber),
    entry!("system reset" system::reset),
    entry!(tag),
    entry!(top),
    entry!(unmount alias "umount"),
    entry!(unpause by value),
    entry!(unshare),
    entry!(untag),
    entry!(update by value),
    entry!(version),
    entry!("volume create" volume::create, by value),
    entry!("volume exists" volume::exists),
    entry!("volume export" volume::export),
    entry!("volume import" volume::import),
    entry!("volume inspect" volume::inspect),
    entry!("volume ls" volume::ls, alias "list"),
    entry!("volume mount" volume::mount),
    entry!("volume prune" volume::prune),
    entry!("volume reload" volume::reload),
    entry!("volume rm" volume::rm, by value, alias "remove"),
    entry!("volume unmount" volume::unmount),
    entry!(wait by value),
    entry!(why),
];

/// All groups.
pub(super) const GROUPS: &[Group] = &[
    Group { name: "builder", about: "Build images, as docker has it", same: &[(&["build"], "build")] },
    Group {
        name: "buildx",
        about: "Build images, as docker has it",
        same: &[(&["build", "b"], "build"), (&["du"], "builder du"), (&["prune"], "builder prune")],
    },
    Group {
        name: "container",
        about: "Manage containers",
        same: &[
            (&["attach"], "attach"),
            (&["commit"], "commit"),
            (&["cp"], "cp"),
            (&["create"], "create"),
            (&["diff"], "diff"),
            (&["exec"], "exec"),
            (&["export"], "export"),
            (&["init"], "init"),
            (&["kill"], "kill"),
            (&["logs"], "logs"),
            (&["ls", "list", "ps"], "ps"),
            (&["mount"], "mount"),
            (&["pause"], "pause"),
            (&["port"], "port"),
            (&["rename"], "rename"),
            (&["restart"], "restart"),
            (&["rm", "remove"], "rm"),
            (&["run"], "run"),
            (&["start"], "start"),
            (&["stats"], "stats"),
            (&["stop"], "stop"),
            (&["top"], "top"),
            (&["unmount", "umount"], "unmount"),
            (&["unpause"], "unpause"),
            (&["update"], "update"),
            (&["wait"], "wait"),
        ],
    },
    Group { name: "generate", about: "Generate files for other programs", same: &[] },
    Group { name: "healthcheck", about: "Manage health checks on containers", same: &[] },
    Group {
        name: "image",
        about: "Manage images",
        same: &[
            (&["build"], "build"),
            (&["history"], "history"),
            (&["import"], "import"),
            (&["load"], "load"),
            (&["ls", "list"], "images"),
            (&["pull"], "pull"),
            (&["push"], "push"),
            (&["rm", "remove"], "rmi"),
            (&["save"], "save"),
            (&["search"], "search"),
            (&["tag"], "tag"),
            (&["untag"], "untag"),
        ],
    },
    Group { name: "pod", about: "Manage pods: containers that share namespaces", same: &[] },
    Group { name: "secret", about: "Manage secrets", same: &[] },
    Group { name: "manifest", about: "Manage lists of images for several platforms", same: &[] },
    Group { name: "setup", about: "Make rc fit into your environment", same: &[] },
    Group { name: "system", about: "Manage rc", same: &[(&["events"], "events"), (&["info"], "info")] },
    Group { name: "network", about: "Manage networks", same: &[] },
    Group { name: "volume", about: "Manage volumes", same: &[] },
];

/// Commands whose `-h` is the hostname, or nothing, as with podman.
const WITHOUT_SHORT_HELP: [&str; 5] = ["create", "exec", "pod clone", "pod create", "run"];

/// Commands for programs, which no help lists.
pub(super) const HIDDEN: [&str; 3] = ["__complete", "docker-cli-plugin-metadata", "request"];

impl Entry {
    /// Its definition under its own names.
    pub(super) fn command(&self) -> Command {
        self.command_as(self.split().1, self.aliases)
    }

    fn command_as(&self, name: &'static str, aliases: &'static [&'static str]) -> Command {
        // Lists options alphabetically, as podman does; by default clap lists one group after the other.
        let command =
            Command::new(name).next_display_order(None).visible_aliases(aliases).hide(HIDDEN.contains(&self.name));
        let command = if WITHOUT_SHORT_HELP.contains(&self.name) {
            let help = Arg::new("help").long("help").action(ArgAction::Help).help("Print help");
            command.disable_help_flag(true).arg(help)
        } else {
            command
        };
        cmd::args::with_values((self.define)(command))
    }

    /// The group, if it belongs to one, and the last word of its name.
    fn split(&self) -> (Option<&'static str>, &'static str) {
        self.name.split_once(' ').map_or((None, self.name), |(group, name)| (Some(group), name))
    }

    fn is(&self, group: Option<&str>, word: &str) -> bool {
        let (own, name) = self.split();
        own == group && (name == word || self.aliases.contains(&word))
    }
}

impl Group {
    /// Its definition without its commands.
    pub(super) fn empty(&self) -> Command {
        Command::new(self.name).about(self.about).subcommand_required(true).arg_required_else_help(true)
    }

    /// Its whole definition.
    pub(super) fn command(&self) -> Command {
        let mut commands: Vec<Command> = self.own().map(Entry::command).collect();
        commands.extend(self.same.iter().filter_map(|(names, name)| {
            let (first, rest) = names.split_first()?;
            Some(called(name)?.command_as(first, rest))
        }));
        commands.sort_by(|a, b| a.get_name().cmp(b.get_name()));
        self.empty().subcommands(commands)
    }

    /// The names of all its commands, without aliases.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.own().map(|entry| entry.split().1).chain(self.same.iter().filter_map(|(names, _)| names.first().copied()))
    }

    fn own(&self) -> impl Iterator<Item = &'static Entry> {
        COMMANDS.iter().filter(|entry| entry.split().0 == Some(self.name))
    }

    fn entry(&self, word: &str) -> Option<Typed> {
        if let Some(own) = entry(Some(self.name), word) {
            return Some(Typed::of(own));
        }
        let (names, name) = self.same.iter().find(|(names, _)| names.contains(&word))?;
        let (name_here, aliases) = names.split_first()?;
        Some(Typed { entry: called(name)?, name: name_here, aliases })
    }
}

fn entry(group: Option<&str>, word: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.is(group, word))
}

/// The command with this whole name.
fn called(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.name == name)
}

/// A command, under the name that was typed.
#[derive(Clone, Copy)]
pub(super) struct Typed {
    pub(super) entry: &'static Entry,
    /// The last word of its name.
    pub(super) name: &'static str,
    aliases: &'static [&'static str],
}

impl Typed {
    fn of(entry: &'static Entry) -> Self {
        Self { entry, name: entry.split().1, aliases: entry.aliases }
    }

    /// Its definition, under that name. It takes a large part of the time of a short command, so it is made once.
    pub(super) fn command(&self) -> Command {
        self.entry.command_as(self.name, self.aliases)
    }
}

/// What of the table a command line names.
pub(super) struct Named {
    /// The group.
    pub(super) group: Option<&'static Group>,
    /// The command.
    pub(super) command: Option<Typed>,
}

impl Named {
    /// What the words name. Each may be missing.
    pub(super) fn find(first: Option<&str>, second: Option<&str>) -> Self {
        let Some(first) = first else { return Self { group: None, command: None } };
        if let Some(group) = GROUPS.iter().find(|group| group.name == first) {
            return Self { group: Some(group), command: second.and_then(|word| group.entry(word)) };
        }
        Self { group: None, command: entry(None, first).map(Typed::of) }
    }

    /// As it is typed: `ps`, `container ls`; empty if nothing of the table was named.
    pub(super) fn words(&self) -> String {
        let names = self.group.map(|group| group.name).into_iter();
        names.chain(self.command.map(|command| command.name)).collect::<Vec<_>>().join(" ")
    }
}
