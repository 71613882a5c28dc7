//! `info`: the host, the store and the settings, with podman's names.

use serde_json::{Map, Value, json};

use super::host::{Extent, Info};
use super::version::{self, Side};
use super::{docker_info, yaml};
use crate::settings;
use crate::types::{DOCKER_VERSION, Dialect, PODMAN_VERSION};

impl Info {
    /// The object of `info`, for people and as JSON.
    pub(crate) fn json(&self, dialect: Dialect) -> Value {
        if dialect == Dialect::Docker {
            return docker_info::object(self);
        }
        let side = version::side(dialect);
        json!({
            "host": self.host(&side),
            "store": self.store(),
            "registries": {},
            "plugins": {
                "volume": ["local"],
                "network": ["bridge", "none", "host", "slirp4netns", "pasta"],
                "log": ["k8s-file", "json-file", "journald", "none", "passthrough", "passthrough-tty"],
                "authorization": null,
            },
            "settings": self.settings.iter().map(|entry| (entry.key.to_owned(), json!({
                "value": entry.value,
                "origin": entry.origin.to_string(),
            }))).collect::<Map<_, _>>(),
            "version": side,
            "compatible": { "docker": DOCKER_VERSION, "podman": PODMAN_VERSION },
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
            "remoteSocket": { "exists": false, "path": "" },
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
            "graphStatus": { "Backing Filesystem": self.filesystem },
            "imageStore": { "number": self.images },
            "runRoot": run,
            "volumePath": volumes,
        })
    }

    /// The object for people: YAML, with each setting on one line.
    pub(crate) fn lines(&self, dialect: Dialect) -> Vec<String> {
        if dialect == Dialect::Docker {
            return docker_info::lines(self);
        }
        let mut shown = self.json(dialect);
        let setting = |entry: &settings::Entry| json!(format!("{} ({})", entry.value, entry.origin));
        shown["settings"] = self.settings.iter().map(|e| (e.key.to_owned(), setting(e))).collect::<Map<_, _>>().into();
        yaml::lines(&shown)
    }

    /// The object for templates: the names of podman's Go fields (`.Host.Arch`), and docker's at the top (`.OSType`);
    /// under docker's name docker's alone.
    pub(crate) fn fields(&self, dialect: Dialect) -> Value {
        if dialect == Dialect::Docker {
            return docker_info::object(self);
        }
        let mut fields = go_names(self.json(dialect));
        let docker = docker_info::object(self);
        if let (Value::Object(fields), Value::Object(docker)) = (&mut fields, docker) {
            for (name, value) in docker {
                fields.entry(name).or_insert(value);
            }
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
        let fields = sample().fields(Dialect::Rc);
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
        let shown = sample().json(Dialect::Rc);
        assert_eq!(shown.pointer("/host/idMappings/uidmap/0/host_id"), Some(&json!(1000)));
    }

    #[test]
    fn people_see_indented_lines() {
        let key = "log.max_files";
        let settings = vec![settings::Entry { key, value: "3".to_owned(), origin: settings::Origin::Default }];
        let shown = Info { settings, ..sample() }.lines(Dialect::Rc);
        assert!(shown.contains(&"  log.max_files: 3 (default)".to_owned()), "{shown:?}");
        let map = shown.iter().position(|line| line == "    uidmap:").expect("a map");
        let extent = ["    - container_id: 0", "      host_id: 1000", "      size: 1", "    - container_id: 1"];
        assert_eq!(shown[map + 1..map + 5], extent);
    }
}
