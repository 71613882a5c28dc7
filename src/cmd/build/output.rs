//! `rc build --output`, `--squash`, `--layers`: the options.

use super::outputs::Outputs;
use super::sending::Pushing;
use super::transfer::TransferArgs;
use crate::build::output::{Destination, Output};
use crate::engine::{BuildExport, BuildSquash};
use crate::error::Error;
use crate::types::ImageReference;
use crate::ui;

/// What buildx annotates. Source: docker-buildx-build(1), `--annotation`.
const LEVELS: [&str; 4] = ["manifest", "index", "manifest-descriptor", "index-descriptor"];

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

    /// Reads the outputs. `names` are those of `--tag`, `list` is that of `--manifest`.
    pub(super) fn read(
        &self,
        names: &[ImageReference],
        list: Option<&ImageReference>,
        transfer: &TransferArgs,
    ) -> Result<Outputs, Error> {
        let mut all = Outputs::default();
        for annotation in &self.annotations {
            let (name, value) = annotation.split_once('=').unwrap_or((annotation, ""));
            // buildx says before a colon what is annotated; a name has none before its first dot.
            let (levels, name) = match name.split_once(':') {
                Some((levels, rest)) if levels.split(',').all(|level| LEVELS.contains(&level)) => (levels, rest),
                _ => ("manifest", name),
            };
            for level in levels.split(',') {
                let into = match level {
                    "manifest" => &mut all.annotations,
                    "index" => &mut all.index_annotations,
                    _ => {
                        return Err(Error::new(format!(
                            "`--annotation {annotation}`: rc annotates manifests and indexes"
                        )));
                    }
                };
                into.insert(name.to_owned(), value.to_owned());
            }
        }
        for typed in &self.outputs {
            all.add(Output::new(typed)?, transfer).map_err(|reason| {
                let error = Error::new(format!("`--output {}`: {reason}", typed.escape_debug()));
                error.with_hint("rc-build(1) has what each type may have")
            })?;
        }
        if self.push {
            all.pushes.push(Pushing::by_names(transfer.push()?));
        }
        all.is_stored |= self.outputs.is_empty() || self.push || !names.is_empty() || list.is_some();
        if all.pushes.iter().any(Pushing::needs_names) && names.is_empty() && all.names.is_empty() {
            return Err(Error::new("what is pushed needs a name").with_hint("name the image: --tag REGISTRY/NAME"));
        }
        let streams = all.exports.iter().filter(|export| matches!(export, BuildExport::Stream(_))).count()
            + all.saves.iter().filter(|save| save.destination == Destination::Standard).count();
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
