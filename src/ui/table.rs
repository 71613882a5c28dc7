//! Tables like podman's: columns of at least ten characters, two spaces between them, the last one not padded.

use super::escape;

/// The minimum width of a column with its gap. Source: podman `cmd/podman/utils`, a tabwriter of 12, 2, 2.
const MINIMUM: usize = 12;
/// Spaces between two columns.
const GAP: usize = 2;

/// A table. It is rendered when all rows, and so all widths, are known.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a heading row.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(headings.iter().copied());
        table
    }

    /// A table without headings (`--noheading`).
    pub(crate) fn without_headings() -> Self {
        Self::default()
    }

    /// Adds a row, whose cells it escapes.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| escape::line(cell.as_ref()).into_owned()).collect());
    }

    /// The whole table, with a newline after each row.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![MINIMUM; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count() + GAP);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let start = text.len();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                text.push_str(cell);
                if index + 1 < row.len() {
                    text.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
                }
            }
            text.truncate(start + text[start..].trim_end().len());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_as_in_podman() {
        let mut table = Table::new(&["CONTAINER ID", "NAMES", "STATUS"]);
        table.row(["5eacc9e701a2", "web", "Created"]);
        table.row(["4d569de196df", "a-longer-name\u{1b}[2J", ""]);
        assert_eq!(
            table.render(),
            "CONTAINER ID  NAMES                 STATUS\n\
             5eacc9e701a2  web                   Created\n\
             4d569de196df  a-longer-name\\x1b[2J\n"
        );
        assert_eq!(Table::new(&["A", "B"]).render(), "A           B\n");
        assert_eq!(Table::without_headings().render(), "");
    }
}
