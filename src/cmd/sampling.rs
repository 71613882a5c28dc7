//! How `stats`, `pod stats` and `ps --watch` show again and again what containers use.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::container::{Container, Sample};
use crate::error::{Error, Exit};
use crate::types::{ContainerId, Report};
use crate::ui::{self, Output};

/// Clears a terminal and moves to its first line. Source: ECMA-48, ED and CUP.
pub(super) const CLEAR: &[u8] = b"\x1b[2J\x1b[1;1H";

/// When reports are shown, and where.
#[derive(Debug, clap::Args)]
pub(super) struct StreamArgs {
    /// Do not clear the screen between reports
    #[arg(long)]
    no_reset: bool,
    /// Print the first result and exit
    #[arg(long)]
    no_stream: bool,
}

/// Containers, and what those that run use.
pub(super) type Usage = Vec<(Container, Option<Sample>)>;

/// Shows a report of what `sample` returns every `interval` until the command is interrupted, or one report. `show`
/// gets the last samples, too.
pub(super) fn watch(
    args: &StreamArgs,
    interval: Duration,
    sample: impl Fn() -> Result<Usage, Report>,
    show: impl Fn(&mut Output, &Usage, &BTreeMap<ContainerId, Sample>) -> Result<(), Error>,
) -> Result<Exit, Error> {
    let clears = !args.no_stream && !args.no_reset && ui::is_screen(ui::Stream::Out);
    let mut before = BTreeMap::new();
    let mut out = ui::out();
    loop {
        let now = sample()?;
        if clears {
            out.raw(CLEAR)?;
        }
        show(&mut out, &now, &before)?;
        out.finish()?;
        if args.no_stream {
            return Ok(Exit::SUCCESS);
        }
        before = now.into_iter().filter_map(|(container, sample)| Some((container.config.id, sample?))).collect();
        std::thread::sleep(interval);
    }
}
