//! What the user answers, or what standard input has.

use std::io::Read as _;

use crate::console::ask::{self, Echo};
use crate::error::Error;
use crate::ui;

/// The most that is read as a password, in bytes.
const LONGEST: u64 = 64 << 10;

/// Asks for the user's name; an empty answer is the known one.
pub(super) fn ask_for_user(known: Option<&str>) -> Result<String, Error> {
    let question = known.map_or_else(|| "Username: ".to_owned(), |known| format!("Username ({known}): "));
    let answer = prompt(&question, Echo::Shown)?;
    let answer = answer.trim();
    Ok(if answer.is_empty() { known.unwrap_or_default().to_owned() } else { answer.to_owned() })
}

/// Asks a question, and reads the answer.
pub(super) fn prompt(question: &str, echo: Echo) -> Result<String, Error> {
    let ask = || {
        let mut out = ui::out();
        out.raw(ui::escape::line(question).as_bytes())?;
        Ok(out.finish()?)
    };
    Ok(ask::read_line(echo, ask)?.unwrap_or_default())
}

/// The password on standard input, without the end of its line.
pub(super) fn piped() -> Result<String, Error> {
    let mut text = String::new();
    std::io::stdin().take(LONGEST).read_to_string(&mut text).map_err(|error| {
        Error::new(format!("cannot read the password from standard input: {}", crate::sys::fs::plain(&error)))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
