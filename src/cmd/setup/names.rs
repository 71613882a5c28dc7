//! `rc setup names`.

use clap::ValueEnum;

use crate::cmd::{self, Ctx};
use crate::engine::NamesSetup;
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui;

/// Make rc answer to the names docker and podman
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove the names
    #[arg(long)]
    remove: bool,
    /// The names: docker, podman (default: both)
    #[arg(value_name = "NAME", hide_possible_values = true)]
    names: Vec<Name>,
}

/// A name that tools know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// docker.
    Docker,
    /// podman.
    Podman,
}

impl Name {
    fn dialect(self) -> Dialect {
        match self {
            Self::Docker => Dialect::Docker,
            Self::Podman => Dialect::Podman,
        }
    }
}

/// Runs the command: makes all links, or none if one cannot be made.
pub(crate) fn run(_: &Ctx, args: &Args) -> Result<Exit, Error> {
    let names = if args.names.is_empty() { Name::value_variants() } else { &args.names };
    let names: Vec<Dialect> = names.iter().map(|name| name.dialect()).collect();
    let environment = cmd::environment();
    let value = |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let setup = NamesSetup { home: value("HOME").unwrap_or_default().into(), path: value("PATH").unwrap_or_default() };
    let links = if args.remove { setup.remove(&names)? } else { setup.make(&names)? };
    let mut out = ui::out();
    links.iter().try_for_each(|link| out.line(link.display()))?;
    out.finish()?;
    if !args.remove {
        names.iter().filter_map(|name| setup.hidden(*name)).for_each(ui::warning);
    }
    Ok(Exit::SUCCESS)
}
