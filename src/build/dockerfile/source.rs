//! The text of a Dockerfile, and places in it.

/// The most bytes of a Dockerfile.
pub(crate) const FILE_LIMIT: usize = 1 << 20;

/// A part of the text: offsets of bytes, the end exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// The first byte.
    pub(crate) start: usize,
    /// The byte after the last one.
    pub(crate) end: usize,
}

/// A line and a column, both from 1. A column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The column.
    pub(crate) column: usize,
}

/// A Dockerfile as text.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    name: String,
    text: String,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl Source {
    /// Takes the text. `name` is what messages call the file.
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, starts }
    }

    /// What messages call the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The number of the line, from 1, that has the byte.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// The line and the column of the byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.line(offset);
        let before = self.text.get(self.starts[line - 1]..offset).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    /// The first and the last line of a part, from 1.
    pub(crate) fn lines(&self, span: Span) -> (usize, usize) {
        (self.line(span.start), self.line(span.end.max(span.start + 1) - 1))
    }

    /// A line by its number, without its end.
    pub(crate) fn line_text(&self, line: usize) -> &str {
        let Some(start) = line.checked_sub(1).and_then(|index| self.starts.get(index)) else { return "" };
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        self.text[*start..end].trim_end_matches('\r')
    }

    /// How many lines there are. The end of the last one does not begin another.
    pub(crate) fn line_count(&self) -> usize {
        self.starts.len() - usize::from(self.text.ends_with('\n') && self.starts.len() > 1)
    }
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The word, or the instruction.
    pub(crate) span: Span,
    /// One sentence: lower case, no full stop, the subject in backticks.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the word that was probably meant.
    #[must_use]
    pub(crate) fn with_nearest(mut self, near: Option<&str>) -> Self {
        self.hint = near.map(|near| format!("did you mean `{near}`?")).or(self.hint);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source::new("Dockerfile", "FROM a\r\nRUN ä b\n\nCMD x");
        for (offset, line, column) in [(0, 1, 1), (5, 1, 6), (8, 2, 1), (13, 2, 5), (14, 2, 6), (17, 3, 1), (22, 4, 5)]
        {
            let shown = if source.text().is_char_boundary(offset) { offset } else { continue };
            assert_eq!(source.position(shown), Position { line, column }, "{offset}");
        }
        assert_eq!((source.line_text(1), source.line_text(2), source.line_text(3)), ("FROM a", "RUN ä b", ""));
        assert_eq!((source.line_text(4), source.line_text(5), source.line_text(0)), ("CMD x", "", ""));
        assert_eq!(
            (source.line_count(), Source::new("f", "a\n").line_count(), Source::new("f", "").line_count()),
            (4, 1, 1)
        );
        assert_eq!(source.lines(Span { start: 0, end: 8 }), (1, 1));
        assert_eq!(source.lines(Span { start: 0, end: 9 }), (1, 2));
    }
}
