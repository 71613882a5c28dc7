//! Looking for a step in the cache: its key, what its slot says, and why it is not there.

use serde::Serialize;

use super::Scene;
use super::files::{self, Listed};
use super::inputs;
use super::present;
use super::stage::{Stage, Step, StepAt};
use crate::build::key::{Place, key};
use crate::build::reason::{Below, Reason, Table, compare};
use crate::plan::Request;
use crate::storage::{Forgotten, Hasher, SlotHead, StepRecord};
use crate::types::{Digest, Report, ReportKind, json};

/// What is looked for.
pub(super) struct Wanted {
    /// The key of the step.
    pub(super) key: Digest,
    /// What a copy would copy.
    pub(super) listed: Option<Listed>,
}

/// A part of a key: what a step depends on besides its place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Keyed<'a> {
    Run {
        argv: &'a [String],
        script: Option<&'a str>,
        env: &'a [String],
        user: &'a str,
        working_dir: &'a str,
        network: Option<String>,
        is_insecure: bool,
        hosts: &'a [String],
        mounts: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        hostname: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        asked: Option<Box<Request>>,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        devices: &'a [String],
    },
    Copy {
        destination: &'a str,
        owner: Option<&'a str>,
        mode: &'a str,
        files: &'a Digest,
        /// Of each source, whether owners are its own.
        from_images: Vec<bool>,
        /// Of each source, whether archives are unpacked.
        unpack: Vec<bool>,
    },
    Directory {
        path: &'a str,
        user: &'a str,
    },
}

impl Stage {
    /// What is looked for: lists and hashes what the step would copy.
    pub(super) fn wanted(&self, scene: &Scene<'_>, step: &Step<'_>) -> Result<Wanted, Report> {
        let listed = match step {
            Step::Copy(copy) => Some(files::list(scene, copy)?),
            _ => None,
        };
        Ok(Wanted { key: self.key(scene, step, listed.as_ref())?, listed })
    }

    /// What the cache has for a key, if its layer is there and the step is not to be taken anew.
    pub(super) fn known(&self, scene: &Scene<'_>, key: &Digest) -> Result<Option<StepRecord>, Report> {
        let record = scene.environment.store.step(key).filter(|record| !self.no_cache && !scene.is_old(record));
        match record {
            Some(record) if present::has(scene, &record)? => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// What a step depends on.
    pub(super) fn table(&self, scene: &Scene<'_>, step: &Step<'_>, at: &StepAt<'_>) -> Result<Table, Report> {
        inputs::table(scene, self, step, &at.title.text)
    }

    /// Why a step with these inputs is not in the cache.
    pub(super) fn reason(&self, scene: &Scene<'_>, at: &StepAt<'_>, table: &Table) -> Reason {
        if self.no_cache {
            return Reason::NoCache;
        }
        let Some((head, inputs)) = scene.environment.store.slot(&at.slot) else { return Reason::First };
        let old: Option<Table> = json::from_slice(&inputs).ok();
        let changed = self.changed.as_ref().map(|(stage, number)| match *stage == at.title.stage {
            true => format!("step {number}"),
            false => format!("step {number} of {stage}"),
        });
        let below = match head.below == self.below() {
            true => Below::Same,
            false => Below::Other(changed.as_deref()),
        };
        match compare(old.as_ref(), table, below) {
            Reason::Evicted => self.gone(scene, &head.key),
            other => other,
        }
    }

    /// Why what the last build has recorded does not do.
    fn gone(&self, scene: &Scene<'_>, key: &Digest) -> Reason {
        let store = &scene.environment.store;
        if store.step(key).is_some_and(|record| scene.is_old(&record)) {
            return Reason::Expired;
        }
        match store.forgotten(key) {
            Some(Forgotten { when, was_pruned: true }) => Reason::Pruned(when),
            Some(Forgotten { when, was_pruned: false }) => Reason::Trimmed(when),
            None => Reason::Evicted,
        }
    }

    /// Notes in its slot what a step was made from. Only reasons depend on it.
    pub(super) fn remember(&self, scene: &Scene<'_>, slot: &Digest, key: &Digest, took: u64, table: &Table) {
        let head = SlotHead { key: key.clone(), below: self.below(), took };
        let inputs = serde_json::to_vec(table).unwrap_or_default();
        scene.environment.store.record_slot(slot, &head, &inputs).unwrap_or_default();
    }

    /// As [`Stage::remember`], for a step that was in the cache: in most builds its slot says so already.
    pub(super) fn remember_hit(
        &self,
        scene: &Scene<'_>,
        step: &Step<'_>,
        at: &StepAt<'_>,
        key: &Digest,
        took: u64,
    ) -> Result<(), Report> {
        if scene.environment.store.slot_head(&at.slot).is_none_or(|head| head.key != *key) {
            self.remember(scene, &at.slot, key, took, &self.table(scene, step, at)?);
        }
        Ok(())
    }

    /// The digest of the layers so far.
    fn below(&self) -> Digest {
        let layers = &self.config.rootfs.diff_ids;
        Hasher::sha256(layers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ").as_bytes())
    }

    fn key(&self, scene: &Scene<'_>, step: &Step<'_>, listed: Option<&Listed>) -> Result<Digest, Report> {
        let keyed = match step {
            Step::Run(command) => Keyed::Run {
                argv: &command.argv,
                script: command.script.as_ref().map(|script| script.content.as_str()),
                env: &command.env,
                user: &command.user,
                working_dir: &command.working_dir,
                network: command.network.as_ref().map(ToString::to_string),
                is_insecure: command.is_insecure,
                hosts: &scene.add_hosts,
                mounts: &command.mount_keys,
                hostname: scene.own_hostname(),
                asked: scene.keyed().map(Box::new),
                devices: &command.devices,
            },
            Step::Copy(copy) => Keyed::Copy {
                destination: &copy.destination,
                owner: copy.owner.as_deref(),
                mode: &copy.mode_text,
                files: listed.map_or(&scene.nothing_listed, |listed| &listed.digest),
                from_images: copy.parts.iter().map(|part| matches!(part.side, files::Side::Layers(_))).collect(),
                unpack: copy.parts.iter().map(|part| part.unpack).collect(),
            },
            Step::Directory { path, user } => Keyed::Directory { path, user },
        };
        let place = Place {
            map: scene.ids(),
            architecture: &self.config.architecture,
            newest: scene.newest,
            layers: &self.config.rootfs.diff_ids,
        };
        key(place, &keyed)
            .map_err(|error| Report::new(ReportKind::Internal, format!("cannot write a key of the cache: {error}")))
    }
}
