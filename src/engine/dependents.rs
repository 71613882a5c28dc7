//! Containers that need those that a command removes.

use super::context::Context;
use super::select::Selection;
use crate::container::{self, Container, Removal};
use crate::storage::Store;
use crate::types::{ContainerId, Report, ReportKind};

/// Who needs the containers that a command removes.
pub(super) struct Dependents<'a> {
    store: &'a Store,
    all: Vec<Container>,
    removed: Vec<ContainerId>,
    is_of_all: bool,
}

impl<'a> Dependents<'a> {
    /// Looks at all containers; those of the selection go as well.
    pub(super) fn find(store: &'a Store, selection: &Selection) -> Result<Self, Report> {
        let all = container::list(store)?.containers;
        // Names that are wrong are reported elsewhere. Files with IDs may be pipes, which can be read only once.
        let found = selection.names.iter().filter_map(|word| container::find(store, word).ok());
        let removed = found.map(|container| container.config.id).collect();
        Ok(Self { store, all, removed, is_of_all: selection.all })
    }

    /// Looks at all containers; these and the members of the pods among them go.
    pub(super) fn of_users(store: &'a Store, users: &[Container]) -> Result<Self, Report> {
        let all = container::list(store)?.containers;
        let users: Vec<&ContainerId> = users.iter().map(|user| &user.config.id).collect();
        let goes = |container: &&Container| {
            let of_pod = container.config.pod.as_ref().is_some_and(|pod| users.contains(&&pod.id));
            of_pod || users.contains(&&container.config.id)
        };
        let removed = all.iter().filter(goes).map(|container| container.config.id.clone()).collect();
        Ok(Self { store, all, removed, is_of_all: false })
    }

    /// Those that need `container`, directly or through others, the last ones first.
    fn of(&self, id: &ContainerId) -> Vec<&Container> {
        let mut found: Vec<&Container> = Vec::new();
        let mut waiting = vec![id.clone()];
        while let Some(id) = waiting.pop() {
            for other in self.all.iter().filter(|other| other.config.dependencies().contains(&id)) {
                if !found.iter().any(|one| one.config.id == other.config.id) {
                    found.insert(0, other);
                    waiting.push(other.config.id.clone());
                }
            }
        }
        found
    }

    /// Fails if a container needs one of those that go, and stays.
    pub(super) fn check_all(&self) -> Result<(), Report> {
        let mut go = self.all.iter().filter(|container| self.removed.contains(&container.config.id));
        go.try_for_each(|container| self.check(container))
    }

    /// Fails if a container needs this one and stays.
    pub(super) fn check(&self, container: &Container) -> Result<(), Report> {
        let is_left = |other: &&&Container| !self.removed.contains(&other.config.id);
        let others = self.of(&container.config.id);
        if self.is_of_all || !others.iter().any(|other| is_left(&other)) {
            return Ok(());
        }
        let names: Vec<&str> = others.iter().filter(is_left).map(|other| other.config.name.as_str()).collect();
        let name = &container.config.name;
        let message = format!("cannot remove `{name}`: other containers need it: {}", names.join(", "));
        let hint = format!("remove them as well with `rc rm --depend {name}`");
        Err(Report::new(ReportKind::InUse, message).with_hint(hint))
    }

    /// Removes all containers that need this one.
    pub(super) fn remove(&self, context: &Context, container: &Container, how: &Removal) -> Result<(), Report> {
        let how = Removal { force: true, ..*how };
        for other in self.of(&container.config.id) {
            match container::find(self.store, other.config.id.as_str()) {
                Ok(other) => container::remove(self.store, other, &how, &context.runtime_dir()?)?,
                // It was removed meanwhile.
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
