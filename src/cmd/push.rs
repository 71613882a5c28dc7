//! `rc push`.

use std::path::PathBuf;
use std::time::Duration;

use super::Ctx;
use super::args::{CompressionArgs, RegistryArgs, Secret, SigningArgs, retry_delay};
use super::observer::Screen;
use crate::engine::{self, Push};
use crate::error::{Error, Exit};
use crate::image::push::{Compression, Format, Pushed};
use crate::registry::{Credentials, Platform};
use crate::sys::replacement::Output;
use crate::ui;

/// Push an image to a registry, an archive or a directory
///
/// Blobs that the registry has are not sent again. The tag and the digest are printed at the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Push all tags of the repository that the store has
    #[arg(short, long, conflicts_with_all = ["destination", "digestfile"])]
    all_tags: bool,
    #[command(flatten)]
    compression: CompressionArgs,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    creds: Option<Secret>,
    /// Write the digest of the pushed image to the file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// Skip signing (accepted for compatibility: rc signs only with --sign-by)
    #[arg(long)]
    disable_content_trust: bool,
    /// Manifest type: oci or v2s2 (default: the one that the image has)
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<ManifestFormat>,
    /// Push the image only if it is for this platform: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Suppress output information when pushing images
    #[arg(short, long)]
    quiet: bool,
    /// Discard signatures of the image (accepted for compatibility: rc stores none)
    #[arg(long)]
    remove_signatures: bool,
    /// Number of times to retry in case of failure (default: 3)
    #[arg(long, value_name = "N")]
    retry: Option<u32>,
    /// Delay between retries, such as 2s or 500ms (default: 1s, doubled each time)
    #[arg(long, value_name = "DURATION", value_parser = retry_delay)]
    retry_delay: Option<Duration>,
    #[command(flatten)]
    signing: SigningArgs,
    /// The image's name or ID
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Where to: [docker://]REFERENCE, oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, dir:DIR (default: IMAGE)
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
}

/// The values of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ManifestFormat {
    Oci,
    V2s2,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let how = args.how()?;
    let screen = Screen::for_pull(args.quiet);
    let pushed = if args.all_tags {
        let name = args.image.strip_prefix("docker://").unwrap_or(&args.image);
        engine::push_all_tags(&ctx.engine, name, &how, &screen)?
    } else {
        let pushed = engine::push(&ctx.engine, &args.image, args.destination.as_deref(), &how, &screen)?;
        pushed.into_iter().collect()
    };
    if let (Some(path), [pushed]) = (&args.digestfile, &pushed[..]) {
        use std::io::Write as _;
        let mut file = Output::open(path, 0o666)?;
        let written = file.write_all(pushed.digest.to_string().as_bytes());
        written.map_err(|source| crate::image::Error::Write { source })?;
        file.finish()?;
    }
    let mut out = ui::out();
    for Pushed { reference, digest, size, .. } in pushed.iter().filter(|_| !args.quiet) {
        let tag = reference.tag().map_or_else(|| reference.to_string(), str::to_owned);
        out.line(format_args!("{tag}: digest: {digest} size: {size}"))?;
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}

impl Args {
    fn how(&self) -> Result<Push, Error> {
        let packing = self.compression.packing()?;
        let format = self.format.map(|format| match format {
            ManifestFormat::Oci => Format::Oci,
            ManifestFormat::V2s2 => Format::Docker,
        });
        if packing.wanted == Some(Compression::Zstd) && format == Some(Format::Docker) {
            return Err(
                Error::new("manifests of the type v2s2 have no layers with zstd").with_hint("use `--format oci`")
            );
        }
        Ok(Push {
            connection: self.registry.connection(),
            credentials: self.creds.as_ref().map(|Secret(text)| Credentials::parse(text)).transpose()?,
            retries: self.retry,
            retry_delay: self.retry_delay,
            format,
            platform: self.platform.clone(),
            packing,
            is_unnamed: false,
            signer: self.signing.signer(),
            signed_as: None,
        })
    }
}
