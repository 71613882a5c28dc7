//! `rc ps`.

mod shown;
mod sort;

use std::num::NonZeroU64;
use std::time::Duration;

use shown::{look_closer, print};
use sort::{SortKey, compare};

use super::Ctx;
use super::sampling::CLEAR;
use crate::engine::{self, ListRequest};
use crate::error::{Error, Exit};
use crate::ui::{self, Output};
use crate::view::filter::{self, ContainerFacts as Facts};
use crate::view::when::Clock;
use crate::view::{Namespaces, PsRow};

/// List containers
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Show all containers (default: only running ones)
    #[arg(short, long)]
    all: bool,
    /// Also containers of other tools (accepted for compatibility: rc has none)
    #[arg(long)]
    external: bool,
    /// Filter output based on conditions given: KEY=VALUE
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Pretty-print containers to JSON or using a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Print the n last created containers (all states)
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    #[arg(default_value_t = -1, hide_default_value = true)]
    last: i64,
    /// Show the latest container created (all states)
    #[arg(short, long)]
    latest: bool,
    /// Display the extended information
    #[arg(long)]
    no_trunc: bool,
    /// Do not print headers
    #[arg(long)]
    noheading: bool,
    /// Show the namespaces of each container
    #[arg(long, visible_alias = "namespace")]
    ns: bool,
    /// Print the ID and name of the pod of each container
    #[arg(short, long)]
    pod: bool,
    /// Print only the IDs of the containers
    #[arg(short, long)]
    quiet: bool,
    /// Display the total file sizes
    #[arg(short, long)]
    size: bool,
    /// Ask the runtime for each state (accepted for compatibility: rc always asks the kernel)
    #[arg(long)]
    sync: bool,
    /// Sort by command, created, id, image, names, runningfor, size or status (default: created)
    #[arg(long, value_name = "KEY", default_value = "created", hide_default_value = true, hide_possible_values = true)]
    sort: SortKey,
    /// Print the list again every so many seconds, until it is interrupted
    #[arg(short, long, value_name = "SECONDS")]
    watch: Option<NonZeroU64>,
}

/// Runs the command: once, or until it is interrupted with `--watch`.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.latest && args.last >= 0 {
        return Err(Error::new("--last and --latest cannot be used together"));
    }
    if args.ns && (args.size || args.pod) {
        return Err(Error::new("--ns shows neither sizes nor pods").with_hint("give --format what to show"));
    }
    let mut out = ui::out();
    let Some(seconds) = args.watch else {
        list(ctx, args, &mut out, false)?;
        return Ok(Exit::SUCCESS);
    };
    let clears = ui::is_screen(ui::Stream::Out);
    loop {
        list(ctx, args, &mut out, clears)?;
        std::thread::sleep(Duration::from_secs(seconds.get()));
    }
}

/// Prints the list, on an empty screen if it `clears` it. A container with damaged records is a warning, and does not
/// hide the others.
fn list(ctx: &Ctx, args: &Args, out: &mut Output, clears: bool) -> Result<(), Error> {
    let listing = engine::containers(&ctx.engine)?;
    let all: Vec<Facts<'_>> = listing.containers.iter().map(engine::facts).collect();
    let filters = engine::network_filters(&ctx.engine, &args.filter)?;
    let mut rows = rows(args, filters, &all, ctx.engine.clock())?;
    let ports = engine::ports_of_others(&listing);
    rows.iter_mut().for_each(|row| row.ports_of_other = ports.get(&row.config.id).map(Vec::as_slice));
    let format = ctx.format(args.format.as_deref());
    look_closer(ctx, args, format.as_ref(), &listing, &mut rows)?;
    if clears {
        out.raw(CLEAR)?;
    }
    print(args, format.as_ref(), &listing, &rows, out)?;
    out.finish()?;
    for (_, error) in &listing.broken {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        ui::warning(format!("{error}{hint}"));
    }
    Ok(())
}

/// The rows that the arguments select, sorted.
fn rows<'a>(args: &Args, typed: Vec<String>, all: &[Facts<'a>], clock: Clock) -> Result<Vec<PsRow<'a>>, filter::Error> {
    let last = if args.latest { Some(1) } else { usize::try_from(args.last).ok().filter(|last| *last > 0) };
    let request = ListRequest { all: args.all, last, filters: typed };
    let mut found = engine::select(&request, all, clock)?;
    // Equal rows stay in the order of creation.
    found.sort_by(|a, b| compare(args.sort, a, b));
    let row = |facts: Facts<'a>| {
        let (Facts { config, state, status }, namespaces) = (facts, Namespaces::default());
        let (now, no_trunc) = (clock.now, args.no_trunc);
        PsRow { config, state, status, size: None, namespaces, ports_of_other: None, now, no_trunc }
    };
    Ok(found.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests;
