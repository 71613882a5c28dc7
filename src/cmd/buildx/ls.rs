//! `rc buildx ls`.

use super::{NAME, platform};
use crate::cmd::Ctx;
use crate::error::{Error, Exit};
use crate::ui::{self, Table};

/// List builders: there is one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_ctx: &Ctx, _args: &Args) -> Result<Exit, Error> {
    let mut table = Table::new(&["NAME/NODE", "DRIVER/ENDPOINT", "STATUS", "BUILDKIT", "PLATFORMS"]);
    table.row([format!("{NAME}*"), "rc".to_owned(), String::new(), String::new(), String::new()]);
    let node = format!(" \\_ {NAME}");
    table.row([node.clone(), node, "running".to_owned(), env!("CARGO_PKG_VERSION").to_owned(), platform()]);
    let mut out = ui::out();
    out.raw(table.render().as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
