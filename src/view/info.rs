//! `info`: the host, the store and the settings, with podman's names.

use serde_json::{Map, Value, json};

use super::version::{self, Side};
use super::yaml;
use crate::settings;

/// A line of an ID map: the first ID in the container, the first on the host, the count.
type Extent = (u32, u32, u32);

/// The object of `info`, which the engine fills in.
#[derive(Debug, Default)]
pub(crate) struct Info {
    /// The delegated controllers, which rc can use for limits.
    pub(crate) cgroup_controllers: Vec<String>,
    /// How a container gets a cgroup: `cgroupfs` in a delegated one, `systemd` by a scope, `none`.
    pub(crate) cgroup_manager: &'static str,
    /// `v2`; anything else is not supported.
    pub(crate) cgroup_version: &'static str,
    /// CPUs that rc can use.
    pub(crate) cpus: usize,
    /// `ID`, `VERSION_ID` and `VERSION_CODENAME` of os-release(5).
    pub(crate) distribution: [String; 3],
    /// The hostname.
    pub(crate) hostname: String,
    /// The map of users.
    pub(crate) uid_map: Vec<Extent>,
    /// The map of groups.
    pub(crate) gid_map: Vec<Extent>,
    /// If rc maps only one ID: why, and the fix.
    pub(crate) single_id: Option<String>,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Bytes of memory: free, total; then of swap: free, total.
    pub(crate) memory: [u64; 4],
    /// The default network of containers.
    pub(crate) network: String,
    /// Seconds since boot.
    pub(crate) uptime: u64,
    /// Helper programs and their paths; `None`: not found.
    pub(crate) helpers: Vec<(&'static str, Option<String>)>,
    /// The storage driver, and why it was chosen.
    pub(crate) storage: (String, String),
    /// The paths of the store, the runtime directory, the volumes and the user's configuration file.
    pub(crate) directories: [String; 4],
    /// Total and used bytes of the store's filesystem.
    pub(crate) disk: [u64; 2],
    /// Containers: total, running, paused, stopped.
    pub(crate) containers: [usize; 4],
    /// The number of images.
    pub(crate) images: usize,
    /// Every setting with its origin.
    pub(crate) settings: Vec<settings::Entry>,
}

impl Info {
    /// The object of `info`, for people and as JSON.
    pub(crate) fn json(&self) -> Value {
        let side = version::side();
        json!({
            "host": self.host(&side),
            "store": self.store(),
            "registries": {},
            "plugins": {
                "volume": ["local"],
                "network": ["none", "host", "slirp4netns", "pasta"],
                "log": ["k8s-file", "json-file", "journald", "none", "passthrough", "passthrough-tty"],
                "authorization": null,
            },
            "settings": self.settings.iter().map(|entry| (entry.key.to_owned(), json!({
                "value": entry.value,
                "origin": entry.origin.to_string(),
            }))).collect::<Map<_, _>>(),
            "version": side,
        })
    }

    fn host(&self, side: &Side) -> Value {
        let extents = |map: &[Extent]| -> Vec<Value> {
            map.iter()
                .map(|(container, host, size)| json!({ "container_id": container, "host_id": host, "size": size }))
                .collect()
        };
        let [mem_free, mem_total, swap_free, swap_total] = self.memory;
        let [distribution, release, codename] = &self.distribution;
        json!({
            "arch": side.arch,
            "cgroupManager": self.cgroup_manager,
            "cgroupVersion": self.cgroup_version,
            "cgroupControllers": self.cgroup_controllers,
            "cpus": self.cpus,
            "distribution": { "distribution": distribution, "version": release, "codename": codename },
            "eventLogger": "file",
            "helpers": self.helpers.iter().map(|(name, path)| ((*name).to_owned(), json!(path))).collect::<Map<_, _>>(),
            "hostname": self.hostname,
            "idMappings": { "gidmap": extents(&self.gid_map), "uidmap": extents(&self.uid_map) },
            "idMappingNote": self.single_id.as_deref().unwrap_or(""),
            "kernel": self.kernel,
            "logDriver": "k8s-file",
            "memFree": mem_free,
            "memTotal": mem_total,
            "networkBackend": self.network,
            "ociRuntime": { "name": "rc", "package": "", "path": "", "version": side.version },
            "os": "linux",
            "serviceIsRemote": false,
            "security": {
                "apparmorEnabled": false,
                "capabilities": crate::types::capability::DEFAULT.join(","),
                "rootless": true,
                "seccompEnabled": true,
                "seccompProfilePath": "",
                "selinuxEnabled": false,
            },
            "swapFree": swap_free,
            "swapTotal": swap_total,
            "uptime": uptime(self.uptime),
            "linkmode": "static",
        })
    }

    fn store(&self) -> Value {
        let [root, run, volumes, config] = &self.directories;
        let [allocated, used] = self.disk;
        let [number, running, paused, stopped] = self.containers;
        json!({
            "configFile": config,
            "containerStore": { "number": number, "paused": paused, "running": running, "stopped": stopped },
            "graphDriverName": self.storage.0,
            "graphDriverNote": self.storage.1,
            "graphOptions": {},
            "graphRoot": root,
            "graphRootAllocated": allocated,
            "graphRootUsed": used,
            "graphStatus": {},
            "imageStore": { "number": self.images },
            "runRoot": run,
            "volumePath": volumes,
        })
    }

    /// The object for people: YAML, with each setting on one line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut shown = self.json();
        let setting = |entry: &settings::Entry| json!(format!("{} ({})", entry.value, entry.origin));
        shown["settings"] = self.settings.iter().map(|e| (e.key.to_owned(), setting(e))).collect::<Map<_, _>>().into();
        yaml::lines(&shown)
    }

    /// The object for templates: the names of podman's Go fields (`.Host.Arch`), and docker's at the top (`.OSType`).
    pub(crate) fn fields(&self) -> Value {
        let side = version::side();
        let mut fields = go_names(self.json());
        let [number, running, paused, stopped] = self.containers;
        let docker = json!({
            "Architecture": std::env::consts::ARCH,
            "CgroupDriver": self.cgroup_manager,
            "CgroupVersion": self.cgroup_version.trim_start_matches('v'),
            "Containers": number,
            "ContainersPaused": paused,
            "ContainersRunning": running,
            "ContainersStopped": stopped,
            "DockerRootDir": self.directories[0],
            "Driver": self.storage.0,
            "Images": self.images,
            "KernelVersion": self.kernel,
            "LoggingDriver": "k8s-file",
            "MemTotal": self.memory[1],
            "NCPU": self.cpus,
            "Name": self.hostname,
            "OSType": "linux",
            "OperatingSystem": self.distribution[0],
            "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
            "ServerVersion": side.version,
        });
        if let (Value::Object(fields), Value::Object(docker)) = (&mut fields, docker) {
            fields.extend(docker);
        }
        fields
    }
}

/// podman's form: hours, minutes and seconds.
fn uptime(seconds: u64) -> String {
    format!("{}h {}m {}.00s", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The Go fields of podman's JSON names. Source: podman `libpod/define/info.go`.
const GO_NAMES: [(&str, &str); 12] = [
    ("apparmorEnabled", "AppArmorEnabled"),
    ("capabilities", "DefaultCapabilities"),
    ("cgroupControllers", "CgroupControllers"),
    ("cgroupVersion", "CgroupsVersion"),
    ("cpus", "CPUs"),
    ("gidmap", "GIDMap"),
    ("idMappings", "IDMappings"),
    ("ociRuntime", "OCIRuntime"),
    ("os", "OS"),
    ("seccompEnabled", "SECCOMPEnabled"),
    ("selinuxEnabled", "SELinuxEnabled"),
    ("uidmap", "UIDMap"),
];

fn go_names(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (go_name(&name), go_names(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(go_names).collect(),
        other => other,
    }
}

fn go_name(name: &str) -> String {
    if let Some((_, go)) = GO_NAMES.iter().find(|(json, _)| *json == name) {
        return (*go).to_owned();
    }
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Info {
        Info {
            cpus: 2,
            cgroup_version: "v2",
            uid_map: vec![(0, 1000, 1), (1, 100_000, 65536)],
            containers: [3, 1, 0, 2],
            directories: ["/s".to_owned(), "/r".to_owned(), "/s/volumes".to_owned(), "/c".to_owned()],
            uptime: 1486,
            ..Info::default()
        }
    }

    #[test]
    fn templates_see_the_names_of_podman_and_docker() {
        let fields = sample().fields();
        for (path, expected) in [
            ("/Host/CPUs", json!(2)),
            ("/Host/CgroupsVersion", json!("v2")),
            ("/Host/Security/Rootless", json!(true)),
            ("/Host/IDMappings/UIDMap/1/Size", json!(65536)),
            ("/Host/Uptime", json!("0h 24m 46.00s")),
            ("/Store/GraphRoot", json!("/s")),
            ("/Store/ContainerStore/Stopped", json!(2)),
            ("/Version/Version", json!(env!("CARGO_PKG_VERSION"))),
            ("/OSType", json!("linux")),
            ("/NCPU", json!(2)),
        ] {
            assert_eq!(fields.pointer(path), Some(&expected), "{path}");
        }
        let shown = sample().json();
        assert_eq!(shown.pointer("/host/idMappings/uidmap/0/host_id"), Some(&json!(1000)));
    }

    #[test]
    fn people_see_indented_lines() {
        let key = "log.max_files";
        let settings = vec![settings::Entry { key, value: "3".to_owned(), origin: settings::Origin::Default }];
        let shown = Info { settings, ..sample() }.lines();
        assert!(shown.contains(&"  log.max_files: 3 (default)".to_owned()), "{shown:?}");
        let map = shown.iter().position(|line| line == "    uidmap:").expect("a map");
        let extent = ["    - container_id: 0", "      host_id: 1000", "      size: 1", "    - container_id: 1"];
        assert_eq!(shown[map + 1..map + 5], extent);
    }
}
