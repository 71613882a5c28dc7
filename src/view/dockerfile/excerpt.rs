//! Lines of a file around a place in it.

use crate::build::dockerfile::source::{Source, Span};

/// How many lines are shown before and after.
const AROUND: usize = 2;

/// The most lines that are marked.
const MARKED: usize = 10;

/// The most characters of a line.
const WIDTH: usize = 160;

/// The lines of a part, marked by `>>>`, and some around it. `with_columns` also marks the columns, if the part is
/// within a line.
pub(super) fn of(source: &Source, span: Span, with_columns: bool) -> Vec<String> {
    let (first, last) = source.lines(span);
    let shown_last = last.min(first + MARKED - 1);
    let column = source.position(span.start).column;
    // Of a long line what is around the column.
    let skipped = if column > WIDTH { column - WIDTH / 2 } else { 0 };
    let mut lines = Vec::new();
    for number in first.saturating_sub(AROUND).max(1)..=(shown_last + AROUND).min(source.line_count()) {
        let is_marked = (first..=last).contains(&number);
        let skipped = if number == first { skipped } else { 0 };
        let text = window(source.line_text(number), skipped);
        let mark = if is_marked { ">>>" } else { "   " };
        lines.push(format!("{number:4} | {mark} {text}").trim_end().to_owned());
        if with_columns && number == first && first == last {
            let part = source.text().get(span.start..span.end).unwrap_or_default();
            let count = part.chars().count().clamp(1, WIDTH);
            lines.push(format!("     |     {}{}", " ".repeat(column - 1 - skipped), "^".repeat(count)));
        }
    }
    lines
}

/// A part of a line; a tab takes one column.
fn window(line: &str, skipped: usize) -> String {
    let mut letters = line.chars().skip(skipped).map(|letter| if letter == '\t' { ' ' } else { letter });
    let mut text: String = letters.by_ref().take(WIDTH).collect();
    if letters.next().is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_and_long_parts_are_cut() {
        let text = format!("a\nRUN {}x\n{}", "y".repeat(1000), "b\n".repeat(30));
        let source = Source::new("Dockerfile", &*text);
        let at = text.find('x').expect("a letter");
        let lines = of(&source, Span { start: at, end: at + 1 }, true);
        assert!(lines.iter().all(|line| line.chars().count() < WIDTH + 12), "{lines:?}");
        let column = lines[2].find('^').expect("a mark");
        assert_eq!(lines[1].chars().nth(column), Some('x'));
        assert_eq!(of(&source, Span { start: 0, end: text.len() }, true).len(), MARKED + AROUND);
    }

    #[test]
    fn a_part_over_several_lines_has_no_columns() {
        let source = Source::new("Dockerfile", "FROM a\n\tRUN ä \\\n  x\n");
        assert_eq!(
            of(&source, Span { start: 8, end: 20 }, true),
            ["   1 |     FROM a", "   2 | >>>  RUN ä \\", "   3 | >>>   x"]
        );
        assert_eq!(of(&source, Span { start: 12, end: 14 }, true)[2], "     |          ^");
    }
}
