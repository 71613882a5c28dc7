//! What becomes of an image that was built.

use std::path::PathBuf;

use serde_json::json;

use crate::cmd::Ctx;
use crate::cmd::args::RegistryArgs;
use crate::cmd::observer::Screen;
use crate::engine::{self, Made, Push};
use crate::error::Error;
use crate::sys::replacement;
use crate::types::{Dialect, ImageReference};
use crate::ui;

/// Options for the result.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ResultArgs {
    /// Write the image ID to the file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Set a label of the image: NAME=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Write what was built to the file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Push the image by all of its names
    #[arg(long)]
    push: bool,
    /// Name the image
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    names: Vec<ImageReference>,
}

impl ResultArgs {
    /// The names.
    pub(super) fn names(&self) -> Vec<ImageReference> {
        self.names.clone()
    }

    /// The labels; one without a value has an empty one.
    pub(super) fn labels(&self) -> Vec<(String, String)> {
        let pair = |typed: &String| {
            let (name, value) = typed.split_once('=').unwrap_or((typed, ""));
            (name.to_owned(), value.to_owned())
        };
        self.labels.iter().map(pair).collect()
    }

    /// Fails if there is nothing to push.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.push && self.names.is_empty() {
            return Err(Error::new("--push needs a name").with_hint("name the image: --tag REGISTRY/NAME"));
        }
        Ok(())
    }

    /// Pushes the image, writes the files that were asked for, and prints the ID.
    pub(super) fn deliver(&self, ctx: &Ctx, made: &Made, registry: &RegistryArgs, quiet: bool) -> Result<(), Error> {
        if self.push {
            let screen = Screen::for_pull(quiet);
            for name in &self.names {
                let push = Push { connection: registry.connection(), ..Push::default() };
                engine::push(&ctx.engine, &name.to_string(), None, &push, &screen)?;
            }
        }
        if let Some(path) = &self.iidfile {
            replacement::replace_named(path, made.id.to_string().as_bytes())?;
        }
        if let Some(path) = &self.metadata_file {
            // Source: docker-buildx-build(1), `--metadata-file`.
            let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
            let object = json!({
                "containerimage.config.digest": made.id,
                "containerimage.digest": made.manifest,
                "image.name": names.join(","),
            });
            let text = ui::json::pretty(&object).map_err(|error| Error::new(error.to_string()))? + "\n";
            replacement::replace_named(path, text.as_bytes())?;
        }
        let mut out = ui::out();
        if ctx.dialect == Dialect::Docker {
            out.line(&made.id)?;
        } else {
            out.line(made.id.hex())?;
        }
        Ok(out.finish()?)
    }
}
