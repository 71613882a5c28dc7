//! JSON that comes from outside, whose depth and size are bounded before it is parsed.
//!
//! serde_json bounds the depth of what it builds (128 levels), but not of what it skips: a value of a field that no
//! type names is passed over by a loop without a limit (serde_json, `Deserializer::ignore_value`). So such a document
//! would be accepted, stored, and passed to programs that recurse. All parsing goes through here; `clippy.toml` bans
//! the other ways.
#![expect(clippy::disallowed_methods, reason = "this module is what the ban on serde_json's own functions points to")]

use serde::Deserialize;
use serde::de::Error as _;

/// How deep arrays and objects may be nested: several times what the specifications need.
pub(crate) const DEPTH: usize = 64;

/// The most bytes of one document. Most readers have a lower limit of their own, which keeps them from reading more.
pub(crate) const SIZE: usize = 16 << 20;

/// Parses a document of at most [`SIZE`] bytes that is nested at most [`DEPTH`] levels deep.
pub(crate) fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    check(bytes)?;
    serde_json::from_slice(bytes)
}

/// As [`from_slice`], for text.
pub(crate) fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    check(text.as_bytes())?;
    serde_json::from_str(text)
}

fn check(bytes: &[u8]) -> Result<(), serde_json::Error> {
    if bytes.len() > SIZE {
        return Err(serde_json::Error::custom(format_args!("the document has more than {SIZE} bytes")));
    }
    if is_too_deep(bytes) {
        return Err(serde_json::Error::custom(format_args!("the document is nested more than {DEPTH} levels deep")));
    }
    Ok(())
}

/// Counts brackets outside of strings, in one pass. Up to the first mistake in the document this sees what the parser
/// sees; what comes after it the parser does not look at.
fn is_too_deep(bytes: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut rest),
            _ => {}
        }
    }
    false
}

/// Goes on behind the closing quotation mark.
fn skip_string(rest: &mut std::slice::Iter<'_, u8>) {
    // The faster search for long texts first asks the CPU what it can do, which takes a virtual machine 0.1 ms.
    let either = memchr::arch::all::memchr::Two::new(b'"', b'\\');
    while let Some(end) = either.find(rest.as_slice()) {
        if rest.nth(end) == Some(&b'"') {
            return;
        }
        // The first byte after a backslash never ends the string.
        rest.next();
    }
    *rest = [].iter();
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
    struct Known {
        #[serde(default)]
        name: String,
    }

    fn nested(depth: usize) -> String {
        format!(r#"{{"unknown":{}{},"name":"x"}}"#, "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn depth_is_bounded_in_fields_that_no_type_names() {
        assert_eq!(from_str::<Known>(&nested(DEPTH - 1)).map(|known| known.name).ok().as_deref(), Some("x"));
        for depth in [DEPTH, 200_000] {
            for document in [nested(depth), nested(depth).replace('[', r#"[{"a":"#).replace(']', "}]")] {
                let error = from_slice::<Known>(document.as_bytes()).map_err(|error| error.to_string());
                assert_eq!(error, Err("the document is nested more than 64 levels deep".to_owned()), "{depth}");
            }
        }
        // The parser alone would have taken it.
        #[expect(clippy::disallowed_methods, reason = "what the bound is for")]
        let unbounded = serde_json::from_str::<Known>(&nested(200_000));
        assert!(unbounded.is_ok());
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        let brackets = "[{".repeat(1000);
        for text in [
            format!(r#""{brackets}""#),
            format!(r#""\"{brackets}""#),
            format!(r#""\\\"{brackets}\\""#),
            format!(r#"["\\","{brackets}"]"#),
            format!(r#"{{"{brackets}":["\u005b{brackets}\""]}}"#),
        ] {
            assert!(from_str::<Value>(&text).is_ok(), "{text}");
        }
        // The string ends before the brackets.
        let text = format!(r#"["\\",{}]"#, "[".repeat(DEPTH));
        assert!(from_str::<Value>(&text).is_err_and(|error| error.to_string().contains("levels deep")));
        // Strings without an end, and closing brackets without an opening one, are the parser's to refuse.
        for text in ["\"", "\"\\", "]]]]", "]}[\"", ""] {
            assert!(from_str::<Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn size_is_bounded() {
        let text = format!("\"{}\"", "x".repeat(SIZE));
        let error = from_str::<String>(&text).map_err(|error| error.to_string());
        assert_eq!(error, Err("the document has more than 16777216 bytes".to_owned()));
    }
}
