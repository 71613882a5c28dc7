//! What becomes of the result of a build, beside an image in the store.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;

use super::sending::{self, Pushing, Save};
use super::transfer::TransferArgs;
use crate::build::output::{Destination, ImageOutput, Output};
use crate::engine::BuildExport;
use crate::error::Error;
use crate::image::push::Format as PushFormat;
use crate::image::save::Format;
use crate::registry::Platform;
use crate::sys::fs::AtPath as _;
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
    pub(super) rewrites_times: Option<bool>,
    /// Its files, in a directory or an archive.
    pub(super) exports: Vec<BuildExport>,
    /// Annotations of the list of several platforms.
    pub(super) index_annotations: BTreeMap<String, String>,
    /// The type of its manifest in the store.
    pub(super) format: Option<PushFormat>,
    /// The image, in an archive or a directory.
    pub(super) saves: Vec<Save>,
    /// The image, in registries.
    pub(super) pushes: Vec<Pushing>,
    /// Something goes to standard output.
    pub(super) is_streamed: bool,
}

impl Outputs {
    /// Adds an output. The error is the reason.
    pub(super) fn add(&mut self, output: Output, transfer: &TransferArgs) -> Result<(), String> {
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
                    return self.push(image, transfer);
                }
                if image.compression.is_some() || image.level.is_some() || image.force {
                    let reason = "the store has layers without compression: compress what is pushed or written";
                    return Err(reason.to_owned());
                }
                if image.push_by_digest {
                    return Err("`push-by-digest` needs `push=true`".to_owned());
                }
                self.format = sending::format(&image).or(self.format);
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
        if format == Format::DockerArchive && matches!(destination, Destination::Directory(_)) {
            return Err("type docker is an archive; a directory is of type oci".to_owned());
        }
        if image.push_by_digest {
            return Err("`push-by-digest` is for types image and registry".to_owned());
        }
        let types = sending::format(&image);
        if format == Format::DockerArchive && types.is_some() {
            return Err("an archive of docker has no media types".to_owned());
        }
        self.is_stored = true;
        let is_repacked = image.compression.is_some() || image.level.is_some() || image.force || types.is_some();
        let repacking = is_repacked.then(|| sending::packing(&image)).transpose()?.map(|packing| (packing, types));
        self.saves.push(Save { format, destination, repacking });
        self.take(image)
    }

    fn push(&mut self, image: ImageOutput, transfer: &TransferArgs) -> Result<(), String> {
        let mut how = transfer.push().map_err(|report| report.message)?;
        if image.insecure {
            how.connection.tls_verify = Some(false);
        }
        how.packing = sending::packing(&image)?;
        how.format = sending::format(&image);
        how.is_unnamed = image.push_by_digest;
        if how.is_unnamed && image.names.is_empty() {
            return Err("`push-by-digest` needs the repository: `name=REGISTRY/NAME`".to_owned());
        }
        // Then the names are those of repositories.
        let by_digest = if how.is_unnamed { image.names.clone() } else { Vec::new() };
        self.pushes.push(Pushing { how, by_digest });
        self.take(if image.push_by_digest { ImageOutput { names: Vec::new(), ..image } } else { image })
    }

    /// Takes over what an image is like.
    fn take(&mut self, image: ImageOutput) -> Result<(), String> {
        for name in &image.names {
            self.names.push(name.parse().map_err(|error: crate::types::Invalid| error.to_string())?);
        }
        self.rewrites_times = image.rewrite_timestamp.or(self.rewrites_times);
        for (key, value) in image.annotations {
            let name = key.strip_prefix("annotation.").or_else(|| key.strip_prefix("annotation-manifest."));
            if let Some(name) = key.strip_prefix("annotation-index.") {
                self.index_annotations.insert(name.to_owned(), value);
                continue;
            }
            let name = name.ok_or_else(|| format!("rc annotates manifests and indexes: not `{key}`"))?;
            self.annotations.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// Fails if what is asked for is not for so many platforms.
    pub(super) fn check_platforms(&self, platforms: &[Platform]) -> Result<(), Error> {
        if platforms.len() > 1 && !self.saves.is_empty() {
            let error = Error::new("an archive of an image has one platform");
            return Err(error.with_hint("push the list of all: `--push`, or `rc manifest push LIST`"));
        }
        if platforms.len() < 2 && !self.index_annotations.is_empty() {
            return Err(Error::new("an annotation of an index needs several platforms"));
        }
        Ok(())
    }
}
