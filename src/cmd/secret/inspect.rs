//! `rc secret inspect`.

use crate::cmd::{Ctx, inspection};
use crate::engine;
use crate::error::{Error, Exit};
use crate::{ui, view};

/// Display detailed information on one or more secrets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Print the information in a human friendly format
    #[arg(long, conflicts_with = "format")]
    pretty: bool,
    /// Display the secret itself, too
    #[arg(long)]
    showsecret: bool,
    /// Names or IDs
    #[arg(value_name = "SECRET", required = true)]
    names: Vec<String>,
}

/// Runs the command: prints all secrets that exist in one array, then reports those that do not.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in &args.names {
        match engine::secret(&ctx.engine, name) {
            Ok(secret) => found.push(secret),
            Err(report) => failures.push(report),
        }
    }
    let shown = |value: &'_ [u8]| if args.showsecret { Some(value.to_vec()) } else { None };
    if args.pretty {
        let mut out = ui::out();
        let lines = found.iter().flat_map(|(record, value)| view::secret_lines(record, shown(value).as_deref()));
        lines.into_iter().try_for_each(|line| out.line(line))?;
        out.finish()?;
        return inspection::report(failures);
    }
    let objects: Vec<_> = found.iter().map(|(record, value)| view::secret(record, shown(value).as_deref())).collect();
    inspection::print(ctx, args.format.as_deref(), &objects, failures)
}
