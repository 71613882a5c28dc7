//! What becomes of an image that was built.

use std::path::PathBuf;

use serde_json::json;

use super::journal::Journal;
use crate::cmd::Ctx;
use crate::cmd::args::RegistryArgs;
use crate::cmd::observer::Screen;
use crate::engine::{self, Made, Push};
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
    /// Set a label of the image: NAME=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Write what was built to the file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Set files that are newer than --source-date-epoch to that time
    #[arg(long)]
    rewrite_timestamp: bool,
    /// Set the time of the image and its history, in seconds since 1970 (default: `$SOURCE_DATE_EPOCH`)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    source_date_epoch: Option<i64>,
    /// The same as --source-date-epoch with --rewrite-timestamp
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["source_date_epoch", "rewrite_timestamp"])]
    timestamp: Option<i64>,
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

    /// The time of what is built, in seconds since the epoch, and whether newer files get it, too. `of_caller` is the
    /// value of `SOURCE_DATE_EPOCH`.
    pub(super) fn times(&self, of_caller: Option<&str>) -> Result<(Option<i64>, bool), Error> {
        if let Some(seconds) = self.timestamp {
            return Ok((Some(seconds), true));
        }
        let typed = of_caller.filter(|text| !text.is_empty()).map(|text| {
            let wrong = || Error::new(format!("SOURCE_DATE_EPOCH must be a number of seconds, not `{text}`"));
            text.parse::<i64>().map_err(|_| wrong())
        });
        let own = self.source_date_epoch.map_or_else(|| typed.transpose(), |seconds| Ok(Some(seconds)))?;
        if self.rewrite_timestamp && own.is_none() {
            return Err(
                Error::new("--rewrite-timestamp needs a time").with_hint("give it: --source-date-epoch SECONDS")
            );
        }
        Ok((own, self.rewrite_timestamp))
    }

    /// Fails if there is nothing to push.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.push && self.names.is_empty() {
            return Err(Error::new("--push needs a name").with_hint("name the image: --tag REGISTRY/NAME"));
        }
        Ok(())
    }

    /// Pushes the image, writes the files that were asked for, and prints the ID.
    pub(super) fn deliver(
        &self,
        ctx: &Ctx,
        made: &Made,
        journal: &Journal,
        registry: &RegistryArgs,
        quiet: bool,
    ) -> Result<(), Error> {
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
                "rc.build.steps": journal.steps.iter().map(BuildStep::object).collect::<Vec<_>>(),
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
