//! Asks before something is removed.

use crate::console::ask::{Echo, read_line};
use crate::error::Error;
use crate::ui;

/// Prints the warning and asks whether to continue; everything but `y` and `yes` is a no. Fails if there is no answer.
pub(super) fn confirm(warning: &[String]) -> Result<bool, Error> {
    let question = || {
        let mut out = ui::out();
        warning.iter().try_for_each(|line| out.raw(format!("{line}\n").as_bytes()))?;
        out.raw(b"Are you sure you want to continue? [y/N] ")?;
        Ok(out.finish()?)
    };
    let answer = read_line(Echo::Shown, question)?.ok_or_else(|| {
        Error::new("there is no answer on standard input").with_hint("to go on without a question: --force")
    })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
