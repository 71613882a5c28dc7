//! Creating a container from an image.

use std::cell::RefCell;

use super::cidfile::Cidfile;
use super::context::{Caller, Context};
use super::happened;
use super::image;
use super::observer::Observer;
use super::pods::with_pod;
use super::secrets;
use super::sources::{self, Sources};
use super::{defaults, facts};
use crate::container::{self, Container, Creation, Environment, Removal, Trees};
use crate::plan::{self, ContainerConfig, Found, Request, Seccomp};
use crate::pod;
use crate::runtime::seccomp;
use crate::storage::Store;
use crate::types::{ContainerId, Name, Report, ReportKind};

/// Creates a container without starting it, and pulls the image if it is missing. On failure nothing is left.
pub(crate) fn create(
    context: &Context,
    mut caller: Caller,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<ContainerId, Report> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    with_pod(context, &environment, &caller, request, |request| {
        let Prepared { creation, .. } = prepare(context, &environment, &caller, request, None, observer)?;
        check_init(&creation)?;
        // First, so that a file that cannot be written leaves no container.
        let cidfile = Cidfile::write(&creation.config)?;
        container::create(&creation)?;
        happened::to_container(&creation.store, &creation.config, "create");
        cidfile.keep();
        Ok(creation.config.id.clone())
    })
}

/// Fails if the container is to run before the others of its pod, and they run already. Source: podman.
fn check_init(creation: &Creation) -> Result<(), Report> {
    let Some(of) = creation.config.pod.as_ref().filter(|pod| pod.init.is_some()) else { return Ok(()) };
    let pod = pod::find(&creation.store, of.id.as_str())?;
    if pod.sandbox.is_running() || pod.members.iter().any(Container::is_running) {
        let message = format!("cannot add an init container to pod `{}`, which runs", of.name);
        return Err(Report::new(ReportKind::Conflict, message)
            .with_hint(format!("stop it first with `rc pod stop {}`", of.name)));
    }
    Ok(())
}

/// A container that is ready to be created, and what its files are made of.
pub(super) struct Prepared {
    pub(super) creation: Creation,
    pub(super) trees: Trees,
}

/// Finds or pulls the image, and resolves the request with it; `pod` is that of the request, if it does not exist yet.
pub(super) fn prepare(
    context: &Context,
    environment: &Environment,
    caller: &Caller,
    request: &Request,
    pod: Option<ContainerConfig>,
    observer: &mut dyn Observer,
) -> Result<Prepared, Report> {
    let store = &environment.store;
    let request = &defaults::beneath(request.clone().without_empty_texts(), &context.settings)?;
    if request.log.driver.as_deref() == Some("passthrough") && caller.has_terminal {
        return Err(container::Error::PassedTerminal.into());
    }
    request.check_replaced("container")?;
    let name = request.name.as_deref().map(|name| container::bare_name(name).parse::<Name>()).transpose()?;
    Cidfile::check(request.cidfile.as_deref(), "--cidfile")?;
    let Sources { image: local, defaults: image, lock, mounted } =
        sources::sources(context, environment, request, observer)?;
    let identity = container::new_identity(store, name)?;
    let defaults = facts::defaults(&context.settings);
    let needs = plan::needs(request, &image, &defaults, &facts::environment(request, caller));
    let id_lock = needs.taken_ids.then(|| store.lock_ids()).transpose()?;
    // Where the caller's own files are does not depend on what the program gets.
    let place = facts::Place { store, settings: &context.settings, caller };
    let mut found = Found { images: mounted, ..facts::look_up(&place, &needs, &identity.id)? };
    found.containers.extend(pod.map(|pod| (pod.id.to_string(), Some(Box::new(pod)))));
    for (device, edits) in &found.described {
        if let Some(left_out) = edits.as_ref().ok().and_then(plan::CdiEdits::left_out) {
            observer.warning(&format!("device `{device}`: {left_out}"));
        }
    }
    let facts = facts::facts(request, caller, &environment.ids, defaults, found);
    let mut config = plan::resolve(request, &image, &facts, identity)?;
    for secret in &mut config.secrets {
        secret.id = secrets::find(store, secret.name.as_str())?.0.id;
    }
    if let Seccomp::Profile { rules, .. } = &config.seccomp {
        // Otherwise the start would fail, inside the container.
        seccomp::compile(rules)?;
    }
    for warning in plan::warnings(request, &config) {
        observer.warning(&warning);
    }
    let trees = image::trees_of(environment, &config, local.as_ref())?;
    let files = container::files(&config, &trees.root)?;
    // Not earlier: a container that cannot be created must not cost the user the old one.
    if request.replace {
        remove_old(store, &config.name, environment)?;
    }
    let (image_lock, id_lock) = (RefCell::new(Some(lock)), RefCell::new(id_lock));
    Ok(Prepared { creation: Creation { store: store.clone(), config, files, image_lock, id_lock }, trees })
}

/// Removes the container of this name, even if it runs or is damaged.
fn remove_old(store: &Store, name: &Name, environment: &Environment) -> Result<(), Report> {
    let removal = Removal { force: true, timeout: None, volumes: false };
    match container::find(store, name.as_str()) {
        Ok(old) => container::remove(store, old, &removal, &environment.runtime_dir)?,
        Err(container::Error::Damaged { id, .. }) => {
            container::remove_damaged(store, &id, &removal, &environment.runtime_dir)?;
        }
        Err(_) => {}
    }
    Ok(())
}
