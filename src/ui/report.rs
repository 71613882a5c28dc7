//! Messages on standard error: one escaped line each. They never fail, since rc could not report that.

use std::fmt::Display;

use super::escape;
use super::output;

/// Prints `rc: MESSAGE`, and `hint: HINT` if there is one.
pub(crate) fn error(message: impl Display, hint: Option<&str>) {
    let mut text = prefixed("rc: ", &message.to_string());
    if let Some(hint) = hint {
        text.push_str(&prefixed("hint: ", hint));
    }
    print(&text);
}

/// Prints `rc: warning: MESSAGE`: rc continues, but ignores a part of the request.
pub(crate) fn warning(message: impl Display) {
    print(&prefixed("rc: warning: ", &message.to_string()));
}

/// Prints a line of progress or advice, escaped.
pub(crate) fn note(message: impl Display) {
    print(&prefixed("", &message.to_string()));
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
}
