//! `rc run`.

use super::Ctx;
use super::args::RunArgs;
use super::explanation::explain;
use super::observer::Screen;
use super::outcome::exit_of;
use crate::console::{self, Console};
use crate::engine::{self, RemoveImages, Run};
use crate::error::{Error, Exit};
use crate::types::ReportKind;
use crate::{plan, ui};

/// Run a command in a new container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc run [OPTIONS] IMAGE [COMMAND [ARG...]]")]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    if let Some(how) = args.run.explain() {
        return explain(ctx, &args.run.into_request(&ctx.typed)?, how);
    }
    let started = start(ctx, args);
    // While the program runs: its user does not wait for it.
    engine::sweep_soon(&ctx.engine);
    let Followed { console, run: Run { id, started }, muted, detach, removed_image } = started?;
    // A monitor that was killed leaves its container.
    let outcome = console.follow_muted(started, &muted).inspect_err(|_| engine::sweep_soon(&ctx.engine))?;
    if let Some(image) = removed_image {
        remove_image(ctx, image);
    }
    if detach {
        let mut out = ui::out();
        out.line(id)?;
        out.finish()?;
    }
    exit_of(outcome)
}

/// A program that runs, and the terminal that follows it.
struct Followed {
    console: Console,
    run: Run,
    /// The descriptors to which its output does not go.
    muted: Vec<i32>,
    detach: bool,
    /// The image that goes with the container.
    removed_image: Option<String>,
}

fn start(ctx: &Ctx, args: Args) -> Result<Followed, Error> {
    let mut screen = Screen::for_pull(args.run.is_quiet());
    let removes_image = args.run.removes_image();
    let request = args.run.into_request(&ctx.typed)?;
    if request.interactive && request.tty && !request.detach {
        console::check_input()?;
    }
    let console = Console::of(!request.detach, request.sig_proxy);
    let attached = plan::attached(&request)?;
    let mut front_end = console.front_end(attached.stdin);
    let muted = attached.muted();
    for number in &muted {
        // The log driver `passthrough` does not hand it over, either.
        front_end.leave_out(*number);
    }
    let run = engine::run(&ctx.engine, ctx.caller()?, &request, front_end, &mut screen)?;
    let removed_image = removes_image.then_some(request.image);
    Ok(Followed { console, run, muted, detach: request.detach, removed_image })
}

/// Removes the image, unless a container uses it.
fn remove_image(ctx: &Ctx, image: String) {
    let request = RemoveImages { names: vec![image], ignore: true, ..RemoveImages::default() };
    let failures = match engine::remove_images(&ctx.engine, &request) {
        Ok((_, failures)) => failures,
        Err(report) => vec![report],
    };
    for report in failures.iter().filter(|report| report.kind != ReportKind::InUse) {
        ui::warning(&report.message);
    }
}
