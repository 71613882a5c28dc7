//! `unshare --rootless-netns`: this process, in the namespace of a network with a name.

use std::os::fd::AsFd as _;

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};

use super::super::context::Context;
use super::find;
use crate::monitor;
use crate::net::files::{HostFiles, ResolvConf, Resolver, resolv_conf};
use crate::net::member::Joiner;
use crate::net::record::Networks;
use crate::storage::Store;
use crate::sys::fs::{self, plain};
use crate::sys::{mount, namespace};
use crate::types::{NetworkDriver, NetworkRecord, Report, ReportKind};
use crate::userns::UserNamespace;

/// Makes this process, which has one thread, root in the namespace of a network, with a mount namespace of its own, in
/// which names are looked up as members do. The network lives as long as the process and the programs that it executes.
pub(crate) fn enter_network(context: &Context, network: &str) -> Result<(), Report> {
    let store = context.store()?;
    let networks = Networks::of(store.root());
    let record = find(&networks, network)?;
    let (ids, runtime) = (context.ids()?, context.runtime_dir()?);
    let locks = runtime.join("net");
    fs::create_dir_all(&locks)?;
    let told = monitor::told(store.events());
    let joiner = Joiner { networks, programs: context.programs(), locks, keeps_addresses: false, told };
    let visit = joiner.visit(&record.name, || UserNamespace::open(&ids, &runtime)?.copy())?;
    let text = resolver(&visit.record)?;
    visit.enter()?;
    namespace::unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount::isolate_propagation())
        .map_err(|error| failed("create a mount namespace", &error))?;
    mount_resolver(store, &text)
}

/// What a member has in `/etc/resolv.conf`.
fn resolver(record: &NetworkRecord) -> Result<String, Report> {
    let network = NetworkDriver::Bridge.into();
    let host = HostFiles::read(&network)?;
    let servers: Vec<_> = record.name_servers().collect();
    let asked = Resolver::default();
    let file = ResolvConf {
        network: &network,
        host_file: &host.resolv_conf,
        upstream_file: &host.upstream,
        networks: &servers,
        asked: &asked,
    };
    Ok(resolv_conf(&file)?)
}

/// Mounts a file with this text on `/etc/resolv.conf`, if the host has one.
fn mount_resolver(store: &Store, text: &str) -> Result<(), Report> {
    let open = |path: &std::path::Path| rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let Ok(target) = open("/etc/resolv.conf".as_ref()) else { return Ok(()) };
    // It has no name any more when it is mounted.
    let scratch = store.scratch()?;
    let path = scratch.path().join("resolv.conf");
    fs::write(&path, text)?;
    let source = open(&path).map_err(|errno| failed("open the new `resolv.conf`", &errno.into()))?;
    let mounted = mount::clone_tree(source.as_fd(), false).and_then(|file| mount::attach(file.as_fd(), target.as_fd()));
    mounted.map_err(|error| failed("mount `/etc/resolv.conf`", &error))
}

fn failed(step: &str, error: &std::io::Error) -> Report {
    Report::new(ReportKind::of_step(error), format!("cannot {step}: {}", plain(error)))
}
