//! Output to the user: the only module that prints.
//!
//! | output | how it is made harmless |
//! | --- | --- |
//! | tables, errors, hints, progress | [`escape::line`]: control and bidi characters become visible, also newline |
//! | `--format TEMPLATE` | [`escape::text`]: the same, but newline and tab stay, since scripts ask for them |
//! | `--format json`, `inspect` | [`json`]: `\uXXXX`, also for characters that serde_json leaves (DEL, C1, bidi) |
//! | `logs`, `attach`, `exec`, `run` | not at all: [`Output::raw`] |
//!
//! Nothing here depends on anything outside but the clock, the kind of terminal and the two standard streams.

mod build;
pub(crate) mod escape;
pub(crate) mod format;
pub(crate) mod json;
mod output;
pub(crate) mod progress;
mod report;
mod table;

pub(crate) use build::{BuildScreen, StepLabel, Style};
pub(crate) use format::Format;
pub(crate) use output::{BrokenOutput, Output, Stream, err, is_screen, is_terminal, out, streams_are_one};
pub(crate) use report::{Loudness, Notation, error, note, speak, warning};
pub(crate) use table::Table;
