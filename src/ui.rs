//! Everything that is shown: the only module that prints.
//!
//! | what is printed | how it is made harmless |
//! | --- | --- |
//! | tables, errors, hints, progress | [`escape::line`]: every control and bidi character is shown, newline too |
//! | `--format TEMPLATE` | [`escape::text`]: the same, but newline and tab stay, since scripts ask for them |
//! | `--format json`, `inspect` | [`json`]: `\uXXXX`, also for what serde_json leaves alone (DEL, C1, bidi) |
//! | `logs`, `attach`, `exec`, `run` | not at all: [`Output::raw`] |
//!
//! Nothing here looks at the world except for the clock, the terminal's kind and the two standard streams.

pub(crate) mod escape;
pub(crate) mod format;
pub(crate) mod json;
mod output;
pub(crate) mod progress;
mod report;
mod table;

pub(crate) use format::Format;
pub(crate) use output::{BrokenOutput, Output, Stream, err, is_terminal, out, streams_are_one};
pub(crate) use report::{error, warning};
pub(crate) use table::Table;
