//! `rc export`.

use std::io::Write;
use std::path::PathBuf;

use super::Ctx;
use crate::engine::{self, LeftOut};
use crate::error::{Error, Exit};
use crate::image;
use crate::sys::replacement::Output;
use crate::ui;

/// Export a container's files as a tar archive
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write to the file (default: standard output, which must not be a terminal)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Its name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command. The file gets its name when it is complete: until then, and on failure, the old file stays.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let left_out = match &args.output {
        None if ui::is_terminal(ui::Stream::Out) => return Err(image::Error::Terminal.into()),
        None => export(ctx, args, std::io::stdout())?,
        Some(path) => {
            // Before rc waits for the reader of a FIFO.
            engine::find(&ctx.engine, &args.container)?;
            let mut output = Output::open(path, 0o666)?;
            let left_out = export(ctx, args, &mut output)?;
            output.finish()?;
            left_out
        }
    };
    if left_out.special > 0 {
        ui::warning(format_args!("{} sockets and device files were left out", left_out.special));
    }
    Ok(Exit::SUCCESS)
}

fn export(ctx: &Ctx, args: &Args, out: impl Write) -> Result<LeftOut, Error> {
    let exported = engine::export(&ctx.engine, &args.container, out);
    engine::sweep_soon(&ctx.engine);
    Ok(exported?)
}
