//! `rc save`.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use super::Ctx;
use crate::engine::{self, SaveImages};
use crate::error::{Error, Exit};
use crate::image;
use crate::image::save;
use crate::registry::Platform;
use crate::sys::replacement::Output;
use crate::ui;

/// Save image(s) to an archive or a directory
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fail unless all layers are compressed (with --format docker-dir; rc saves layers as they are)
    #[arg(long)]
    pub(crate) compress: bool,
    /// Format: docker-archive, oci-archive, oci-dir or docker-dir (default: docker-archive)
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "docker-archive",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) format: SaveFormat,
    /// Save several images in one archive (accepted for compatibility: rc always does)
    #[arg(short, long)]
    pub(crate) multi_image_archive: bool,
    /// Write to the file or directory (default: standard output, which must not be a terminal)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Save the images only if they are for this platform: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// Suppress progress information (accepted for compatibility: rc prints none here)
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Accept layers that are not compressed (accepted for compatibility: rc saves layers as they are)
    #[arg(long, conflicts_with = "compress")]
    pub(crate) uncompressed: bool,
    /// The images' names or IDs
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
}

/// The values of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SaveFormat {
    /// The format of `docker load`.
    DockerArchive,
    /// An OCI image layout in an archive.
    OciArchive,
    /// An OCI image layout.
    OciDir,
    /// A directory as skopeo's `dir:`.
    DockerDir,
}

/// Runs the command. The file gets its name when it is complete: until then, and on failure, the old file stays.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.compress && args.format != SaveFormat::DockerDir {
        return Err(Error::new("`--compress` needs `--format docker-dir`"));
    }
    let images = SaveImages {
        names: args.images.clone(),
        platform: args.platform.clone(),
        compressed: args.compress,
        ..SaveImages::default()
    };
    let format = match args.format {
        SaveFormat::DockerArchive => save::Format::DockerArchive,
        SaveFormat::OciArchive => save::Format::OciArchive,
        SaveFormat::OciDir => return to_directory(ctx, args, &images, save::Layout::Oci),
        SaveFormat::DockerDir => return to_directory(ctx, args, &images, save::Layout::Dir),
    };
    let Some(path) = &args.output else {
        if ui::is_terminal(ui::Stream::Out) {
            return Err(image::Error::Terminal.into());
        }
        let mut output = BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
        engine::save(&ctx.engine, &images, format, &mut output)?;
        output.flush().map_err(|source| image::Error::Write { source })?;
        return Ok(Exit::SUCCESS);
    };
    // Before rc waits for the reader of a FIFO.
    engine::check_images(&ctx.engine, &images)?;
    let mut output = BufWriter::with_capacity(256 << 10, Output::open(path, 0o666)?);
    engine::save(&ctx.engine, &images, format, &mut output)?;
    let output = output.into_inner().map_err(|error| image::Error::Write { source: error.into_error() })?;
    output.finish()?;
    Ok(Exit::SUCCESS)
}

fn to_directory(ctx: &Ctx, args: &Args, images: &SaveImages, layout: save::Layout) -> Result<Exit, Error> {
    let Some(path) = &args.output else {
        return Err(Error::new("a directory cannot be written to standard output").with_hint("use `--output DIR`"));
    };
    engine::save_to_directory(&ctx.engine, images, layout, path)?;
    Ok(Exit::SUCCESS)
}
