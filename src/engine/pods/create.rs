//! Creating pods, for `pod create` and for `run --pod new:NAME`.

use std::cell::RefCell;

use super::super::cidfile::Cidfile;
use super::super::context::{Caller, Context};
use super::super::{facts, happened};
use super::remove::remove_with_members;
use crate::container::{self, Creation, Environment, Removal};
use crate::plan::{self, ContainerConfig, ImageDefaults, PodRequest, Request};
use crate::pod;
use crate::storage::Store;
use crate::types::{ContainerId, Layers, Name, Report, ReportKind};

/// What makes a pod of the name that follows.
const NEW: &str = "new:";

/// Creates a pod without starting it. With `replace` a pod of its name is removed first. On failure nothing is left.
pub(crate) fn create_pod(context: &Context, mut caller: Caller, request: &PodRequest) -> Result<ContainerId, Report> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    create(context, &environment, &caller, request)
}

fn create(
    context: &Context,
    environment: &Environment,
    caller: &Caller,
    request: &PodRequest,
) -> Result<ContainerId, Report> {
    let creation = prepare(context, environment, caller, request)?;
    if request.container.replace {
        replace(context, environment, creation.config.name.as_str())?;
    }
    make(&creation)
}

/// Creates a pod that is ready to be created. On failure nothing is left.
pub(super) fn make(creation: &Creation) -> Result<ContainerId, Report> {
    let cidfile = Cidfile::write(&creation.config)?;
    container::create(creation)?;
    cidfile.keep();
    happened::to_container(&creation.store, &creation.config, "create");
    Ok(creation.config.id.clone())
}

/// Resolves the request for a pod.
pub(super) fn prepare(
    context: &Context,
    environment: &Environment,
    caller: &Caller,
    request: &PodRequest,
) -> Result<Creation, Report> {
    let store = &environment.store;
    let request = PodRequest { container: request.container.clone().without_empty_texts(), ..request.clone() };
    let asked = &request.container;
    asked.check_replaced("pod")?;
    let name = asked.name.as_deref().map(str::parse::<Name>).transpose()?;
    Cidfile::check(asked.cidfile.as_deref(), "--pod-id-file")?;
    // Until the record names what it uses: networks, IDs.
    let lock = store.lock_shared()?;
    let identity = container::new_identity(store, name)?;
    let defaults = facts::defaults(&context.settings);
    let needs = plan::needs(asked, &ImageDefaults::none(), &defaults, &facts::environment(asked, caller));
    let id_lock = needs.taken_ids.then(|| store.lock_ids()).transpose()?;
    let place = facts::Place { store, settings: &context.settings, caller };
    let found = facts::look_up(&place, &needs, &identity.id)?;
    let facts = facts::facts(asked, caller, &environment.ids, defaults, found);
    let config = plan::pod(&request, &facts, identity)?;
    let files = container::files(&config, &Layers::default())?;
    let (image_lock, id_lock) = (RefCell::new(Some(lock)), RefCell::new(id_lock));
    Ok(Creation { store: store.clone(), config, files, image_lock, id_lock })
}

/// Removes the pod of this name, with its members.
fn replace(context: &Context, environment: &Environment, name: &str) -> Result<(), Report> {
    let found = pod::list(&environment.store)?.into_iter().find(|pod| pod.sandbox.config.name.as_str() == name);
    let how = Removal { force: true, timeout: None, volumes: true };
    found.map_or(Ok(()), |pod| remove_with_members(context, &environment.store, &pod.sandbox, &how))
}

/// Creates the pod that a request asks for by `new:NAME`, and does `work` with the request, less what belongs to that
/// pod. If the work fails, the pod is removed again, unless a container is in it by then.
pub(in crate::engine) fn with_pod<T>(
    context: &Context,
    environment: &Environment,
    caller: &Caller,
    request: &Request,
    work: impl FnOnce(&Request) -> Result<T, Report>,
) -> Result<T, Report> {
    let Some((pod, member)) = divided(request)? else { return work(request) };
    let id = create(context, environment, caller, &pod)?;
    let done = work(&Request { pod: Some(id.to_string()), ..member });
    done.map_err(|report| {
        let made = pod::find(&environment.store, id.as_str());
        let is_empty = made.as_ref().is_ok_and(|pod| pod.members.is_empty());
        if is_empty { take_back(context, &environment.store, &id, report) } else { report }
    })
}

/// Removes a pod that was just made, with its members, since what it was for has failed. Returns that failure, which
/// also says so if the pod stays.
pub(super) fn take_back(context: &Context, store: &Store, id: &ContainerId, report: Report) -> Report {
    let how = Removal { force: true, timeout: None, volumes: true };
    let removed = pod::find(store, id.as_str()).and_then(|pod| remove_with_members(context, store, &pod.sandbox, &how));
    let Err(stays) = removed else { return report };
    let message = format!("{}; pod {} stays: {}", report.message, id.short(), stays.message);
    report.with_message(message)
}

/// The pod that a request asks for by `new:NAME`, and the request as it is in that pod, which does not exist.
pub(in crate::engine) fn planned(
    context: &Context,
    environment: &Environment,
    caller: &Caller,
    request: &Request,
) -> Result<Option<(ContainerConfig, Request)>, Report> {
    let Some((pod, member)) = divided(request)? else { return Ok(None) };
    let config = prepare(context, environment, caller, &pod)?.config.clone();
    Ok(Some((config.clone(), Request { pod: Some(config.id.to_string()), ..member })))
}

/// The request for a new pod in this request, and the rest; `None` if there is none.
fn divided(request: &Request) -> Result<Option<(PodRequest, Request)>, Report> {
    match request.pod.as_deref().and_then(|pod| pod.strip_prefix(NEW)) {
        Some("") => Err(Report::new(ReportKind::Invalid, "`--pod`: new pod name must be at least one character")),
        Some(name) => Ok(Some(divide(request, name))),
        None => Ok(None),
    }
}

/// What of a request is for its new pod, and the rest. Source: podman, `createPodIfNecessary`.
fn divide(request: &Request, name: &str) -> (PodRequest, Request) {
    let of_pod = Request {
        name: Some(name.to_owned()),
        create_command: request.create_command.clone(),
        environment: request.environment.clone(),
        hostname: request.hostname.clone(),
        add_hosts: request.add_hosts.clone(),
        no_hosts: request.no_hosts,
        hosts_file: request.hosts_file.clone(),
        dns: request.dns.clone(),
        dns_options: request.dns_options.clone(),
        dns_search: request.dns_search.clone(),
        network: request.network.clone(),
        network_aliases: request.network_aliases.clone(),
        ip: request.ip.clone(),
        ip6: request.ip6.clone(),
        mac_address: request.mac_address.clone(),
        publish: request.publish.clone(),
        userns: request.userns.clone(),
        uidmap: request.uidmap.clone(),
        gidmap: request.gidmap.clone(),
        subuidname: request.subuidname.clone(),
        subgidname: request.subgidname.clone(),
        ..Request::default()
    };
    let member = Request {
        hostname: None,
        add_hosts: Vec::new(),
        hosts_file: None,
        dns: Vec::new(),
        dns_options: Vec::new(),
        dns_search: Vec::new(),
        network: None,
        network_aliases: Vec::new(),
        ip: None,
        ip6: None,
        mac_address: None,
        publish: Vec::new(),
        userns: None,
        uidmap: Vec::new(),
        gidmap: Vec::new(),
        subuidname: None,
        subgidname: None,
        ..request.clone()
    };
    (PodRequest { container: of_pod, ..PodRequest::default() }, member)
}
