//! Starting a pod again whose monitor was killed, for the monitors of its members.

use std::path::PathBuf;

use super::front_end::{Attach, FrontEnd};
use super::manager::Manager;
use super::start::{Environment, Origin, Trees, start};
use super::wait::wait_for_start;
use super::{Container, Error, empty, find};
use crate::monitor::{ContainerDir, MemberOf, Revive, Run, Status};
use crate::net;
use crate::plan::{ContainerConfig, RestartPolicy};
use crate::storage::Store;
use crate::types::{ContainerId, Joined, Layers, NamespaceKind, Report, StorageDriver};
use crate::userns::IdMap;

/// What a start needs, without what belongs to the command that has started the member.
#[derive(Debug)]
struct Reviver {
    pod: ContainerId,
    store: Store,
    runtime_dir: PathBuf,
    ids: IdMap,
    programs: net::Programs,
    storage: StorageDriver,
    fuse_overlayfs: Option<PathBuf>,
}

/// The pod of a container, for its monitor; `None` if it has nothing of a pod's.
pub(crate) fn member_of(environment: &Environment, config: &ContainerConfig) -> Option<MemberOf> {
    // An init container has ended before the others begin: it keeps no pod alive.
    let pod = config.pod.as_ref().filter(|pod| pod.init.is_none() && config.dependencies().contains(&pod.id))?;
    let reviver = Reviver {
        pod: pod.id.clone(),
        store: environment.store.clone(),
        runtime_dir: environment.runtime_dir.clone(),
        ids: environment.ids.clone(),
        programs: environment.programs.clone(),
        storage: environment.storage,
        fuse_overlayfs: environment.fuse_overlayfs.clone(),
    };
    let directory = ContainerDir::new(environment.store.containers().join(pod.id.as_str()));
    Some(MemberOf { id: pod.id.clone(), directory, names: names_in(config, &pod.id), reviver: Box::new(reviver) })
}

/// The names that a container with the network of this pod has beside those of the pod.
fn names_in(config: &ContainerConfig, pod: &ContainerId) -> Vec<String> {
    let of_pod = Some(&Joined::Container(pod.clone()));
    let joined = config.joined();
    if joined.get(&NamespaceKind::Network) != of_pod {
        return Vec::new();
    }
    let own =
        (joined.get(&NamespaceKind::Uts) != of_pod && !config.has_host(NamespaceKind::Uts)).then_some(&config.hostname);
    std::iter::once(config.name.as_str()).chain(own.map(String::as_str)).map(str::to_owned).collect()
}

/// The root of a pod: the mount points that every container needs, and nothing else.
pub(crate) fn root_of_pod(store: &Store) -> Result<Layers, Error> {
    Ok(Layers { lowers: vec![empty::mount_points(store)?], data: Vec::new(), is_root: true })
}

impl Reviver {
    fn try_to(&self) -> Result<bool, Error> {
        loop {
            let Some(pod) = self.find()? else { return Ok(false) };
            let last = pod.state.run;
            if pod.is_running() {
                return Ok(true);
            }
            if pod.status == Status::Exited && has_ended_for_good(&pod) {
                return Ok(false);
            }
            let environment = Environment {
                store: self.store.clone(),
                runtime_dir: self.runtime_dir.clone(),
                ids: self.ids.clone(),
                programs: self.programs.clone(),
                storage: self.storage,
                fuse_overlayfs: self.fuse_overlayfs.clone(),
                manager: Manager::default(),
                member_of,
            };
            let alone = FrontEnd { attach: Attach::No, descriptors: [None; 3], size: None, take_signals: None };
            let root = Trees::of_root(root_of_pod(&self.store)?);
            match start(&environment, Origin::Existing(Box::new(pod)), root, alone) {
                Ok(_) => return Ok(true),
                // Another member was faster.
                Err(_) if self.find()?.is_none_or(|now| now.is_running() || now.state.run != last) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The pod, once nobody is starting it; `None` if it was removed.
    fn find(&self) -> Result<Option<Container>, Error> {
        match find::find_any(&self.store, self.pod.as_str()) {
            Err(Error::NotFound(_)) => Ok(None),
            other => wait_for_start(other?).map(Some),
        }
    }
}

/// Whether the monitor of a pod that does not run has recorded its end, and the restart policy, which is that of the
/// pod's process as of its members, does not start it again. The process has nothing to do: only who was asked for its
/// end, or who has killed it, ends it.
fn has_ended_for_good(pod: &Container) -> bool {
    let Some(exit) = pod.directory.exit(&Run(pod.state.run)) else { return false };
    let was_killed = exit.code == 128 + libc::SIGKILL && !exit.stopped_by_user;
    let policy = pod.config.sandbox.as_ref().map_or(RestartPolicy::No, |pod| pod.restart);
    !was_killed || policy == RestartPolicy::No
}

impl Revive for Reviver {
    fn revive(&self) -> Result<bool, Report> {
        self.try_to().map_err(Report::from)
    }
}
