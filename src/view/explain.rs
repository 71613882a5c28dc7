//! What `run` would do, as an object and as lines.

use oci_spec::runtime::Spec;
use serde_json::{Value, json};

use super::human;
use crate::plan::{ContainerConfig, Healthcheck, NO_TIMEOUT, Owners, Seccomp, SecretForm};
use crate::types::{PortMapping, StorageDriver};

/// Everything that the view shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Explained<'a> {
    /// The container.
    pub(crate) config: &'a ContainerConfig,
    /// What the runtime would get.
    pub(crate) spec: &'a Spec,
    /// The IDs.
    pub(crate) owners: &'a Owners,
    /// How the layers become a root filesystem.
    pub(crate) storage: StorageDriver,
    /// How many layers.
    pub(crate) layers: usize,
}

impl Explained<'_> {
    /// The object of `--explain=json`. Version 1: later versions only add keys.
    pub(crate) fn object(&self) -> Value {
        let Self { config, spec, owners, .. } = self;
        json!({
            "Version": 1,
            "Image": { "Name": config.image.reference, "Id": config.image.id, "Digest": config.image.manifest },
            "Command": config.argv,
            "WorkingDir": config.working_dir,
            "User": { "Name": config.user, "Uid": owners.uid, "Gid": owners.gid, "HostUid": self.host_uid() },
            "UidMappings": owners.uids,
            "GidMappings": owners.gids,
            "Capabilities": config.capabilities,
            "NoNewPrivileges": config.no_new_privileges,
            "Seccomp": self.seccomp(),
            "RootFilesystem": {
                "Driver": self.storage.as_str(), "Layers": self.layers, "ReadOnly": config.read_only
            },
            "Mounts": spec.mounts(),
            "Secrets": self.secrets(),
            "Hostname": config.hostname,
            "Network": config.network.names(),
            "Ports": config.ports.iter().map(port).collect::<Vec<_>>(),
            "Namespaces": spec.linux().as_ref().and_then(|linux| linux.namespaces().clone()),
            "Cgroup": { "Mode": config.cgroup.mode.as_str(), "Parent": config.cgroup.parent },
            "Limits": spec.linux().as_ref().and_then(|linux| linux.resources().clone()),
            "DefaultPids": config.limits.default_pids,
            "Restart": config.restart.as_str(),
            "StopSignal": config.stop_signal,
            "StopTimeout": config.stop_timeout,
            "LogDriver": config.log_driver,
            "AutoRemove": config.auto_remove,
        })
    }

    /// The lines of `--explain`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { config, spec, owners, .. } = self;
        let mut lines = Vec::new();
        let mut add = |name: &str, value: String| lines.push(format!("{name:<14}{value}"));
        match (&config.root_directory, &config.image.manifest) {
            (Some(root), _) => add("directory of files", root.path.display().to_string()),
            (None, Some(manifest)) => add("image", format!("{} ({manifest})", config.image.reference)),
            (None, None) => add("image", config.image.reference.clone()),
        }
        add("command", config.argv.join(" "));
        add("directory", config.working_dir.clone());
        let host = self.host_uid().map_or_else(String::new, |uid| format!(", {uid} on the host"));
        add("user", format!("{}:{}{host}", owners.uid, owners.gid));
        for [inside, outside, count] in &owners.uids {
            let is_one = *count == 1;
            add(
                "user IDs",
                if is_one {
                    format!("{inside} is {outside} on the host")
                } else {
                    format!("{inside} and up are {outside} and up on the host, {count} of them")
                },
            );
        }
        let short = |name: &String| name.strip_prefix("CAP_").unwrap_or(name).to_owned();
        add("capabilities", join(config.capabilities.iter().map(short)));
        add("seccomp", self.seccomp());
        add("privileges", if config.no_new_privileges { "no new ones" } else { "new ones by setuid files" }.to_owned());
        let access = if config.read_only { "read-only" } else { "writable" };
        add("root", format!("{access}, {} layers, driver {}", self.layers, self.storage.as_str()));
        for mount in spec.mounts().iter().flatten() {
            let kind = mount.typ().as_deref().unwrap_or("bind");
            let source = mount.source().as_ref().filter(|_| kind == "bind");
            let source = source.map_or_else(String::new, |source| format!(" of {}", source.display()));
            let options = mount.options().clone().unwrap_or_default().join(",");
            add("mount", format!("{} {kind}{source} ({options})", mount.destination().display()));
        }
        self.secrets().iter().for_each(|secret| add("secret", secret.clone()));
        add("host name", config.hostname.clone());
        add("network", config.network.names().join(", "));
        config.ports.iter().for_each(|published| add("port", port(published)));
        add("cgroup", config.cgroup.mode.as_str().to_owned());
        let limits = &config.limits;
        let limit = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
        let all = [
            limit("memory", limits.memory.map(human::binary_size)),
            limit("processes", limits.pids.or(limits.default_pids).map(|pids| pids.to_string())),
            limit("CPUs", limits.milli_cpus.map(|cpus| format!("{}.{:03}", cpus / 1000, cpus % 1000))),
        ];
        add("limits", join(all.into_iter().flatten()));
        let health = config.healthcheck.as_ref().map(|health: &Healthcheck| health.check.test.join(" "));
        health.into_iter().for_each(|check| add("health check", check));
        add("restart", config.restart.as_str().to_owned());
        let then = match config.stop_timeout {
            NO_TIMEOUT => "no SIGKILL".to_owned(),
            seconds => format!("SIGKILL after {seconds} s"),
        };
        add("stop", format!("{}, {then}", config.stop_signal));
        add("at its end", if config.auto_remove { "removed" } else { "kept" }.to_owned());
        lines
    }

    /// The user on the host that the program runs as, if it is mapped.
    fn host_uid(&self) -> Option<u32> {
        let uid = self.owners.uid;
        self.owners.uids.iter().find_map(|[inside, outside, count]| {
            uid.checked_sub(*inside).filter(|at| at < count).and_then(|at| outside.checked_add(at))
        })
    }

    fn seccomp(&self) -> String {
        match &self.config.seccomp {
            Seccomp::Default => "rc's profile".to_owned(),
            Seccomp::Unconfined => "unconfined".to_owned(),
            Seccomp::Profile { path, .. } => path.clone(),
        }
    }

    fn secrets(&self) -> Vec<String> {
        let shown = self.config.secrets.iter().map(|secret| match &secret.form {
            SecretForm::Mount { target, mode, .. } => format!("{} as {target} ({mode:04o})", secret.name),
            SecretForm::Env { variable } => format!("{} as the variable {variable}", secret.name),
        });
        shown.collect()
    }
}

/// `0.0.0.0:8080->80/tcp`.
fn port(port: &PortMapping) -> String {
    format!("{}->{}/{}", port.listen_address(), port.container_port, port.protocol)
}

fn join(words: impl Iterator<Item = String>) -> String {
    let text = words.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "none".to_owned() } else { text }
}
