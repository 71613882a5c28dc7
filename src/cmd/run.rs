//! `rc run`.

use super::args::{ContainerArgs, PreserveArgs};
use super::create::{self, Made};
use super::{Ctx, leftovers};
use crate::container::{self, Attach, Environment, Origin, Outcome};
use crate::error::{Error, Exit};
use crate::ui;

/// Run a command in a new container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc run [OPTIONS] IMAGE [COMMAND [ARG...]]")]
pub(crate) struct Args {
    /// Proxy received signals to the process (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: Option<bool>,
    #[command(flatten)]
    preserve: PreserveArgs,
    #[command(flatten)]
    container: ContainerArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let environment = ctx.environment()?;
    let ended = start(ctx, &environment, args);
    leftovers::sweep_soon(ctx, &environment.store);
    ended
}

fn start(ctx: &Ctx, environment: &Environment, args: Args) -> Result<Exit, Error> {
    let is_quiet = args.container.is_quiet();
    let request = args.container.into_request(&ctx.typed)?;
    let Made { creation, lowers } = create::prepare(ctx, environment, &request, is_quiet)?;
    let stdin = creation.config.open_stdin;
    let (id, cidfile) = (creation.config.id.clone(), creation.config.cidfile.clone());
    let attach =
        if request.detach { Attach::No } else { Attach::Yes { stdin, proxy_signals: args.sig_proxy.unwrap_or(true) } };
    let written = cidfile.as_deref().map(|path| create::write_cidfile(path, &id)).transpose()?;
    let outcome = match container::start(environment, Origin::New(Box::new(creation)), lowers, &attach) {
        Err(error) => {
            if let Some(path) = written {
                // The container that it names is gone, or was never there.
                drop(crate::sys::fs::remove_file(path));
            }
            return Err(error.into());
        }
        Ok(outcome) => outcome,
    };
    if request.detach {
        let mut out = ui::out();
        out.line(id)?;
        out.finish()?;
    }
    exit_of(outcome)
}

/// The exit code of a command that was joined to a program.
pub(super) fn exit_of(outcome: Outcome) -> Result<Exit, Error> {
    match outcome {
        Outcome::Exited(code) => Ok(Exit::of_program(code)),
        Outcome::Detached => Ok(Exit::SUCCESS),
        // What SIGPIPE would have done to us.
        Outcome::OutputClosed => Err(Error::said(141)),
    }
}
