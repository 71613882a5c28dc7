//! `rc top`.

use super::Ctx;
use crate::container::since_boot;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Table};
use crate::view::Column;

/// Display the running processes of a container
///
/// rc reads them from the host; it executes nothing in the container.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The columns, such as user, pid, hpid or args, separated by commas or blanks
    #[arg(value_name = "DESCRIPTOR", allow_hyphen_values = true)]
    descriptors: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let columns = Column::parse(&args.descriptors)?;
    let (processes, names) = engine::processes(&ctx.engine, &args.container)?;
    let now = since_boot();
    let mut table = Table::new(&columns.iter().map(Column::heading).collect::<Vec<_>>());
    for process in &processes {
        table.row(columns.iter().map(|column| column.cell(process, &names, now)));
    }
    let mut out = ui::out();
    out.raw(table.render().as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
