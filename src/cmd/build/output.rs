//! `rc build --output`, `--squash`, `--layers`: the options.

use super::outputs::Outputs;
use crate::build::output::{Destination, Output};
use crate::cmd::args::RegistryArgs;
use crate::engine::{BuildExport, BuildSquash, Push};
use crate::error::Error;
use crate::types::ImageReference;
use crate::ui;

/// Options for what becomes of the result.
#[derive(Debug, Default, clap::Args)]
pub(super) struct OutputArgs {
    /// Add an annotation to the manifest: NAME=VALUE
    #[arg(long = "annotation", value_name = "ANNOTATION")]
    annotations: Vec<String>,
    /// Keep the layer of each step: true; with false the image has one layer for all of them, and the cache is not used
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    layers: Option<bool>,
    /// Write the result: DIRECTORY, `-`, or type=local|tar|oci|docker|image|registry|cacheonly,dest=PLACE
    #[arg(short = 'o', long = "output", value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Push the image by all of its names
    #[arg(long)]
    push: bool,
    /// Make one layer of all that this build adds
    #[arg(long)]
    squash: bool,
    /// Make one layer of all, those of the base among them
    #[arg(long, conflicts_with = "squash")]
    squash_all: bool,
}

impl OutputArgs {
    /// What is merged of the layers.
    pub(super) fn squash(&self) -> Option<BuildSquash> {
        match (self.squash_all, self.squash || self.layers == Some(false)) {
            (true, _) => Some(BuildSquash::All),
            (false, true) => Some(BuildSquash::New),
            (false, false) => None,
        }
    }

    /// Whether the cache may be used.
    pub(super) fn has_cache(&self) -> bool {
        self.layers != Some(false)
    }

    /// Reads the outputs. `names` are those of `--tag`.
    pub(super) fn read(&self, names: &[ImageReference], registry: &RegistryArgs) -> Result<Outputs, Error> {
        let mut all = Outputs::default();
        for annotation in &self.annotations {
            let (name, value) = annotation.split_once('=').unwrap_or((annotation, ""));
            all.annotations.insert(name.to_owned(), value.to_owned());
        }
        for typed in &self.outputs {
            all.add(Output::new(typed)?, registry).map_err(|reason| {
                let error = Error::new(format!("`--output {}`: {reason}", typed.escape_debug()));
                error.with_hint("rc-build(1) has what each type may have")
            })?;
        }
        if self.push {
            all.pushes.push(Push { connection: registry.connection(), ..Push::default() });
        }
        all.is_stored |= self.outputs.is_empty() || self.push || !names.is_empty();
        if !all.pushes.is_empty() && names.is_empty() && all.names.is_empty() {
            return Err(Error::new("what is pushed needs a name").with_hint("name the image: --tag REGISTRY/NAME"));
        }
        let streams = all.exports.iter().filter(|export| matches!(export, BuildExport::Stream(_))).count()
            + all.saves.iter().filter(|(_, destination)| *destination == Destination::Standard).count();
        all.is_streamed = streams > 0;
        match streams {
            0 => Ok(all),
            1 if ui::is_terminal(ui::Stream::Out) => {
                Err(Error::new("an archive is not written to a terminal").with_hint("name a file: dest=FILE"))
            }
            1 => Ok(all),
            _ => Err(Error::new("standard output takes one archive")),
        }
    }
}
