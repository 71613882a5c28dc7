//! `rc top`.

use super::Ctx;
use crate::container::since_boot;
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui::{self, Table};
use crate::view::{Column, PsFormat, Terms};

/// Display the running processes of a container
///
/// rc reads them from the host; it executes nothing in the container.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Name, ID or unique prefix of an ID, and the columns, such as user, pid, hpid or args, or options of ps
    #[arg(value_name = "CONTAINER", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (container, words) = match args.words.split_first() {
        _ if args.latest => (latest(ctx)?, &args.words[..]),
        Some((container, words)) => (container.clone(), words),
        None => return Err(Error::new("no container was named")),
    };
    let terms = if ctx.dialect == Dialect::Docker { Terms::Host } else { Terms::Container };
    let PsFormat { columns, has_headings } = Column::parse(words, terms)?;
    let (processes, names) = engine::processes(&ctx.engine, &container)?;
    let now = since_boot();
    let headings: Vec<&str> = columns.iter().map(Column::heading).collect();
    let mut table = if has_headings { Table::new(&headings) } else { Table::without_headings() };
    for process in &processes {
        table.row(columns.iter().map(|column| column.cell(process, &names, now)));
    }
    let mut out = ui::out();
    out.raw(table.render().as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn latest(ctx: &Ctx) -> Result<String, Error> {
    let selection = Selection { latest: true, ..Selection::default() };
    Ok(engine::named(&ctx.engine, &selection)?.into_iter().next().unwrap_or_default())
}
