//! `--cache-from` and `--cache-to`: taking a step that others have taken, and writing steps for others.

use std::collections::BTreeMap;

use super::Scene;
use super::files;
use super::imports::place;
use super::present;
use super::request::BuildRequest;
use crate::build::cache::CacheTo;
use crate::build::cache_config::CachedStep;
use crate::engine::observer::Observer;
use crate::image::cache;
use crate::registry::Platform;
use crate::storage::{Descriptor, StepRecord};
use crate::types::{Digest, Report, ReportKind};

/// Brings what a step has made into the store, from the first cache that has it. Returns the record, and where it
/// comes from; or why none could be taken.
pub(super) fn take(scene: &Scene<'_>, key: &Digest) -> Result<Option<(StepRecord, String)>, Report> {
    let store = &scene.environment.store;
    let mut failure = None;
    for (source, step) in scene.imports.of(key).filter(|(_, step)| !scene.is_old(&step.record)) {
        let taken = scene.new_directory("imported").and_then(|scratch| {
            match &source.place {
                Some(place) => {
                    cache::fetch(store, place, step, &scratch)?;
                    if let Some(layer) = &step.record.layer {
                        files::unpack_kept(scene, layer)?;
                    }
                }
                None if present::has(scene, &step.record)? => {}
                None => {
                    let message = format!("the store lacks a layer of `{}`", source.name);
                    return Err(Report::new(ReportKind::Damaged, message));
                }
            }
            store.record_step(key, &step.record).map_err(Report::from)
        });
        match taken {
            Ok(()) => return Ok(Some((step.record.clone(), source.name.clone()))),
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
    let store = &scene.environment.store;
    for wanted in &request.cache_to {
        let CacheTo::Place { place: to, is_max, ignores_errors } = wanted else { continue };
        let steps = if *is_max { all } else { of_result };
        let mut distinct: BTreeMap<Digest, StepRecord> = steps.iter().cloned().collect();
        let exported = place(scene.context, scene.caller, request, to).and_then(|place| {
            if request.number.is_some_and(|number| number > 0) {
                // What the builds for other platforms have just written; their layers are here.
                let known = cache::steps(&place, &Platform::host()).unwrap_or_default();
                let is_here = |step: &CachedStep| {
                    let has = |layer: &Descriptor| store.has_blob(&layer.digest, layer.size).unwrap_or_default();
                    step.record.layer.as_ref().is_none_or(has)
                };
                let known = known.into_iter().filter(is_here);
                for step in known {
                    distinct.entry(step.key).or_insert(step.record);
                }
            }
            let steps = distinct.into_iter().map(|(key, record)| CachedStep { key, record, blob: None });
            cache::export(store, steps.collect(), &place, &scene.new_directory("exported")?)
        });
        match exported {
            Ok(_) => {}
            Err(report) if *ignores_errors => {
                observer.warning(&format!("cannot write the cache `{to}`: {}", report.message));
            }
            Err(report) => return Err(report),
        }
    }
    Ok(())
}
