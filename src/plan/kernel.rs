//! What the kernel is told about the program: `--sysctl`, `--umask`, `--oom-score-adj`, `--annotation`, `--device`.

use std::collections::BTreeMap;

use super::config::{Ipc, UMASK};
use super::namespaces::Shared;
use super::paths::{clean, is_within};
use super::{Device, Error, Facts, Request, cdi};
use crate::types::{Invalid, NamespaceKind, Network};

/// Kernel parameters that belong to the namespaces of a container, beside all of `net.` and `fs.mqueue.`. Source:
/// docker-run(1), `--sysctl`.
const OF_IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// The kernel parameters of the container's namespaces, by name.
pub(super) fn sysctls(request: &Request, shared: &Shared) -> Result<BTreeMap<String, String>, Error> {
    let others = |kind: NamespaceKind| shared.namespaces.joined.contains_key(&kind);
    let read = |text: &String| {
        let invalid = |reason: &str| Invalid::new("kernel parameter", text, reason);
        let (name, value) = text.split_once('=').ok_or_else(|| invalid("must be NAME=VALUE"))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !name.bytes().all(is_plain) || name.split('.').any(str::is_empty) || value.contains(['\0', '\n']) {
            return Err(invalid("must have a name of words with dots between them, such as net.ipv4.ip_forward"));
        }
        let is_of_network = name.starts_with("net.");
        if !is_of_network && !name.starts_with("fs.mqueue.") && !OF_IPC.contains(&name) {
            return Err(invalid("it belongs to the host; a container has those of net., fs.mqueue. and its own IPC"));
        }
        if is_of_network && shared.network == Network::Host {
            return Err(invalid("it belongs to the host's network, in which the container is"));
        }
        if is_of_network && matches!(shared.network, Network::Container(_) | Network::Path(_)) {
            return Err(invalid("it belongs to the network of another, which the container has joined"));
        }
        if !is_of_network && others(NamespaceKind::Ipc) {
            return Err(invalid("it belongs to the IPC of another, which the container has joined"));
        }
        if !is_of_network && shared.ipc == Ipc::Host {
            return Err(invalid("it belongs to the host's IPC, which the container shares"));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    request.sysctls.iter().map(read).collect::<Result<_, _>>().map_err(Error::option("--sysctl"))
}

/// The umask of the program: octal digits.
pub(super) fn umask(request: &Request) -> Result<u32, Error> {
    let Some(text) = &request.umask else { return Ok(UMASK) };
    let is_octal = (1..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mask = u32::from_str_radix(text, 8).ok().filter(|mask| is_octal && *mask <= 0o777);
    let invalid = || Invalid::new("umask", text, "must be an octal number, 0 to 0777");
    mask.ok_or_else(|| Error::option("--umask")(invalid()))
}

/// How likely the kernel ends the program if memory runs out, −1000 to 1000.
pub(super) fn oom_score_adj(request: &Request, facts: &Facts) -> Result<Option<i32>, Error> {
    let Some(value) = request.oom_score_adj else { return Ok(None) };
    let invalid = |reason: String| Error::option("--oom-score-adj")(Invalid::new("value", value.to_string(), reason));
    if !(-1000..=1000).contains(&value) {
        return Err(invalid("must be from -1000 to 1000".to_owned()));
    }
    match facts.found.least_oom_score_adj {
        Some(least) if value < least => {
            Err(invalid(format!("must be at least that of the caller, {least}: a container cannot have a lower one")))
        }
        _ => Ok(Some(value)),
    }
}

/// Annotations by name.
pub(super) fn annotations(request: &Request) -> Result<BTreeMap<String, String>, Error> {
    let read = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Invalid::new("annotation", text, "must be NAME=VALUE")),
    };
    request.annotations.iter().map(read).collect::<Result<_, _>>().map_err(Error::option("--annotation"))
}

/// Tools name the runtime that podman would use; rc starts containers as crun and runc do. Another kind of isolation,
/// such as a virtual machine, is not what the caller would get.
fn runtime(request: &Request) -> Result<(), Error> {
    let Some(name) = &request.runtime else { return Ok(()) };
    match name.rsplit('/').next() {
        Some("rc" | "crun" | "runc") => Ok(()),
        _ => {
            let reason = "rc starts containers itself, in the place of crun and runc: leave the option out";
            Err(Error::option("--runtime")(Invalid::new("runtime", name, reason)))
        }
    }
}

/// Which devices a cgroup allows is decided by a program in the kernel that only the host's root can load.
fn device_rules(request: &Request) -> Result<(), Error> {
    let Some(rule) = request.device_cgroup_rules.first() else { return Ok(()) };
    let reason = "only the host's root can set rules for devices: name the devices with `--device`";
    Err(Error::option("--device-cgroup-rule")(Invalid::new("rule", rule, reason)))
}

/// The host's path of a device of `--device HOST[:CONTAINER][:PERMISSIONS]`, if it is in the grammar.
pub(super) fn device_source(text: &str) -> Option<&str> {
    device(text).ok().map(|(host, _)| host)
}

/// The devices: those of `--device`, and with `--privileged` all that the user may open.
pub(super) fn devices(request: &Request, facts: &Facts) -> Result<Vec<Device>, Error> {
    runtime(request)?;
    device_rules(request)?;
    let mut all: Vec<Device> = Vec::new();
    for text in request.devices.iter().filter(|text| !cdi::is_name(text)) {
        let refused = |reason: String| Error::option("--device")(Invalid::new("device", text, reason));
        let (host, container) = device(text).map_err(|reason| refused(reason.to_owned()))?;
        match facts.found.devices.get(host) {
            None => return Err(Error::NotLookedUp("a device")),
            Some(Err(reason)) => return Err(refused(reason.clone())),
            Some(Ok(())) => all.push(Device { host: host.to_owned(), container }),
        }
    }
    if request.privileged {
        for path in &facts.found.all_devices {
            if !all.iter().any(|device| device.container == *path) {
                all.push(Device { host: path.clone(), container: path.clone() });
            }
        }
    }
    Ok(all)
}

fn device(text: &str) -> Result<(&str, String), &'static str> {
    let mut parts = text.split(':');
    let host = parts
        .next()
        .filter(|host| host.starts_with('/'))
        .ok_or("must be a path of the host, [:PATH in the container], or VENDOR/CLASS=NAME")?;
    let (second, third) = (parts.next(), parts.next());
    let (container, permissions) = match (second, third) {
        (Some(container), permissions) if container.starts_with('/') => (container, permissions),
        (Some(permissions), None) => (host, Some(permissions)),
        (None, _) => (host, None),
        (Some(_), Some(_)) => return Err("the path in the container must be absolute"),
    };
    if parts.next().is_some() {
        return Err("must be HOST[:CONTAINER][:PERMISSIONS]");
    }
    if let Some(permissions) = permissions {
        let is_known = !permissions.is_empty() && permissions.bytes().all(|byte| matches!(byte, b'r' | b'w' | b'm'));
        if !is_known {
            return Err("the permissions must be of the letters r, w and m");
        }
        if !permissions.contains('r') || !permissions.contains('w') {
            return Err("only root can limit what is done with a device: leave the permissions out, or give `rw`");
        }
    }
    let container = clean(container).filter(|path| path != "/" && !is_within(path, "/proc"));
    Ok((host, container.ok_or("the path in the container must not be the root or in /proc")?))
}

#[cfg(test)]
mod tests {
    use super::super::namespaces;
    use super::super::tests::facts;
    use super::*;
    use crate::types::NetworkDriver;

    #[test]
    fn kernel_parameters_are_those_of_the_namespaces() {
        let of = |text: &str, network: Network| {
            let request = Request { sysctls: vec![text.to_owned()], ..Request::default() };
            let shared = namespaces::shared(&request, &facts(), network, None).unwrap();
            sysctls(&request, &shared).map_err(|error| error.to_string())
        };
        let own = || NetworkDriver::Pasta.into();
        for text in
            ["net.ipv4.ip_forward=1", "kernel.shmmax=1", "fs.mqueue.msg_max=5", "net.ipv4.conf.all.x=", "net.a=1 2"]
        {
            assert!(of(text, own()).is_ok(), "{text}");
        }
        for text in [
            "net.ipv4.ip_forward",
            "kernel.hostname=x",
            "vm.swappiness=1",
            "net/ipv4/ip_forward=1",
            "net..x=1",
            "net.../../x=1",
            "=1",
            "net.x=1\n2",
        ] {
            assert!(of(text, own()).is_err(), "{text}");
        }
        assert!(of("net.ipv4.ip_forward=1", Network::Host).is_err() && of("kernel.sem=1", Network::Host).is_ok());
    }

    #[test]
    fn umasks_scores_and_annotations() {
        let umask = |text: &str| umask(&Request { umask: Some(text.to_owned()), ..Request::default() }).ok();
        assert_eq!((umask("0022"), umask("77"), umask("0")), (Some(0o22), Some(0o77), Some(0)));
        for bad in ["", "8", "1777", "00022", "+22", "-1", "022x"] {
            assert_eq!(umask(bad), None, "{bad:?}");
        }
        let score = |value: i32, least: Option<i32>| {
            let mut facts = facts();
            facts.found.least_oom_score_adj = least;
            oom_score_adj(&Request { oom_score_adj: Some(value), ..Request::default() }, &facts).ok()
        };
        assert_eq!((score(1000, Some(0)), score(-1, None)), (Some(Some(1000)), Some(Some(-1))));
        assert_eq!((score(1001, None), score(-1001, None), score(-1, Some(0))), (None, None, None));
        let annotations =
            |text: &str| annotations(&Request { annotations: vec![text.to_owned()], ..Request::default() });
        assert!(annotations("a=b=c").is_ok() && annotations("a").is_err() && annotations("=b").is_err());
    }

    #[test]
    fn devices_of_the_host() {
        for (text, expected) in [
            ("/dev/fuse", ("/dev/fuse", "/dev/fuse")),
            ("/dev/fuse:rwm", ("/dev/fuse", "/dev/fuse")),
            ("/dev/a:/dev/b", ("/dev/a", "/dev/b")),
            ("/dev/a:/dev/../x:rw", ("/dev/a", "/x")),
        ] {
            assert_eq!(device(text), Ok((expected.0, expected.1.to_owned())), "{text}");
        }
        for bad in [
            "",
            "fuse",
            "vendor.com/class=name",
            "/dev/a:r",
            "/dev/a:x",
            "/dev/a:/dev/b:",
            "/dev/a:/dev/b:rw:x",
            "/dev/a:b:rw",
            "/dev/a:/",
            "/dev/a:/proc/x",
        ] {
            assert!(device(bad).is_err(), "{bad}");
        }
        let request = Request { devices: vec!["/dev/a:/dev/b".to_owned()], privileged: true, ..Request::default() };
        let mut facts = facts();
        assert!(devices(&request, &facts).is_err(), "not looked up");
        facts.found.devices.insert("/dev/a".to_owned(), Ok(()));
        facts.found.all_devices = ["/dev/b", "/dev/c"].map(str::to_owned).to_vec();
        let found = devices(&request, &facts).expect("devices");
        let found: Vec<_> = found.iter().map(|device| (device.host.as_str(), device.container.as_str())).collect();
        assert_eq!(found, [("/dev/a", "/dev/b"), ("/dev/c", "/dev/c")]);
        facts.found.devices.insert("/dev/a".to_owned(), Err("it is no device".to_owned()));
        assert!(devices(&request, &facts).expect_err("refused").to_string().contains("it is no device"));
    }
}
