//! The network helpers, each of which connects a network namespace for a moment; their device; ports that only root can
//! bind.

use std::time::Instant;

use nix::sched::CloneFlags;

use super::attempt::{PATIENCE, Trouble, attempt};
use super::device::device;
use super::program::described;
use super::{Finding, Home, Host, NOT_TRIED, Status, severity};
use crate::net::{self, Request};
use crate::storage::Store;
use crate::sys::process::{CloneOptions, fork};
use crate::sys::{fs, namespace, prctl};
use crate::types::NetworkDriver;
use crate::userns::UserNamespace;

/// What connects networks with names to the outside.
#[derive(Debug)]
pub(super) enum WayOut {
    /// One of the helpers.
    By(NetworkDriver),
    /// The helper that they would take does not work, or there is none: how to fix that.
    None(Option<String>),
}

pub(super) fn check(host: &Host<'_>, home: Home<'_>) -> (Vec<Finding>, WayOut) {
    let tried = [NetworkDriver::Slirp4netns, NetworkDriver::Pasta].map(|driver| (driver, bring_up(host, driver, home)));
    let mut findings: Vec<_> = tried.iter().map(|(driver, tried)| finding(host, *driver, tried)).collect();
    let uses_device = !host.network.endpoints().is_empty();
    findings.push(device("/dev/net/tun", uses_device, "slirp4netns and pasta", "tun"));
    findings.push(low_ports());
    // As a keeper chooses: slirp4netns if it is installed.
    let installed = tried.iter().find(|(driver, _)| host.programs.find(*driver).is_ok()).unwrap_or(&tried[0]);
    let way_out = match installed {
        (driver, Ok(_)) => WayOut::By(*driver),
        (_, Err(trouble)) => WayOut::None(trouble.report.hint.clone()),
    };
    (findings, way_out)
}

fn finding(host: &Host<'_>, driver: NetworkDriver, tried: &Result<String, Trouble>) -> Finding {
    let check = driver.as_str();
    match tried {
        Ok(found) => Finding::ok(check, found),
        Err(trouble) => {
            let is_default = host.network == driver.into();
            let disables =
                if is_default { "containers without `--network`, and published ports" } else { "`--network " };
            let disables = if is_default { disables.to_owned() } else { format!("{disables}{check}`") };
            Finding::bad(check, severity(is_default, false), trouble.report.message.clone())
                .disables(disables)
                .fix(trouble.report.hint.clone())
        }
    }
}

/// Finds the helper and connects a network namespace with it, as a start does. Returns its path and version.
fn bring_up(host: &Host<'_>, driver: NetworkDriver, home: Home<'_>) -> Result<String, Trouble> {
    let program = host.programs.find(driver)?;
    let home = home.ok_or_else(|| Trouble::new(NOT_TRIED))?;
    let runtime = host.runtime.as_ref().map_err(Trouble::new)?;
    let scratch = Store::open(host.root).and_then(|store| store.scratch())?;
    let locks = runtime.join("net");
    fs::create_dir_all(&locks).map_err(Trouble::new)?;
    let directory = scratch.path().to_owned();
    let programs = host.programs.clone();
    let (name, interface) = (String::new(), net::addresses::INTERFACE);
    let request =
        Request { name, ports: Vec::new(), options: Vec::new(), range: None, programs, interface, directory, locks };
    attempt(|| connect(driver, &request, home))?;
    Ok(described(&program))
}

fn connect(driver: NetworkDriver, request: &Request, home: &UserNamespace) -> Result<(), Trouble> {
    let driver = net::endpoint_driver(driver)?;
    driver.validate(request)?;
    let (ready, announce) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Trouble::new)?;
    // This child plays the container: its network namespace belongs to the root namespace, and it lives until it is
    // killed.
    let container = fork(&CloneOptions::default(), || {
        let alone = || -> std::io::Result<()> {
            prctl::die_with_parent()?;
            home.enter().map_err(std::io::Error::other)?;
            namespace::unshare(CloneFlags::CLONE_NEWNET)?;
            rustix::io::write(&announce, b"R")?;
            Ok(())
        };
        if alone().is_err() {
            return 1;
        }
        loop {
            nix::unistd::pause();
        }
    })
    .map_err(Trouble::new)?;
    // The closure had the child's copy of this end.
    let mut byte = [0; 1];
    let count = rustix::io::retry_on_intr(|| rustix::io::read(&ready, &mut byte)).map_err(Trouble::new)?;
    let result = if count == 1 {
        driver
            .start(request, container.pid)
            .and_then(|starting| starting.wait_ready(Instant::now() + PATIENCE / 2))
            .map(drop)
            .map_err(Trouble::from)
    } else {
        Err(Trouble::new("cannot create a network namespace"))
    };
    drop(container.signal(libc::SIGKILL));
    drop(container.wait());
    result
}

fn low_ports() -> Finding {
    const CHECK: &str = "low ports";
    let start = net::unprivileged_port_start();
    if rustix::process::geteuid().is_root() {
        return Finding::ok(CHECK, "root can publish all ports");
    }
    if start <= 80 {
        return Finding::ok(CHECK, format!("ports from {start} on can be published"));
    }
    Finding::bad(CHECK, Status::Limited, format!("only ports from {start} on can be published"))
        .disables(format!("`-p 80:80` and other host ports below {start}"))
        .fix(
            "publish higher ports, or let every user of the host listen on all ports from 80 on: \
             `sudo sysctl net.ipv4.ip_unprivileged_port_start=80`"
                .to_owned(),
        )
}
