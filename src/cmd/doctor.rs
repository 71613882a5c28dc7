//! `rc doctor`.

use super::Ctx;
use crate::doctor::{self, Finding};
use crate::error::{Error, Exit};
use crate::ui::{self, Format, Table};

/// Check whether this host can run containers, and how to fix what is missing
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print a JSON array of objects with check, status, found, disables and fix
    #[arg(long)]
    json: bool,
}

/// Runs the command; exits with 0 if the host has everything that `rc run` needs, else with 1.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let findings = doctor::examine(&ctx.engine.host());
    let mut out = ui::out();
    if args.json {
        Format::Json.object(&mut out, &findings)?;
    } else {
        // Below a check that failed: what it disables, and the fix.
        for (line, finding) in table(&findings).render().lines().zip(&findings) {
            out.line(line)?;
            for (word, text) in [("disables", &finding.disables), ("fix", &finding.fix)] {
                if let Some(text) = text {
                    out.line(format!("    {word}: {text}"))?;
                }
            }
        }
    }
    out.finish()?;
    Ok(Exit(u8::from(!doctor::is_fit(&findings))))
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::without_headings();
    for finding in findings {
        table.row([finding.check, finding.status.as_str(), &finding.found]);
    }
    table
}
