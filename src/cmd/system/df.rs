//! `rc system df`.

mod verbose;

use crate::cmd::Ctx;
use crate::engine::{self, DiskUsage};
use crate::error::{Error, Exit};
use crate::ui::{self, Table};
use crate::view::{DISK_COLUMNS, DiskRow};

/// Show disk usage
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Show each image, container and volume
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let usage = engine::disk_usage(&ctx.engine)?;
    let mut out = ui::out();
    let rows = rows(&usage);
    match ctx.format(args.format.as_deref()) {
        Some(format) if args.verbose => format.object(&mut out, &verbose::object(ctx, &usage))?,
        Some(format) => format.list(&mut out, &rows, false)?,
        None if args.verbose => out.raw(verbose::tables(ctx, &usage).as_bytes())?,
        None => {
            let mut table = Table::new(&DISK_COLUMNS);
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    usage.damaged.iter().for_each(ui::warning);
    Ok(Exit::SUCCESS)
}

fn rows(usage: &DiskUsage) -> [DiskRow; 4] {
    let DiskUsage { images, containers, volumes, cache, .. } = usage;
    let (cache_bytes, unused_cache_bytes) = engine::cache_bytes(cache);
    let ended = || containers.iter().filter(|it| !it.container.is_running());
    let unused = || volumes.iter().filter(|it| it.links == 0);
    [
        DiskRow {
            kind: "Images",
            total: images.len(),
            active: images.iter().filter(|it| it.containers > 0).count(),
            size: usage.image_bytes,
            reclaimable: usage.unused_image_bytes,
        },
        DiskRow {
            kind: "Containers",
            total: containers.len(),
            active: containers.len() - ended().count(),
            size: containers.iter().map(|it| it.size).sum(),
            reclaimable: ended().map(|it| it.size).sum(),
        },
        DiskRow {
            kind: "Local Volumes",
            total: volumes.len(),
            active: volumes.len() - unused().count(),
            size: volumes.iter().map(|it| it.size).sum(),
            reclaimable: unused().map(|it| it.size).sum(),
        },
        DiskRow {
            kind: "Build Cache",
            total: cache.len(),
            active: cache.iter().filter(|it| it.is_in_use).count(),
            size: cache_bytes,
            reclaimable: unused_cache_bytes,
        },
    ]
}
