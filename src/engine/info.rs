//! The host, the store and the settings, for `info`.

use std::path::Path;

use super::context::Context;
use crate::container;
use crate::monitor::{self, Status};
use crate::storage::Store;
use crate::sys::fs;
use crate::types::IdRange;
use crate::types::{NetworkDriver, Report, StorageDriver};
use crate::userns::IdMap;
use crate::view::Info;

/// Where cgroup v2 is mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Describes the host, the store and the settings.
pub(crate) fn info(context: &Context) -> Result<Info, Report> {
    let store = context.store_to_read()?;
    let ids = context.ids()?;
    let system = rustix::system::uname();
    let memory = rustix::system::sysinfo();
    let bytes = |count: u64| count.saturating_mul(u64::from(memory.mem_unit));
    let cgroups = monitor::available()?;
    let has_cgroup = cgroups.manager != "none";
    let extents = |extents: &[IdRange]| extents.iter().map(|e| (e.inside, e.outside, e.count)).collect();
    Ok(Info {
        cgroup_controllers: cgroups.controllers,
        cgroup_manager: cgroups.manager,
        // Version 2 beside version 1 is enough if rc has a cgroup there.
        cgroup_version: if has_cgroup || Path::new(CGROUPS).join("cgroup.controllers").exists() { "v2" } else { "v1" },
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        distribution: distribution(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        hostname: system.nodename().to_string_lossy().into_owned(),
        uid_map: extents(&ids.uids),
        gid_map: extents(&ids.gids),
        single_id: ids.single.as_ref().map(crate::userns::Single::sentence),
        kernel: kernel(),
        memory: [memory.freeram, memory.totalram, memory.freeswap, memory.totalswap].map(bytes),
        network: context.settings.network.driver.value.to_string(),
        uptime: u64::try_from(memory.uptime).unwrap_or_default(),
        helpers: helpers(context),
        storage: storage(context, &ids),
        directories: directories(context, &store)?,
        disk: disk(store.root()),
        filesystem: filesystem(store.root()),
        time: jiff::Timestamp::now().to_string(),
        containers: containers(&store)?,
        images: images(&store)?,
        settings: context.settings.entries(),
    })
}

/// The kernel's release.
pub(crate) fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// docker's name of the type of the filesystem that the store is, or will be, on. Source: docker
/// `daemon/graphdriver/driver_linux.go`.
fn filesystem(root: &Path) -> String {
    const NAMES: [(u32, &str); 9] = [
        (0x9123_683e, "btrfs"),
        (0xef53, "extfs"),
        (0x6573_5546, "fuse"),
        (0x6969, "nfs"),
        (0x794c_7630, "overlayfs"),
        (0x0102_1994, "tmpfs"),
        (0x5846_5342, "xfs"),
        (0x2fc1_2fc1, "zfs"),
        (0xca45_1a4e, "bcachefs"),
    ];
    let found = root.ancestors().find_map(|directory| rustix::fs::statfs(directory).ok());
    // The kernel's numbers have 32 bits, whatever the size of the field.
    let number = found.map_or(0, |found| u64::try_from(found.f_type).unwrap_or_default() & 0xffff_ffff);
    let name = NAMES.iter().find(|(known, _)| u64::from(*known) == number);
    name.map_or_else(|| format!("{number:#x}"), |(_, name)| (*name).to_owned())
}

/// `ID`, `VERSION_ID` and `VERSION_CODENAME`. Source: os-release(5).
fn distribution(os_release: &str) -> [String; 3] {
    ["ID", "VERSION_ID", "VERSION_CODENAME"].map(|wanted| {
        let fields = os_release.lines().filter_map(|line| line.split_once('='));
        let mut values = fields.filter(|(name, _)| *name == wanted).map(|(_, value)| value.trim_matches(['"', '\'']));
        values.next_back().unwrap_or("unknown").to_owned()
    })
}

fn helpers(context: &Context) -> Vec<(&'static str, Option<String>)> {
    let programs = context.programs();
    [NetworkDriver::Slirp4netns, NetworkDriver::Pasta]
        .map(|driver| (driver.as_str(), programs.find(driver).ok().map(|path| path.display().to_string())))
        .to_vec()
}

/// The storage driver of containers, and why it was chosen.
fn storage(context: &Context, ids: &IdMap) -> (String, String) {
    match context.settings.storage.driver.value {
        StorageDriver::Auto => match crate::doctor::storage_driver(&context.host(), ids) {
            Some((driver, why)) => (driver.as_str().to_owned(), why),
            None => ("overlay".to_owned(), "not tried; `rc doctor` says what is missing".to_owned()),
        },
        chosen => (chosen.as_str().to_owned(), "chosen in rc.toml".to_owned()),
    }
}

fn directories(context: &Context, store: &Store) -> Result<[String; 4], Report> {
    let config = match context.dirs.config() {
        crate::dirs::ConfigFiles::Only(path) => path,
        crate::dirs::ConfigFiles::Usual { own: [_, path], .. } => path,
    };
    Ok([store.root(), &context.runtime_dir()?, &store.volumes(), config].map(|path| path.display().to_string()))
}

/// Total and used bytes of the filesystem that the store is, or will be, on.
fn disk(root: &Path) -> [u64; 2] {
    let found = root.ancestors().find_map(|directory| rustix::fs::statvfs(directory).ok());
    found.map_or([0; 2], |disk| {
        [disk.f_blocks, disk.f_blocks.saturating_sub(disk.f_bfree)].map(|blocks| blocks.saturating_mul(disk.f_frsize))
    })
}

/// How many containers exist, run, are paused, and do none of these.
fn containers(store: &Store) -> Result<[usize; 4], Report> {
    let listing = container::list(store)?;
    let count = |wanted: fn(&Status) -> bool| listing.containers.iter().filter(|c| wanted(&c.status)).count();
    let running = count(|status| matches!(status, Status::Running | Status::Stopping | Status::Orphaned));
    let paused = count(|status| *status == Status::Paused);
    let all = listing.containers.len() + listing.broken.len();
    Ok([all, running, paused, all - running - paused])
}

fn images(store: &Store) -> Result<usize, Report> {
    let index = store.index()?;
    Ok(index.iter().map(|entry| &entry.manifest.digest).collect::<std::collections::HashSet<_>>().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_read_with_and_without_quotes() {
        let text = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(distribution(text), ["debian", "12", "bookworm"]);
        assert_eq!(distribution(""), ["unknown", "unknown", "unknown"]);
    }
}
