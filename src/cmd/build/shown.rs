//! `rc build`: how it is shown.

use crate::console;
use crate::error::Error;
use crate::ui::{self, Stream, Style};

/// Options for what is shown.
#[derive(Debug, clap::Args)]
pub(super) struct ShownArgs {
    /// When a command fails, on a terminal: shell opens a shell in its step
    #[arg(long, value_name = "ACTION")]
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
        if self.on_error.is_some() && !(console::has_input() && ui::is_terminal(Stream::Out)) {
            return Err(Error::new("--on-error=shell needs a terminal"));
        }
        Ok(())
    }

    /// The style of the display.
    pub(super) fn style(&self) -> Style {
        match (self.quiet, self.progress) {
            (true, _) | (_, Progress::Quiet) => Style::Quiet,
            // A shell needs the terminal.
            (_, Progress::Auto | Progress::Tty) if self.on_error.is_some() => Style::Plain,
            (_, Progress::Auto) => Style::Auto.settled(),
            (_, Progress::Tty) => Style::Terminal,
            (_, Progress::Plain) => Style::Plain,
            (_, Progress::Rawjson) => Style::Raw,
        }
    }
}
