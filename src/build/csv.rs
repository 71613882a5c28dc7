//! Fields that are separated by commas, as in a line of CSV: `type=local,dest=out`, `"dest=a,b",type=tar`.

/// Splits a line at its commas. A field in double quotes may have some; two quotes in it are one. The error is the
/// reason.
pub(crate) fn fields(text: &str) -> Result<Vec<String>, &'static str> {
    let mut found = Vec::new();
    let mut field = String::new();
    let mut letters = text.chars().peekable();
    loop {
        if field.is_empty() && letters.peek() == Some(&'"') {
            letters.next();
            loop {
                match letters.next() {
                    Some('"') if letters.peek() == Some(&'"') => field.extend(letters.next()),
                    Some('"') => break,
                    Some(letter) => field.push(letter),
                    None => return Err("a quote is not closed"),
                }
            }
            if letters.peek().is_some_and(|next| *next != ',') {
                return Err("a quote ends before its field");
            }
        }
        match letters.next() {
            Some(letter) if letter != ',' => field.push(letter),
            end => {
                found.push(std::mem::take(&mut field));
                if end.is_none() {
                    return Ok(found);
                }
            }
        }
    }
}

/// [`fields`], each split at its first equals sign; keys in lower case, except those of annotations. No key is empty.
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, Option<String>)>, &'static str> {
    let pair = |field: String| {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (field.as_str(), None),
        };
        let lower = key.to_ascii_lowercase();
        let key = if lower.starts_with("annotation") { key.to_owned() } else { lower };
        if key.is_empty() { Err("a field is empty") } else { Ok((key, value)) }
    };
    fields(text)?.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_do_not_separate() {
        for (text, expected) in [
            ("a,b", Ok(vec!["a", "b"])),
            ("\"a,b\",c", Ok(vec!["a,b", "c"])),
            ("\"a\"\"b\"", Ok(vec!["a\"b"])),
            ("a\"b", Ok(vec!["a\"b"])),
            ("", Ok(vec![""])),
            ("a,", Ok(vec!["a", ""])),
            ("\"a", Err("a quote is not closed")),
            ("\"a\"b", Err("a quote ends before its field")),
        ] {
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(fields(text), expected, "{text}");
        }
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(pairs("Type=x=y,ro"), Ok(vec![pair("type", Some("x=y")), pair("ro", None)]));
        assert_eq!(pairs("a,,b"), Err("a field is empty"));
    }
}
