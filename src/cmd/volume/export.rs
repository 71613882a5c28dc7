//! `rc volume export`.

use std::path::PathBuf;

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::image;
use crate::sys::replacement::Output;
use crate::ui;

/// Export the contents of a volume as a tar archive
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write to the file (default: standard output, which must not be a terminal)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The volume's name
    #[arg(value_name = "VOLUME")]
    name: String,
}

/// Runs the command. The file gets its name when it is complete: until then, and on failure, the old file stays.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let left_out = match &args.output {
        None if ui::is_terminal(ui::Stream::Out) => return Err(image::Error::Terminal.into()),
        None => engine::export_volume(&ctx.engine, &args.name, std::io::stdout())?,
        Some(path) => {
            engine::volume(&ctx.engine, &args.name)?;
            let mut output = Output::open(path, 0o666)?;
            let left_out = engine::export_volume(&ctx.engine, &args.name, &mut output)?;
            output.finish()?;
            left_out
        }
    };
    if left_out.special > 0 {
        ui::warning(format_args!("{} sockets and device files were left out", left_out.special));
    }
    Ok(Exit::SUCCESS)
}
