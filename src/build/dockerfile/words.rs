//! From a logical line to its parts: the instruction's name, its flags, and words.
//!
//! ```text
//! COPY --chown="a b" --link  one "two three" /dst
//! name  flags, unquoted       words, as typed: quotes go when they are expanded
//! ```

use super::lines::Line;
use super::source::Span;
use crate::types::json;

/// A word and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its text.
    pub(crate) text: String,
    /// Where it is in the file.
    pub(crate) span: Span,
}

/// A flag: `--name`, `--name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    /// Without the dashes.
    pub(crate) name: String,
    /// What follows the equals sign.
    pub(crate) value: Option<String>,
    /// Where it is in the file.
    pub(crate) span: Span,
}

/// A part of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    line: &'a Line,
    /// The part.
    pub(crate) text: &'a str,
    start: usize,
}

impl<'a> Text<'a> {
    /// The whole line, without blanks around it.
    pub(crate) fn new(line: &'a Line) -> Self {
        Self { line, text: &line.text, start: 0 }.trimmed()
    }

    fn from(self, at: usize) -> Self {
        Self { line: self.line, text: &self.text[at..], start: self.start + at }
    }

    fn trimmed(self) -> Self {
        let text = self.text.trim_start();
        let start = self.start + self.text.len() - text.len();
        Self { line: self.line, text: text.trim_end(), start }
    }

    /// Where it is in the file.
    pub(crate) fn span(self) -> Span {
        self.line.part(self.start, self.start + self.text.len())
    }

    fn part(self, start: usize, end: usize) -> Span {
        self.line.part(self.start + start, self.start + end)
    }

    /// All of it as one word; `None` if it is empty.
    pub(crate) fn whole(self) -> Option<Word> {
        (!self.text.is_empty()).then(|| Word { text: self.text.to_owned(), span: self.span() })
    }

    /// The first word, and the rest.
    pub(crate) fn split_first(self) -> (Word, Self) {
        let end = self.text.find(char::is_whitespace).unwrap_or(self.text.len());
        let word = Word { text: self.text[..end].to_owned(), span: self.part(0, end) };
        (word, self.from(end).trimmed())
    }

    /// The flags at the beginning, and the rest. A flag's value may be quoted; `--` alone ends the flags.
    pub(crate) fn split_flags(self) -> (Vec<Flag>, Self) {
        let mut flags = Vec::new();
        let mut rest = self;
        while rest.text.starts_with("--") {
            let (word, end) = unquoted(rest.text);
            let span = rest.part(0, end);
            rest = rest.from(end).trimmed();
            let Some(body) = word.strip_prefix("--").filter(|body| !body.is_empty()) else { break };
            let (name, value) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            flags.push(Flag { name: name.to_owned(), value, span });
        }
        (flags, rest)
    }

    /// Words between blanks. Quotes mean nothing.
    pub(crate) fn plain_words(self) -> Vec<Word> {
        let mut words = Vec::new();
        let mut rest = self.trimmed();
        while !rest.text.is_empty() {
            let (word, after) = rest.split_first();
            words.push(word);
            rest = after;
        }
        words
    }

    /// Words as a shell has them: blanks between quotes, or behind an escape character, do not end a word. Quotes and
    /// escape characters stay in it.
    pub(crate) fn quoted_words(self, escape: char) -> Vec<Word> {
        let mut words = Vec::new();
        let mut start = None;
        let mut quote = None;
        let mut letters = self.text.char_indices();
        while let Some((at, letter)) = letters.next() {
            if start.is_none() && letter.is_whitespace() {
                continue;
            }
            let first = *start.get_or_insert(at);
            match quote {
                None if letter.is_whitespace() => {
                    words.push(self.word(first, at));
                    start = None;
                }
                None if letter == '"' || letter == '\'' => quote = Some(letter),
                Some(open) if letter == open => quote = None,
                // Nothing is escaped between single quotes.
                None | Some('"') if letter == escape => drop(letters.next()),
                _ => {}
            }
        }
        if let Some(first) = start {
            let end = if self.text.ends_with(escape) { self.trailing_escape(escape) } else { self.text.len() };
            if end > first {
                words.push(self.word(first, end));
            }
        }
        words
    }

    /// The end of the text without an escape character that escapes nothing.
    fn trailing_escape(self, escape: char) -> usize {
        let without = self.text.trim_end_matches(escape);
        let count = (self.text.len() - without.len()) / escape.len_utf8();
        self.text.len() - if count % 2 == 1 { escape.len_utf8() } else { 0 }
    }

    fn word(self, start: usize, end: usize) -> Word {
        Word { text: self.text[start..end].to_owned(), span: self.part(start, end) }
    }

    /// The strings of a JSON array. `None` if it is something else; an error if the array has other values than
    /// strings.
    pub(crate) fn json(self) -> Option<Result<Vec<Word>, ()>> {
        if !self.text.starts_with('[') {
            return None;
        }
        let values: Vec<serde_json::Value> = json::from_str(self.text).ok()?;
        let span = self.span();
        let word = |value| match value {
            serde_json::Value::String(text) => Ok(Word { text, span }),
            _ => Err(()),
        };
        Some(values.into_iter().map(word).collect())
    }

    /// Whether it was probably meant to be a JSON array, but is none: a bracket and a quote, and then what only an
    /// array has. `[ "$a" = b ]` is a test of the shell.
    pub(crate) fn looks_like_json(self) -> bool {
        let Some(inner) = self.text.strip_prefix('[').map(str::trim_start) else { return false };
        let Some(quote) = inner.chars().next().filter(|first| matches!(first, '"' | '\'')) else { return false };
        let after = inner[1..].split_once(quote).map(|(_, after)| after.trim_start());
        after.is_some_and(|after| after.starts_with([',', ']']))
    }
}

/// The first word without its quotes and escapes, and where it ends. In flags a backslash escapes whatever the file's
/// escape character is (BuildKit, `extractBuilderFlags`).
fn unquoted(text: &str) -> (String, usize) {
    let mut word = String::new();
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match quote {
            None if letter.is_whitespace() => return (word, at),
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            Some(open) if letter == open => quote = None,
            _ if letter == '\\' => word.extend(letters.next().map(|(_, next)| next)),
            _ => word.push(letter),
        }
    }
    (word, text.len())
}

#[cfg(test)]
mod tests {
    use super::super::lines::Reader;
    use super::super::source::Source;
    use super::*;

    fn with<T>(text: &str, read: impl Fn(Text<'_>) -> T) -> T {
        let source = Source::new("Dockerfile", text);
        let line = Reader::new(&source).next(&mut Vec::new()).expect("a line");
        read(Text::new(&line))
    }

    fn texts(words: &[Word]) -> Vec<&str> {
        words.iter().map(|word| word.text.as_str()).collect()
    }

    #[test]
    fn flags_are_unquoted_and_end_at_the_first_word() {
        for (text, expected, left) in [
            ("--a=1 --b x --c", &[("a", Some("1")), ("b", None)][..], "x --c"),
            ("--a=\"x y\"z --b='--' w", &[("a", Some("x yz")), ("b", Some("--"))], "w"),
            ("--a=x\\ y -- --b", &[("a", Some("x y"))], "--b"),
            ("--a=", &[("a", Some(""))], ""),
            ("-a b", &[], "-a b"),
            ("--", &[], ""),
        ] {
            with(text, |text| {
                let (flags, rest) = text.split_flags();
                let flags: Vec<_> = flags.iter().map(|flag| (flag.name.as_str(), flag.value.as_deref())).collect();
                assert_eq!((flags.as_slice(), rest.text), (expected, left), "{}", text.text);
            });
        }
    }

    #[test]
    fn blanks_between_quotes_do_not_end_a_word() {
        for (text, expected) in [
            ("a=b c=\"d e\" f='g h'", &["a=b", "c=\"d e\"", "f='g h'"][..]),
            ("a=x\\ y b", &["a=x\\ y", "b"]),
            ("a=\"x\\\" y\" b", &["a=\"x\\\" y\"", "b"]),
            ("a='x\\' y", &["a='x\\'", "y"]),
            ("a=b\\", &["a=b"]),
            ("a=b\\\\", &["a=b\\\\"]),
            ("a \\", &["a"]),
            ("a=\"open b", &["a=\"open b"]),
            ("ä=ö ü", &["ä=ö", "ü"]),
        ] {
            with(text, |part| assert_eq!(texts(&part.quoted_words('\\')), expected, "{text}"));
        }
        with("a=x` y", |part| assert_eq!(texts(&part.quoted_words('`')), ["a=x` y"]));
        with("a\t b  c", |part| assert_eq!(texts(&part.plain_words()), ["a", "b", "c"]));
    }

    #[test]
    fn an_array_has_only_strings() {
        for (text, expected) in [
            (r#"["a", "b\n"]"#, Some(Ok(vec!["a", "b\n"]))),
            ("[]", Some(Ok(vec![]))),
            ("[1]", Some(Err(()))),
            (r#"["a", 'b']"#, None),
            (r#"["a"] x"#, None),
            ("x", None),
        ] {
            with(text, |part| {
                let found = part.json();
                let found =
                    found.as_ref().map(|words| words.as_ref().map(|words| texts(words)).map_err(|error| *error));
                assert_eq!(found, expected, "{text}");
            });
        }
        for (text, expected) in [
            (r#"["a", 'b']"#, true),
            ("['a']", true),
            (r#"["a",]"#, true),
            (r#"[ "$a" = "b" ]"#, false),
            ("[ -f x ]", false),
            ("a", false),
        ] {
            with(text, |part| assert_eq!(part.looks_like_json(), expected, "{text}"));
        }
    }

    #[test]
    fn words_know_where_they_are() {
        let text = "ENV a=b \\\n    c=d";
        let source = Source::new("Dockerfile", text);
        let line = Reader::new(&source).next(&mut Vec::new()).expect("a line");
        let (name, rest) = Text::new(&line).split_first();
        let words = rest.quoted_words('\\');
        let shown: Vec<&str> = words.iter().map(|word| &text[word.span.start..word.span.end]).collect();
        assert_eq!((name.text.as_str(), shown), ("ENV", vec!["a=b", "c=d"]));
        assert_eq!(source.position(words[1].span.start).line, 2);
    }
}
