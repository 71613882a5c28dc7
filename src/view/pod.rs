//! Pods: the row of `pod ps`, the object of `pod inspect`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Listed, human};
use crate::container::Container;
use crate::plan::{BaseHosts, Device, Limits};
use crate::pod::Pod;
use crate::types::NamespaceKind;

/// Which columns `pod ps` has without `--format` beside those that it always has.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct PodColumns {
    /// The IDs of the containers.
    pub(crate) ids: bool,
    /// Their names.
    pub(crate) names: bool,
    /// Their status.
    pub(crate) statuses: bool,
    /// The cgroup, and the namespace, which is always empty.
    pub(crate) namespace: bool,
}

impl PodColumns {
    /// The headings. The number of containers is left out where something of each is shown. Source: podman.
    pub(crate) fn headings(self) -> Vec<&'static str> {
        let last = [
            (self.ids, "IDS"),
            (self.names, "NAMES"),
            (self.statuses, "STATUS"),
            (self.namespace, "CGROUP"),
            (self.namespace, "NAMESPACES"),
            (self.counts(), "# OF CONTAINERS"),
        ];
        let last = last.into_iter().filter_map(|(is_shown, heading)| is_shown.then_some(heading));
        ["POD ID", "NAME", "STATUS", "CREATED", "INFRA ID"].into_iter().chain(last).collect()
    }

    fn counts(self) -> bool {
        !self.ids && !self.names && !self.statuses
    }
}

/// A pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodRow<'a> {
    /// The pod.
    pub(crate) pod: &'a Pod,
    /// The time from which ages count back.
    pub(crate) now: Timestamp,
    /// Whether IDs are whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
}

impl PodRow<'_> {
    /// The ID as tables show it.
    pub(crate) fn id(&self) -> &str {
        self.shown(self.pod.id())
    }

    /// The cells under the headings of the columns. rc has no infra container.
    pub(crate) fn cells(&self, columns: PodColumns) -> Vec<String> {
        let config = &self.pod.sandbox.config;
        let mut cells = vec![
            self.id().to_owned(),
            config.name.to_string(),
            self.pod.status().as_str().to_owned(),
            human::ago(&config.created, self.now),
            String::new(),
        ];
        cells.extend(columns.ids.then(|| self.ids()));
        cells.extend(columns.names.then(|| self.names()));
        cells.extend(columns.statuses.then(|| self.statuses()));
        if columns.namespace {
            cells.extend([self.pod.cgroup().to_owned(), String::new()]);
        }
        cells.extend(columns.counts().then(|| self.pod.members.len().to_string()));
        cells
    }

    fn members(&self) -> Vec<Value> {
        let member = |member: &Container| {
            json!({
                "Id": member.config.id,
                "Names": member.config.name,
                "Status": member.status.as_str(),
                "RestartCount": member.state.restart_count,
            })
        };
        self.pod.members.iter().map(member).collect()
    }

    fn ids(&self) -> String {
        self.of_members(|member| self.shown(&member.config.id).to_owned())
    }

    fn names(&self) -> String {
        self.of_members(|member| member.config.name.to_string())
    }

    fn statuses(&self) -> String {
        self.of_members(|member| member.status.as_str().to_owned())
    }

    fn shown<'b>(&self, id: &'b crate::types::ContainerId) -> &'b str {
        if self.no_trunc { id.as_str() } else { id.short() }
    }

    fn of_members(&self, text: impl Fn(&Container) -> String) -> String {
        self.pod.members.iter().map(text).collect::<Vec<_>>().join(",")
    }
}

impl Listed for PodRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Cgroup", "CGROUP"),
        ("Containers", "CONTAINERS"),
        ("ContainerIds", "IDS"),
        ("ContainerNames", "NAMES"),
        ("ContainerStatuses", "STATUS"),
        ("Created", "CREATED"),
        ("ID", "POD ID"),
        ("Id", "POD ID"),
        ("InfraID", "INFRA ID"),
        ("InfraId", "INFRA ID"),
        ("Labels", "LABELS"),
        ("Name", "NAME"),
        ("Namespace", "NAMESPACES"),
        ("Networks", "NETWORKS"),
        ("NumberOfContainers", "# OF CONTAINERS"),
        ("Restarts", "RESTARTS"),
        ("Status", "STATUS"),
    ];

    // docker has no pods.
    const DOCKER: &'static [&'static str] = &[];

    fn json(&self) -> impl Serialize {
        let Pod { sandbox, .. } = self.pod;
        json!({
            "Cgroup": self.pod.cgroup(),
            "Containers": self.members(),
            "Created": sandbox.config.created,
            "Id": sandbox.config.id,
            "InfraId": "",
            "Name": sandbox.config.name,
            "Namespace": "",
            "Networks": sandbox.config.network.names(),
            "Status": self.pod.status().as_str(),
            "Labels": sandbox.config.labels,
        })
    }

    fn fields(&self) -> impl Serialize {
        let Pod { sandbox, members, .. } = self.pod;
        json!({
            "Cgroup": self.pod.cgroup(),
            "Containers": self.members(),
            "ContainerIds": self.ids(),
            "ContainerNames": self.names(),
            "ContainerStatuses": self.statuses(),
            "Created": human::ago(&sandbox.config.created, self.now),
            "ID": self.id(),
            "Id": self.id(),
            "InfraID": "",
            "InfraId": "",
            "Labels": sandbox.config.labels,
            "Name": sandbox.config.name,
            "Namespace": "",
            "Networks": sandbox.config.network.names().join(","),
            "NumberOfContainers": members.len(),
            "Restarts": members.iter().map(|member| member.state.restart_count).sum::<u32>(),
            "Status": self.pod.status().as_str(),
        })
    }
}

/// The object of `pod inspect`. Source: podman, `InspectPodData`.
pub(crate) fn pod(pod: &Pod) -> Value {
    let Pod { sandbox, settings, members } = pod;
    let config = &sandbox.config;
    let member = |member: &Container| {
        let Container { config, status, .. } = member;
        json!({ "Id": config.id, "Name": config.name, "State": status.as_str() })
    };
    let mut object = super::inspect::object(json!({
        "Id": config.id,
        "Name": config.name,
        "Created": config.created,
        "CreateCommand": config.create_command,
        "ExitPolicy": settings.exit_policy.as_str(),
        "State": pod.status().as_str(),
        "Hostname": config.hostname,
        "Labels": config.labels,
        "CreateCgroup": true,
        "CgroupParent": config.cgroup.parent.as_deref().unwrap_or_default(),
        "CgroupPath": pod.cgroup(),
        "CreateInfra": settings.has_process,
        "InfraContainerID": "",
        "InfraConfig": infra(pod),
        "SharedNamespaces": settings.shared.iter().map(|kind| word(*kind)).collect::<Vec<_>>(),
        "NumContainers": members.len(),
        "Containers": members.iter().map(member).collect::<Vec<_>>(),
        "RestartPolicy": settings.restart.as_str(),
    }));
    object.extend(limits(&config.limits));
    object.extend(lists(pod));
    Value::Object(object)
}

/// The limits that are set, with podman's names.
fn limits(limits: &Limits) -> impl Iterator<Item = (String, Value)> {
    let number = |value: Option<u64>| value.map(|value| json!(value));
    let fields = [
        ("blkio_weight", limits.blkio_weight.map(|weight| json!(weight))),
        ("cpu_period", limits.milli_cpus.map(|_| json!(100_000))),
        ("cpu_quota", limits.milli_cpus.map(|cpus| json!(cpus * 100))),
        ("cpu_shares", number(limits.cpu_shares)),
        ("cpuset_cpus", limits.cpuset_cpus.as_ref().map(|cpus| json!(cpus))),
        ("cpuset_mems", limits.cpuset_mems.as_ref().map(|mems| json!(mems))),
        ("memory_limit", number(limits.memory)),
        (
            "memory_swap",
            limits.memory_swap.map(|bytes| json!(bytes)).or(number(limits.memory.map(|bytes| bytes.saturating_mul(2)))),
        ),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

/// What its members have from it, with podman's names, unless it is empty.
fn lists(pod: &Pod) -> impl Iterator<Item = (String, Value)> {
    let config = &pod.sandbox.config;
    let device = |device: &Device| {
        let (host, inside) = (&device.host, &device.container);
        json!({ "PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": "" })
    };
    let lists = [
        ("devices", config.devices.iter().map(device).collect()),
        ("security_opt", pod.settings.security_opts.iter().map(|option| json!(option)).collect()),
        ("volumes_from", config.volumes_from.iter().map(|name| json!(name)).collect()),
    ];
    let filled = lists.into_iter().filter(|(_, list): &(_, Vec<Value>)| !list.is_empty());
    filled.map(|(name, list)| (name.to_owned(), Value::Array(list)))
}

/// What podman's infra container would have. Source: podman, `InspectPodInfraConfig`.
fn infra(pod: &Pod) -> Value {
    let config = &pod.sandbox.config;
    let endpoints = config.network.endpoints();
    let hosts = config.extra_hosts.iter().map(|(name, address)| format!("{name}:{address}"));
    json!({
        "PortBindings": super::inspect::bindings(&config.ports),
        "HostNetwork": config.has_host(NamespaceKind::Network),
        "StaticIP": endpoints.iter().flat_map(|one| &one.addresses).next().map(ToString::to_string).unwrap_or_default(),
        "StaticMAC": endpoints.iter().find_map(|one| one.mac).map(|mac| mac.to_string()).unwrap_or_default(),
        "NoManageResolvConf": config.image_resolver,
        "DNSServer": config.dns,
        "DNSSearch": config.dns_search,
        "DNSOption": config.dns_options,
        "NoManageHosts": config.image_hosts,
        "HostAdd": hosts.collect::<Vec<_>>(),
        "HostsFile": config.base_hosts.as_ref().map(BaseHosts::shown).unwrap_or_default(),
        "Networks": config.network.names(),
        "NetworkOptions": null,
        "pid_ns": config.mode_of(NamespaceKind::Pid),
        // From podman's point of view a namespace that only maps the user's own IDs is the host's.
        "userns": if matches!(config.user_namespace.mode.as_str(), "" | "host") { "host" } else { "private" },
        "uts_ns": config.mode_of(NamespaceKind::Uts),
    })
}

/// The word of `--share`.
fn word(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::User => "user",
        NamespaceKind::Pid => "pid",
        NamespaceKind::Ipc => "ipc",
        NamespaceKind::Uts => "uts",
        NamespaceKind::Network => "net",
        NamespaceKind::Cgroup => "cgroup",
    }
}
