//! `rc build`: how it is shown.

use std::path::PathBuf;

use super::logged::Logged;
use crate::console;
use crate::error::Error;
use crate::sys::fs::PathError;
use crate::ui::{self, Stream, Style};

/// Options for what is shown.
#[derive(Debug, clap::Args)]
pub(super) struct ShownArgs {
    /// Write what is shown to this file
    #[arg(long, value_name = "FILE")]
    logfile: Option<PathBuf>,
    /// When a command fails: shell opens a shell in its step, keep starts a container with its files
    #[arg(long, value_name = "ACTION", hide_possible_values = true)]
    pub(super) on_error: Option<OnError>,
    /// Show the build as auto, tty, plain, rawjson or quiet
    #[arg(long, value_name = "STYLE", default_value = "auto", hide_default_value = true, hide_possible_values = true)]
    progress: Progress,
    /// Print nothing but the image ID
    #[arg(short, long)]
    quiet: bool,
}

/// What happens when a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OnError {
    /// A shell opens in its step.
    Shell,
    /// A container has its files.
    Keep,
}

/// How a build is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Progress {
    /// As it fits standard error.
    Auto,
    /// By a display that moves.
    Tty,
    /// By plain lines.
    Plain,
    /// As BuildKit's status, in JSON.
    Rawjson,
    /// Not at all.
    Quiet,
}

impl ShownArgs {
    /// Fails if a shell is to be opened and there is no terminal for it.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.on_error == Some(OnError::Shell) && !(console::has_input() && ui::is_terminal(Stream::Out)) {
            return Err(Error::new("--on-error=shell needs a terminal"));
        }
        Ok(())
    }

    /// Makes what is shown go to a file, as long as the result lives, if that was asked for.
    pub(super) fn log(&self) -> Result<Option<Logged>, PathError> {
        self.logfile.as_deref().map(Logged::to).transpose()
    }

    /// The style of the display.
    pub(super) fn style(&self) -> Style {
        match (self.quiet, self.progress) {
            (true, _) | (_, Progress::Quiet) => Style::Quiet,
            // A shell needs the terminal.
            (_, Progress::Auto | Progress::Tty) if self.on_error == Some(OnError::Shell) => Style::Plain,
            (_, Progress::Auto) => Style::Auto.settled(),
            (_, Progress::Tty) => Style::Terminal,
            (_, Progress::Plain) => Style::Plain,
            (_, Progress::Rawjson) => Style::Raw,
        }
    }
}
