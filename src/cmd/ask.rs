//! Asks before something is removed.

use std::io::{BufRead as _, Read as _};

use crate::error::Error;
use crate::sys::fs::AtPath as _;
use crate::types::Report;
use crate::ui;

/// The longest answer that is read, in bytes.
const LIMIT: u64 = 1024;

/// Prints the warning and asks whether to continue; everything but `y` and `yes` is a no. Fails if there is no answer.
pub(super) fn confirm(warning: &[String]) -> Result<bool, Error> {
    let mut out = ui::out();
    warning.iter().try_for_each(|line| out.raw(format!("{line}\n").as_bytes()))?;
    out.raw(b"Are you sure you want to continue? [y/N] ")?;
    out.finish()?;
    let mut answer = String::new();
    let input = std::io::stdin().lock();
    input.take(LIMIT).read_line(&mut answer).at("read", "standard input").map_err(Report::from)?;
    if !answer.ends_with('\n') {
        return Err(
            Error::new("there is no answer on standard input").with_hint("to go on without a question: --force")
        );
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
