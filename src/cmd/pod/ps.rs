//! `rc pod ps`.

use std::cmp::Ordering;

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::pod::Pod;
use crate::ui::{self, Table};
use crate::view::filter::PodFilter;
use crate::view::{PodColumns, PodRow};

/// The keys of `--sort`. Source: podman-pod-ps(1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum SortKey {
    /// When it was created, newest first.
    #[default]
    Created,
    /// The ID.
    Id,
    /// The name.
    Name,
    /// How many containers it has.
    Number,
    /// The status word.
    Status,
}

/// List pods
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Show the IDs of the containers
    #[arg(long)]
    ctr_ids: bool,
    /// Show the names of the containers
    #[arg(long)]
    ctr_names: bool,
    /// Show the status of the containers
    #[arg(long)]
    ctr_status: bool,
    /// Show only pods that match: KEY=VALUE
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true, conflicts_with = "quiet")]
    format: Option<String>,
    /// Show only the latest created pod
    #[arg(short, long)]
    latest: bool,
    /// Do not truncate IDs
    #[arg(long)]
    no_trunc: bool,
    /// Do not print column headings
    #[arg(short, long)]
    noheading: bool,
    /// Show the namespace (accepted for compatibility: pods have none)
    #[arg(long, visible_alias = "namespace")]
    ns: bool,
    /// Display only the whole pod IDs
    #[arg(short, long)]
    quiet: bool,
    /// Sort by created, id, name, number or status (default: created)
    #[arg(long, value_name = "KEY", default_value = "created", hide_default_value = true, hide_possible_values = true)]
    sort: SortKey,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let filters = engine::network_filters(&ctx.engine, &args.filters)?;
    let filter = PodFilter::parse(&filters, ctx.engine.clock())?;
    let mut pods = engine::pods(&ctx.engine)?;
    if args.latest {
        // Whatever the filters say. Source: podman, `PodPs`.
        let newest = engine::latest_pod(&ctx.engine)?;
        pods.retain(|pod| *pod.id() == newest);
    } else {
        pods.retain(|pod| filter.matches(pod));
    }
    pods.sort_by(|a, b| compare(args.sort, a, b));
    let now = ctx.engine.clock().now;
    let rows: Vec<PodRow<'_>> = pods.iter().map(|pod| PodRow { pod, now, no_trunc: args.no_trunc }).collect();
    let columns =
        PodColumns { ids: args.ctr_ids, names: args.ctr_names, statuses: args.ctr_status, namespace: args.ns };
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(format) => format.list(&mut out, &rows, args.noheading)?,
        None if args.quiet => pods.iter().try_for_each(|pod| out.line(pod.id()))?,
        None => {
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(&columns.headings()) };
            rows.iter().for_each(|row| table.row(row.cells(columns)));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}

/// The order of two pods, which are in the order of their creation.
fn compare(key: SortKey, a: &Pod, b: &Pod) -> Ordering {
    let [one, other] = [a, b].map(|pod| &pod.sandbox.config);
    match key {
        SortKey::Created => Ordering::Equal,
        SortKey::Id => one.id.cmp(&other.id),
        SortKey::Name => one.name.cmp(&other.name),
        SortKey::Number => a.members.len().cmp(&b.members.len()),
        SortKey::Status => a.status().as_str().cmp(b.status().as_str()),
    }
}
