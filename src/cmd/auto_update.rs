//! `rc auto-update`.

use std::path::PathBuf;

use super::Ctx;
use super::observer::Screen;
use crate::engine::{self, AutoUpdate};
use crate::error::{Error, Exit};
use crate::ui::{self, Table};
use crate::view::AUTO_UPDATE_COLUMNS;

/// Update containers in units to newer images, as their labels say
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Path of the authentication file (default: those of podman and docker)
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Only check whether there are newer images
    #[arg(long)]
    dry_run: bool,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Go back to the old image if a unit does not start with the newer one (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rollback: Option<bool>,
    /// Require HTTPS and verify certificates when contacting registries (default: true, except for loopback)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_verify: Option<bool>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let Args { authfile, dry_run, format, rollback, tls_verify } = args;
    let how = AutoUpdate { dry_run, rollback: rollback.unwrap_or(true), tls_verify, authfile };
    let mut screen = Screen::for_pull(true);
    let rows = engine::auto_update(&ctx.engine, &how, &mut screen)?;
    let mut out = ui::out();
    match ctx.format(format.as_deref()) {
        Some(format) => format.list(&mut out, &rows, false)?,
        // podman prints nothing if there is nothing to update.
        None if rows.is_empty() => {}
        None => {
            let mut table = Table::new(&AUTO_UPDATE_COLUMNS);
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    engine::sweep_soon(&ctx.engine);
    screen.exit()
}
