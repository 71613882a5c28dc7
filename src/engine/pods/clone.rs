//! Copying pods, with their members.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::super::context::{Caller, Context};
use super::super::image::layers_of;
use super::super::observer::Observer;
use super::super::{facts, happened};
use super::create::{make, prepare, take_back};
use super::remove::remove_with_members;
use super::start::start;
use crate::container::{self, Container, Creation, Environment, Removal};
use crate::plan::{self, BaseHosts, ContainerConfig, Facts, Found, Identity, MemberClone, MountKind, PodRequest};
use crate::pod::{self, Pod};
use crate::storage::Store;
use crate::types::{ContainerId, Layers, Name, Report};

/// A copy of a pod to make.
#[derive(Debug)]
pub(crate) struct ClonePod {
    /// The original's name or ID.
    pub(crate) original: String,
    /// What is other than the original's; its name is `ORIGINAL-clone`, or with the next free number after it.
    pub(crate) request: PodRequest,
    /// Removes the original, even if it runs.
    pub(crate) destroy: bool,
    /// Starts the copy.
    pub(crate) start: bool,
}

/// Copies a pod with its members: their configuration, not what they have written. On failure no copy is left, unless
/// it only cannot be started.
pub(crate) fn clone_pod(
    context: &Context,
    mut caller: Caller,
    wanted: &ClonePod,
    observer: &mut dyn Observer,
) -> Result<ContainerId, Report> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    let store = &environment.store;
    let original = pod::find(store, &wanted.original)?;
    let mut request = original.sandbox.config.to_clone(wanted.request.clone());
    if request.container.name.is_none() {
        request.container.name = Some(free_name(store, &original.sandbox.config.name)?.to_string());
    }
    let id = copy(context, &environment, &caller, &original, &request)?;
    if wanted.destroy {
        let how = Removal { force: true, timeout: Some(10), volumes: true };
        remove_with_members(context, store, &original.sandbox, &how)?;
    }
    if wanted.start {
        start(context, &pod::find(store, id.as_str())?, observer)?;
    }
    Ok(id)
}

fn copy(
    context: &Context,
    environment: &Environment,
    caller: &Caller,
    original: &Pod,
    request: &PodRequest,
) -> Result<ContainerId, Report> {
    let store = &environment.store;
    let mut creation = prepare(context, environment, caller, request)?;
    let asked = &request.container;
    let found = Found { block_devices: facts::block_devices(asked.limits.block_devices()), ..Found::default() };
    let defaults = facts::defaults(&context.settings);
    let facts = facts::facts(asked, caller, &environment.ids, defaults, found);
    let old = &original.sandbox.config;
    let mut volumes = volumes(&creation.config.id, old, &BTreeMap::new())?;
    creation.config = plan::pod_clone(old, creation.config.clone(), request, &facts, &volumes)?;
    creation.files = container::files(&creation.config, &Layers::default())?;
    let pod = creation.config.clone();
    let mut members = Vec::new();
    let mut ids: BTreeMap<_, _> = [(old.id.clone(), pod.id.clone())].into();
    for member in &original.members {
        let identity = container::new_identity(store, Some(free_name(store, &member.config.name)?))?;
        let more = self::volumes(&identity.id, &member.config, &volumes)?;
        volumes.extend(more);
        ids.insert(member.config.id.clone(), identity.id.clone());
        members.push((member, identity));
    }
    let id = make(&creation)?;
    // It keeps others from the store.
    drop(creation);
    let of = MemberClone { old_pod: old, pod: &pod, ids: &ids, volumes: &volumes, request };
    let copied =
        members.into_iter().try_for_each(|(member, identity)| copy_member(environment, member, identity, &of, &facts));
    copied.map_err(|report| take_back(context, store, &id, report))?;
    Ok(id)
}

fn copy_member(
    environment: &Environment,
    member: &Container,
    identity: Identity,
    of: &MemberClone<'_>,
    facts: &Facts,
) -> Result<(), Report> {
    let store = &environment.store;
    // Until the record names the image.
    let lock = store.lock_shared()?;
    let config = plan::member_clone(&member.config, identity, of, facts)?;
    let has_image_s = config.base_hosts == Some(BaseHosts::Image);
    let layers = if has_image_s { layers_of(environment, &config)? } else { Layers::default() };
    let files = container::files(&config, &layers)?;
    let image_lock = RefCell::new(Some(lock));
    let creation = Creation { store: store.clone(), config, files, image_lock, id_lock: RefCell::new(None) };
    container::create(&creation)?;
    happened::to_container(store, &creation.config, "create");
    Ok(())
}

/// New names for the anonymous volumes of a container, for its copy with this ID; not for those that `known` has: they
/// come from the pod.
fn volumes(
    id: &ContainerId,
    config: &ContainerConfig,
    known: &BTreeMap<Name, Name>,
) -> Result<BTreeMap<Name, Name>, Report> {
    let anonymous = config.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume { name, anonymous: true, .. } => Some(name),
        _ => None,
    });
    let new = anonymous.filter(|name| !known.contains_key(*name));
    new.map(|name| Ok((name.clone(), container::volume_name(id)?))).collect()
}

/// The name of a copy: `NAME-clone`, `NAME-clone1`, and so on. Source: podman, `PodClone` and `CheckForClones`.
fn free_name(store: &Store, name: &Name) -> Result<Name, Report> {
    let taken = |text: &str| container::find_any(store, text).is_ok_and(|found| found.config.name.as_str() == text);
    let first = format!("{name}-clone");
    let (stem, number) = match name.as_str().rsplit_once("-clone") {
        Some((stem, number)) if number.is_empty() || number.parse::<u32>().is_ok() => {
            (format!("{stem}-clone"), number.parse().unwrap_or(0))
        }
        _ if !taken(&first) => return Ok(first.parse()?),
        _ => (first, 0),
    };
    let free = (number + 1..=u32::MAX).map(|number| format!("{stem}{number}")).find(|text| !taken(text));
    Ok(free.unwrap_or(stem).parse()?)
}
