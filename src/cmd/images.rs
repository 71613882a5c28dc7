//! `rc images`.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::Ctx;
use crate::engine::{self, Images, ListedImage};
use crate::error::{Error, Exit};
use crate::ui::{self, Format, Table};
use crate::view::ImageRow;

/// List images in local storage
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Show all images (accepted for compatibility: rc has no intermediate images)
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Show digests
    #[arg(long)]
    pub(crate) digests: bool,
    /// Filter output based on conditions provided: KEY=VALUE
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    pub(crate) format: Option<String>,
    /// Show all names that an image has had, the latest first
    #[arg(long)]
    pub(crate) history: bool,
    /// Do not truncate output
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Do not print column headings
    #[arg(short, long)]
    pub(crate) noheading: bool,
    /// Display only image IDs
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Sort by created, id, repository, size or tag (default: created)
    #[arg(long, value_name = "KEY", default_value = "created", hide_default_value = true, hide_possible_values = true)]
    pub(crate) sort: SortKey,
    /// List only images with this name, pattern or ID
    #[arg(value_name = "IMAGE")]
    pub(crate) name: Option<String>,
}

/// The keys of `--sort`. Source: podman-images(1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SortKey {
    /// When it was built, youngest first.
    #[default]
    Created,
    /// The ID.
    Id,
    /// The name.
    Repository,
    /// Bytes, smallest first.
    Size,
    /// The tag.
    Tag,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let Images { images, damaged } = engine::images(&ctx.engine)?;
    show(ctx, args, &images)?;
    damaged.iter().for_each(ui::warning);
    Ok(Exit::SUCCESS)
}

fn show(ctx: &Ctx, args: &Args, images: &[ListedImage]) -> Result<(), Error> {
    let clock = ctx.engine.clock();
    let now = clock.now;
    let shown = engine::select_images(&args.filter, args.name.as_deref(), images, clock)?.into_iter();
    // JSON has an object for each image; templates and tables have a line for each name.
    let format = ctx.format(args.format.as_deref());
    let mut rows: Vec<ImageRow<'_>> = match format {
        Some(Format::Json) => shown.map(|(image, names)| row(image, names.first().copied(), args, now)).collect(),
        _ => shown.flat_map(|(image, names)| rows(image, &names, args, now)).collect(),
    };
    rows.sort_by(|a, b| compare(args.sort, a, b));
    let mut out = ui::out();
    match format {
        // --quiet prevails over a template, as in podman.
        Some(format) if !args.quiet || matches!(format, Format::Json | Format::JsonLines) => {
            format.list(&mut out, &rows, args.noheading)?
        }
        _ if args.quiet => {
            let mut ids: Vec<String> = Vec::new();
            for row in &rows {
                if !ids.contains(&row.id()) {
                    ids.push(row.id());
                }
            }
            ids.iter().try_for_each(|id| out.line(id))?;
        }
        _ => {
            let columns = ImageRow::columns(args.digests, args.history);
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(&columns) };
            rows.iter().for_each(|row| table.row(row.cells(args.digests, args.history)));
            out.raw(table.render().as_bytes())?;
        }
    }
    Ok(out.finish()?)
}

/// A row for each of these names; one without a name if the image has none.
fn rows<'a>(image: &'a ListedImage, names: &[usize], args: &Args, now: Timestamp) -> Vec<ImageRow<'a>> {
    match names {
        [] => vec![row(image, None, args, now)],
        names => names.iter().map(|number| row(image, Some(*number), args, now)).collect(),
    }
}

fn row<'a>(listed: &'a ListedImage, name: Option<usize>, args: &Args, now: Timestamp) -> ImageRow<'a> {
    let image = &listed.image;
    ImageRow {
        name: name.and_then(|number| image.names.get(number)),
        names: &image.names,
        history: &image.history,
        id: &image.id,
        manifest: name.and_then(|number| listed.manifests.get(number)).unwrap_or(&image.manifest.digest),
        digests: &listed.digests,
        created: image.config.created.as_deref(),
        platform: (&image.config.architecture, &image.config.os),
        labels: &image.config.config.labels,
        size: listed.size,
        containers: listed.containers,
        now,
        no_trunc: args.no_trunc,
    }
}

fn compare(key: SortKey, a: &ImageRow<'_>, b: &ImageRow<'_>) -> Ordering {
    let time = |row: &ImageRow<'_>| row.created.and_then(|created| created.parse::<Timestamp>().ok());
    let name = |row: &ImageRow<'_>| (row.repository(), row.tag());
    let first = match key {
        SortKey::Created => time(b).cmp(&time(a)),
        SortKey::Id => a.id.cmp(b.id),
        SortKey::Repository => a.repository().cmp(&b.repository()),
        SortKey::Size => a.size.cmp(&b.size),
        SortKey::Tag => a.tag().cmp(&b.tag()),
    };
    // So that two listings never differ in order.
    first.then_with(|| (name(a), a.id).cmp(&(name(b), b.id)))
}
