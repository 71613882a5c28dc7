//! Makes text from images, labels, registries and file names harmless for a terminal: no byte of it can start a control
//! sequence (OSC 52 writes the clipboard, CSI 2J clears the screen) or reorder the text (bidi overrides).

use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes one line of output for people: every C0 and C1 control, DEL, and every character that breaks lines or
/// changes the writing direction becomes `\n`, `\t`, `\r`, `\x1b` or `\u202e`.
///
/// A backslash stays, so escaping twice changes nothing.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    with(text, is_hostile)
}

/// Like [`line()`], but newline and tab stay: for the result of a `--format` template.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    with(text, |c| is_hostile(c) && !matches!(c, '\n' | '\t'))
}

/// Whether a terminal may act on `c`, or show the text after it in another order or on another line.
///
/// Source: ECMA-48 (C0, C1), Unicode UAX #9 (the explicit directional characters), U+2028 and U+2029 (separators).
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn with(text: &str, hostile: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&hostile) else { return Cow::Borrowed(text) };
    let mut safe = String::with_capacity(text.len() + 16);
    safe.push_str(&text[..first]);
    for c in text[first..].chars() {
        if hostile(c) { push_visible(&mut safe, c) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

fn push_visible(safe: &mut String, c: char) {
    match c {
        '\n' => safe.push_str("\\n"),
        '\t' => safe.push_str("\\t"),
        '\r' => safe.push_str("\\r"),
        // fmt::Write never fails for a `String`.
        c if u32::from(c) < 0x100 => write!(safe, "\\x{:02x}", u32::from(c)).unwrap_or_default(),
        c => write!(safe, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_becomes_visible() {
        for (given, line_form, text_form) in [
            ("plain – ünïcode 日本", "plain – ünïcode 日本", "plain – ünïcode 日本"),
            ("\u{1b}[2J", "\\x1b[2J", "\\x1b[2J"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\x1b]52;c;aGk=\\x07", "\\x1b]52;c;aGk=\\x07"),
            ("a\nb\tc\r", "a\\nb\\tc\\r", "a\nb\tc\\r"),
            ("\u{9b}31m\u{7f}\0", "\\x9b31m\\x7f\\x00", "\\x9b31m\\x7f\\x00"),
            ("evil\u{202e}gpj.exe\u{2066}", "evil\\u202egpj.exe\\u2066", "evil\\u202egpj.exe\\u2066"),
            ("\u{2028}\u{200f}", "\\u2028\\u200f", "\\u2028\\u200f"),
        ] {
            assert_eq!(line(given), line_form);
            assert_eq!(text(given), text_form);
            assert_eq!(line(&line(given)), line_form, "escaping twice changes nothing");
        }
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(line("web-1"), Cow::Borrowed(_)));
    }
}
