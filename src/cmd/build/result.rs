//! What becomes of an image that was built.

use std::path::PathBuf;

use serde_json::json;

use super::delivery::Delivery;
use super::journal::Journal;
use super::outputs::Outputs;
use crate::cmd::Ctx;
use crate::error::Error;
use crate::sys::replacement;
use crate::types::{Dialect, ImageReference};
use crate::ui;
use crate::view::BuildStep;

/// Options for the result.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ResultArgs {
    /// Write the image ID to the file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Add the image to a list of images, which is created if it does not exist
    #[arg(long, value_name = "LIST")]
    manifest: Option<ImageReference>,
    /// Write what was built to the file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Set files that are newer than --source-date-epoch to that time (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rewrite_timestamp: Option<bool>,
    /// Set the time of the image and its files, in seconds since 1970 (default: `$SOURCE_DATE_EPOCH`)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    source_date_epoch: Option<i64>,
    /// The same as --source-date-epoch
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["source_date_epoch", "rewrite_timestamp"])]
    timestamp: Option<i64>,
    /// Name the image
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    names: Vec<ImageReference>,
}

impl ResultArgs {
    /// The names.
    pub(super) fn names(&self) -> Vec<ImageReference> {
        self.names.clone()
    }

    /// The list that the image is added to.
    pub(super) fn manifest(&self) -> Option<&ImageReference> {
        self.manifest.as_ref()
    }

    /// The time of what is built, in seconds since the epoch, and whether newer files get it, too: otherwise no two
    /// builds give the same image. `of_caller` is the value of `SOURCE_DATE_EPOCH`, `of_output` what an output says.
    pub(super) fn times(&self, of_caller: Option<&str>, of_output: Option<bool>) -> Result<(Option<i64>, bool), Error> {
        if let Some(seconds) = self.timestamp {
            return Ok((Some(seconds), true));
        }
        let typed = of_caller.filter(|text| !text.is_empty()).map(|text| {
            let wrong = || Error::new(format!("SOURCE_DATE_EPOCH must be a number of seconds, not `{text}`"));
            text.parse::<i64>().map_err(|_| wrong())
        });
        let own = self.source_date_epoch.map_or_else(|| typed.transpose(), |seconds| Ok(Some(seconds)))?;
        let asked = self.rewrite_timestamp.or(of_output);
        if asked == Some(true) && own.is_none() {
            return Err(
                Error::new("--rewrite-timestamp needs a time").with_hint("give it: --source-date-epoch SECONDS")
            );
        }
        Ok((own, asked.unwrap_or(own.is_some())))
    }

    /// Fails if the ID of an image is asked for, and none is stored.
    pub(super) fn check(&self, outputs: &Outputs) -> Result<(), Error> {
        if self.iidfile.is_some() && !outputs.is_stored {
            return Err(
                Error::new("--iidfile needs an image, and this output has none").with_hint("name it: --tag NAME")
            );
        }
        Ok(())
    }

    /// Writes the files that were asked for, and prints the ID.
    pub(super) fn deliver(
        &self,
        ctx: &Ctx,
        made: &Delivery,
        journal: &Journal,
        is_streamed: bool,
    ) -> Result<(), Error> {
        if let (Some(path), Some(id)) = (&self.iidfile, &made.id) {
            replacement::replace_named(path, id.to_string().as_bytes())?;
        }
        if let Some(path) = &self.metadata_file {
            // Source: docker-buildx-build(1), `--metadata-file`.
            let steps = journal.steps.iter().map(BuildStep::object).collect::<Vec<_>>();
            let object = match &made.id {
                Some(id) => json!({
                    "containerimage.config.digest": id,
                    "containerimage.digest": made.manifest,
                    "image.name": made.names.join(","),
                    "rc.build.steps": steps,
                }),
                None => json!({ "rc.build.steps": steps }),
            };
            let text = ui::json::pretty(&object).map_err(|error| Error::new(error.to_string()))? + "\n";
            replacement::replace_named(path, text.as_bytes())?;
        }
        let Some(id) = made.id.as_ref().filter(|_| !is_streamed) else { return Ok(()) };
        let mut out = ui::out();
        if ctx.dialect == Dialect::Docker {
            out.line(id)?;
        } else {
            out.line(id.hex())?;
        }
        Ok(out.finish()?)
    }
}
