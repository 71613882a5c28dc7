//! Options of commands that list things in a table.

use crate::ui::Table;

/// What is listed, and in which form.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ListArgs {
    /// Filter output based on conditions provided: KEY=VALUE
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    pub(crate) format: Option<String>,
    /// Do not print column headings
    #[arg(short, long)]
    pub(crate) noheading: bool,
}

impl ListArgs {
    /// A table with these columns.
    pub(crate) fn table(&self, columns: &[&str]) -> Table {
        if self.noheading { Table::without_headings() } else { Table::new(columns) }
    }
}
