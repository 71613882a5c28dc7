//! What goes to standard error: one line each, escaped; never an error of its own, since there is nobody left to tell.

use std::fmt::Display;

use super::escape;
use super::output;

/// Prints `rc: MESSAGE`, and `hint: HINT` if something can be done.
pub(crate) fn error(message: impl Display, hint: Option<&str>) {
    let mut text = prefixed("rc: ", &message.to_string());
    if let Some(hint) = hint {
        text.push_str(&prefixed("hint: ", hint));
    }
    print(&text);
}

/// Prints `rc: warning: MESSAGE`: rc goes on, but not quite as asked.
pub(crate) fn warning(message: impl Display) {
    print(&prefixed("rc: warning: ", &message.to_string()));
}

/// Prints a line of progress or advice as it is, escaped.
pub(crate) fn note(message: impl Display) {
    print(&prefixed("", &message.to_string()));
}

fn prefixed(prefix: &str, message: &str) -> String {
    format!("{prefix}{}\n", escape::line(message))
}

fn print(text: &str) {
    // The whole report is one write, so that reports of parallel processes do not mix.
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
