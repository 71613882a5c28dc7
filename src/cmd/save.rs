//! `rc save`.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::image;
use crate::image::save;
use crate::sys::replacement::Output;
use crate::ui;

/// Save image(s) to an archive
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format of the archive: docker-archive or oci-archive (default: docker-archive)
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "docker-archive",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) format: ArchiveFormat,
    /// Save several images in one archive (accepted for compatibility: rc always does)
    #[arg(short, long)]
    pub(crate) multi_image_archive: bool,
    /// Write to the file (default: standard output, which must not be a terminal)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Suppress progress information (accepted for compatibility: rc prints none here)
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The images' names or IDs
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
}

/// The values of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ArchiveFormat {
    /// The format of `docker load`.
    DockerArchive,
    /// An OCI image layout.
    OciArchive,
}

/// Runs the command. The file gets its name when it is complete: until then, and on failure, the old file stays.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let format = match args.format {
        ArchiveFormat::DockerArchive => save::Format::DockerArchive,
        ArchiveFormat::OciArchive => save::Format::OciArchive,
    };
    let Some(path) = &args.output else {
        if ui::is_terminal(ui::Stream::Out) {
            return Err(image::Error::Terminal.into());
        }
        let mut output = BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
        engine::save(&ctx.engine, &args.images, format, &mut output)?;
        output.flush().map_err(|source| image::Error::Write { source })?;
        return Ok(Exit::SUCCESS);
    };
    // Before rc waits for the reader of a FIFO.
    engine::check_images(&ctx.engine, &args.images)?;
    let mut output = BufWriter::with_capacity(256 << 10, Output::open(path, 0o666)?);
    engine::save(&ctx.engine, &args.images, format, &mut output)?;
    let output = output.into_inner().map_err(|error| image::Error::Write { source: error.into_error() })?;
    output.finish()?;
    Ok(Exit::SUCCESS)
}
