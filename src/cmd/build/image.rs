//! `rc build`: how the image differs from what the Dockerfile says.

use std::collections::BTreeMap;

use crate::build::dockerfile::file::Dockerfile;
use crate::engine::{BuildChanges, Caller, Inherited};
use crate::error::Error;
use crate::image::push::Format;
use crate::types::Dialect;

/// Options for what the image says of itself.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ImageArgs {
    /// Set a variable of every stage, before its first instruction: NAME=VALUE, or NAME for the environment's
    #[arg(long = "env", value_name = "VARIABLE")]
    variables: Vec<String>,
    /// Set the type of the manifest: oci or docker (default: oci)
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<ImageFormat>,
    /// Build on this image instead of that of the first FROM
    #[arg(long = "from", value_name = "IMAGE")]
    base: Option<String>,
    /// Take the annotations of base images over (default: true; as docker: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    inherit_annotations: Option<bool>,
    /// Take the labels of base images over (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    inherit_labels: Option<bool>,
    /// Set a label of the image: NAME=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Label what each step leaves in the cache: NAME=VALUE, which `rc builder prune --filter label=NAME` finds
    #[arg(long = "layer-label", value_name = "LABEL")]
    layer_labels: Vec<String>,
    /// Leave the history out of the image
    #[arg(long)]
    omit_history: bool,
    /// Do not take an annotation of base images over
    #[arg(long = "unsetannotation", value_name = "NAME")]
    unset_annotations: Vec<String>,
    /// Remove a variable from the image; steps have it
    #[arg(long = "unsetenv", value_name = "NAME")]
    unset_variables: Vec<String>,
    /// Do not take a label of base images over
    #[arg(long = "unsetlabel", value_name = "NAME")]
    unset_labels: Vec<String>,
}

/// The values of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ImageFormat {
    /// OCI's.
    Oci,
    /// Docker's schema 2.
    #[value(alias = "v2s2")]
    Docker,
}

impl ImageArgs {
    /// Puts the base and the variables that were asked for into the file. A variable without a value that the caller
    /// does not have is left out, as in podman.
    pub(super) fn apply(&self, file: &mut Dockerfile, caller: &Caller) -> Result<(), Error> {
        let mut variables = Vec::new();
        for typed in &self.variables {
            let own = |name: &str| caller.environment.iter().find(|(other, _)| other == name);
            let (name, value) = match typed.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (typed.as_str(), own(typed).map(|(_, value)| value.clone())),
            };
            if name.is_empty() {
                return Err(Error::new(format!("`--env {}` has no name", typed.escape_debug())));
            }
            variables.extend(value.map(|value| (name.to_owned(), value)));
        }
        file.set_variables(&variables);
        if let Some(base) = self.base.as_deref().filter(|base| !base.is_empty()) {
            file.set_base(base);
        }
        Ok(())
    }

    /// What is changed of the image. docker's builder takes no annotations over, podman's does.
    pub(super) fn changes(&self, dialect: Dialect) -> BuildChanges {
        let takes_annotations = self.inherit_annotations.unwrap_or(dialect != Dialect::Docker);
        BuildChanges {
            unset_variables: self.unset_variables.clone(),
            labels: self.labels.iter().map(|typed| pair(typed)).collect(),
            inherited_labels: inherited(self.inherit_labels != Some(false), &self.unset_labels),
            inherited_annotations: inherited(takes_annotations, &self.unset_annotations),
            has_no_history: self.omit_history,
        }
    }

    /// The labels of what steps leave in the cache.
    pub(super) fn layer_labels(&self) -> BTreeMap<String, String> {
        self.layer_labels.iter().map(|typed| pair(typed)).collect()
    }

    /// The type of the manifest.
    pub(super) fn format(&self) -> Option<Format> {
        self.format.map(|format| match format {
            ImageFormat::Oci => Format::Oci,
            ImageFormat::Docker => Format::Docker,
        })
    }
}

/// A label without a value has an empty one.
fn pair(typed: &str) -> (String, String) {
    let (name, value) = typed.split_once('=').unwrap_or((typed, ""));
    (name.to_owned(), value.to_owned())
}

fn inherited(is_wanted: bool, but: &[String]) -> Inherited {
    if is_wanted { Inherited::AllBut(but.to_vec()) } else { Inherited::None }
}
