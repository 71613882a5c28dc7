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
mod attach;
mod capabilities;
mod cdi;
mod cgroups;
mod changes;
mod clone;
mod command;
mod config;
mod connection;
mod env;
mod env_merge;
mod error;
mod exec;
mod expose;
mod facts;
mod first_process;
mod found;
mod health;
mod host;
mod hosts_file;
mod id_ranges;
mod image_defaults;
mod kernel;
mod labels;
mod limits;
mod links;
mod local_volume;
mod logging;
mod membership;
mod mount_option;
mod mounts;
mod names;
mod namespaces;
mod needs;
mod network;
mod new_network;
mod paths;
mod pod;
mod portable;
mod ports;
mod request;
mod resolve;
mod resolver;
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

pub(crate) use attach::attached;
pub(crate) use cdi::{CdiEdits, CdiFile, Described, find as find_device};
pub(crate) use changes::{Changes, EnvChanges, Updated, adopt_env, adopt_rlimits};
pub(crate) use clone::{MemberClone, member_clone, pod_clone};
pub(crate) use config::{
    Attached, Cgroup, CgroupMode, CgroupNamespace, ContainerAccounts, ContainerConfig, Device, DeviceValue, ExitPolicy,
    ImageSource, InitContainer, Ipc, Limits, LogDriver, Membership, Mount, MountKind, NO_TIMEOUT, Personality,
    PodSettings, Rlimit, RootDirectory, Seccomp, SystemPaths, Throttle, UpdatedHealth, UserNamespace, VolumeSettings,
};
pub(crate) use connection::{ConnectRequest, NetworkChange};
pub(crate) use error::Error;
pub(crate) use exec::{ExecRequest, exec};
pub(crate) use facts::{Defaults, Facts, Identity};
pub(crate) use found::{BlockDevices, Found};
pub(crate) use health::{Check, HealthRequest, Healthcheck, OnFailure};
pub(crate) use host::{HostAccount, HostIds};
pub(crate) use hosts_file::BaseHosts;
pub(crate) use image_defaults::ImageDefaults;
pub(crate) use labels::UNIT_LABEL;
pub(crate) use limits::LimitChanges;
pub(crate) use local_volume::LocalVolume;
pub(crate) use needs::{Needs, needs};
pub(crate) use network::parse_networks;
pub(crate) use new_network::{NetworkFacts, NetworkRequest, network_dns, new_network};
pub(crate) use pod::{PodRequest, pod};
pub(crate) use portable::{Owners, portable};
pub(crate) use ports::FreePort;
pub(crate) use request::{
    DescriptorRequest, LimitRequest, LogRequest, MountRequest, MountRequestKind, PortRequest, PullPolicy,
    RegistryRequest, Request, ServiceRequest, TextFile,
};
pub(crate) use resolve::{resolve, warnings};
pub(crate) use resources::resources;
pub(crate) use restart::RestartPolicy;
pub(crate) use root_directory::root_directory;
pub(crate) use secrets::{SecretForm, SecretUse};
pub(crate) use security::seccomp_file;
pub(crate) use service::{Handed, NOTIFY_FILE, Sdnotify, Service};
pub(crate) use spec::{HostFacts, extras, spec};

/// A container of a test elsewhere.
#[cfg(test)]
pub(crate) fn example() -> ContainerConfig {
    resolve(&Request::default(), &tests::image(), &tests::facts(), tests::identity())
        .expect("an empty request is complete")
}

#[cfg(test)]
mod tests;
