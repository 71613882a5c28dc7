//! `rc history`.

use super::Ctx;
use crate::engine::{self, Layered};
use crate::error::{Error, Exit};
use crate::registry::Platform;
use crate::types::Dialect;
use crate::ui::{self, Format, Table};
use crate::view::{HISTORY_COLUMNS, HistoryRow};

/// Show how an image was built, layer by layer
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Display sizes and dates for people (default: true)
    #[arg(short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = true, hide_default_value = true,
        action = clap::ArgAction::Set)]
    human: bool,
    /// Do not truncate the output
    #[arg(long)]
    no_trunc: bool,
    /// Fail unless it is for this platform: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Display only image IDs
    #[arg(short, long)]
    quiet: bool,
    /// The image's name or ID
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Runs the command: the topmost layer comes first.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let layered = engine::layered(&ctx.engine, &args.image)?;
    if let Some(platform) = &args.platform {
        layered.image.check_platform(&args.image, platform)?;
    }
    let rows = rows(&layered, args, ctx.engine.clock().now);
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(format) if !args.quiet || matches!(format, Format::Json | Format::JsonLines) => {
            format.list(&mut out, &rows, false)?
        }
        _ if args.quiet => rows.iter().try_for_each(|row| out.line(row.id()))?,
        _ => {
            let mut columns = HISTORY_COLUMNS;
            if ctx.dialect == Dialect::Docker {
                columns[0] = "IMAGE";
            }
            let mut table = Table::new(&columns);
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn rows<'a>(layered: &'a Layered, args: &Args, now: jiff::Timestamp) -> Vec<HistoryRow<'a>> {
    let Layered { image, sizes } = layered;
    let mut sizes = sizes.iter().copied();
    let row = |size| HistoryRow {
        id: None,
        tags: Vec::new(),
        created: None,
        created_by: "",
        comment: "",
        size,
        now,
        no_trunc: args.no_trunc,
        is_human: args.human,
    };
    let mut rows: Vec<HistoryRow<'a>> = Vec::new();
    for step in &image.config.history {
        let size = if step.empty_layer { 0 } else { sizes.next().unwrap_or(0) };
        rows.push(HistoryRow {
            created: step.created.as_deref(),
            created_by: step.created_by.as_deref().unwrap_or_default(),
            comment: step.comment.as_deref().unwrap_or_default(),
            ..row(size)
        });
    }
    // Layers without a history.
    rows.extend(sizes.map(row));
    rows.reverse();
    if let Some(top) = rows.first_mut() {
        top.id = Some(&image.id);
        top.tags = image.names.iter().map(ToString::to_string).collect();
    }
    rows
}
