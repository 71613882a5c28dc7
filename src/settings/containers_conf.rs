//! containers.conf: the keys of podman's file that have a meaning for rc.
//!
//! rc reads it beneath every rc.toml, so that who comes from podman finds their defaults. It belongs to other programs:
//! keys that are not here are passed over, also those that rc will never have. Source: containers.conf(5).

use serde::Deserialize;

use super::file;
use super::value::{Text, Texts, Value};
use crate::types::{Invalid, Network, NetworkDriver};

/// The keys of the file, and the keys of rc.toml that they set, for the manual and its test.
#[cfg(test)]
pub(super) const KEYS: &[(&str, &str)] = &[
    ("containers.annotations", "container.annotations"),
    ("containers.base_hosts_file", "container.base_hosts_file"),
    ("containers.cgroupns", "container.cgroupns"),
    ("containers.cgroups", "container.cgroups"),
    ("containers.default_capabilities", "container.capabilities"),
    ("containers.default_sysctls", "container.sysctls"),
    ("containers.default_ulimits", "container.ulimits"),
    ("containers.devices", "container.devices"),
    ("containers.dns_options", "network.dns_options"),
    ("containers.dns_searches", "network.dns_searches"),
    ("containers.dns_servers", "network.dns"),
    ("containers.env", "container.env"),
    ("containers.env_host", "container.env_host"),
    ("containers.http_proxy", "container.http_proxy"),
    ("containers.init", "container.init"),
    ("containers.ipcns", "container.ipc"),
    ("containers.log_driver", "log.driver"),
    ("containers.log_size_max", "log.max_size"),
    ("containers.netns", "network.driver"),
    ("containers.no_hosts", "container.no_hosts"),
    ("containers.pids_limit", "container.pids_limit"),
    ("containers.read_only", "container.read_only"),
    ("containers.shm_size", "container.shm_size"),
    ("containers.umask", "container.umask"),
    ("containers.utsns", "container.uts"),
    ("containers.volumes", "container.volumes"),
    ("engine.cdi_spec_dirs", "container.cdi_spec_dirs"),
    ("engine.detach_keys", "container.detach_keys"),
    ("engine.pull_policy", "container.pull"),
    ("engine.stop_timeout", "container.stop_timeout"),
    ("network.default_rootless_network_cmd", "network.driver"),
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    containers: Containers,
    engine: Engine,
    network: NetworkTable,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Containers {
    annotations: Option<List>,
    base_hosts_file: Option<String>,
    cgroupns: Option<String>,
    cgroups: Option<String>,
    default_capabilities: Option<List>,
    default_sysctls: Option<List>,
    default_ulimits: Option<List>,
    devices: Option<List>,
    dns_options: Option<List>,
    dns_searches: Option<List>,
    dns_servers: Option<List>,
    env: Option<List>,
    env_host: Option<bool>,
    http_proxy: Option<bool>,
    init: Option<bool>,
    ipcns: Option<String>,
    log_driver: Option<String>,
    log_size_max: Option<i64>,
    netns: Option<String>,
    no_hosts: Option<bool>,
    pids_limit: Option<i64>,
    read_only: Option<bool>,
    shm_size: Option<String>,
    umask: Option<String>,
    utsns: Option<String>,
    volumes: Option<List>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Engine {
    cdi_spec_dirs: Option<List>,
    detach_keys: Option<String>,
    pull_policy: Option<String>,
    stop_timeout: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NetworkTable {
    default_rootless_network_cmd: Option<String>,
}

/// A list of texts. podman's may end with `{append = true}`, for files that are read after each other.
#[derive(Deserialize)]
#[serde(transparent)]
struct List(Vec<Item>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Text(String),
    Append(serde::de::IgnoredAny),
}

impl List {
    fn texts(self) -> Vec<String> {
        let text = |item| match item {
            Item::Text(text) => Some(text),
            Item::Append(_) => None,
        };
        self.0.into_iter().filter_map(text).collect()
    }
}

/// Reads a file, and returns what it sets.
pub(super) fn read(text: &str) -> Result<file::File, toml::de::Error> {
    let Document { containers, engine, network } = toml::from_str(text)?;
    let bad = |key: &'static str| {
        move |error: Invalid| <toml::de::Error as serde::de::Error>::custom(format!("`{key}`: {error}"))
    };
    let texts = |list: Option<List>| list.map(|list| Texts(list.texts()));
    let word = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Text);
    let mut file = file::File::default();
    file.container.annotations = texts(containers.annotations);
    file.container.base_hosts_file = word(containers.base_hosts_file);
    file.container.capabilities = texts(containers.default_capabilities).filter(|list| !list.0.is_empty());
    file.container.cgroupns = word(containers.cgroupns);
    file.container.cgroups = word(containers.cgroups);
    file.container.cdi_spec_dirs = texts(engine.cdi_spec_dirs);
    file.container.devices = texts(containers.devices);
    file.container.env = texts(containers.env);
    file.container.env_host = containers.env_host;
    file.container.http_proxy = containers.http_proxy;
    file.container.init = containers.init;
    file.container.ipc = word(containers.ipcns);
    file.container.no_hosts = containers.no_hosts;
    // There, 0 and -1 are no limit.
    file.container.pids_limit = containers.pids_limit.map(|limit| u32::try_from(limit).unwrap_or(0));
    file.container.read_only = containers.read_only;
    file.container.sysctls = texts(containers.default_sysctls);
    file.container.ulimits = texts(containers.default_ulimits);
    file.container.umask = word(containers.umask);
    file.container.uts = word(containers.utsns);
    file.container.volumes = texts(containers.volumes);
    file.container.pull = word(engine.pull_policy);
    file.container.stop_timeout = engine.stop_timeout;
    let shm_size = containers.shm_size.map(Value::read).transpose();
    file.container.shm_size = shm_size.map_err(bad("containers.shm_size"))?;
    let keys = engine.detach_keys.map(Value::read).transpose();
    file.container.detach_keys = keys.map_err(bad("engine.detach_keys"))?;
    file.log.driver = word(containers.log_driver);
    let size = containers.log_size_max.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    file.log.max_size = size.map(super::Size);
    file.network.dns_options = texts(containers.dns_options);
    file.network.dns_searches = texts(containers.dns_searches);
    let servers = containers.dns_servers.map(|list| Value::read(list.texts())).transpose();
    file.network.dns = servers.map_err(bad("containers.dns_servers"))?;
    file.network.driver = driver(containers.netns.as_deref(), network.default_rootless_network_cmd.as_deref());
    Ok(file)
}

/// The network of a container that names none: `netns`, if rc has it, else the helper that is usual in the file.
fn driver(netns: Option<&str>, helper: Option<&str>) -> Option<Network> {
    match netns {
        Some("host") => Some(Network::Host),
        Some("none") => Some(Network::None),
        Some("slirp4netns") => Some(NetworkDriver::Slirp4netns.into()),
        Some("pasta") => Some(NetworkDriver::Pasta.into()),
        _ => match helper {
            Some("slirp4netns") => Some(NetworkDriver::Slirp4netns.into()),
            Some("pasta") => Some(NetworkDriver::Pasta.into()),
            _ => None,
        },
    }
}
