//! From the text to logical lines: directives, comments, continuations.
//!
//! ```text
//! # syntax=docker/dockerfile:1      directives: only before everything else, each once
//! # escape=`
//! # check=skip=StageNameCasing;error=true
//!
//! # a comment                       belongs to the instruction after it, unless an empty line is between
//! RUN one \                         the escape character and blanks at the end: the line goes on
//!   # a comment                     vanishes
//!                                   so does an empty line, with a warning
//!   two
//! ```

use super::source::{Problem, Source, Span};

/// The most bytes of a logical line.
pub(crate) const LINE_LIMIT: usize = 64 << 10;

/// What the directives at the beginning say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directives {
    /// `# syntax=`: which front end was asked for. rc has its own and fetches none.
    pub(crate) syntax: Option<(String, Span)>,
    /// `# escape=`: a backslash, or a backquote.
    pub(crate) escape: char,
    /// `# check=`: which checks are left out, and whether the others are errors.
    pub(crate) check: Option<(String, Span)>,
}

/// A logical line: what was continued, joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The text, without the line's end.
    pub(crate) text: String,
    /// Where the pieces of `text` begin: in it, and in the file.
    pieces: Vec<(usize, usize)>,
    /// All of it in the file, without the end of its last line.
    pub(crate) span: Span,
    /// The comments right before it.
    pub(crate) comments: Vec<String>,
    /// The first empty line among those that it goes on.
    pub(crate) empty_continuation: Option<Span>,
}

impl Line {
    /// Where a byte of the text is in the file.
    pub(crate) fn offset(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= at).max(1) - 1;
        self.pieces.get(piece).map_or(self.span.start, |(start, offset)| offset + at.saturating_sub(*start))
    }

    /// The line as one that is at another place altogether, whose parts have no places of their own.
    pub(crate) fn placed(self, span: Span) -> Self {
        Self { pieces: Vec::new(), span, ..self }
    }

    /// Where a part of the text is in the file.
    pub(crate) fn part(&self, start: usize, end: usize) -> Span {
        let first = self.offset(start);
        // The last byte counts: behind it may be the end of a line.
        let last = if end > start { self.offset(end - 1) + 1 } else { first };
        Span { start: first, end: last.max(first) }
    }
}

/// Reads a text line by line.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    in_directives: bool,
    has_escape: bool,
    comments: Vec<String>,
    /// The directives found so far.
    pub(crate) directives: Directives,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning, behind a byte order mark and a line that begins with `#!`.
    pub(crate) fn new(source: &'a Source) -> Self {
        let text = source.text();
        let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        if text[at..].starts_with("#!") {
            at += text[at..].find('\n').map_or(text.len() - at, |end| end + 1);
        }
        let directives = Directives { syntax: None, escape: '\\', check: None };
        Self { text, at, in_directives: true, has_escape: false, comments: Vec::new(), directives }
    }

    /// The next physical line without its end, and where it is.
    pub(crate) fn physical(&mut self) -> Option<(&'a str, Span)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n');
        let line = &rest[..length.unwrap_or(rest.len())];
        let start = self.at;
        self.at += length.map_or(rest.len(), |length| length + 1);
        let line = line.trim_end_matches('\r');
        Some((line, Span { start, end: start + line.len() }))
    }

    /// A physical line with its end.
    pub(crate) fn raw(&self, span: Span) -> &'a str {
        &self.text[span.start..self.at]
    }

    /// The next logical line.
    pub(crate) fn next(&mut self, problems: &mut Vec<Problem>) -> Option<Line> {
        loop {
            let (whole, span) = self.physical()?;
            let text = whole.trim_start();
            let start = span.end - text.len();
            if let Some(comment) = text.strip_prefix('#') {
                if !self.directive(comment, Span { start, end: span.end }, problems) {
                    match comment.trim() {
                        "" => self.comments.clear(),
                        comment => self.comments.push(comment.to_owned()),
                    }
                }
                continue;
            }
            self.in_directives = false;
            if text.is_empty() {
                self.comments.clear();
                continue;
            }
            let comments = std::mem::take(&mut self.comments);
            let mut line = Line { comments, span: Span { start, end: span.end }, ..Line::default() };
            if self.join(&mut line, text, start) {
                self.continuation(&mut line);
            }
            if line.text.len() > LINE_LIMIT {
                let message = format!("a line has more than {} KiB", LINE_LIMIT >> 10);
                problems.push(Problem::new(Span { start, end: start + 1 }, message));
                continue;
            }
            if line.text.trim().is_empty() {
                continue;
            }
            return Some(line);
        }
    }

    /// Adds the lines that go on.
    fn continuation(&mut self, line: &mut Line) {
        while let Some((text, span)) = self.physical() {
            let trimmed = text.trim_start();
            if trimmed.starts_with('#') {
                continue;
            }
            if trimmed.is_empty() {
                line.empty_continuation.get_or_insert(span);
                continue;
            }
            line.span.end = span.end;
            if !self.join(line, text, span.start) {
                break;
            }
        }
    }

    /// Adds a physical line. Returns whether another one follows.
    fn join(&self, line: &mut Line, text: &str, start: usize) -> bool {
        let escape = self.directives.escape;
        let before = text.trim_end_matches([' ', '\t']).strip_suffix(escape);
        // An escape character that is escaped itself ends the line, as in BuildKit.
        let before = before.filter(|before| !before.ends_with(escape));
        line.pieces.push((line.text.len(), start));
        line.text.push_str(before.unwrap_or(text));
        before.is_some()
    }

    /// Reads a comment as a directive. Returns whether it is one.
    fn directive(&mut self, comment: &str, span: Span, problems: &mut Vec<Problem>) -> bool {
        if !self.in_directives {
            return false;
        }
        let pair = comment.split_once('=').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()));
        let Some((name, value)) = pair.filter(|(_, value)| !value.is_empty()) else {
            self.in_directives = false;
            return false;
        };
        let is_repeated = match name.as_str() {
            "syntax" => self.directives.syntax.replace((value.to_owned(), span)).is_some(),
            "check" => self.directives.check.replace((value.to_owned(), span)).is_some(),
            "escape" if value == "\\" || value == "`" => {
                self.directives.escape = if value == "`" { '`' } else { '\\' };
                std::mem::replace(&mut self.has_escape, true)
            }
            "escape" => {
                let message = format!("escape character `{}` must be \\ or `", value.escape_debug());
                problems.push(Problem::new(span, message));
                false
            }
            _ => {
                self.in_directives = false;
                return false;
            }
        };
        if is_repeated {
            problems.push(Problem::new(span, format!("the directive `{name}` is given twice")));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (Vec<Line>, Directives, Vec<String>) {
        let source = Source::new("Dockerfile", text);
        let mut reader = Reader::new(&source);
        let mut problems = Vec::new();
        let mut found = Vec::new();
        while let Some(line) = reader.next(&mut problems) {
            found.push(line);
        }
        (found, reader.directives, problems.into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn continued_lines_are_joined_and_keep_their_places() {
        for (text, expected) in [
            ("RUN a \\\n  b\nCMD c", &["RUN a   b", "CMD c"][..]),
            ("RUN a \\  \t\r\n# gone\r\n\r\n   # gone too\r\nb\r\n", &["RUN a b"]),
            ("  RUN a\\\\\nCMD b", &["RUN a\\\\", "CMD b"]),
            ("RUN a \\", &["RUN a "]),
            ("\\\nRUN a", &["RUN a"]),
            ("# escape=`\nRUN a `\nb \\\nCMD c", &["RUN a b \\", "CMD c"]),
            ("RUN a \\\n#b\n\n#c", &["RUN a "]),
            ("\u{feff}#!/usr/bin/rc build\n# escape=`\nRUN a`\n b", &["RUN a b"]),
            ("", &[]),
            ("# only", &[]),
        ] {
            let found = lines(text);
            assert_eq!(found.0.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), expected, "{text:?}");
            assert_eq!(found.2, Vec::<String>::new(), "{text:?}");
        }
        let text = "FROM x\nRUN one \\\n  # note\n\n  two";
        let (found, ..) = lines(text);
        let at = found[1].text.find("two").expect("a word");
        let span = found[1].part(at, at + 3);
        assert_eq!((&text[span.start..span.end], found[1].offset(0)), ("two", 7));
        assert_eq!(found[1].span, Span { start: 7, end: text.len() });
        assert_eq!(found[1].empty_continuation.map(|span| span.start), text.find("\n\n").map(|at| at + 1));
    }

    #[test]
    fn directives_are_read_before_everything_else() {
        let found = lines("# Syntax = docker/dockerfile:1\n#check=skip=all\n# escape = `\nFROM a");
        assert_eq!(found.1.syntax.as_ref().map(|(value, _)| value.as_str()), Some("docker/dockerfile:1"));
        assert_eq!(found.1.check.as_ref().map(|(value, _)| value.as_str()), Some("skip=all"));
        assert_eq!((found.1.escape, found.0[0].comments.len()), ('`', 0));
        for late in [
            "\n# escape=`\nFROM a",
            "# a comment\n# escape=`\nFROM a",
            "# what=x\n# escape=`\nFROM a",
            "FROM a\n# escape=`",
        ] {
            assert_eq!(lines(late).1.escape, '\\', "{late}");
        }
        assert_eq!(lines("# escape=x\nFROM a").2, ["escape character `x` must be \\ or `"]);
        assert_eq!(lines("# escape=`\n# escape=`\nFROM a").2, ["the directive `escape` is given twice"]);
        assert_eq!(lines("# syntax=a\n# syntax=b\nFROM a").2, ["the directive `syntax` is given twice"]);
    }

    #[test]
    fn comments_belong_to_the_instruction_after_them() {
        let found = lines("# far\n\n# one\n# two\nFROM a\nRUN b\n# x\n#\n# y\nCMD c").0;
        let comments: Vec<_> = found.iter().map(|line| line.comments.join("|")).collect();
        assert_eq!(comments, ["one|two", "", "y"]);
    }

    #[test]
    fn a_line_has_a_limit() {
        let long = format!("FROM a\nRUN {}\nCMD b", "x".repeat(LINE_LIMIT));
        assert_eq!((lines(&long).0.len(), lines(&long).2), (2, vec!["a line has more than 64 KiB".to_owned()]));
    }
}
