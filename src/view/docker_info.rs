//! docker's object of `info`. Source: docker's API, `SystemInfo`, and the CLI's `cli/command/system/info.go`.

use serde_json::{Value, json};

use super::host::Info;
use crate::types::DOCKER_VERSION;

/// The controllers whose limits docker reports as a field.
const LIMITS: [(&str, &str); 8] = [
    ("MemoryLimit", "memory"),
    ("SwapLimit", "memory"),
    ("OomKillDisable", ""),
    ("CpuCfsPeriod", "cpu"),
    ("CpuCfsQuota", "cpu"),
    ("CPUShares", "cpu"),
    ("CPUSet", "cpuset"),
    ("PidsLimit", "pids"),
];

/// The object.
pub(super) fn object(info: &Info) -> Value {
    let [number, running, paused, stopped] = info.containers;
    let [distribution, release, _] = &info.distribution;
    let mut object = json!({
        "ID": info.hostname,
        "Architecture": std::env::consts::ARCH,
        "CgroupDriver": info.cgroup_manager,
        "CgroupVersion": info.cgroup_version.trim_start_matches('v'),
        "Containers": number,
        "ContainersPaused": paused,
        "ContainersRunning": running,
        "ContainersStopped": stopped,
        "DockerRootDir": info.directories[0],
        "Driver": info.storage.0,
        "DriverStatus": [["Backing Filesystem", info.filesystem]],
        "Images": info.images,
        "KernelVersion": info.kernel,
        "MemTotal": info.memory[1],
        "NCPU": info.cpus,
        "Name": info.hostname,
        "OSVersion": release,
        "OperatingSystem": format!("{distribution} {release}"),
        "SystemTime": info.time,
    });
    if let (Value::Object(object), Value::Object(same)) = (&mut object, same_everywhere()) {
        object.extend(same);
    }
    for (field, controller) in LIMITS {
        object[field] = json!(info.cgroup_controllers.iter().any(|known| known == controller));
    }
    object
}

/// What does not depend on the host.
fn same_everywhere() -> Value {
    json!({
        "BridgeNfIp6tables": false,
        "BridgeNfIptables": false,
        "ClientInfo": { "Debug": false, "Context": "default", "Plugins": [], "Warnings": null },
        "Debug": false,
        "DefaultRuntime": "rc",
        "ExperimentalBuild": false,
        "HttpProxy": "",
        "HttpsProxy": "",
        "IPv4Forwarding": true,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "InitBinary": "rc",
        "Isolation": "",
        "Labels": [],
        "LiveRestoreEnabled": true,
        "LoggingDriver": "k8s-file",
        "NEventsListener": 0,
        "NFd": 0,
        "NGoroutines": 0,
        "NoProxy": "",
        "OSType": "linux",
        "Plugins": {
            "Volume": ["local"], "Network": ["bridge", "none", "host", "slirp4netns", "pasta"], "Authorization": null,
            "Log": ["k8s-file", "json-file", "journald", "none", "passthrough", "passthrough-tty"],
        },
        "Runtimes": { "rc": { "path": "rc" } },
        "SecurityOptions": ["name=seccomp,profile=default", "name=rootless", "name=cgroupns"],
        "ServerVersion": DOCKER_VERSION,
        "Swarm": { "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "NodeID": "" },
        "Warnings": null,
    })
}

/// The object as docker prints it for people.
pub(super) fn lines(info: &Info) -> Vec<String> {
    let object = object(info);
    let field = |name: &str| match &object[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut lines = vec!["Client:".to_owned(), format!(" Version:    {DOCKER_VERSION}")];
    lines.extend([" Context:    default", " Debug Mode: false", "", "Server:"].map(str::to_owned));
    lines.push(format!(" Containers: {}", field("Containers")));
    for state in ["Running", "Paused", "Stopped"] {
        lines.push(format!("  {state}: {}", field(&format!("Containers{state}"))));
    }
    let shown = |label: &str, name: &str| format!(" {label}: {}", field(name));
    lines.push(shown("Images", "Images"));
    lines.push(shown("Server Version", "ServerVersion"));
    lines.push(shown("Storage Driver", "Driver"));
    lines.push(format!("  Backing Filesystem: {}", info.filesystem));
    lines.push(shown("Logging Driver", "LoggingDriver"));
    lines.push(shown("Cgroup Driver", "CgroupDriver"));
    lines.push(shown("Cgroup Version", "CgroupVersion"));
    lines.push(" Security Options:".to_owned());
    lines.extend(["seccomp", "  Profile: default", "rootless", "cgroupns"].map(|option| format!("  {option}")));
    for (label, name) in [
        ("Kernel Version", "KernelVersion"),
        ("Operating System", "OperatingSystem"),
        ("OSType", "OSType"),
        ("Architecture", "Architecture"),
        ("CPUs", "NCPU"),
        ("Total Memory", "MemTotal"),
        ("Name", "Name"),
        ("Docker Root Dir", "DockerRootDir"),
    ] {
        lines.push(shown(label, name));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_delegated_controllers() {
        let info = Info { cgroup_controllers: vec!["pids".to_owned(), "memory".to_owned()], ..Info::default() };
        let object = object(&info);
        for (field, expected) in [("MemoryLimit", true), ("PidsLimit", true), ("CPUShares", false), ("CPUSet", false)] {
            assert_eq!(object[field], json!(expected), "{field}");
        }
    }

    #[test]
    fn nothing_names_another_program() {
        let info = Info::default();
        let shown = object(&info).to_string() + &lines(&info).join("\n");
        assert!(!shown.contains("podman") && !shown.contains("emulate"), "{shown}");
    }
}
