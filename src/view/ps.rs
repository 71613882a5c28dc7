//! A row of `ps`.

mod namespaces;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(crate) use self::namespaces::{NAMESPACE_COLUMNS, Namespaces};
use super::{command, host_ip, listed, unix};
use crate::monitor::{State, Status};
use crate::plan::{ContainerConfig, MountKind};
use crate::types::PortMapping;
use crate::view::Listed;
use crate::view::human;

/// The columns of `ps` without `--format`.
pub(crate) const PS_COLUMNS: [&str; 7] = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];

/// The length to which tables cut a command, in characters. Source: podman.
const COMMAND_WIDTH: usize = 17;

/// How much disk space a container takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContainerSize {
    /// What it has written.
    pub(crate) written: u64,
    /// That and its image.
    pub(crate) whole: u64,
}

impl ContainerSize {
    /// Docker's words: `12B (virtual 4.26MB)`.
    fn words(self) -> String {
        let size = |bytes| human::size(bytes).replace(' ', "");
        format!("{} (virtual {})", size(self.written), size(self.whole))
    }
}

/// A row of `ps`: a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PsRow<'a> {
    /// Its configuration.
    pub(crate) config: &'a ContainerConfig,
    /// Its state, as its monitor wrote it.
    pub(crate) state: &'a State,
    /// Its status, as the kernel knows it.
    pub(crate) status: Status,
    /// Its size, if it was asked for.
    pub(crate) size: Option<ContainerSize>,
    /// Its namespaces, if they were asked for.
    pub(crate) namespaces: Namespaces,
    /// The published ports of the pod or of the container whose network it has, if it has none of its own.
    pub(crate) ports_of_other: Option<&'a [PortMapping]>,
    /// The time from which ages count back.
    pub(crate) now: Timestamp,
    /// Whether IDs and commands are whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
}

impl PsRow<'_> {
    /// The cells under [`PS_COLUMNS`], and the size as the last one if it is known.
    pub(crate) fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.id(),
            self.config.image.reference.clone(),
            self.command(),
            human::ago(&self.config.created, self.now),
            human::status(self.state, self.status, self.now),
            ports(&self.ports()),
            self.config.name.to_string(),
        ];
        cells.extend(self.size.map(ContainerSize::words));
        cells
    }

    /// The ID: 12 digits, or all 64.
    pub(crate) fn id(&self) -> String {
        if self.no_trunc { self.config.id.as_str() } else { self.config.id.short() }.to_owned()
    }

    /// The ID and the name of its pod; empty if it is in none.
    pub(crate) fn pod(&self) -> [String; 2] {
        let Some(pod) = &self.config.pod else { return [String::new(), String::new()] };
        let id = if self.no_trunc { pod.id.as_str() } else { pod.id.short() };
        [id.to_owned(), pod.name.to_string()]
    }

    fn command(&self) -> String {
        let whole = command(self.config).join(" ");
        let whole = if whole.is_empty() { self.config.argv.join(" ") } else { whole };
        match whole.char_indices().nth(COMMAND_WIDTH) {
            Some((end, _)) if !self.no_trunc && whole.chars().count() > COMMAND_WIDTH + 3 => {
                format!("{}...", &whole[..end])
            }
            _ => whole,
        }
    }

    fn is_alive(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused | Status::Stopping | Status::Orphaned)
    }

    /// The ports that listen now; for a container that does not run, those that it would publish.
    fn ports(&self) -> Vec<PortMapping> {
        if let Some(ports) = self.ports_of_other {
            return ports.to_vec();
        }
        let published = if self.is_alive() { self.state.network.ports() } else { Vec::new() };
        if published.is_empty() { self.config.ports.clone() } else { published }
    }

    fn exit_code(&self) -> i32 {
        match (&self.state.exit, self.status) {
            (Some(exit), Status::Exited) => exit.code,
            (None, Status::Exited) => 255,
            _ => 0,
        }
    }

    fn exited_at(&self) -> i64 {
        let exit = self.state.exit.as_ref().filter(|_| self.status == Status::Exited);
        unix(exit.map(|exit| exit.at.as_str()))
    }

    fn pid(&self) -> i32 {
        self.state.init.as_ref().filter(|_| self.is_alive()).map_or(0, |init| init.pid)
    }

    fn mounts(&self) -> Vec<&str> {
        let shown = |mount: &&crate::plan::Mount| {
            !matches!(mount.kind, MountKind::Tmpfs | MountKind::Ramfs | MountKind::Devpts)
        };
        let mut mounts: Vec<&str> =
            self.config.mounts.iter().filter(shown).map(|mount| mount.destination.as_str()).collect();
        mounts.sort_unstable();
        mounts
    }
}

/// The row for templates: the names of docker and podman, and their strings.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    auto_remove: bool,
    #[serde(rename = "CGROUPNS")]
    cgroupns: String,
    command: String,
    created: String,
    created_at: String,
    created_human: String,
    exit_code: i32,
    exited: bool,
    exited_at: i64,
    #[serde(rename = "ID")]
    id: String,
    image: &'a str,
    #[serde(rename = "ImageID")]
    image_id: &'a str,
    #[serde(rename = "IPC")]
    ipc: String,
    is_infra: bool,
    labels: &'a BTreeMap<String, String>,
    local_volumes: usize,
    #[serde(rename = "MNT")]
    mnt: String,
    mounts: String,
    names: &'a str,
    #[serde(rename = "NET")]
    net: String,
    networks: String,
    pid: i32,
    #[serde(rename = "PIDNS")]
    pidns: String,
    pod: String,
    pod_name: String,
    ports: String,
    restarts: u32,
    running_for: String,
    size: String,
    started_at: i64,
    state: &'static str,
    status: String,
    #[serde(rename = "USERNS")]
    userns: String,
    #[serde(rename = "UTS")]
    uts: String,
}

impl Listed for PsRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("AutoRemove", "AUTO REMOVE"),
        ("CGROUPNS", "CGROUPNS"),
        ("Command", "COMMAND"),
        ("Created", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedHuman", "CREATED"),
        ("ExitCode", "EXIT CODE"),
        ("Exited", "EXITED"),
        ("ExitedAt", "EXITED AT"),
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("ImageID", "IMAGE ID"),
        ("IPC", "IPC"),
        ("IsInfra", "IS INFRA"),
        ("Labels", "LABELS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("MNT", "MNT"),
        ("Mounts", "MOUNTS"),
        ("Names", "NAMES"),
        ("NET", "NET"),
        ("Networks", "NETWORKS"),
        ("Pid", "PID"),
        ("PIDNS", "PIDNS"),
        ("Pod", "POD ID"),
        ("PodName", "PODNAME"),
        ("Ports", "PORTS"),
        ("Restarts", "RESTARTS"),
        ("RunningFor", "RUNNING FOR"),
        ("Size", "SIZE"),
        ("StartedAt", "STARTED AT"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("USERNS", "USERNS"),
        ("UTS", "UTS"),
    ];

    const DOCKER: &'static [&'static str] = &[
        "Command",
        "CreatedAt",
        "ID",
        "Image",
        "Labels",
        "LocalVolumes",
        "Mounts",
        "Names",
        "Networks",
        "Ports",
        "RunningFor",
        "Size",
        "State",
        "Status",
    ];

    fn json(&self) -> impl Serialize {
        let PsRow { config, state, .. } = self;
        json!({
            "AutoRemove": config.auto_remove,
            "Command": command(config),
            "CreatedAt": human::ago(&config.created, self.now),
            "Exited": self.status == Status::Exited,
            "ExitedAt": self.exited_at(),
            "ExitCode": self.exit_code(),
            "Id": config.id,
            "Image": config.image.reference,
            "ImageID": config.image.hex(),
            "IsInfra": false,
            "Labels": config.labels,
            "Mounts": self.mounts(),
            "Names": [&config.name],
            "Namespaces": self.namespaces.object(),
            "Networks": config.network.names(),
            "Pid": self.pid(),
            "Pod": config.pod.as_ref().map_or("", |pod| pod.id.as_str()),
            "PodName": config.pod.as_ref().map_or("", |pod| pod.name.as_str()),
            "Ports": self.ports().iter().map(|port| json!({
                "host_ip": port.host_ip.map_or_else(String::new, |ip| ip.to_string()),
                "container_port": port.container_port,
                "host_port": port.host_port,
                "range": 1,
                "protocol": port.protocol,
            })).collect::<Vec<_>>(),
            "Restarts": state.restart_count,
            "Size": self.size.map(|size| json!({ "rootFsSize": size.whole, "rwSize": size.written })),
            "StartedAt": unix(state.started_at.as_deref()),
            "State": self.status.as_str(),
            "Status": human::status(state, self.status, self.now),
            "Created": unix(Some(&config.created)),
        })
    }

    fn docker(&self) -> Map<String, Value> {
        let mut fields = listed::docker_fields(self);
        fields.insert("Command".to_owned(), json!(format!("\"{}\"", self.command())));
        fields.insert("Image".to_owned(), json!(listed::familiar(&self.config.image.reference)));
        fields
    }

    fn fields(&self) -> impl Serialize {
        let PsRow { config, state, .. } = self;
        let created = match config.created.parse::<Timestamp>() {
            Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string(),
            Err(_) => config.created.clone(),
        };
        let age = human::ago(&config.created, self.now);
        let is_volume = |mount: &&crate::plan::Mount| matches!(mount.kind, MountKind::Volume { .. });
        let [pod_id, pod_name] = self.pod();
        let [cgroupns, ipc, mnt, net, pidns, userns, uts] = self.namespaces.named().map(|(_, shown)| shown);
        Fields {
            auto_remove: config.auto_remove,
            cgroupns,
            command: self.command(),
            created: created.clone(),
            created_at: created,
            created_human: age.clone(),
            exit_code: self.exit_code(),
            exited: self.status == Status::Exited,
            exited_at: self.exited_at(),
            id: self.id(),
            image: &config.image.reference,
            image_id: if self.no_trunc { config.image.hex() } else { config.image.short() },
            ipc,
            is_infra: false,
            labels: &config.labels,
            local_volumes: config.mounts.iter().filter(is_volume).count(),
            mnt,
            mounts: self.mounts().join(","),
            names: config.name.as_str(),
            net,
            networks: config.network.names().join(","),
            pid: self.pid(),
            pidns,
            pod: pod_id,
            pod_name,
            ports: ports(&self.ports()),
            restarts: state.restart_count,
            running_for: age,
            size: self.size.map_or_else(String::new, ContainerSize::words),
            started_at: unix(state.started_at.as_deref()),
            state: self.status.as_str(),
            status: human::status(state, self.status, self.now),
            userns,
            uts,
        }
    }
}

/// `0.0.0.0:8080->80/tcp, 127.0.0.1:7000-7002->7000-7002/udp`: consecutive ports are a range.
fn ports(ports: &[PortMapping]) -> String {
    let mut ranges: Vec<(&PortMapping, u16)> = Vec::new();
    for port in ports {
        match ranges.last_mut() {
            Some((first, length))
                if (first.host_ip, first.protocol) == (port.host_ip, port.protocol)
                    && first.host_port.checked_add(*length) == Some(port.host_port)
                    && first.container_port.checked_add(*length) == Some(port.container_port) =>
            {
                *length += 1;
            }
            _ => ranges.push((port, 1)),
        }
    }
    let span = |first: u16, length: u16| match length {
        1 => first.to_string(),
        _ => format!("{first}-{}", first.saturating_add(length - 1)),
    };
    let shown = ranges.iter().map(|(port, length)| {
        let ip = match port.host_ip {
            Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
            _ => host_ip(port),
        };
        format!("{ip}:{}->{}/{}", span(port.host_port, *length), span(port.container_port, *length), port.protocol)
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
