//! The part of YAML that `registries.d` is written in: mappings by indentation, with text on one line. Anything else is
//! refused with its line, so that no file is read otherwise than podman reads it. Source: YAML 1.2.2, 7.3 and 8.2.2.

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// None.
    Empty,
    /// One line.
    Text(String),
    /// Keys and values, in their order.
    Mapping(Entries),
}

/// The entries of a mapping.
pub(super) type Entries = Vec<(String, Node)>;

/// A line that is neither empty nor a comment.
struct Line<'t> {
    number: usize,
    indentation: usize,
    text: &'t str,
}

/// Parses a document.
pub(super) fn parse(text: &str) -> Result<Entries, String> {
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let text = line.trim_start_matches(' ');
        let indentation = line.len() - text.len();
        if text.trim_start().starts_with('\t') || text.starts_with('\t') {
            return Err(format!("line {number}: it is indented by a tab"));
        }
        let is_start = number == 1 || lines.is_empty();
        match text.trim_end() {
            "" => {}
            "---" if indentation == 0 && is_start => {}
            text if text.starts_with('#') => {}
            text => lines.push(Line { number, indentation, text }),
        }
    }
    let mut rest = &lines[..];
    let entries = mapping(&mut rest)?;
    match rest.first() {
        Some(line) => Err(format!("line {}: its indentation fits to no line above", line.number)),
        None => Ok(entries),
    }
}

/// The lines with the indentation of the first, and what is beneath them.
fn mapping(lines: &mut &[Line<'_>]) -> Result<Entries, String> {
    let mut entries: Entries = Vec::new();
    let Some(indentation) = lines.first().map(|line| line.indentation) else { return Ok(entries) };
    while let Some((line, rest)) = lines.split_first().filter(|(line, _)| line.indentation == indentation) {
        *lines = rest;
        let fail = |reason: &str| format!("line {}: {reason}", line.number);
        let (key, value) = entry(line.text).map_err(fail)?;
        if entries.iter().any(|(other, _)| *other == key) {
            return Err(fail(&format!("`{key}` is there already")));
        }
        let is_above = rest.first().is_some_and(|next| next.indentation > indentation);
        let node = match value {
            Some(_) if is_above => return Err(fail("a text has one line here")),
            Some(text) => Node::Text(text),
            None if is_above => Node::Mapping(mapping(lines)?),
            None => Node::Empty,
        };
        entries.push((key, node));
    }
    Ok(entries)
}

/// `KEY:` or `KEY: TEXT`.
fn entry(line: &str) -> Result<(String, Option<String>), &'static str> {
    const NO_KEY: &str = "it is not `KEY:` or `KEY: TEXT`";
    let (key, rest) = match line.chars().next() {
        Some('"' | '\'') => quoted(line)?,
        _ => {
            // A colon ends a key only before a blank: `localhost:5000:` has one.
            let end = line
                .match_indices(':')
                .map(|(at, _)| at)
                .find(|at| line[at + 1..].is_empty() || line[at + 1..].starts_with(' '));
            let end = end.ok_or(NO_KEY)?;
            (plain(&line[..end])?, &line[end..])
        }
    };
    let rest = rest.trim_start().strip_prefix(':').ok_or(NO_KEY)?;
    let value = rest.trim();
    match value.chars().next() {
        None | Some('#') => Ok((key, None)),
        Some('"' | '\'') => {
            let (text, rest) = quoted(value)?;
            let rest = rest.trim_start();
            if rest.is_empty() || rest.starts_with('#') {
                Ok((key, Some(text)))
            } else {
                Err("something follows a text in quotes")
            }
        }
        Some(_) => match value.split(" #").next().unwrap_or_default().trim_end() {
            "~" | "null" => Ok((key, None)),
            text => Ok((key, Some(plain(text)?))),
        },
    }
}

/// A text without quotes.
fn plain(text: &str) -> Result<String, &'static str> {
    let text = text.trim_end();
    let is_special = text.starts_with(['-', '?', ':', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '%', '@', '`']);
    if text.is_empty() || is_special || text.contains(": ") || text.contains(" #") {
        return Err("rc reads only mappings of text from such a file");
    }
    Ok(text.to_owned())
}

/// A text in quotes, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let quote = &text[..1];
    let (inner, rest) =
        text[1..].split_once(quote).ok_or("a text has one line here, and a quotation mark at its end")?;
    if inner.contains('\\') && quote == "\"" || rest.starts_with(quote) {
        return Err("rc reads no quotation marks or backslashes in quotes");
    }
    Ok((inner.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read_by_their_indentation() {
        let text = "---\n# comment\na:\n  b:5000/c:  # comment\n     x: y z\n     'q': \"w:\"\n  d: ~\n\ne:\n";
        let text_of = |text: &str| Node::Text(text.to_owned());
        let mapping = |entries: Vec<(&str, Node)>| {
            Node::Mapping(entries.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
        };
        let inner = mapping(vec![("x", text_of("y z")), ("q", text_of("w:"))]);
        let expected = mapping(vec![("a", mapping(vec![("b:5000/c", inner), ("d", Node::Empty)])), ("e", Node::Empty)]);
        assert_eq!(parse(text).map(Node::Mapping), Ok(expected));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn everything_else_is_refused_with_its_line() {
        for (text, reason) in [
            ("a", "line 1: it is not `KEY:`"),
            ("- a: b", "line 1: rc reads only mappings"),
            ("a: {b: c}", "line 1: rc reads only mappings"),
            ("a: &x b", "line 1: rc reads only mappings"),
            ("a: |\n  b", "line 1: rc reads only mappings"),
            ("a: b\n  c", "line 1: a text has one line here"),
            ("a: b: c", "line 1: rc reads only mappings"),
            ("a: 'b' c", "line 1: something follows"),
            ("a: 'b''c'", "line 1: rc reads no quotation marks"),
            ("a: \"b\\n\"", "line 1: rc reads no quotation marks"),
            ("a: 'b", "line 1: a text has one line"),
            ("a:\n  b: c\n d: e", "line 3: its indentation"),
            ("a:\n\tb: c", "line 2: it is indented by a tab"),
            ("a: b\na: c", "line 2: `a` is there already"),
            ("a: b\n---\nc: d", "line 2: it is not"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(reason), "{text:?}: {error}");
        }
    }
}
