//! `rc manifest rm`.

use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::ReportKind;

/// Remove one or more lists of images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A list that does not exist is no error
    #[arg(short, long)]
    ignore: bool,
    /// The lists' names or IDs
    #[arg(required = true, value_name = "LIST")]
    lists: Vec<String>,
}

/// Runs the command. The images stay.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    for name in &args.lists {
        let removed = match engine::remove_list(&ctx.engine, name) {
            Err(report) if args.ignore && matches!(report.kind, ReportKind::NotFound(_)) => continue,
            other => other,
        };
        let lines = match removed {
            Ok(list) => vec![Ok(format!("Untagged: {}", list.name)), Ok(format!("Deleted: {}", list.digest))],
            Err(report) => vec![Err(report)],
        };
        if lines.into_iter().any(|line| screen.result(line).is_break()) {
            break;
        }
    }
    engine::sweep(&ctx.engine)?;
    screen.exit()
}
