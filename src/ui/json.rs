//! JSON that is safe to print: valid for every parser, and without any raw control or bidi character.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::escape;

/// On one line, without a newline at the end.
///
/// Fails only if `value` has a map whose keys are not strings; rc's own types have none.
pub(crate) fn compact(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(harmless)
}

/// On several lines, each level indented by two spaces, without a newline at the end.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    indented(value, b"  ")
}

/// On several lines, indented by five spaces, as podman's `inspect`.
pub(crate) fn inspect(value: &impl Serialize) -> Result<String, serde_json::Error> {
    indented(value, b"     ")
}

fn indented(value: &impl Serialize, indent: &[u8]) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(4096);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(indent)))?;
    Ok(harmless(String::from_utf8(bytes).map_err(serde::ser::Error::custom)?))
}

/// serde_json escapes only C0. The other characters of [`escape::is_hostile`] can be only inside a JSON string, where
/// `\uXXXX` means the same character.
fn harmless(text: String) -> String {
    let hostile = |c: char| c != '\n' && escape::is_hostile(c);
    if !text.contains(hostile) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len() + 16), |mut safe, c| {
        if hostile(c) {
            write!(safe, "\\u{:04x}", u32::from(c)).unwrap_or_default();
        } else {
            safe.push(c);
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_leaves_raw_is_escaped_and_reads_back_the_same() -> anyhow::Result<()> {
        let text = "esc \u{1b} del \u{7f} csi \u{9b} rlo \u{202e} \" \\ nl \n";
        let json = compact(&text)?;
        assert_eq!(json, r#""esc \u001b del \u007f csi \u009b rlo \u202e \" \\ nl \n""#);
        assert_eq!(crate::types::json::from_str::<String>(&json)?, text);
        assert_eq!(pretty(&vec![text])?, format!("[\n  {json}\n]"));
        assert_eq!(inspect(&vec![1])?, "[\n     1\n]");
        Ok(())
    }
}
