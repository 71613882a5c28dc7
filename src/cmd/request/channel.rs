use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::Serialize;

use crate::engine::Observer;
use crate::error::Error;
use crate::image::progress::{Outcome, Progress, Silent};
use crate::types::{ContainerId, Digest, ImageReference, Report};
use crate::ui;

/// The descriptor that rc writes events to.
pub(super) const CHANNEL: i32 = 4;

/// What rc reports to the program that asks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub(super) enum Event<'a> {
    /// A part of the request has no effect.
    Warning { text: &'a str },
    /// The pull of the image starts.
    Pulling { reference: String },
    /// The pull of a layer of so many bytes starts.
    Layer { digest: &'a Digest, size: u64 },
    /// A layer is complete; it was downloaded if `fetched`.
    LayerDone { digest: &'a Digest, fetched: bool },
    /// The container was created, and is not to be started.
    Created { id: &'a ContainerId },
    /// The program runs. For a detached container this is the last event, unless the program exits before the service
    /// manager accepts the monitor as the main process of the unit.
    Started { id: &'a ContainerId },
    /// The program has exited.
    Ended { id: &'a ContainerId, code: i32 },
    /// The caller has left the program, which continues.
    Left { id: &'a ContainerId },
    /// The container could not be created or started, or rc has lost it.
    Failed { report: &'a Report },
}

/// Takes events to the program that asks, if it wants them. A reader that closes its end stops nothing.
#[derive(Debug, Clone)]
pub(super) struct Channel(Option<Arc<OwnedFd>>);

impl Channel {
    /// Writes events to `descriptor`, or nowhere.
    pub(super) fn new(descriptor: Option<Arc<OwnedFd>>) -> Self {
        Self(descriptor)
    }

    /// The descriptor, if there is one.
    pub(super) fn descriptor(&self) -> Option<Arc<OwnedFd>> {
        self.0.clone()
    }

    /// Writes an event.
    pub(super) fn tell(&self, event: &Event<'_>) {
        let Some(channel) = &self.0 else { return };
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        // One write, so that the lines of several threads do not mix.
        if let Ok(copy) = channel.try_clone() {
            drop(File::from(copy).write_all(&line));
        }
    }

    /// Prints the ID, unless an event has it.
    pub(super) fn print(&self, id: &ContainerId) -> Result<(), Report> {
        if self.0.is_some() {
            return Ok(());
        }
        let mut out = ui::out();
        out.line(id)?;
        Ok(out.finish()?)
    }

    /// The error to end with.
    pub(super) fn failed(&self, report: Report) -> Error {
        self.tell(&Event::Failed { report: &report });
        let error = Error::from(report);
        if self.0.is_some() { error.into_said() } else { error }
    }
}

impl Observer for Channel {
    fn warning(&mut self, text: &str) {
        match self.0 {
            Some(_) => self.tell(&Event::Warning { text }),
            None => ui::warning(text),
        }
    }

    fn pull_progress(&self) -> Box<dyn Progress> {
        if self.0.is_some() { Box::new(self.clone()) } else { Box::new(Silent) }
    }
}

impl Progress for Channel {
    fn start(&self, reference: &ImageReference) {
        self.tell(&Event::Pulling { reference: reference.to_string() });
    }

    fn begin(&self, layer: &Digest, size: u64) {
        self.tell(&Event::Layer { digest: layer, size });
    }

    fn advance(&self, _: &Digest, _: u64) {}

    fn finish(&self, layer: &Digest, outcome: Outcome) {
        self.tell(&Event::LayerDone { digest: layer, fetched: outcome == Outcome::Fetched });
    }
}
