//! `--env-merge NAME=WORD`: a variable whose value is made of those that the image and rc set.

use crate::types::Invalid;

/// The name and the value of `text`, in which `$NAME`, `${NAME}`, `${NAME:-WORD}` (if it is unset or empty) and
/// `${NAME:+WORD}` (if it is neither) stand for variables, and a backslash takes the next character as it is. Source:
/// podman-run(1), `--env-merge`; Dockerfile reference, "Environment replacement".
pub(super) fn merged(text: &str, value_of: impl Fn(&str) -> Option<String>) -> Result<(&str, String), Invalid> {
    let invalid = |reason: &str| Invalid::new("variable", text, reason);
    let (name, word) = text.split_once('=').ok_or_else(|| invalid("must be NAME=VALUE"))?;
    let value = expand(word, &value_of).ok_or_else(|| {
        invalid(
            "must have `$NAME`, `${NAME}`, `${NAME:-WORD}` or \
         `${NAME:+WORD}` after each `$`",
        )
    })?;
    Ok((name, value))
}

fn expand(word: &str, value_of: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut value = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['$', '\\']) {
        value.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('\\') {
            let mut letters = after.chars();
            value.extend(letters.next());
            rest = letters.as_str();
        } else if let Some(inner) = after.strip_prefix('{') {
            let end = closing(inner)?;
            value.push_str(&braced(&inner[..end], value_of)?);
            rest = &inner[end + 1..];
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let name = after.get(..end).filter(|name| !name.is_empty())?;
            value.push_str(&value_of(name).unwrap_or_default());
            rest = &after[end..];
        }
    }
    value.push_str(rest);
    Some(value)
}

/// Where the brace ends that has been opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn braced(text: &str, value_of: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let (name, otherwise) = text.split_once(':').map_or((text, None), |(name, word)| (name, Some(word)));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let found = value_of(name).filter(|value| !value.is_empty() || otherwise.is_none());
    match (otherwise, found) {
        (None, found) => Some(found.unwrap_or_default()),
        (Some(word), found) => match (word.strip_prefix('-'), word.strip_prefix('+'), found) {
            (Some(_), _, Some(value)) => Some(value),
            (Some(word), _, None) | (None, Some(word), Some(_)) => expand(word, value_of),
            (None, Some(_), None) => Some(String::new()),
            (None, None, _) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_their_places() {
        let value_of = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let of = |text: &str| merged(text, value_of).map(|(name, value)| format!("{name}={value}")).ok();
        for (text, expected) in [
            ("B=x", "B=x"),
            ("A=${A}-2", "A=1-2"),
            ("A=$A:$A", "A=1:1"),
            ("B=$NOT/x", "B=/x"),
            ("B=${NOT:-${A}y}", "B=1y"),
            ("B=${EMPTY:-y}", "B=y"),
            ("B=${A:-y}", "B=1"),
            ("B=${A:+y}", "B=y"),
            ("B=${NOT:+y}", "B="),
            (r"B=\$A\\", r"B=$A\"),
            ("B=a=$A", "B=a=1"),
            ("B=é$A", "B=é1"),
        ] {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        for bad in ["B", "B=$", "B=$-", "B=${A", "B=${}", "B=${A?}", "B=${A:?x}", "B=$é", "B=${é}"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
