//! `rc system df`.

use crate::cmd::Ctx;
use crate::container::Container;
use crate::engine::{self, DiskUsage};
use crate::error::{Error, Exit};
use crate::types::ImageReference;
use crate::ui::{self, Table};
use crate::view::human::{self, exact_size};
use crate::view::{DISK_COLUMNS, DiskRow, command};

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
    if args.verbose && args.format.is_some() {
        return Err(Error::new("--format cannot be used together with --verbose").with_hint("leave one of them out"));
    }
    let usage = engine::disk_usage(&ctx.engine)?;
    let mut out = ui::out();
    let rows = rows(&usage);
    match ctx.format(args.format.as_deref()) {
        Some(format) => format.list(&mut out, &rows, false)?,
        None if args.verbose => out.raw(verbose(ctx, &usage).as_bytes())?,
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

fn rows(usage: &DiskUsage) -> [DiskRow; 3] {
    let DiskUsage { images, containers, volumes, .. } = usage;
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
    ]
}

/// Podman's three tables.
fn verbose(ctx: &Ctx, usage: &DiskUsage) -> String {
    let now = ctx.engine.clock().now;
    let mut images =
        Table::new(&["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"]);
    for it in &usage.images {
        let name = it.image.names.first();
        images.row([
            name.map_or_else(|| NONE.to_owned(), ImageReference::name),
            name.and_then(ImageReference::tag).unwrap_or(NONE).to_owned(),
            it.image.id.short().to_owned(),
            it.image.config.created.as_deref().map_or_else(|| NONE.to_owned(), |at| human::ago(at, now)),
            exact_size(it.size),
            exact_size(it.shared),
            exact_size(it.size - it.shared),
            it.containers.to_string(),
        ]);
    }
    let mut containers =
        Table::new(&["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"]);
    for it in &usage.containers {
        let Container { config, state, status, .. } = &it.container;
        containers.row([
            config.id.short().to_owned(),
            config.image.id.short().to_owned(),
            command(config).join(" "),
            it.volumes.to_string(),
            exact_size(it.size),
            human::ago(&config.created, now),
            human::status(state, *status, now),
            config.name.to_string(),
        ]);
    }
    let mut volumes = Table::new(&["VOLUME NAME", "LINKS", "SIZE"]);
    for it in &usage.volumes {
        volumes.row([it.name.to_string(), it.links.to_string(), exact_size(it.size)]);
    }
    let (images, containers, volumes) = (images.render(), containers.render(), volumes.render());
    format!(
        "Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}\nLocal Volumes space \
         usage:\n\n{volumes}"
    )
}

/// A missing value.
const NONE: &str = "<none>";
