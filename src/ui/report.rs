//! Messages on standard error: one escaped line each, or one JSON object a line. They never fail, since rc could not
//! report that.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use super::escape;
use super::json as writing;
use super::output;
use crate::types::ReportKind;

/// The version of the JSON objects: a key may be added without a new one.
const VERSION: u32 = 1;

/// Whether messages are JSON, and whether warnings are left out. Set once, before rc prints anything.
static IS_JSON: AtomicBool = AtomicBool::new(false);
static ONLY_ERRORS: AtomicBool = AtomicBool::new(false);

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// As lines for people.
    Text,
    /// As JSON objects.
    Json,
}

/// Which messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loudness {
    /// Errors and warnings.
    Warnings,
    /// Errors alone.
    Errors,
}

/// Says how the messages of this process are written, and which.
pub(crate) fn speak(notation: Notation, loudness: Loudness) {
    IS_JSON.store(notation == Notation::Json, Ordering::Relaxed);
    ONLY_ERRORS.store(loudness == Loudness::Errors, Ordering::Relaxed);
}

/// Prints `rc: MESSAGE`, and `hint: HINT` if there is one.
pub(crate) fn error(message: impl Display, hint: Option<&str>, kind: Option<ReportKind>) {
    let message = message.to_string();
    if IS_JSON.load(Ordering::Relaxed) {
        return print(&object("error", &message, hint, kind));
    }
    let mut text = prefixed("rc: ", &message);
    if let Some(hint) = hint {
        text.push_str(&prefixed("hint: ", hint));
    }
    print(&text);
}

/// Prints `rc: warning: MESSAGE`: rc continues, but ignores a part of the request.
pub(crate) fn warning(message: impl Display) {
    if ONLY_ERRORS.load(Ordering::Relaxed) {
        return;
    }
    if IS_JSON.load(Ordering::Relaxed) {
        return print(&object("warning", &message.to_string(), None, None));
    }
    print(&prefixed("rc: warning: ", &message.to_string()));
}

/// Prints a line of progress or advice, escaped.
pub(crate) fn note(message: impl Display) {
    if IS_JSON.load(Ordering::Relaxed) {
        return print(&object("note", &message.to_string(), None, None));
    }
    print(&prefixed("", &message.to_string()));
}

/// A message as JSON, on one line. The kind is a word, or an object of a word and what it is about.
fn object(level: &str, message: &str, hint: Option<&str>, kind: Option<ReportKind>) -> String {
    let mut object = Map::new();
    object.insert("version".to_owned(), VERSION.into());
    object.insert("level".to_owned(), level.into());
    object.insert("message".to_owned(), message.into());
    if let Some(hint) = hint {
        object.insert("hint".to_owned(), hint.into());
    }
    if let Some(kind) = kind {
        object.insert("kind".to_owned(), json!(kind));
    }
    writing::compact(&Value::Object(object)).unwrap_or_default() + "\n"
}

fn prefixed(prefix: &str, message: &str) -> String {
    format!("{prefix}{}\n", escape::line(message))
}

fn print(text: &str) {
    // One write, so that the messages of parallel processes do not mix.
    let mut err = output::err();
    err.raw(text.as_bytes()).and_then(|()| err.finish()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_harmless_line() {
        assert_eq!(
            prefixed("rc: ", "no such image: \u{1b}[2Jx\nrc: all is well"),
            "rc: no such image: \\x1b[2Jx\\nrc: all is well\n"
        );
    }

    #[test]
    fn as_json_a_report_is_an_object_on_one_line() {
        let kind = Some(ReportKind::NotFound(crate::types::Thing::Image));
        assert_eq!(
            object("error", "no such image: \u{1b}x\n", Some("pull it"), kind),
            "{\"version\":1,\"level\":\"error\",\"message\":\"no such image: \\u001bx\\n\",\"hint\":\"pull it\",\
             \"kind\":{\"not-found\":\"image\"}}\n"
        );
        assert_eq!(object("note", "x", None, None), "{\"version\":1,\"level\":\"note\",\"message\":\"x\"}\n");
    }
}
