//! What `ps` shows of its rows, and what it must look up for that.

use super::{Args, SortKey};
use crate::cmd::Ctx;
use crate::container::Listing;
use crate::engine;
use crate::error::Error;
use crate::types::ContainerId;
use crate::ui::{Format, Output, Table};
use crate::view::{NAMESPACE_COLUMNS, PS_COLUMNS, PsRow};

/// Adds sizes and namespaces, which take time, if they are shown; then sorts by size, if that is wanted.
pub(super) fn look_closer(
    ctx: &Ctx,
    args: &Args,
    format: Option<&Format>,
    listing: &Listing,
    rows: &mut [PsRow<'_>],
) -> Result<(), Error> {
    let names = |field: &str| format.is_some_and(|format| format.names(field));
    let container = |row: &PsRow<'_>| listing.containers.iter().find(|known| known.config.id == row.config.id);
    if args.size || args.sort == SortKey::Size || names("Size") {
        let sizes = engine::sizes(&ctx.engine, rows.iter().filter_map(container))?;
        rows.iter_mut().zip(sizes).for_each(|(row, size)| row.size = Some(size));
    }
    if args.ns || NAMESPACE_COLUMNS[3..].iter().any(|field| names(field)) {
        rows.iter_mut().for_each(|row| row.namespaces = container(row).map(engine::namespaces).unwrap_or_default());
    }
    if args.sort == SortKey::Size {
        rows.sort_by_key(|row| row.size.map(|size| size.whole));
        if !args.size {
            rows.iter_mut().for_each(|row| row.size = row.size.filter(|_| names("Size")));
        }
    }
    Ok(())
}

/// Prints the rows as the arguments want them.
pub(super) fn print(
    args: &Args,
    format: Option<&Format>,
    listing: &Listing,
    rows: &[PsRow<'_>],
    out: &mut Output,
) -> Result<(), Error> {
    match format {
        // A format prevails over --quiet, as in podman and docker.
        Some(format) => format.list(out, rows, args.noheading)?,
        None if args.quiet => {
            rows.iter().try_for_each(|row| out.line(row.id()))?;
            // So that `rc rm $(rc ps -aq)` removes them too.
            if args.all && args.filter.is_empty() {
                let shown = |id: &ContainerId| if args.no_trunc { id.to_string() } else { id.short().to_owned() };
                listing.broken.iter().try_for_each(|(id, _)| out.line(shown(id)))?;
            }
        }
        None => out.raw(table(args, rows).render().as_bytes())?,
    }
    Ok(())
}

fn table(args: &Args, rows: &[PsRow<'_>]) -> Table {
    let mut columns = if args.ns { NAMESPACE_COLUMNS.to_vec() } else { PS_COLUMNS.to_vec() };
    columns.extend(args.size.then_some("SIZE"));
    columns.extend(args.pod.then_some(["POD ID", "PODNAME"]).into_iter().flatten());
    let mut table = if args.noheading { Table::without_headings() } else { Table::new(&columns) };
    let pod = |row: &PsRow<'_>| args.pod.then(|| row.pod()).into_iter().flatten();
    rows.iter().for_each(|row| match args.ns {
        true => table.row(row.namespace_cells()),
        false => table.row(row.cells().into_iter().chain(pod(row))),
    });
    table
}
