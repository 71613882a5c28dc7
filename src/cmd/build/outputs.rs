//! What becomes of the result of a build, beside an image in the store.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use crate::build::output::{Compression, Destination, ImageOutput, Output};
use crate::cmd::Ctx;
use crate::cmd::args::RegistryArgs;
use crate::cmd::observer::Screen;
use crate::engine::{self, BuildExport, Push, SaveImages};
use crate::error::Error;
use crate::image::push::{Compression as LayerCompression, Format as PushFormat, Packing};
use crate::image::save::{Format, Layout};
use crate::sys::fs::AtPath as _;
use crate::sys::replacement;
use crate::types::ImageReference;

/// What becomes of the result.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// An image is stored.
    pub(super) is_stored: bool,
    /// Its names, beside those of `--tag`.
    pub(super) names: Vec<ImageReference>,
    /// Annotations of its manifest.
    pub(super) annotations: BTreeMap<String, String>,
    /// Files are no newer than the time of the build.
    pub(super) rewrites_times: bool,
    /// Its files, in a directory or an archive.
    pub(super) exports: Vec<BuildExport>,
    /// The image, in an archive or a directory.
    pub(super) saves: Vec<(Format, Destination)>,
    /// The image, in registries.
    pub(super) pushes: Vec<Push>,
    /// Something goes to standard output.
    pub(super) is_streamed: bool,
}

impl Outputs {
    /// Adds an output. The error is the reason.
    pub(super) fn add(&mut self, output: Output, registry: &RegistryArgs) -> Result<(), String> {
        match output {
            Output::Local { directory } => self.exports.push(BuildExport::Directory(directory.into())),
            Output::Tar(Destination::Standard) => {
                let out = std::io::stdout().as_fd().try_clone_to_owned().at("duplicate", "standard output");
                self.exports.push(BuildExport::Stream(out.map_err(|error| error.to_string())?.into()));
            }
            Output::Tar(Destination::File(path) | Destination::Directory(path)) => {
                self.exports.push(BuildExport::File(path.into()));
            }
            Output::CacheOnly => {}
            Output::Image { push, image } => {
                self.is_stored = true;
                if push {
                    self.pushes.push(pushed(&image, registry)?);
                } else if image.compression.is_some() || image.oci_types.is_some() {
                    return Err("compression and media types are for what is pushed".to_owned());
                }
                self.take(image)?;
            }
            Output::Oci(destination, image) => self.save(Format::OciArchive, destination, image)?,
            Output::Docker(Some(destination), image) => self.save(Format::DockerArchive, destination, image)?,
            Output::Docker(None, image) => {
                self.is_stored = true;
                self.take(image)?;
            }
        }
        Ok(())
    }

    fn save(&mut self, format: Format, destination: Destination, image: ImageOutput) -> Result<(), String> {
        if image.compression.is_some() || image.oci_types.is_some() {
            return Err("compression and media types are for what is pushed; here layers are as they are".to_owned());
        }
        if format == Format::DockerArchive && matches!(destination, Destination::Directory(_)) {
            return Err("type docker is an archive; a directory is of type oci".to_owned());
        }
        self.is_stored = true;
        self.saves.push((format, destination));
        self.take(image)
    }

    /// Takes over what an image is like.
    fn take(&mut self, image: ImageOutput) -> Result<(), String> {
        if image.push_by_digest {
            return Err("rc pushes by names alone, not by digest".to_owned());
        }
        for name in &image.names {
            self.names.push(name.parse().map_err(|error: crate::types::Invalid| error.to_string())?);
        }
        self.rewrites_times |= image.rewrite_timestamp;
        for (key, value) in image.annotations {
            let name = key.strip_prefix("annotation.").or_else(|| key.strip_prefix("annotation-manifest."));
            let name = name.ok_or_else(|| format!("rc annotates manifests: `{key}` is for something else"))?;
            self.annotations.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// Writes and pushes the image, which is in the store under `names`, or by its ID.
    pub(super) fn deliver(&self, ctx: &Ctx, id: &str, names: &[ImageReference], is_quiet: bool) -> Result<(), Error> {
        let by_name: Vec<String> = names.iter().map(ToString::to_string).collect();
        let found = if by_name.is_empty() { vec![id.to_owned()] } else { by_name.clone() };
        let images = SaveImages { names: found, ..SaveImages::default() };
        for (format, destination) in &self.saves {
            match destination {
                Destination::Standard => {
                    let mut out = BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
                    engine::save(&ctx.engine, &images, *format, &mut out)?;
                    out.flush().at("write", "standard output")?;
                }
                Destination::File(path) => {
                    let path = PathBuf::from(path);
                    let mut out = BufWriter::with_capacity(256 << 10, replacement::Output::open(&path, 0o666)?);
                    engine::save(&ctx.engine, &images, *format, &mut out)?;
                    out.into_inner().map_err(std::io::IntoInnerError::into_error).at("write", &path)?.finish()?;
                }
                Destination::Directory(path) => {
                    engine::save_to_directory(&ctx.engine, &images, Layout::Oci, path.as_ref())?;
                }
            }
        }
        let screen = Screen::for_pull(is_quiet);
        for push in &self.pushes {
            for name in &by_name {
                engine::push(&ctx.engine, name, None, push, &screen)?;
            }
        }
        Ok(())
    }
}

/// How an image is pushed.
fn pushed(image: &ImageOutput, registry: &RegistryArgs) -> Result<Push, String> {
    let wanted = match image.compression {
        Some(Compression::None) => return Err("what is pushed is compressed with gzip or zstd".to_owned()),
        Some(Compression::Gzip) => Some(LayerCompression::Gzip),
        Some(Compression::Zstd) => Some(LayerCompression::Zstd),
        None => None,
    };
    let mut connection = registry.connection();
    if image.insecure {
        connection.tls_verify = Some(false);
    }
    let packing = Packing { wanted, level: image.level.map(i32::from), force: Some(image.force), keep: false };
    let format = image.oci_types.map(|is_oci| if is_oci { PushFormat::Oci } else { PushFormat::Docker });
    Ok(Push { connection, format, packing, ..Push::default() })
}
