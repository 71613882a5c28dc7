//! `rc ps`.

mod sort;

use sort::{SortKey, compare};

use super::Ctx;
use crate::engine::{self, ListRequest};
use crate::error::{Error, Exit};
use crate::types::ContainerId;
use crate::ui::{self, Table};
use crate::view::filter::{self, ContainerFacts as Facts};
use crate::view::when::Clock;
use crate::view::{PS_COLUMNS, PsRow};

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
    /// Sort by command, created, id, image, names, runningfor or status (default: created)
    #[arg(long, value_name = "KEY", default_value = "created", hide_default_value = true, hide_possible_values = true)]
    sort: SortKey,
}

/// Runs the command. A container with damaged records is a warning, and does not hide the others.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.latest && args.last >= 0 {
        return Err(Error::new("--last and --latest cannot be used together"));
    }
    let listing = engine::containers(&ctx.engine)?;
    let all: Vec<Facts<'_>> = listing.containers.iter().map(engine::facts).collect();
    let filters = engine::network_filters(&ctx.engine, &args.filter)?;
    let mut rows = rows(args, filters, &all, ctx.engine.clock())?;
    let format = ctx.format(args.format.as_deref());
    if args.size || format.as_ref().is_some_and(|format| format.names("Size")) {
        let shown = |row: &PsRow<'_>| listing.containers.iter().find(|known| known.config.id == row.config.id);
        let sizes = engine::sizes(&ctx.engine, rows.iter().filter_map(shown))?;
        rows.iter_mut().zip(sizes).for_each(|(row, size)| row.size = Some(size));
    }
    let mut out = ui::out();
    match format {
        // A format prevails over --quiet, as in podman and docker.
        Some(format) => format.list(&mut out, &rows, args.noheading)?,
        None if args.quiet => {
            rows.iter().try_for_each(|row| out.line(row.id()))?;
            // So that `rc rm $(rc ps -aq)` removes them too.
            if args.all && args.filter.is_empty() {
                let shown = |id: &ContainerId| if args.no_trunc { id.to_string() } else { id.short().to_owned() };
                listing.broken.iter().try_for_each(|(id, _)| out.line(shown(id)))?;
            }
        }
        None => {
            let mut columns = PS_COLUMNS.to_vec();
            columns.extend(args.size.then_some("SIZE"));
            columns.extend(args.pod.then_some(["POD ID", "PODNAME"]).into_iter().flatten());
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(&columns) };
            let pod = |row: &PsRow<'_>| args.pod.then(|| row.pod()).into_iter().flatten();
            rows.iter().for_each(|row| table.row(row.cells().into_iter().chain(pod(row))));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    for (_, error) in &listing.broken {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        ui::warning(format!("{error}{hint}"));
    }
    Ok(Exit::SUCCESS)
}

/// The rows that the arguments select, sorted.
fn rows<'a>(args: &Args, typed: Vec<String>, all: &[Facts<'a>], clock: Clock) -> Result<Vec<PsRow<'a>>, filter::Error> {
    let last = if args.latest { Some(1) } else { usize::try_from(args.last).ok().filter(|last| *last > 0) };
    let request = ListRequest { all: args.all, last, filters: typed };
    let mut found = engine::select(&request, all, clock)?;
    // Equal rows stay in the order of creation.
    found.sort_by(|a, b| compare(args.sort, a, b));
    let row = |facts: Facts<'a>| {
        let Facts { config, state, status } = facts;
        PsRow { config, state, status, size: None, now: clock.now, no_trunc: args.no_trunc }
    };
    Ok(found.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests;
