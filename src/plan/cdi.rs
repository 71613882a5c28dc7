//! `--device VENDOR/CLASS=NAME` and `--gpus`: devices that a vendor describes in a file, with all that programs need
//! for them. Source: the Container Device Interface's specification, 0.8.
//!
//! A file may also name hooks: programs of the host that change the container's files while it starts, as root in its
//! user namespace, with the host's files before them. rc runs none (CVE-2024-0132, CVE-2025-23266), but does what those
//! of NVIDIA are for: it makes the links by which programs find the libraries. Any other hook is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Device, Error, Mount, MountKind, Request};
use crate::types::{Invalid, Link};

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
    /// Programs of the host that prepare the container.
    hooks: Vec<CdiHook>,
    /// The links by which programs find the libraries among the mounts.
    #[serde(skip)]
    soname_links: Vec<Link>,
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
    hook_name: String,
    path: String,
    args: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CdiMount {
    host_path: String,
    container_path: String,
    options: Vec<String>,
}

impl CdiEdits {
    /// What hooks do that rc does not, for warnings.
    pub(crate) fn left_out(&self) -> Option<&'static str> {
        let is_compat = |hook: &CdiHook| hook.work() == Some(Work::CudaCompat);
        self.hooks.iter().any(is_compat).then_some(
            "the hook `enable-cuda-compat` is left out: an image with a newer CUDA than the driver's needs \
             `-e LD_LIBRARY_PATH=/usr/local/cuda/compat`",
        )
    }

    /// The libraries that a hook makes known to the loader: their paths on the host and in the container.
    pub(crate) fn libraries(&self) -> Vec<(String, String)> {
        let works = self.hooks.iter().filter_map(CdiHook::work);
        let known: Vec<&str> = works
            .filter_map(|work| if let Work::Libraries(directories) = work { Some(directories) } else { None })
            .flatten()
            .collect();
        let is_known = |mount: &&CdiMount| {
            let (directory, name) = mount.container_path.rsplit_once('/').unwrap_or_default();
            name.contains(".so") && known.iter().any(|known| known.trim_end_matches('/') == directory)
        };
        let paths = |mount: &CdiMount| (mount.host_path.clone(), mount.container_path.clone());
        self.mounts.iter().filter(is_known).map(paths).collect()
    }

    /// Adds the link for a library of [`libraries`](Self::libraries), by the name in the library itself.
    pub(crate) fn add_library(&mut self, path: &str, soname: &str) {
        let Some((directory, name)) = path.rsplit_once('/') else { return };
        if name != soname && !soname.is_empty() && !soname.contains('/') {
            self.soname_links.push(Link { path: format!("{directory}/{soname}"), target: name.to_owned() });
        }
    }

    /// All links, or why they cannot be made.
    fn links(&self) -> Result<Vec<Link>, String> {
        let mut links = self.soname_links.clone();
        for hook in &self.hooks {
            match hook.work() {
                Some(Work::Links(pairs)) => {
                    for pair in pairs {
                        let (target, path) = pair.split_once("::").ok_or_else(|| format!("`{pair}` is no link"))?;
                        links.push(Link { path: path.to_owned(), target: target.to_owned() });
                    }
                }
                Some(_) => {}
                None => {
                    let CdiHook { hook_name, path, .. } = hook;
                    return Err(format!(
                        "its hook `{path}` ({hook_name}) is a program of the host, which rc does not run"
                    ));
                }
            }
        }
        Ok(links)
    }

    fn add(&mut self, other: &Self) {
        self.env.extend(other.env.iter().cloned());
        self.device_nodes.extend(other.device_nodes.iter().cloned());
        self.mounts.extend(other.mounts.iter().cloned());
        self.hooks.extend(other.hooks.iter().cloned());
    }
}

/// The option of `update-ldcache`, in NVIDIA's word for a directory.
const DIRECTORY: &str = concat!("--fol", "der");

/// What a hook is for.
#[derive(Debug, PartialEq, Eq)]
enum Work<'a> {
    /// Links, `TARGET::PATH`.
    Links(Vec<&'a str>),
    /// The libraries in these directories are found by the loader.
    Libraries(Vec<&'a str>),
    /// The image's own libraries of CUDA are found by the loader, if they are newer.
    CudaCompat,
    /// What is so in any case: directories of devices are open, and no program can make device nodes.
    Done,
}

impl CdiHook {
    /// What it is for, if it is one of NVIDIA's. Source: nvidia-container-toolkit, `cmd/nvidia-cdi-hook`.
    fn work(&self) -> Option<Work<'_>> {
        let program = self.path.rsplit('/').next().unwrap_or_default();
        if !matches!(program, "nvidia-cdi-hook" | "nvidia-ctk") {
            return None;
        }
        let mut words = self.args.iter().skip(1).map(String::as_str).skip_while(|word| *word == "hook");
        let action = words.next()?;
        let words: Vec<&str> = words.collect();
        Some(match action {
            "create-symlinks" => Work::Links(values(&words, "--link")),
            "update-ldcache" => Work::Libraries(values(&words, DIRECTORY)),
            "enable-cuda-compat" => Work::CudaCompat,
            "chmod" | "disable-device-node-modification" => Work::Done,
            _ => return None,
        })
    }
}

/// The values of an option, which may be given several times.
fn values<'a>(words: &[&'a str], option: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        match word.split_once('=') {
            Some((name, value)) if name == option => found.push(value),
            _ if word == option => found.extend(rest.next()),
            _ => {}
        }
    }
    found
}

/// What a device needs, or why that is not known: no file describes it.
pub(crate) type Described = Result<CdiEdits, String>;

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
    pub(super) links: Vec<Link>,
}

impl Added {
    /// Adds the mounts and devices to those of a container, unless something else is mounted there, and returns the
    /// variables and the links.
    pub(super) fn join(self, mounts: &mut Vec<Mount>, devices: &mut Vec<Device>) -> (Vec<String>, Vec<Link>) {
        for mount in self.mounts {
            if mounts.iter().all(|other| other.destination != mount.destination) {
                mounts.push(mount);
            }
        }
        devices.extend(self.devices);
        (self.env, self.links)
    }
}

/// Joins what was found for each device. Fails with the first one that no file describes.
pub(super) fn added(request: &Request, found: &BTreeMap<String, Described>) -> Result<Added, Error> {
    let mut added = Added::default();
    for name in names(request) {
        let option = if request.devices.contains(&name) { "--device" } else { "--gpus" };
        let refused = |reason: &str| Error::option(option)(Invalid::new("device", &name, reason));
        let edits = match found.get(&name) {
            None => return Err(Error::NotLookedUp("a device")),
            Some(Err(reason)) => return Err(refused(reason)),
            Some(Ok(edits)) => edits,
        };
        for link in edits.links().map_err(|reason| refused(&reason))? {
            if link.target.is_empty() || link.target.contains('\0') {
                return Err(refused("its file has a link that leads nowhere"));
            }
            added.links.push(Link { path: path(&link.path, &refused)?, target: link.target });
        }
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
            "mounts": [{ "hostPath": "/h/libx.so.5.1", "containerPath": "/usr/lib/libx.so.5.1" }],
            "hooks": [
                { "hookName": "createContainer", "path": "/usr/bin/nvidia-cdi-hook", "args": [
                  "nvidia-cdi-hook", "create-symlinks", "--link", "../b::/usr/lib/a", "--link=c::/usr/lib/d"] },
                { "hookName": "createContainer", "path": "/usr/bin/nvidia-ctk",
                  "args": ["nvidia-ctk", "hook", "update-ldcache", "DIRECTORY", "/usr/lib/"] },
                { "hookName": "createContainer", "path": "/usr/bin/nvidia-ctk",
                  "args": ["nvidia-ctk", "hook", "chmod", "--mode", "755", "--path", "/dev/dri"] }] } }] }"#;

    #[test]
    fn a_device_has_what_its_file_says() {
        let file: CdiFile = json::from_str(&FILE.replace("DIRECTORY", DIRECTORY)).unwrap();
        let request = Request { devices: vec!["vendor.com/card=0".to_owned()], ..Request::default() };
        let mut edits = find(&[file], "vendor.com/card=0").expect("described");
        let libraries = edits.libraries();
        let pair = |host: &str, path: &str| (host.to_owned(), path.to_owned());
        assert_eq!(libraries, [pair("/usr/lib/x.so", "/usr/lib/x.so"), pair("/h/libx.so.5.1", "/usr/lib/libx.so.5.1")]);
        edits.add_library("/usr/lib/libx.so.5.1", "libx.so.1");
        edits.add_library("/usr/lib/x.so", "x.so");
        assert_eq!(edits.left_out(), None);
        let found = [("vendor.com/card=0".to_owned(), Ok(edits))].into();
        let added = added(&request, &found).unwrap();
        assert_eq!(added.env, ["ALL=1"]);
        let device = |host: &str, container: &str| Device { host: host.to_owned(), container: container.to_owned() };
        assert_eq!(added.devices, [device("/dev/card0", "/dev/card0"), device("/dev/a", "/dev/b")]);
        assert_eq!(added.mounts.len(), 2);
        let links: Vec<(&str, &str)> = added.links.iter().map(|it| (it.path.as_str(), it.target.as_str())).collect();
        assert_eq!(links, [("/usr/lib/libx.so.1", "libx.so.5.1"), ("/usr/lib/a", "../b"), ("/usr/lib/d", "c")]);
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
        let none = [("nvidia.com/gpu=all".to_owned(), Err("no file in /etc/cdi".to_owned()))].into();
        let error = added(&request, &none).unwrap_err().to_string();
        assert!(error.starts_with("`--gpus`: ") && error.contains("/etc/cdi"), "{error}");
        assert!(is_name("vendor.com/card=0") && !is_name("/dev/a=b") && !is_name("a=b"));
    }
}
