//! The image of a build: what the caller wants otherwise than the Dockerfile says.

use std::collections::BTreeMap;

use super::request::{BuildRequest, Changes};
use super::stage::Stage;
use crate::build::cache_config;
use crate::image::push::Format;
use crate::image::{Config, cache};
use crate::storage::StepRecord;
use crate::types::{Digest, ImageSettings, Report, ReportKind};

/// What a stage takes over of its base image.
pub(super) fn inherited(changes: &Changes, mut settings: ImageSettings) -> ImageSettings {
    changes.inherited_labels.keep(&mut settings.labels);
    settings
}

/// The annotations of the manifest: those of the base that are taken over, and those that the caller wants. Manifests
/// of docker's type have none.
pub(super) fn annotations(request: &BuildRequest, stage: &Stage) -> BTreeMap<String, String> {
    let mut all = stage.annotations.clone();
    request.changes.inherited_annotations.keep(&mut all);
    if request.format == Some(Format::Docker) {
        all.clear();
    }
    all.extend(request.annotations.clone());
    all
}

/// Applies what the caller wants to the result.
pub(super) fn change(changes: &Changes, config: &mut Config) {
    let is_unset = |line: &String| {
        let name = line.split_once('=').map_or(line.as_str(), |(name, _)| name);
        changes.unset_variables.iter().any(|unset| unset == name)
    };
    config.config.env.retain(|line| !is_unset(line));
    config.config.labels.extend(changes.labels.iter().cloned());
    if changes.has_no_history {
        config.history.clear();
    }
}

/// Writes into an image which steps have made its layers, so that `--cache-from` takes them from it. What its base has
/// of that kind is about other steps.
/// `time` is that of everything, if it is not its own.
pub(super) fn note_steps(stage: &mut Stage, time: Option<&str>, is_wanted: bool) -> Result<(), Report> {
    stage.config.other.remove(cache::INLINE_FIELD);
    if !is_wanted {
        return Ok(());
    }
    // Of an image that is the same each time, so is this.
    let record = |record: &StepRecord| match time {
        Some(time) => StepRecord { created: time.to_owned(), took: 0, ..record.clone() },
        None => record.clone(),
    };
    let steps: Vec<(Digest, StepRecord)> =
        stage.steps.iter().map(|(key, found)| (key.clone(), record(found))).collect();
    let records = cache_config::write_inline(&steps, &stage.config.rootfs.diff_ids)
        .map_err(|error| Report::new(ReportKind::Internal, format!("cannot write a cache: {error}")))?;
    stage.config.other.insert(cache::INLINE_FIELD.to_owned(), cache::inline_field(&records).into());
    Ok(())
}
