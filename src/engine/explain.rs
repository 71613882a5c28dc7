//! What `run` or `create` would do: everything is resolved, and nothing is made.

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags};

use super::context::{Caller, Context};
use super::create::{Prepared, prepare};
use super::observer::Observer;
use super::pods::planned;
use crate::container;
use crate::plan::{self, ContainerConfig, Owners, PullPolicy, Request};
use crate::runtime::users;
use crate::types::{IdRange, Report, StorageDriver};

/// What would be done.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// The container, with an ID that no container will have.
    pub(crate) config: ContainerConfig,
    /// What the runtime would get.
    pub(crate) spec: Spec,
    /// The spec for another runtime.
    pub(crate) portable: Spec,
    /// The IDs.
    pub(crate) owners: Owners,
    /// How the layers become a root filesystem.
    pub(crate) storage: StorageDriver,
    /// How many layers.
    pub(crate) layers: usize,
}

/// Resolves a request, and that of a new pod in it. Makes nothing, and removes nothing; the image must be there.
pub(crate) fn explain(
    context: &Context,
    mut caller: Caller,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<Explanation, Report> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    request.clone().without_empty_texts().check_replaced("container")?;
    let request = Request { pull: Some(PullPolicy::Never), replace: false, ..request.clone() };
    let (pod, request) = match planned(context, &environment, &caller, &request)? {
        Some((pod, request)) => (Some(pod), request),
        None => (None, request),
    };
    let Prepared { creation, trees } = prepare(context, &environment, &caller, &request, pod, observer)?;
    let directory = creation.directory();
    let config = creation.config.clone();
    let host = container::host_facts(&environment, &config, &directory, trees.mounted)?;
    let (maps, layers) = (&config.user_namespace.maps, trees.root);
    let mut owners = Owners {
        uids: on_host(&maps.uids, &environment.ids.uids),
        gids: on_host(&maps.gids, &environment.ids.gids),
        home: "/".to_owned(),
        ..Owners::default()
    };
    let user = user(&layers.lowers, &config)?;
    (owners.uid, owners.gid, owners.groups, owners.home) = (user.uid, user.gid, user.additional_gids, user.home);
    let portable = plan::portable(&config, &host, &owners)?;
    let spec = plan::spec(&config, &host)?;
    Ok(Explanation { config, spec, portable, owners, storage: environment.storage, layers: layers.lowers.len() })
}

/// The IDs of a container and of the host, and how many: its own maps, or all that the user has.
fn on_host(own: &[IdRange], all: &[IdRange]) -> Vec<[u32; 3]> {
    if own.is_empty() {
        return all.iter().map(|range| [range.inside, range.outside, range.count]).collect();
    }
    let ranges = IdRange::split(own, all).into_iter();
    ranges.filter_map(|range| Some([range.inside, IdRange::outside_of(all, range.outside)?, range.count])).collect()
}

/// The program's user, by the files of the topmost layer that has users.
fn user(lowers: &[PathBuf], config: &ContainerConfig) -> Result<users::ResolvedUser, Report> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for layer in lowers.iter().rev() {
        let Ok(root) = rustix::fs::open(layer, flags, Mode::empty()) else { continue };
        if matches!(users::read_etc(root.as_fd(), users::PASSWD), Ok(Some(_))) {
            return Ok(users::look_up(root.as_fd(), &config.user, &config.groups)?);
        }
    }
    Ok(users::resolve(&config.user, &config.groups, "", "")?)
}
