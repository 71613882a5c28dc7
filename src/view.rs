//! Views as data: turns rc's records into the shapes and words of podman and docker.
//!
//! They are for every front end. Nothing here prints or escapes: the front end that writes them does.
//!
//! | view | module |
//! | --- | --- |
//! | rows of listings, also for `--format` | `ps`, `image_row`, `history`, `search`, `stats`, …, [`Listed`] |
//! | objects of `inspect`, `info`, `version` | `inspect`, `image`, `info`, `docker_info`, `version` |
//! | columns of `top` | `top` |
//! | which keys of an object are data, and which fields are optional | [`shape()`] |
//! | the selection of rows | [`filter`] |
//! | mistakes in a Dockerfile, and what it offers | [`dockerfile`] |
//! | steps of a build | `build_step` |
//! | what a registry has, for `imagetools` | [`remote_image`] |
//! | sizes, ages, states and times as words, and times from words | [`human`], [`when`] |

mod auto_update;
mod build_step;
mod cache;
mod disk;
mod docker_info;
mod docker_inspect;
/// Dockerfiles.
pub(crate) mod dockerfile;
mod event;
mod explain;
pub(crate) mod filter;
mod history;
mod host;
pub(crate) mod human;
mod image;
mod image_row;
mod info;
mod inspect;
mod listed;
mod network;
mod pod;
mod ps;
pub(crate) mod remote_image;
mod search;
mod secret;
mod shape;
mod stats;
mod top;
mod trust;
mod version;
mod volume;
pub(crate) mod when;
mod yaml;

use jiff::Timestamp;

use crate::plan::ContainerConfig;
use crate::types::PortMapping;

pub(crate) use auto_update::{AUTO_UPDATE_COLUMNS, AutoUpdateRow, Outcome};
pub(crate) use build_step::{BUILD_STEP_COLUMNS, BuildStep};
pub(crate) use cache::{CACHE_COLUMNS, CacheRow};
pub(crate) use disk::{DISK_COLUMNS, DiskRow};
pub(crate) use docker_inspect::{container_of_docker, image_of_docker};
pub(crate) use event::{EventRow, docker_action};
pub(crate) use explain::Explained;
pub(crate) use history::{HISTORY_COLUMNS, HistoryRow};
pub(crate) use host::Info;
pub(crate) use image::image;
pub(crate) use image_row::ImageRow;
pub(crate) use inspect::{Place, container, network_settings};
pub(crate) use listed::Listed;
pub(crate) use network::{DOCKER_NETWORK_COLUMNS, NETWORK_COLUMNS, NetworkMember, NetworkRow, with_go_names};
pub(crate) use pod::{PodColumns, PodRow, pod};
pub(crate) use ps::{ContainerSize, NAMESPACE_COLUMNS, Namespaces, PS_COLUMNS, PsRow};
pub(crate) use search::{SearchRow, TagList, TagRow};
pub(crate) use secret::{SECRET_COLUMNS, SecretRow, secret, secret_lines};
pub(crate) use shape::{Shape, Zero, shape};
pub(crate) use stats::{POD_STATS_COLUMNS, PodStatsRow, STATS_COLUMNS, StatsRow};
pub(crate) use top::{Column, PsFormat, Terms};
pub(crate) use trust::TrustRow;
pub(crate) use version::version;
pub(crate) use volume::{VOLUME_COLUMNS, VolumeRow};

/// A time that was never set, as Go prints it; tools test for it.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The Unix seconds of [`NEVER`].
const NEVER_UNIX: i64 = -62_135_596_800;

/// Unix seconds of an RFC 3339 time; [`NEVER_UNIX`] for none.
fn unix(time: Option<&str>) -> i64 {
    time.and_then(|time| time.parse::<Timestamp>().ok()).map_or(NEVER_UNIX, Timestamp::as_second)
}

/// The address of a published port, as docker writes it; `None` is every IPv4 address.
fn host_ip(port: &PortMapping) -> String {
    port.host_ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string())
}

/// The command line without the part from the entry point.
pub(crate) fn command(config: &ContainerConfig) -> &[String] {
    config.argv.get(config.entrypoint_len..).unwrap_or_default()
}

/// A container for the tests of views and filters: `web`, started 10 seconds before noon.
#[cfg(test)]
pub(crate) fn sample() -> (ContainerConfig, crate::monitor::State) {
    let digest = |byte: &str| format!("sha256:{}", byte.repeat(32));
    let config = serde_json::json!({
        "id": format!("5eacc9e701a2{}", "0".repeat(52)),
        "name": "web",
        "created": "2026-01-01T10:00:00.5Z",
        "image": {
            "id": digest("a1"),
            "manifest": digest("b2"),
            "reference": "docker.io/library/busybox:latest",
            "layers": [digest("c3")],
            "exposedPorts": ["80/tcp", "443/tcp"]
        },
        "argv": ["/entry", "sh", "-c", "echo \u{1b}[2J hi; exec sleep 300"],
        "entrypointLen": 1,
        "env": ["PATH=/bin", "A=b"],
        "workingDir": "/srv",
        "user": "33",
        "groups": [],
        "hostname": "hh",
        "labels": { "app": "shop" },
        "tty": false,
        "openStdin": true,
        "autoRemove": false,
        "init": false,
        "readOnly": true,
        "mounts": [
            { "kind": { "type": "bind", "source": "/srv/d" }, "destination": "/data", "readOnly": true, "options": [] },
            {
                "kind": { "type": "volume", "name": "vv", "anonymous": false },
                "destination": "/vol", "readOnly": false, "options": ["U"]
            },
            { "kind": { "type": "tmpfs" }, "destination": "/tmp2", "readOnly": false, "options": ["size=64m"] }
        ],
        "shmSize": 65_536_000,
        "capabilities": ["CAP_CHOWN", "CAP_NET_RAW"],
        "noNewPrivileges": false,
        "seccomp": "default",
        "rlimits": [],
        "network": { "mode": "slirp4netns" },
        "ports": [
            { "hostIp": null, "hostPort": 8080, "containerPort": 80, "protocol": "tcp" },
            { "hostIp": "127.0.0.1", "hostPort": 5353, "containerPort": 53, "protocol": "udp" }
        ],
        "dns": [],
        "dnsSearch": [],
        "dnsOptions": [],
        "extraHosts": [["db", "10.0.0.7"]],
        "limits": { "memory": 67_108_864, "milliCpus": 1500 },
        "stopSignal": "SIGTERM",
        "stopTimeout": 10,
        "logDriver": "k8s-file",
        "logMaxSize": 10_000_000,
        "logMaxFiles": 3,
        "restart": "no",
        "detachKeys": "ctrl-p,ctrl-q",
        "cidfile": null,
        "createCommand": ["rc", "run", "-d"]
    });
    let state = serde_json::json!({
        "status": "running",
        "init": { "pid": 4242, "startTime": 1, "bootId": "b" },
        "startedAt": "2026-01-01T11:59:50Z",
        "ipAddress": "10.0.2.100",
        "cgroup": "user.slice/rc-5eacc9e701a2"
    });
    (serde_json::from_value(config).expect("a configuration"), serde_json::from_value(state).expect("a state"))
}
