//! `inspect` of a container, with podman's names, nesting and types (5.x). A field of something that rc does not have
//! has the value that podman shows if it is not used, since tools expect the field.

mod health;
mod host;
mod limits;
mod network;

use std::path::{Path, PathBuf};

pub(super) use network::bindings;
pub(crate) use network::network as network_settings;
use serde_json::{Map, Value, json};

use super::{NEVER, command};
use crate::monitor::{State, Status};
use crate::plan::{ContainerConfig, LogDriver, Mount, MountKind, SecretForm, SecretUse};
use crate::types::Name;

/// The directories of a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The container's own directory: `config.json`, `log`, `upper`.
    pub(crate) directory: &'a Path,
    /// The directory of the volumes.
    pub(crate) volumes: &'a Path,
    /// The directories whose files the container has below its own, lowest first.
    pub(crate) below: &'a [PathBuf],
}

impl Place<'_> {
    /// The mounted directory of a volume.
    fn volume(&self, name: &Name) -> PathBuf {
        self.volumes.join(name.as_str()).join("_data")
    }
}

/// The object of a container.
pub(crate) fn container(config: &ContainerConfig, state: &State, status: Status, place: Place<'_>) -> Value {
    let log = config.log(place.directory);
    json!({
        "Id": config.id,
        "Created": config.created,
        "Path": config.argv.first().map_or("", String::as_str),
        "Args": config.argv.get(1..).unwrap_or_default(),
        "State": process(config, state, status),
        "Image": config.image.hex(),
        "ImageDigest": config.image.manifest.as_ref().map(ToString::to_string).unwrap_or_default(),
        "ImageName": config.image.reference,
        "Rootfs": config.root_directory.as_ref().map(|root| shown(&root.path)).unwrap_or_default(),
        "Pod": config.pod.as_ref().map_or("", |pod| pod.id.as_str()),
        "ResolvConfPath": shown(&place.directory.join("resolv.conf")),
        "HostnamePath": shown(&place.directory.join("hostname")),
        "HostsPath": shown(&place.directory.join("hosts")),
        "LogPath": if config.log_driver == LogDriver::K8sFile { shown(&log) } else { String::new() },
        "StaticDir": shown(place.directory),
        "OCIRuntime": "rc",
        "ConmonPidFile": config.service.conmon_pidfile.as_deref().map(shown).unwrap_or_default(),
        "PidFile": config.service.pidfile.as_deref().map(shown).unwrap_or_default(),
        "Name": config.name,
        "RestartCount": state.restart_count,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "EffectiveCaps": config.capabilities,
        "BoundingCaps": config.capabilities,
        "ExecIDs": [],
        "GraphDriver": { "Name": "overlay", "Data": graph(place) },
        "Mounts": config.mounts.iter().filter_map(|mount| mount_object(mount, place)).collect::<Vec<_>>(),
        "Dependencies": config.dependencies(),
        "NetworkSettings": network::network(config, state, status),
        "Namespace": "",
        "IsInfra": false,
        "IsService": false,
        "Config": settings(config),
        "HostConfig": host::host(config, state, &log, place),
    })
}

/// The directories of the overlay. No `MergedDir`: the mount is seen within the container alone.
fn graph(place: Place<'_>) -> Value {
    let below: Vec<String> = place.below.iter().rev().map(|path| shown(path)).collect();
    json!({
        "LowerDir": below.join(":"),
        "UpperDir": shown(&place.directory.join("upper")),
        "WorkDir": shown(&place.directory.join("work")),
    })
}

fn is_alive(status: Status) -> bool {
    matches!(status, Status::Running | Status::Paused | Status::Stopping | Status::Orphaned)
}

/// Whether it has a process and its networks: an initialized container has them, too.
fn is_up(status: Status) -> bool {
    is_alive(status) || status == Status::Initialized
}

fn process(config: &ContainerConfig, state: &State, status: Status) -> Value {
    let exit = state.exit.as_ref().filter(|_| matches!(status, Status::Exited | Status::Restarting));
    let no_record = if status == Status::Exited { 255 } else { 0 };
    // What has failed since its end.
    let start_error = Some(state.start_error.as_str()).filter(|error| !error.is_empty());
    let error = start_error.or(exit.map(|exit| exit.error.as_str())).unwrap_or_default();
    json!({
        "OciVersion": "1.2.0",
        "Status": status.as_str(),
        "Running": matches!(status, Status::Running | Status::Stopping | Status::Restarting | Status::Orphaned),
        "Paused": status == Status::Paused,
        "Restarting": status == Status::Restarting,
        "OOMKilled": exit.is_some_and(|exit| exit.oom_killed),
        "Dead": false,
        "Pid": state.init.as_ref().filter(|_| is_up(status)).map_or(0, |init| init.pid),
        "ExitCode": exit.map_or(no_record, |exit| exit.code),
        "Error": error,
        "StartedAt": state.started_at.as_deref().unwrap_or(NEVER),
        "FinishedAt": exit.map(|exit| exit.at.as_str()).filter(|at| !at.is_empty()).unwrap_or(NEVER),
        "Health": health::state(state),
        "CgroupPath": state.cgroup.as_ref().map_or_else(String::new, |path| cgroup_path(path)),
        "CheckpointedAt": NEVER,
        "RestoredAt": NEVER,
        "StoppedByUser": status == Status::Stopping || exit.is_some_and(|exit| exit.stopped_by_user),
        "AutoRemove": config.auto_remove,
    })
}

/// A path of the host as text: JSON has no other form for it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn mount_object(mount: &Mount, place: Place<'_>) -> Option<Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    match &mount.kind {
        MountKind::Bind { source } => {
            put("Type", json!("bind"));
            put("Source", json!(shown(source)));
        }
        MountKind::Volume { name, .. } => {
            put("Type", json!("volume"));
            put("Name", json!(name));
            put("Source", json!(shown(&place.volume(name))));
        }
        MountKind::Image { image } => {
            put("Type", json!("image"));
            put("Source", json!(image.reference));
        }
        // podman lists them only under HostConfig.Tmpfs.
        _ => return None,
    }
    put("Destination", json!(mount.destination));
    put("Driver", json!(if matches!(mount.kind, MountKind::Volume { .. }) { "local" } else { "" }));
    put("Mode", json!(""));
    put("Options", json!(mount.options));
    put("RW", json!(!mount.read_only));
    put("Propagation", json!(propagation(mount)));
    Some(Value::Object(object))
}

/// The path of a cgroup, from the root of the hierarchy.
fn cgroup_path(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

fn propagation(mount: &Mount) -> &str {
    let is_propagation = |option: &&String| {
        matches!(option.as_str(), "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" | "unbindable")
    };
    mount.options.iter().find(is_propagation).map_or("rprivate", String::as_str)
}

fn settings(config: &ContainerConfig) -> Value {
    let mut settings = json!({
        "Hostname": config.hostname,
        "Domainname": "",
        "User": config.user,
        "AttachStdin": config.attached.is_some_and(|attached| attached.stdin),
        "AttachStdout": config.attached.is_some_and(|attached| attached.stdout),
        "AttachStderr": config.attached.is_some_and(|attached| attached.stderr),
        "Tty": config.tty,
        "OpenStdin": config.open_stdin,
        "StdinOnce": false,
        "Env": config.env,
        "Cmd": command(config),
        "Image": config.image.reference,
        "Volumes": null,
        "WorkingDir": config.working_dir,
        "Entrypoint": config.argv.get(..config.entrypoint_len).unwrap_or_default(),
        "ExposedPorts": exposed(config),
        "OnBuild": null,
        "Labels": config.labels,
        "Annotations": config.annotations,
        "StopSignal": config.stop_signal,
        "CreateCommand": config.create_command,
        "Umask": format!("{:04o}", config.umask),
        "Timeout": config.timeout,
        "Timezone": config.timezone.as_ref().map_or("", |zone| zone.name.as_str()),
        "StopTimeout": config.stop_timeout,
        "Passwd": true,
        "sdNotifyMode": config.service.sdnotify,
    });
    if let (Value::Object(settings), Some(check)) = (&mut settings, &config.healthcheck) {
        settings.extend(health::settings(check));
    }
    if let Value::Object(settings) = &mut settings {
        if config.is_systemd {
            settings.insert("SystemdMode".to_owned(), json!(true));
        }
        if !config.chroot_dirs.is_empty() {
            settings.insert("ChrootDirs".to_owned(), json!(config.chroot_dirs));
        }
    }
    if let (Value::Object(settings), false) = (&mut settings, config.secrets.is_empty()) {
        settings.insert("Secrets".to_owned(), config.secrets.iter().map(secret).collect());
    }
    settings
}

/// A secret's name, and what the program sees of it.
fn secret(secret: &SecretUse) -> Value {
    let (uid, gid, mode) = match &secret.form {
        SecretForm::Mount { uid, gid, mode, .. } => (*uid, *gid, *mode),
        SecretForm::Env { .. } => (0, 0, 0),
    };
    json!({ "Name": secret.name, "ID": secret.id, "UID": uid, "GID": gid, "Mode": mode })
}

/// The ports that the image exposes, and those that are published, as docker and podman have it.
fn exposed(config: &ContainerConfig) -> Map<String, Value> {
    let published = config.ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol));
    config.image.exposed_ports.iter().cloned().chain(published).map(|port| (port, json!({}))).collect()
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

#[cfg(test)]
mod tests;
