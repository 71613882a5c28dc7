//! `rc build`: how it is shown.

use std::path::PathBuf;

use super::logged::Logged;
use crate::console;
use crate::error::Error;
use crate::registry::Platform;
use crate::sys::fs::PathError;
use crate::ui::{self, Stream, Style};

/// Options for what is shown.
#[derive(Debug, clap::Args)]
pub(super) struct ShownArgs {
    /// Write what is shown to this file
    #[arg(long, value_name = "FILE")]
    logfile: Option<PathBuf>,
    /// Write the log of each platform to a file of its own: FILE_OS_ARCH
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    logsplit: Option<bool>,
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
        if self.is_split() && self.logfile.is_none() {
            return Err(Error::new("--logsplit needs a file").with_hint("name it: --logfile FILE"));
        }
        Ok(())
    }

    fn is_split(&self) -> bool {
        self.logsplit == Some(true)
    }

    /// Makes what is shown go to a file, as long as the result lives, if that was asked for.
    pub(super) fn log(&self) -> Result<Option<Logged>, PathError> {
        self.logfile.as_deref().filter(|_| !self.is_split()).map(Logged::to).transpose()
    }

    /// The same for what is shown of one platform of `all`, if each has a file of its own.
    pub(super) fn log_of(&self, platform: Option<&Platform>, all: &[Platform]) -> Result<Option<Logged>, PathError> {
        let Some(file) = self.logfile.as_deref().filter(|_| self.is_split()) else { return Ok(None) };
        let host = Platform::host();
        let of = platform.unwrap_or(&host);
        let is_alike = |other: &&Platform| (&other.os, &other.architecture) == (&of.os, &of.architecture);
        let mut name = file.as_os_str().to_owned();
        name.push(format!("_{}_{}", of.os, of.architecture));
        // As with podman the variant is no part of the name, unless the logs of two would be one file.
        if let Some(variant) = of.variant.as_ref().filter(|_| all.iter().filter(is_alike).count() > 1) {
            name.push(format!("_{variant}"));
        }
        Logged::to(name.as_ref()).map(Some)
    }

    /// The style of the display; steps may read from the terminal if the build `is_interactive`.
    pub(super) fn style(&self, is_interactive: bool) -> Style {
        match (self.quiet, self.progress) {
            (true, _) | (_, Progress::Quiet) => Style::Quiet,
            // A shell, or a step that reads from it, needs the terminal.
            (_, Progress::Auto | Progress::Tty) if is_interactive || self.on_error == Some(OnError::Shell) => {
                Style::Plain
            }
            (_, Progress::Auto) => Style::Auto.settled(),
            (_, Progress::Tty) => Style::Terminal,
            (_, Progress::Plain) => Style::Plain,
            (_, Progress::Rawjson) => Style::Raw,
        }
    }
}
