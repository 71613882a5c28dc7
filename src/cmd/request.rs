//! `rc request`: a start that another program asks for, as data. No help and no manual shows it: programs that have
//! threads, or are no command line (a builder, an API, units, health checks), start containers by it.
//!
//! ```text
//! descriptors 0–2  the container's
//!             3    an Asked, as JSON, until its end: read before anything else
//!             4    if it is open: Told, as JSON, one in a line; else the id goes to 1 if nobody waits, and a failure to 2
//!             …    those that the request names; every other one is closed
//! ```
//! Relative paths start at the working directory. The exit code is that of `run` and `create`. rc closes 4 before it
//! sweeps leftovers.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::args::{self, ContainerArgs, RunArgs};
use super::outcome::exit_of;
use crate::console::{Console, Outcome};
use crate::engine::{self, Observer, Run};
use crate::error::{Error, Exit};
use crate::image::progress::{Outcome as LayerOutcome, Progress, Silent};
use crate::plan::Request;
use crate::sys::inherited;
use crate::types::{ContainerId, Digest, ImageReference, Report, ReportKind, json};
use crate::ui;

/// Where the request is read from.
const ASKED: i32 = 3;

/// Where it is told how it goes.
const TOLD: i32 = 4;

/// Start a container from a request
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print what a command line of `run` or `create` asks for, and do nothing
    #[arg(long)]
    print: bool,
    /// The command line, from the name of the command on
    #[arg(value_name = "WORDS", requires = "print", num_args = 0.., last = true)]
    words: Vec<String>,
}

/// What is asked.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    action: Action,
    request: Request,
}

/// What becomes of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// It is made and started.
    Run,
    /// It is made.
    Create,
}

/// What is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
enum Told<'a> {
    /// A part of the request has no effect.
    Warning { text: &'a str },
    /// The image is fetched.
    Pulling { reference: String },
    /// A layer of so many bytes begins to arrive.
    Layer { digest: &'a Digest, size: u64 },
    /// A layer is there.
    LayerDone { digest: &'a Digest, fetched: bool },
    /// The container was made.
    Created { id: &'a ContainerId },
    /// Its program runs, and nobody waits for it.
    Started { id: &'a ContainerId },
    /// Its program has ended.
    Ended { id: &'a ContainerId, code: i32 },
    /// Its program runs, and the caller has left it.
    Left { id: &'a ContainerId },
    /// The container could not be created or started.
    Failed { report: &'a Report },
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.print {
        return print(&args.words);
    }
    let asked = read()?;
    let (descriptors, channel) = args::keep_asked(&asked.request.descriptors, TOLD)?;
    let channel = Channel(channel.map(Arc::new));
    {
        let mut manager = ctx.manager.borrow_mut();
        manager.descriptors = descriptors;
        manager.own.extend(channel.0.clone());
    }
    let ended = start(ctx, asked, &channel).map_err(|report| channel.failed(report));
    drop(channel);
    engine::sweep_soon(&ctx.engine);
    exit_of(ended?)
}

fn start(ctx: &Ctx, Asked { action, mut request }: Asked, channel: &Channel) -> Result<Outcome, Report> {
    let mut observer = channel.clone();
    match action {
        Action::Create => {
            // Nobody waits at its output now.
            request.detach = true;
            let id = engine::create(&ctx.engine, ctx.caller()?, &request, &mut observer)?;
            channel.tell(&Told::Created { id: &id });
            channel.print(&id)?;
            Ok(Outcome::Detached)
        }
        Action::Run => {
            let console = Console::of(!request.detach, request.sig_proxy);
            let front_end = console.front_end(true);
            let Run { id, started } = engine::run(&ctx.engine, ctx.caller()?, &request, front_end, &mut observer)?;
            let outcome = console.follow(started)?;
            channel.tell(&match outcome {
                Outcome::Exited(code) => Told::Ended { id: &id, code },
                Outcome::Detached if request.detach => Told::Started { id: &id },
                Outcome::Detached | Outcome::OutputClosed => Told::Left { id: &id },
            });
            if request.detach {
                channel.print(&id)?;
            }
            Ok(outcome)
        }
    }
}

/// Reads what is asked.
fn read() -> Result<Asked, Report> {
    let invalid = |reason: String| Report::new(ReportKind::Invalid, format!("cannot read a request: {reason}"));
    let source = inherited::take(ASKED).ok_or_else(|| invalid(format!("descriptor {ASKED} is not open")))?;
    let mut document = Vec::new();
    let most = u64::try_from(json::SIZE).unwrap_or(u64::MAX).saturating_add(1);
    File::from(source).take(most).read_to_end(&mut document).map_err(|error| invalid(error.to_string()))?;
    json::from_slice(&document).map_err(|error| invalid(error.to_string()))
}

/// Where rc tells how it goes, if anywhere. A reader that closes its end stops nothing.
#[derive(Debug, Clone)]
struct Channel(Option<Arc<OwnedFd>>);

impl Channel {
    fn tell(&self, told: &Told<'_>) {
        let Some(channel) = &self.0 else { return };
        let Ok(mut line) = serde_json::to_vec(told) else { return };
        line.push(b'\n');
        // One write, so that the lines of several threads do not mix.
        if let Ok(copy) = channel.try_clone() {
            drop(File::from(copy).write_all(&line));
        }
    }

    /// Prints the id, unless it was told.
    fn print(&self, id: &ContainerId) -> Result<(), Report> {
        if self.0.is_some() {
            return Ok(());
        }
        let mut out = ui::out();
        out.line(id)?;
        Ok(out.finish()?)
    }

    /// The error to end with.
    fn failed(&self, report: Report) -> Error {
        self.tell(&Told::Failed { report: &report });
        let error = Error::from(report);
        if self.0.is_some() { Error::said(error.code) } else { error }
    }
}

impl Observer for Channel {
    fn warning(&mut self, text: &str) {
        match self.0 {
            Some(_) => self.tell(&Told::Warning { text }),
            None => ui::warning(text),
        }
    }

    fn pull_progress(&self) -> Box<dyn Progress> {
        if self.0.is_some() { Box::new(self.clone()) } else { Box::new(Silent) }
    }
}

impl Progress for Channel {
    fn start(&self, reference: &ImageReference) {
        self.tell(&Told::Pulling { reference: reference.to_string() });
    }

    fn begin(&self, layer: &Digest, size: u64) {
        self.tell(&Told::Layer { digest: layer, size });
    }

    fn advance(&self, _: &Digest, _: u64) {}

    fn finish(&self, layer: &Digest, outcome: LayerOutcome) {
        self.tell(&Told::LayerDone { digest: layer, fetched: outcome == LayerOutcome::Fetched });
    }
}

/// Prints what a command line of `run` or `create` asks for.
fn print(words: &[String]) -> Result<Exit, Error> {
    let typed: Vec<String> = std::iter::once("rc".to_owned()).chain(words.iter().cloned()).collect();
    let asked = match words.first().map(String::as_str) {
        Some("run") => Asked { action: Action::Run, request: parsed::<RunArgs>(words)?.into_request(&typed)? },
        Some("create") => {
            Asked { action: Action::Create, request: parsed::<ContainerArgs>(words)?.into_request(&typed)? }
        }
        _ => return Err(Report::new(ReportKind::Invalid, "only `run` and `create` ask for a container").into()),
    };
    let mut out = ui::out();
    out.line(serde_json::to_string(&asked).map_err(|error| Report::new(ReportKind::Internal, error.to_string()))?)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

fn parsed<T: clap::Args>(words: &[String]) -> Result<T, Report> {
    let command = clap::Command::new("rc").disable_help_flag(true);
    let matches = args::with_values(T::augment_args(command)).try_get_matches_from(words);
    matches
        .and_then(|matches| T::from_arg_matches(&matches))
        .map_err(|error| Report::new(ReportKind::Invalid, error.to_string().trim_end().to_owned()))
}
