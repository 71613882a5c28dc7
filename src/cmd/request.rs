//! `rc request`: starts a container for another program, from a request that is data. No help and no manual shows it.
//! It is for programs that have threads, or are not a command line: a builder, an API, units, health checks.
//!
//! ```text
//! descriptors 0–2  the container's
//!             3    a Document, as JSON, to its end; rc reads it before anything else
//!             4    if it is open: an Event a line, as JSON. Otherwise rc prints the ID of a detached or created
//!                  container on 1, and a failure on 2
//!             …    those that the request names; rc closes all others
//! ```
//! Relative paths start at the working directory. The exit code is that of `run` and `create`. rc closes 4 before it
//! sweeps leftovers.

mod channel;
mod document;

use std::sync::Arc;

use self::channel::{CHANNEL, Channel, Event};
use self::document::{Action, Document};
use super::outcome::exit_of;
use super::{Ctx, args};
use crate::console::{Console, Outcome};
use crate::engine::{self, Run};
use crate::error::{Error, Exit};
use crate::types::Report;
use crate::{plan, ui};

/// Start a container from a request
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the request of a command line of `run` or `create`, and do nothing
    #[arg(long)]
    print: bool,
    /// The command line, from the name of the command on
    #[arg(value_name = "WORDS", requires = "print", num_args = 0.., last = true)]
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.print {
        return print(&args.words);
    }
    let document = Document::read()?;
    let (descriptors, channel) = args::keep_requested(&document.request.descriptors, CHANNEL)?;
    let channel = Channel::new(channel.map(Arc::new));
    {
        let mut manager = ctx.manager.borrow_mut();
        manager.descriptors = descriptors;
        manager.own.extend(channel.descriptor());
    }
    let ended = start(ctx, document, &channel).map_err(|report| channel.failed(report));
    drop(channel);
    engine::sweep_soon(&ctx.engine);
    exit_of(ended?)
}

fn start(ctx: &Ctx, Document { action, mut request }: Document, channel: &Channel) -> Result<Outcome, Report> {
    let mut observer = channel.clone();
    match action {
        Action::Create => {
            // Nothing reads its output now.
            request.detach = true;
            let id = engine::create(&ctx.engine, ctx.caller()?, &request, &mut observer)?;
            channel.tell(&Event::Created { id: &id });
            channel.print(&id)?;
            Ok(Outcome::Detached)
        }
        Action::Run => {
            let console = Console::of(!request.detach, request.sig_proxy);
            let attached = plan::attached(&request)?;
            let mut front_end = console.front_end(attached.stdin);
            let muted = attached.muted();
            muted.iter().for_each(|number| front_end.leave_out(*number));
            let Run { id, started } = engine::run(&ctx.engine, ctx.caller()?, &request, front_end, &mut observer)?;
            channel.tell(&Event::Started { id: &id });
            let outcome = console.follow_muted(started, &muted)?;
            match outcome {
                Outcome::Exited(code) => channel.tell(&Event::Ended { id: &id, code }),
                Outcome::Detached if request.detach => {}
                Outcome::Detached | Outcome::OutputClosed => channel.tell(&Event::Left { id: &id }),
            }
            if request.detach {
                channel.print(&id)?;
            }
            Ok(outcome)
        }
    }
}

/// Prints the document of a command line of `run` or `create`.
fn print(words: &[String]) -> Result<Exit, Error> {
    let mut out = ui::out();
    out.line(Document::of_line(words)?.to_json()?)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
