//! The plan of a container: pure functions from a request to the saved configuration, and from that to the runtime
//! spec. Nothing in here opens a file or asks the system; what it must know comes in as values.
//!
//! ```text
//! Request ──┐
//! image ────┤ resolve ──▶ ContainerConfig (saved) ──▶ spec ──▶ oci_spec::runtime::Spec
//! Facts ────┘                                HostFacts ─┘
//!   └── Found ◀── the engine looks up ◀── Needs ◀── needs ◀── Request, image
//! ```
//!
//! One file for each topic: an option's grammar, its meaning and their tests stand together.

mod accounts;
mod capabilities;
mod cdi;
mod cgroups;
mod changes;
mod command;
mod config;
mod connection;
mod env;
mod env_merge;
mod error;
mod exec;
mod expose;
mod first_process;
mod health;
mod host;
mod id_ranges;
mod kernel;
mod labels;
mod limits;
mod local_volume;
mod logging;
mod mount_option;
mod mounts;
mod names;
mod namespaces;
mod needs;
mod network;
mod new_network;
mod paths;
mod portable;
mod ports;
mod request;
mod resources;
mod restart;
mod rlimits;
mod root_directory;
mod seccomp;
mod secrets;
mod security;
mod service;
mod spec;
mod system_paths;
mod timezone;
mod user;
mod user_namespace;
mod user_options;
mod volumes;
mod volumes_from;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

pub(crate) use cdi::{CdiEdits, CdiFile, find as find_device};
pub(crate) use changes::{Changes, Updated};
pub(crate) use config::{
    Attached, Cgroup, CgroupMode, CgroupNamespace, ContainerAccounts, ContainerConfig, Device, DeviceValue,
    ImageSource, Ipc, Limits, LogDriver, Mount, MountKind, Personality, Rlimit, RootDirectory, Seccomp, SystemPaths,
    Throttle, UpdatedHealth, UserNamespace, VolumeSettings,
};
pub(crate) use connection::{ConnectRequest, NetworkChange};
pub(crate) use error::Error;
pub(crate) use exec::{ExecRequest, exec};
pub(crate) use health::{Check, HealthRequest, Healthcheck, OnFailure};
pub(crate) use host::{HostAccount, HostIds};
pub(crate) use limits::LimitChanges;
pub(crate) use local_volume::LocalVolume;
pub(crate) use needs::{BlockDevices, Found, Needs, needs};
pub(crate) use network::parse_networks;
pub(crate) use new_network::{NetworkFacts, NetworkRequest, network_dns, new_network};
pub(crate) use portable::{Owners, portable};
pub(crate) use ports::FreePort;
pub(crate) use request::{
    DescriptorRequest, LimitRequest, LogRequest, MountRequest, MountRequestKind, PortRequest, PullPolicy,
    RegistryRequest, Request, ServiceRequest, TextFile,
};
pub(crate) use resources::resources;
pub(crate) use restart::RestartPolicy;
pub(crate) use root_directory::root_directory;
pub(crate) use secrets::{SecretForm, SecretUse};
pub(crate) use security::seccomp_file;
pub(crate) use service::{Handed, NOTIFY_FILE, Sdnotify, Service};
pub(crate) use spec::{HostFacts, extras, spec};

use crate::types::image_settings::Healthcheck as ImageHealthcheck;
use crate::types::{ContainerId, DetachKeys, Invalid, Name, Network, NetworkDriver, PortMapping, Signal, parse_size};

/// What `resolve` needs of an image's configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageDefaults {
    /// The image itself.
    pub(crate) source: ImageSource,
    /// `Entrypoint`.
    pub(crate) entrypoint: Vec<String>,
    /// `Cmd`.
    pub(crate) command: Vec<String>,
    /// `Env`.
    pub(crate) env: Vec<String>,
    /// `User`; empty is root.
    pub(crate) user: String,
    /// `WorkingDir`; empty is `/`.
    pub(crate) working_dir: String,
    /// The keys of `Volumes`.
    pub(crate) volumes: Vec<String>,
    /// `Labels`.
    pub(crate) labels: BTreeMap<String, String>,
    /// `StopSignal`.
    pub(crate) stop_signal: Option<String>,
    /// `Healthcheck`, as the image has it.
    pub(crate) healthcheck: Option<ImageHealthcheck>,
}

/// Values for what neither the command line nor the image sets: rc's defaults, changed by `rc.toml`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Defaults {
    /// The network.
    pub(crate) network: Network,
    /// Where published ports listen when `--publish` names no address; `None` is every IPv4 address.
    pub(crate) publish_address: Option<IpAddr>,
    /// Name servers; empty: the host's.
    pub(crate) dns: Vec<IpAddr>,
    /// Variables below those of the image, as for `--env`.
    pub(crate) env: Vec<String>,
    /// `no_new_privs` for every container.
    pub(crate) no_new_privileges: bool,
    /// The limit of processes, if a cgroup is available.
    pub(crate) pids_limit: Option<u64>,
    /// Bytes of `/dev/shm`.
    pub(crate) shm_size: u64,
    /// Seconds that `stop` waits.
    pub(crate) stop_timeout: u32,
    /// The sequence that leaves a terminal.
    pub(crate) detach_keys: String,
    /// Bytes of one log file.
    pub(crate) log_max_size: u64,
    /// Log files kept.
    pub(crate) log_max_files: u32,
}

impl Default for Defaults {
    /// What rc does without any `rc.toml`.
    fn default() -> Self {
        Self {
            network: NetworkDriver::Slirp4netns.into(),
            publish_address: None,
            dns: Vec::new(),
            env: Vec::new(),
            no_new_privileges: false,
            pids_limit: Some(2048),
            shm_size: 64 << 20,
            stop_timeout: 10,
            detach_keys: "ctrl-p,ctrl-q".to_owned(),
            log_max_size: 10 << 20,
            log_max_files: 3,
        }
    }
}

/// What `resolve` must know of the caller and the host.
pub(crate) struct Facts {
    /// The settings.
    pub(crate) defaults: Defaults,
    /// The caller's environment, for `-e NAME` and the proxies; variables that are not UTF-8 are left out.
    pub(crate) environment: Vec<(String, String)>,
    /// The caller's directory, absolute: relative sources of `--volume` start there.
    pub(crate) working_dir: PathBuf,
    /// The host's name, which a container on the host's network shows.
    pub(crate) host_name: String,
    /// The version of its kernel, major and minor.
    pub(crate) kernel: (u32, u32),
    /// The user's IDs.
    pub(crate) ids: HostIds,
    /// What was looked up for this request: what [`needs`] says.
    pub(crate) found: Found,
}

impl fmt::Debug for Facts {
    /// Leaves the environment out: it holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("defaults", &self.defaults)
            .field("working_dir", &self.working_dir)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

/// The identity of a new container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its id.
    pub(crate) id: ContainerId,
    /// Its name, reserved.
    pub(crate) name: Name,
    /// Now, RFC 3339 with nanoseconds, UTC.
    pub(crate) created: String,
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

/// How a container looks names up.
struct Resolver {
    dns: Vec<IpAddr>,
    is_of_image: bool,
    search: Vec<String>,
    options: Vec<String>,
    gateway_hosts: Vec<String>,
    extra_hosts: Vec<(String, IpAddr)>,
}

fn resolver(request: &Request, defaults: &Defaults) -> Result<Resolver, Error> {
    let hosts: Vec<_> = each("--add-host", &request.add_hosts, names::extra_hosts)?.into_iter().flatten().collect();
    let is_of_image = names::is_left_to_image(&request.dns);
    Ok(Resolver {
        dns: match &names::name_servers(&request.dns).map_err(Error::option("--dns"))?[..] {
            [] if !is_of_image => defaults.dns.clone(),
            asked => asked.to_vec(),
        },
        is_of_image,
        search: each("--dns-search", &request.dns_search, names::search_domain)?,
        options: each("--dns-option", &request.dns_options, names::dns_option)?,
        gateway_hosts: hosts.iter().filter(|(_, ip)| ip.is_none()).map(|(name, _)| name.clone()).collect(),
        extra_hosts: hosts.into_iter().filter_map(|(name, ip)| Some((name, ip?))).collect(),
    })
}

/// Joins the request, the image and the facts to the complete description of a container. Fails with the first value
/// that is wrong; nothing has been changed then.
pub(crate) fn resolve(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
    identity: Identity,
) -> Result<ContainerConfig, Error> {
    let defaults = &facts.defaults;
    let network = network::known(network::network(request, defaults)?, &facts.found.networks)?;
    let shared = namespaces::shared(request, facts, network)?;
    let hostname = hostname(request, facts, &identity.id, &shared.network, shared.host_uts)?;
    let (argv, entrypoint_len) = command::argv(request, image)?;
    let userns = user_namespace::user_namespace(request, image, facts, &shared)?;
    let sysctls = kernel::sysctls(request, &shared)?;
    let user = user(request, image, &userns)?;
    let working_dir = working_dir(request, image)?;
    let is_systemd = first_process::is_systemd(request, &argv)?;
    let mut mounts = mounts::mounts(request, image, facts, is_systemd)?;
    let mut devices = kernel::devices(request, facts)?;
    let mut variables = cdi::added(request, &facts.found.described)?.join(&mut mounts, &mut devices);
    variables.extend(first_process::variable_for_systemd(is_systemd, &identity.id));
    let program = accounts::Program { user: &user, working_dir: &working_dir, mounts: &mounts };
    let accounts = accounts::accounts(request, facts, &userns, &program)?;
    let capabilities = capabilities(request)?;
    let security = security::security(request, facts, &capabilities)?;
    let limits = limits::limits(&request.limits, facts)?;
    let resolver = resolver(request, defaults)?;
    let service = service::service(&request.service, &facts.working_dir)?;
    let logging = logging::logging(request, facts, &image.source, &identity, &security.seccomp)?;
    let healthcheck = healthcheck(request, image, service.sdnotify, logging.driver)?;
    let secrets = secrets::secrets(&request.secrets, |path| mounts.iter().any(|mount| mount.destination == path))?;
    Ok(ContainerConfig {
        env: env::with(env::environment(request, image, facts, &hostname)?, variables),
        working_dir,
        user,
        groups: user::groups(&request.groups).map_err(Error::option("--group-add"))?,
        labels: labels::labels(request, image)?,
        mounts,
        capabilities,
        rlimits: rlimits::rlimits(&request.ulimits)?,
        cgroup: cgroups::cgroup(request, &limits, shared.cgroup)?,
        limits,
        ports: forwarded(request, image, facts, &shared.network)?,
        dns: resolver.dns,
        image_resolver: resolver.is_of_image,
        image_hosts: request.no_hosts,
        image_hostname: request.no_hostname,
        dns_search: resolver.search,
        dns_options: resolver.options,
        gateway_hosts: resolver.gateway_hosts,
        extra_hosts: resolver.extra_hosts,
        shm_size: shm_size(request, defaults)?,
        timeout: request.timeout.unwrap_or_default(),
        timezone: timezone::timezone(request, facts)?,
        volumes_from: request.volumes_from.clone(),
        stop_signal: stop_signal(request, image, is_systemd)?,
        stop_timeout: request.stop_timeout.unwrap_or(defaults.stop_timeout),
        detach_keys: detach_keys(request, defaults)?,
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
        sysctls,
        host_uts: shared.host_uts,
        ipc: shared.ipc,
        namespaces: shared.namespaces,
        requires: requires(request, facts)?,
        user_namespace: userns.namespace,
        accounts,
        umask: kernel::umask(request)?,
        oom_score_adj: kernel::oom_score_adj(request, facts)?,
        annotations: kernel::annotations(request)?,
        devices,
        privileged: request.privileged,
        publish_all: request.publish_all,
        attached: Some(attached(request)?).filter(|_| !request.attach.is_empty()),
        network: shared.network,
        restart: restart::policy(request.restart.as_deref(), request.auto_remove)?,
        cidfile: request.cidfile.as_ref().map(|path| facts.working_dir.join(path)),
        healthcheck,
        health_update: None,
        secrets,
        service,
        create_command: request.create_command.clone(),
    })
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

/// The key sequence that leaves a terminal.
fn detach_keys(request: &Request, defaults: &Defaults) -> Result<String, Error> {
    match &request.detach_keys {
        Some(text) => text.parse().map(|_: DetachKeys| text.clone()).map_err(Error::option("--detach-keys")),
        None => Ok(defaults.detach_keys.clone()),
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

/// The capabilities: all that an ordinary user has in a container with `--privileged`, less those that are dropped.
fn capabilities(request: &Request) -> Result<Vec<String>, Error> {
    let mut add = request.cap_add.clone();
    if request.privileged {
        add.push("ALL".to_owned());
    }
    capabilities::capabilities(&add, &request.cap_drop)
}

/// The streams that a command passes on which waits for the program: those of `--attach`, else all. Fails if one is
/// none, or if no command waits. Source: docker-run(1).
pub(crate) fn attached(request: &Request) -> Result<Attached, Error> {
    if request.attach.is_empty() {
        return Ok(Attached { stdin: true, stdout: true, stderr: true });
    }
    let mut attached = Attached::default();
    for stream in &request.attach {
        match stream.to_ascii_lowercase().as_str() {
            "stdin" => attached.stdin = true,
            "stdout" => attached.stdout = true,
            "stderr" => attached.stderr = true,
            _ => {
                return Err(Error::option("--attach")(Invalid::new(
                    "stream",
                    stream,
                    "must be stdin, stdout or stderr",
                )));
            }
        }
    }
    Ok(attached)
}

/// Reads each value of an option that may be given several times.
fn each<T>(option: &'static str, texts: &[String], read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Vec<T>, Error> {
    texts.iter().map(|text| read(text)).collect::<Result<_, _>>().map_err(Error::option(option))
}

/// `--hostname`; else the host's name on the host's network, and the short id on another.
fn hostname(
    request: &Request,
    facts: &Facts,
    id: &ContainerId,
    network: &Network,
    host_uts: bool,
) -> Result<String, Error> {
    match &request.hostname {
        Some(text) => names::check_hostname(text).map(|()| text.clone()).map_err(Error::option("--hostname")),
        None if *network == Network::Host || host_uts => Ok(facts.host_name.clone()),
        None => Ok(id.short().to_owned()),
    }
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

/// The user of the program: as asked for, else the image's, else with `keep-id` the user that runs rc.
fn user(request: &Request, image: &ImageDefaults, userns: &user_namespace::Chosen) -> Result<String, Error> {
    match (&request.user, userns.own_ids) {
        (Some(text), _) => user::read(text).map_err(Error::option("--user")),
        (None, Some((uid, gid))) if image.user.is_empty() => Ok(format!("{uid}:{gid}")),
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

/// A container of a test elsewhere.
#[cfg(test)]
pub(crate) fn example() -> ContainerConfig {
    resolve(&Request::default(), &tests::image(), &tests::facts(), tests::identity())
        .expect("an empty request is complete")
}

#[cfg(test)]
mod tests;
