//! Joins what every topic says to the configuration of a container.

use super::attach::{attached, detach_keys};
use super::health::Healthcheck;
use super::namespaces::Shared;
use super::resolver::{hostname, resolver};
use super::{
    ContainerConfig, Defaults, Error, Facts, Identity, ImageDefaults, ImageSource, LogDriver, Request, Sdnotify,
    accounts, capabilities, cdi, cgroups, command, env, expose, first_process, health, hosts_file, kernel, labels,
    limits, links as linked_names, logging, membership, mounts, namespaces, network, paths, ports, restart, rlimits,
    root_directory, secrets, security, service, timezone, user, user_namespace,
};
use crate::types::{ContainerId, Invalid, Network, PortMapping, Signal, parse_size};

/// Joins the request, the image and the facts to the complete description of a container. Fails with the first value
/// that is wrong; nothing has been changed then.
pub(crate) fn resolve(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
    identity: Identity,
) -> Result<ContainerConfig, Error> {
    let pod = membership::pod_of(request, facts)?;
    let Some(pod) = pod else { return resolve_beside(request, image, facts, identity, None) };
    let completed = pod.sandbox.as_ref().map(|settings| membership::with_options_of(settings, request));
    let config = resolve_beside(completed.as_ref().unwrap_or(request), image, facts, identity, Some(pod))?;
    membership::complete(config, request, pod)
}

/// What has nothing of the pod but its namespaces, its host name, and options that are in the request.
fn resolve_beside(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
    identity: Identity,
    pod: Option<&ContainerConfig>,
) -> Result<ContainerConfig, Error> {
    let shared = namespaces::shared(request, facts, known_network(request, facts)?, pod)?;
    let hostname = named(request, facts, &identity.id, &shared, pod)?;
    let (argv, entrypoint_len) = command::argv(request, image)?;
    let userns = user_namespace::user_namespace(request, image, facts, &shared)?;
    let user = user(request, image, &userns, pod)?;
    let working_dir = working_dir(request, image)?;
    let is_systemd = first_process::is_systemd(request, &argv)?;
    let mut mounts = mounts::mounts(request, image, facts, is_systemd)?;
    let mut devices = kernel::devices(request, facts)?;
    let (mut variables, links) = cdi::added(request, &facts.found.described)?.join(&mut mounts, &mut devices);
    variables.extend(first_process::variable_for_systemd(is_systemd, &identity.id));
    let program = accounts::Program { user: &user, working_dir: &working_dir, mounts: &mounts };
    let accounts = accounts::accounts(request, facts, &userns, &program)?;
    let capabilities = capabilities(request)?;
    let security = security::security(request, facts, &capabilities)?;
    let limits = limits::limits(&request.limits, facts)?;
    let resolver = resolver(request, &facts.defaults)?;
    let service = service::service(&request.service, &facts.working_dir)?;
    let logging = logging::logging(request, facts, &image.source, &identity, &security.seccomp)?;
    let secrets = secrets::secrets(&request.secrets, |path| mounts.iter().any(|mount| mount.destination == path))?;
    Ok(ContainerConfig {
        env: env::with(env::environment(request, image, facts, &hostname)?, variables),
        working_dir,
        user,
        groups: user::groups(&request.groups).map_err(Error::option("--group-add"))?,
        labels: labels::labels(request, image, facts)?,
        mounts,
        capabilities,
        rlimits: rlimits::rlimits(&request.ulimits)?,
        sysctls: kernel::sysctls(request, &shared)?,
        cgroup: cgroups::cgroup(request, &limits, shared.cgroup)?,
        limits,
        ports: forwarded(request, image, facts, &shared.network)?,
        dns: resolver.dns,
        image_resolver: resolver.is_of_image,
        base_hosts: hosts_file::base_hosts(request, &facts.defaults.hosts_file, &facts.working_dir, &shared.network)?,
        image_hosts: request.no_hosts,
        image_hostname: request.no_hostname,
        dns_search: resolver.search,
        dns_options: resolver.options,
        gateway_hosts: resolver.gateway_hosts,
        extra_hosts: resolver.extra_hosts,
        shm_size: shm_size(request, &facts.defaults)?,
        timeout: request.timeout.unwrap_or_default(),
        timezone: timezone::timezone(request, facts)?,
        volumes_from: request.volumes_from.clone(),
        stop_signal: stop_signal(request, image, is_systemd)?,
        stop_timeout: request.stop_timeout.unwrap_or(facts.defaults.stop_timeout),
        detach_keys: detach_keys(request, &facts.defaults)?,
        log_driver: logging.driver,
        log_max_size: logging.max_size,
        log_max_files: logging.max_files,
        log_tag: logging.tag,
        log_labels: logging.labels,
        log_path: logging.path,
        id: identity.id,
        name: identity.name,
        created: identity.created,
        root_directory: root_directory(request, &facts.working_dir)?,
        image: ImageSource { exposed_ports: expose::exposed(request, image)?, ..image.source.clone() },
        argv,
        entrypoint_len,
        hostname,
        tty: request.tty,
        // A passthrough driver passes all three descriptors. Source: podman-run(1), `--log-driver`.
        open_stdin: request.interactive || logging.driver.is_passthrough() && request.log.driver.is_some(),
        auto_remove: request.auto_remove,
        init: request.init.unwrap_or_default(),
        init_path: first_process::init_path(request, &facts.working_dir)?,
        is_systemd,
        personality: first_process::personality(request)?,
        chroot_dirs: chroot_dirs(request)?,
        read_only: request.read_only,
        no_new_privileges: security.no_new_privileges,
        seccomp: security.seccomp,
        system_paths: security.system_paths,
        host_uts: shared.host_uts,
        ipc: shared.ipc,
        namespaces: shared.namespaces,
        requires: requires(request, facts)?,
        pod: None,
        sandbox: None,
        user_namespace: userns.namespace,
        accounts,
        umask: kernel::umask(request)?,
        oom_score_adj: kernel::oom_score_adj(request, facts)?,
        annotations: kernel::annotations(request)?,
        devices,
        links,
        privileged: request.privileged,
        publish_all: request.publish_all,
        attached: Some(attached(request)?).filter(|_| !request.attach.is_empty()),
        network: shared.network,
        restart: restart::policy(request.restart.as_deref(), request.auto_remove)?,
        cidfile: request.cidfile.as_ref().map(|path| facts.working_dir.join(path)),
        healthcheck: healthcheck(request, image, service.sdnotify, logging.driver)?,
        health_update: None,
        secrets,
        service,
        create_command: request.create_command.clone(),
    })
}

/// The network, in which all networks with names are known.
fn known_network(request: &Request, facts: &Facts) -> Result<Network, Error> {
    let network = network::known(request, network::network(request, &facts.defaults)?, &facts.found.networks)?;
    linked_names::linked(network, &request.links, facts)
}

/// The host name: the pod's, or that of the container.
fn named(
    request: &Request,
    facts: &Facts,
    id: &ContainerId,
    shared: &Shared,
    pod: Option<&ContainerConfig>,
) -> Result<String, Error> {
    match pod.filter(|pod| shared.has_names_of(pod)) {
        Some(pod) => Ok(pod.hostname.clone()),
        None => hostname(request, facts, id, &shared.network, shared.host_uts),
    }
}

/// Warnings about options that have no effect, for the front end to show.
pub(crate) fn warnings(request: &Request, config: &ContainerConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    if !request.publish.is_empty() && !config.network.forwards_ports() {
        warnings.push(format!("published ports are dropped: the network is `{}`", config.network));
    }
    if config.healthcheck.is_none() && !request.health.disabled && request.health.asks_without_command() {
        warnings.push("the options of the health check have no effect: no command is given for it".to_owned());
    }
    warnings
}

/// The health check. Fails if it restarts a program that has descriptors of the caller's: the next one would not have
/// them.
fn healthcheck(
    request: &Request,
    image: &ImageDefaults,
    sdnotify: Sdnotify,
    driver: LogDriver,
) -> Result<Option<Healthcheck>, Error> {
    let found = health::healthcheck(&request.health, image, sdnotify)?;
    if driver.is_passthrough() && found.as_ref().is_some_and(Healthcheck::restarts) {
        return Err(Error::Exclusive { options: ["--log-driver passthrough", "a health check that restarts"] });
    }
    Ok(found)
}

/// `--shm-size`, bytes.
fn shm_size(request: &Request, defaults: &Defaults) -> Result<u64, Error> {
    let asked = request.shm_size.as_deref().map(parse_size).transpose().map_err(Error::option("--shm-size"))?;
    Ok(asked.unwrap_or(defaults.shm_size))
}

/// The published ports. Without a network of its own there is nothing to forward to: docker and podman drop the ports
/// as well, and warn.
fn forwarded(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
    network: &Network,
) -> Result<Vec<PortMapping>, Error> {
    match network.forwards_ports() {
        true => ports::mappings(&expose::published(request, image)?, facts),
        false => Ok(Vec::new()),
    }
}

/// The capabilities: all that an ordinary user has in a container with `--privileged`, less those that are dropped.
fn capabilities(request: &Request) -> Result<Vec<String>, Error> {
    let mut add = request.cap_add.clone();
    if request.privileged {
        add.push("ALL".to_owned());
    }
    capabilities::capabilities(&add, &request.cap_drop)
}

fn working_dir(request: &Request, image: &ImageDefaults) -> Result<String, Error> {
    let invalid = |text: &str| Invalid::new("working directory", text, "must be an absolute path");
    match &request.working_dir {
        Some(text) => paths::clean(text).ok_or_else(|| Error::option("--workdir")(invalid(text))),
        None if image.working_dir.is_empty() => Ok("/".to_owned()),
        // Builders also write relative ones, which start at the root. Source: docker's `normalizeWorkdir`.
        None => {
            let text = &image.working_dir;
            paths::clean(&format!("/{text}")).ok_or_else(|| Error::Image { source: invalid(text) })
        }
    }
}

/// Directories in the container with a root filesystem of their own, which get rc's files, too.
fn chroot_dirs(request: &Request) -> Result<Vec<String>, Error> {
    let texts = request.chroot_dirs.iter().flat_map(|texts| texts.split(',')).filter(|text| !text.is_empty());
    let read = |text: &str| {
        let refused = || Invalid::new("directory", text, "must be an absolute path below the root");
        paths::clean(text).filter(|path| path != "/").ok_or_else(refused).map_err(Error::option("--chrootdirs"))
    };
    texts.map(read).collect()
}

/// The containers that are started before this one.
fn requires(request: &Request, facts: &Facts) -> Result<Vec<ContainerId>, Error> {
    let names = request.requires.iter().flat_map(|names| names.split(','));
    names.map(|name| Ok(namespaces::container(facts, "--requires", name)?.id.clone())).collect()
}

/// The user of the program: as asked for, else the image's, else with `keep-id`, also the pod's, the user that runs rc.
fn user(
    request: &Request,
    image: &ImageDefaults,
    userns: &user_namespace::Chosen,
    pod: Option<&ContainerConfig>,
) -> Result<String, Error> {
    match (&request.user, userns.own_ids) {
        (Some(text), _) => user::read(text).map_err(Error::option("--user")),
        (None, Some((uid, gid))) if image.user.is_empty() => Ok(format!("{uid}:{gid}")),
        (None, None) if image.user.is_empty() => {
            Ok(pod.filter(|pod| pod.shares_any()).map(|pod| pod.user.clone()).unwrap_or_default())
        }
        (None, _) => user::read(&image.user).map_err(|source| Error::Image { source }),
    }
}

fn stop_signal(request: &Request, image: &ImageDefaults, is_systemd: bool) -> Result<Signal, Error> {
    match (&request.stop_signal, image.stop_signal.as_deref()) {
        (Some(text), _) => text.parse().map_err(Error::option("--stop-signal")),
        // Which makes systemd halt. Source: systemd(1), "SIGNALS".
        (None, None | Some("")) if is_systemd => "SIGRTMIN+3".parse().map_err(Error::option("--stop-signal")),
        (None, None | Some("")) => Ok(Signal::TERM),
        (None, Some(text)) => text.parse().map_err(|source| Error::Image { source }),
    }
}
