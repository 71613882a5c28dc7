//! `--device VENDOR/CLASS=NAME` and `--gpus`: devices that a vendor describes in a file, with all that programs need
//! for them. Source: the Container Device Interface's specification, 0.8.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Device, Error, Mount, MountKind, Request};
use crate::types::Invalid;

/// A file in `/etc/cdi` and similar directories; rc ignores fields that it has no use for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CdiFile {
    /// `VENDOR/CLASS`.
    kind: String,
    devices: Vec<CdiDevice>,
    /// What every device of the file needs.
    container_edits: CdiEdits,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CdiDevice {
    name: String,
    container_edits: CdiEdits,
}

/// What a container gets for a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CdiEdits {
    env: Vec<String>,
    device_nodes: Vec<CdiNode>,
    mounts: Vec<CdiMount>,
    /// Programs of the host that prepare the container: rc runs none.
    hooks: Vec<CdiHook>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CdiNode {
    path: String,
    host_path: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CdiHook {
    path: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CdiMount {
    host_path: String,
    container_path: String,
    options: Vec<String>,
}

impl CdiEdits {
    /// Whether programs of the host should prepare the container.
    pub(crate) fn has_hooks(&self) -> bool {
        self.hooks.iter().any(|hook| !hook.path.is_empty())
    }

    fn add(&mut self, other: &Self) {
        self.env.extend(other.env.iter().cloned());
        self.device_nodes.extend(other.device_nodes.iter().cloned());
        self.mounts.extend(other.mounts.iter().cloned());
        self.hooks.extend(other.hooks.iter().cloned());
    }
}

/// What the device `name` (`VENDOR/CLASS=DEVICE`) needs; of several files that have it, the last one counts.
pub(crate) fn find(files: &[CdiFile], name: &str) -> Option<CdiEdits> {
    let (kind, device) = name.split_once('=')?;
    files.iter().rev().filter(|file| file.kind == kind).find_map(|file| {
        let device = file.devices.iter().find(|found| found.name == device)?;
        let mut edits = file.container_edits.clone();
        edits.add(&device.container_edits);
        Some(edits)
    })
}

/// Whether the value of `--device` names such a device.
pub(super) fn is_name(text: &str) -> bool {
    !text.starts_with('/') && text.split_once('=').is_some_and(|(kind, _)| kind.contains('/') && !kind.contains(':'))
}

/// The devices of the request, `--gpus` among them: `all`, or names or numbers, also as `device=0,1`.
pub(super) fn names(request: &Request) -> BTreeSet<String> {
    let named = request.devices.iter().filter(|text| is_name(text)).cloned();
    let gpus = request.gpus.iter().flat_map(|text| text.trim_matches('"').trim_start_matches("device=").split(','));
    named.chain(gpus.map(|name| format!("nvidia.com/gpu={name}"))).collect()
}

/// What the devices add to a container.
#[derive(Debug, Default)]
pub(super) struct Added {
    pub(super) env: Vec<String>,
    pub(super) devices: Vec<Device>,
    pub(super) mounts: Vec<Mount>,
}

impl Added {
    /// Adds the mounts and devices to those of a container, unless something else is mounted there, and returns the
    /// variables.
    pub(super) fn join(self, mounts: &mut Vec<Mount>, devices: &mut Vec<Device>) -> Vec<String> {
        for mount in self.mounts {
            if mounts.iter().all(|other| other.destination != mount.destination) {
                mounts.push(mount);
            }
        }
        devices.extend(self.devices);
        self.env
    }
}

/// Joins what was found for each device. Fails with the first one that no file describes.
pub(super) fn added(request: &Request, found: &BTreeMap<String, Option<CdiEdits>>) -> Result<Added, Error> {
    let mut added = Added::default();
    for name in names(request) {
        let option = if request.devices.contains(&name) { "--device" } else { "--gpus" };
        let refused = |reason: &str| Error::option(option)(Invalid::new("device", &name, reason));
        let none = "no file in /etc/cdi, /var/run/cdi or ~/.config/cdi describes it (JSON files alone are read)";
        let edits = match found.get(&name) {
            None => return Err(Error::NotLookedUp("a device")),
            Some(None) => return Err(refused(none)),
            Some(Some(edits)) => edits,
        };
        added.env.extend(edits.env.iter().filter(|line| line.contains('=')).cloned());
        for node in &edits.device_nodes {
            let host = if node.host_path.is_empty() { &node.path } else { &node.host_path };
            added.devices.push(Device { host: path(host, &refused)?, container: path(&node.path, &refused)? });
        }
        for mount in &edits.mounts {
            let kind = MountKind::Bind { source: path(&mount.host_path, &refused)?.into() };
            let destination = path(&mount.container_path, &refused)?;
            let read_only = mount.options.iter().any(|option| option == "ro");
            let options = if mount.options.iter().any(|option| option == "noexec") { &["noexec"][..] } else { &[] };
            let options = options.iter().map(|&option| option.to_owned()).collect();
            added.mounts.push(Mount { kind, destination, read_only, options });
        }
    }
    Ok(added)
}

fn path(text: &str, refused: &impl Fn(&str) -> Error) -> Result<String, Error> {
    let clean = super::paths::clean(text).filter(|path| path != "/" && !super::paths::is_within(path, "/proc"));
    clean.ok_or_else(|| refused("its file names a path that is relative, the root or in /proc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::json;

    const FILE: &str = r#"{ "cdiVersion": "0.6.0", "kind": "vendor.com/card",
        "containerEdits": { "env": ["ALL=1"], "mounts": [
            { "hostPath": "/usr/lib/x.so", "containerPath": "/usr/lib/x.so", "options": ["ro", "nosuid", "bind"] }] },
        "devices": [{ "name": "0", "containerEdits": {
            "deviceNodes": [{ "path": "/dev/card0" }, { "path": "/dev/b", "hostPath": "/dev/a" }],
            "hooks": [{ "hookName": "createContainer", "path": "/usr/bin/x" }] } }] }"#;

    #[test]
    fn a_device_has_what_its_file_says() {
        let file: CdiFile = json::from_str(FILE).unwrap();
        let request = Request { devices: vec!["vendor.com/card=0".to_owned()], ..Request::default() };
        let edits = find(&[file], "vendor.com/card=0");
        assert!(edits.as_ref().is_some_and(CdiEdits::has_hooks));
        let found = [("vendor.com/card=0".to_owned(), edits)].into();
        let added = added(&request, &found).unwrap();
        assert_eq!(added.env, ["ALL=1"]);
        let device = |host: &str, container: &str| Device { host: host.to_owned(), container: container.to_owned() };
        assert_eq!(added.devices, [device("/dev/card0", "/dev/card0"), device("/dev/a", "/dev/b")]);
        assert_eq!(added.mounts.len(), 1);
        assert!(added.mounts[0].read_only && added.mounts[0].destination == "/usr/lib/x.so");
    }

    #[test]
    fn gpus_are_devices_of_one_vendor() {
        let of = |gpus: &str| {
            let request = Request { gpus: Some(gpus.to_owned()), ..Request::default() };
            names(&request).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of("all"), ["nvidia.com/gpu=all"]);
        assert_eq!(of("\"device=0,1\""), ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]);
        let request = Request { gpus: Some("all".to_owned()), ..Request::default() };
        let none = [("nvidia.com/gpu=all".to_owned(), None)].into();
        let error = added(&request, &none).unwrap_err().to_string();
        assert!(error.starts_with("`--gpus`: ") && error.contains("/etc/cdi"), "{error}");
        assert!(is_name("vendor.com/card=0") && !is_name("/dev/a=b") && !is_name("a=b"));
    }
}
