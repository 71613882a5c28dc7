//! The table of processes that `top` and `pod top` show.

use super::Ctx;
use crate::container::since_boot;
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui::{self, Table};
use crate::view::{Column, PsFormat, Terms};

/// Shows the processes of containers. `words` are the columns, or options of ps.
pub(super) fn show(ctx: &Ctx, containers: &[String], words: &[String]) -> Result<Exit, Error> {
    let terms = if ctx.dialect == Dialect::Docker { Terms::Host } else { Terms::Container };
    let PsFormat { columns, has_headings } = Column::parse(words, terms)?;
    let headings: Vec<&str> = columns.iter().map(Column::heading).collect();
    let mut table = if has_headings { Table::new(&headings) } else { Table::without_headings() };
    for container in containers {
        let (processes, names) = engine::processes(&ctx.engine, container)?;
        let now = since_boot();
        for process in &processes {
            table.row(columns.iter().map(|column| column.cell(process, &names, now)));
        }
    }
    let mut out = ui::out();
    out.raw(table.render().as_bytes())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
