//! JSON as YAML for people, as podman's `info` prints it. Source: YAML 1.2.2, "Flow Scalar Styles"; what YAML 1.1 reads
//! as something else than text is in quotes, too.

use serde_json::{Map, Value};

/// The lines of an object. A double-quoted scalar of YAML has all escapes of JSON.
pub(super) fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    match value {
        Value::Object(fields) => push_fields(&mut lines, fields, 0),
        Value::Array(items) => push_items(&mut lines, items, 0),
        scalar => lines.push(self::scalar(scalar)),
    }
    lines
}

fn push_fields(lines: &mut Vec<String>, fields: &Map<String, Value>, depth: usize) {
    let indent = "  ".repeat(depth);
    for (name, value) in fields {
        let name = text(name);
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                lines.push(format!("{indent}{name}:"));
                push_fields(lines, inner, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                lines.push(format!("{indent}{name}:"));
                push_items(lines, items, depth);
            }
            value => lines.push(format!("{indent}{name}: {}", scalar(value))),
        }
    }
}

/// Each item begins with a dash, which stands in the indentation of the item's lines.
fn push_items(lines: &mut Vec<String>, items: &[Value], depth: usize) {
    for item in items {
        let start = lines.len();
        match item {
            Value::Object(inner) if !inner.is_empty() => push_fields(lines, inner, depth + 1),
            Value::Array(inner) if !inner.is_empty() => push_items(lines, inner, depth + 1),
            value => lines.push(format!("{}{}", "  ".repeat(depth + 1), scalar(value))),
        }
        if let Some(first) = lines.get_mut(start) {
            let at = 2 * depth;
            first.replace_range(at..at + 1, "-");
        }
    }
}

/// A value on one line. JSON's empty list, empty object, null, numbers and truth values are YAML's.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => self::text(text),
        other => other.to_string(),
    }
}

/// Text, in quotes if YAML would read it as something else.
fn text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

fn is_plain(text: &str) -> bool {
    const INDICATORS: &str = "-?:,[]{}#&*!|>'\"%@`=~";
    const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", ".nan"];
    let is_number = |text: &str| {
        // Also dates, times, and numbers in other bases.
        text.starts_with(|c: char| c.is_ascii_digit() || "+.".contains(c))
            && text.chars().all(|c| c.is_ascii_hexdigit() || "+-.:_xoTZ".contains(c))
    };
    !text.is_empty()
        && text.trim() == text
        && !text.starts_with(|c| INDICATORS.contains(c))
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(char::is_control)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !is_number(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_objects_are_nested_as_yaml_has_it() {
        let value = json!({
            "host": { "cpus": 2, "map": [{ "a": 1, "b": "x" }, { "a": 2, "c": ["d", {}] }], "none": [], "empty": "" },
            "deep": [[1, 2], []],
        });
        let expected = [
            "host:",
            "  cpus: 2",
            "  map:",
            "  - a: 1",
            "    b: x",
            "  - a: 2",
            "    c:",
            "    - d",
            "    - {}",
            "  none: []",
            "  empty: \"\"",
            "deep:",
            "- - 1",
            "  - 2",
            "- []",
        ];
        assert_eq!(lines(&value), expected);
    }

    #[test]
    fn text_that_yaml_would_read_as_something_else_is_in_quotes() {
        for plain in ["x", "k8s-file", "0h 24m 46.00s", "/home/a b", "3 (default)", "6.18.5", "a:b", "a#b", "Größe"] {
            let expected = if plain == "6.18.5" { format!("\"{plain}\"") } else { plain.to_owned() };
            assert_eq!(text(plain), expected, "{plain}");
        }
        for quoted in [
            "",
            " a",
            "a ",
            "- a",
            "a: b",
            "a:",
            "a #b",
            "*a",
            "&a",
            "!a",
            "[a",
            "{a",
            "\"a",
            "'a",
            "%a",
            "@a",
            "`a",
            "true",
            "No",
            "null",
            "~",
            "12",
            "0x1f",
            "1e3",
            "2026-01-01",
            "12:30",
            ".5",
            "+1",
            "-1",
            "a\nb",
            "a\tb",
            "\u{1b}[2J",
        ] {
            assert_eq!(text(quoted), Value::from(quoted).to_string(), "{quoted}");
        }
    }
}
