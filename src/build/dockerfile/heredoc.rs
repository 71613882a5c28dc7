//! Here-documents: `RUN <<EOF`, `COPY <<"a" <<-b /dst/`. The documents follow the line in the order of their words.

use super::lines::{Line, Reader};
use super::source::{Problem, Span};

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// The word, which ends the document.
    pub(crate) name: String,
    /// Variables in it are expanded: no part of the word is quoted.
    pub(crate) expands: bool,
    /// `<<-`: tabs at the beginning of its lines go.
    pub(crate) strips_tabs: bool,
    /// What is between the line and the word, as typed.
    pub(crate) raw: String,
}

impl Document {
    /// What it says: without its tabs if they go.
    pub(crate) fn content(&self) -> String {
        if !self.strips_tabs {
            return self.raw.clone();
        }
        self.raw.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// Reads a word as the beginning of a here-document: `[descriptor]<<[-]WORD`. The document is still empty.
pub(crate) fn of_word(word: &str) -> Option<Document> {
    let word = word.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix("<<")?;
    let (strips_tabs, word) = word.strip_prefix('-').map_or((false, word), |word| (true, word));
    if word.contains('<') {
        return None;
    }
    let mut name = String::new();
    let mut is_quoted = false;
    let mut quote = None;
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        match quote {
            None if letter.is_whitespace() => return None,
            None if letter == '"' || letter == '\'' => (quote, is_quoted) = (Some(letter), true),
            Some(open) if letter == open => quote = None,
            None | Some('"') if letter == '\\' => name.extend(letters.next()),
            _ => name.push(letter),
        }
    }
    let is_name = !name.is_empty() && quote.is_none();
    is_name.then(|| Document { name, expands: !is_quoted, strips_tabs, raw: String::new() })
}

/// The here-documents that a line announces, in order. A line with an open quote or brace announces none.
pub(crate) fn of_line(line: &str) -> Vec<Document> {
    let mut found = Vec::new();
    let mut start = None;
    let mut at = 0;
    let letters: Vec<(usize, char)> = line.char_indices().collect();
    while let Some(&(offset, letter)) = letters.get(at) {
        if letter.is_whitespace() {
            found.extend(start.take().and_then(|start| of_word(&line[start..offset])));
            at += 1;
            continue;
        }
        start.get_or_insert(offset);
        let Some(next) = skip(&letters, at) else { return Vec::new() };
        at = next;
    }
    found.extend(start.and_then(|start| of_word(&line[start..])));
    found
}

/// Behind the quoted text, the braces or the one character at `at`; `None` if a quote or brace stays open.
fn skip(letters: &[(usize, char)], at: usize) -> Option<usize> {
    let letter = |at: usize| letters.get(at).map(|(_, letter)| *letter);
    let close = match letter(at)? {
        '\\' => return Some(at + 2),
        '$' if letter(at + 1) == Some('{') => '}',
        quote @ ('"' | '\'') => quote,
        _ => return Some(at + 1),
    };
    let mut at = at + if close == '}' { 2 } else { 1 };
    loop {
        let here = letter(at)?;
        at += 1;
        if here == close {
            return Some(at);
        }
        if here == '\\' && close != '\'' {
            at += 1;
        }
    }
}

impl Reader<'_> {
    /// Reads the documents that follow a line, and makes them a part of it. A document that does not end is a problem.
    pub(crate) fn documents(
        &mut self,
        line: &mut Line,
        mut documents: Vec<Document>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Document> {
        for document in &mut documents {
            let opened = line.span;
            loop {
                let Some((text, span)) = self.physical() else {
                    let message = format!("the here-document `{}` has no end", document.name.escape_debug());
                    let hint = format!("it ends with a line that is only `{}`", document.name.escape_debug());
                    let span = Span { start: opened.start, end: opened.start + 1 };
                    problems.push(Problem::new(span, message).with_hint(hint));
                    return documents;
                };
                line.span.end = span.end;
                let candidate = if document.strips_tabs { text.trim_start_matches('\t') } else { text };
                if candidate == document.name {
                    break;
                }
                document.raw.push_str(self.raw(span));
            }
        }
        documents
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    #[test]
    fn a_word_may_be_quoted_and_have_a_descriptor() {
        for (word, expected) in [
            ("<<EOF", Some(("EOF", true, false))),
            ("<<-EOF", Some(("EOF", true, true))),
            ("3<<EOF", Some(("EOF", true, false))),
            ("<<'EOF'", Some(("EOF", false, false))),
            ("<<-\"E F\"", Some(("E F", false, true))),
            ("<<E'O'F", Some(("EOF", false, false))),
            ("<<E\\F", Some(("EF", true, false))),
            ("<<EOF x", None),
            ("<<", None),
            ("<<-", None),
            ("<<<x", None),
            ("a<<EOF", None),
            ("<<'EOF", None),
            ("<EOF", None),
        ] {
            let found = of_word(word);
            let found = found.as_ref().map(|found| (found.name.as_str(), found.expands, found.strips_tabs));
            assert_eq!(found, expected, "{word}");
        }
    }

    #[test]
    fn a_line_announces_several() {
        for (line, expected) in [
            ("RUN cat <<a <<-'b' > /x", &["a", "b"][..]),
            ("RUN echo '<<a' \"x <<b\" <<c", &["c"]),
            ("RUN echo ${x:- <<a} <<b", &["b"]),
            ("RUN echo \\<<a 3<<b", &["b"]),
            ("RUN $(cat <<a", &["a"]),
            ("RUN echo 'open <<a", &[]),
            ("RUN echo $((1 << 2)) ${x", &[]),
        ] {
            let found: Vec<String> = of_line(line).into_iter().map(|document| document.name).collect();
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn documents_are_read_as_typed() {
        let text = "COPY <<a <<-b /x\n one\\\n# two\r\na\n\t\tthree\n\tb\nCMD x";
        let source = Source::new("Dockerfile", text);
        let mut reader = Reader::new(&source);
        let mut problems = Vec::new();
        let mut line = reader.next(&mut problems).expect("a line");
        let documents = of_line(&line.text);
        let documents = reader.documents(&mut line, documents, &mut problems);
        assert_eq!(
            (documents[0].raw.as_str(), documents[0].content().as_str()),
            (" one\\\n# two\r\n", " one\\\n# two\r\n")
        );
        assert_eq!((documents[1].raw.as_str(), documents[1].content().as_str()), ("\t\tthree\n", "three\n"));
        assert_eq!(&text[line.span.end..], "\nCMD x");
        assert_eq!(reader.next(&mut problems).map(|line| line.text).as_deref(), Some("CMD x"));
        let mut line = Line::default();
        reader.documents(&mut line, of_line("COPY <<z /x"), &mut problems);
        assert_eq!(problems[0].message, "the here-document `z` has no end");
    }
}
