//! `rc buildx ls`.

use super::platform;
use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Table};

/// List the names of the builder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, _args: &Args) -> Result<Exit, Error> {
    let mut table = Table::new(&["NAME/NODE", "DRIVER/ENDPOINT", "STATUS", "BUILDKIT", "PLATFORMS"]);
    let (names, in_use) = engine::builders(&ctx.engine)?;
    for name in names {
        let mark = if name == in_use { "*" } else { "" };
        table.row([format!("{name}{mark}"), "rc".to_owned(), String::new(), String::new(), String::new()]);
        let node = format!(" \\_ {name}");
        let version = env!("CARGO_PKG_VERSION").to_owned();
        table.row([node, " \\_ default".to_owned(), "running".to_owned(), version, platform()]);
    }
    let mut out = ui::out();
    out.raw(table.render().as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
