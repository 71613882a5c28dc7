//! `--cache-from` and `--cache-to`: taking a step that others have taken, and writing steps for others.

use std::collections::BTreeMap;

use super::Scene;
use super::files;
use super::imports::place;
use super::request::BuildRequest;
use crate::build::cache_config::CachedStep;
use crate::engine::observer::Observer;
use crate::image::cache;
use crate::storage::StepRecord;
use crate::types::{Digest, Report};

/// Brings what a step has made into the store, from the first cache that has it. Returns the record, and where it
/// comes from; or why none could be taken.
pub(super) fn take(scene: &Scene<'_>, key: &Digest) -> Result<Option<(StepRecord, String)>, Report> {
    let store = &scene.environment.store;
    let mut failure = None;
    for (source, step) in scene.imports.of(key) {
        let taken = scene.new_directory("imported").and_then(|scratch| {
            cache::fetch(store, &source.place, step, &scratch)?;
            if let Some(layer) = &step.record.layer {
                files::unpack_kept(scene, layer)?;
            }
            store.record_step(key, &step.record).map_err(Report::from)
        });
        match taken {
            Ok(()) => return Ok(Some((step.record.clone(), source.place.to_string()))),
            Err(report) => failure = Some(report),
        }
    }
    failure.map_or(Ok(None), Err)
}

/// Writes steps to the caches that the request names: those of the result, or all.
pub(super) fn export(
    scene: &Scene<'_>,
    request: &BuildRequest,
    of_result: &[(Digest, StepRecord)],
    all: &[(Digest, StepRecord)],
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    for wanted in &request.cache_to {
        let steps = if wanted.is_max { all } else { of_result };
        let mut distinct: BTreeMap<&Digest, &StepRecord> = BTreeMap::new();
        distinct.extend(steps.iter().map(|(key, record)| (key, record)));
        let steps = distinct.into_iter().map(|(key, record)| CachedStep {
            key: key.clone(),
            record: record.clone(),
            blob: None,
        });
        let exported = place(scene.context, scene.caller, request, &wanted.place).and_then(|place| {
            cache::export(&scene.environment.store, steps.collect(), &place, &scene.new_directory("exported")?)
        });
        match exported {
            Ok(_) => {}
            Err(report) if wanted.ignores_errors => {
                observer.warning(&format!("cannot write the cache `{}`: {}", wanted.place, report.message));
            }
            Err(report) => return Err(report),
        }
    }
    Ok(())
}
