//! The processes of a running container, seen from the host: by their directories in `/proc`, and nothing else. Nothing
//! of the container is executed, and nothing of rc enters it (safety.md, X17).

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;

use super::{Container, Error};
use crate::monitor::Status;
use crate::runtime::cgroup::Group;
use crate::runtime::users;
use crate::sys::fs;
use crate::sys::proc::{self, Entry, Stat};
use crate::sys::process_id::ProcessId;
use crate::types::NamespaceKind;

/// A process of a container.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The PID on the host.
    pub(crate) host_pid: i32,
    /// The PID in the container; 0 if it has none there.
    pub(crate) pid: i32,
    /// The parent's PID in the container; 0 for a parent outside.
    pub(crate) parent: i32,
    /// The process group in the container; 0 for a group outside.
    pub(crate) process_group: i32,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// `stat`, in the host's terms.
    pub(crate) stat: Stat,
    /// `status`, in the host's terms.
    pub(crate) status: proc::Status,
    /// The label of the security module; empty if it has none.
    pub(crate) label: String,
}

/// The names of IDs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Lines of the map of user IDs: first inside, first on the host, how many.
    pub(crate) uid_map: Vec<[u32; 3]>,
    /// The same for group IDs.
    pub(crate) gid_map: Vec<[u32; 3]>,
    /// Users of the container's `/etc/passwd`.
    pub(crate) users: BTreeMap<u32, String>,
    /// Groups of its `/etc/group`.
    pub(crate) groups: BTreeMap<u32, String>,
    /// Users of the host's.
    pub(crate) host_users: BTreeMap<u32, String>,
    /// Groups of the host's.
    pub(crate) host_groups: BTreeMap<u32, String>,
}

/// PID 1 of a container that runs. Fails if it does not.
pub(super) fn init(container: &Container, action: &'static str) -> Result<(Entry, ProcessId), Error> {
    if container.is_alive() { first_process(container, action) } else { Err(container.cannot(action)) }
}

/// PID 1 of a container that runs or is initialized. Fails if it does not live.
pub(super) fn first_process(container: &Container, action: &'static str) -> Result<(Entry, ProcessId), Error> {
    let ended = || container.just_ended(action);
    let is_there = container.is_alive() || container.status == Status::Initialized;
    let init = container.state.init.clone().filter(|_| is_there).ok_or_else(|| container.cannot(action))?;
    let entry = Entry::open(init.pid).ok_or_else(ended)?;
    // Checked after the directory was opened: from here on the directory cannot become another process's.
    if init.is_alive() { Ok((entry, init)) } else { Err(ended()) }
}

/// All processes in the container's PID namespace and in those beneath it, PID 1 first. Processes that end meanwhile
/// are left out.
pub(super) fn members(container: &Container, init: &Entry) -> Result<Vec<(Entry, Stat)>, Error> {
    let candidates = match group(container) {
        Some(group) => group.processes()?,
        None => proc::all()?,
    };
    let is_shared = container.config.shares(NamespaceKind::Pid);
    let has_group = group(container).is_some();
    let space = init.link("ns/pid").map_err(|error| match error.raw_os_error() {
        // A process that is ending has none.
        Some(libc::ENOENT | libc::ESRCH) => container.just_ended("show the processes of"),
        _ => Error::step("look at the container's PID namespace")(error),
    })?;
    let mut others: Vec<(Entry, Stat)> = candidates
        .into_iter()
        .filter_map(Entry::open)
        .filter_map(|entry| entry.stat().map(|stat| (entry, stat)))
        .collect();
    let mut members: Vec<(Entry, Stat)> = others
        .extract_if(.., |(entry, _)| {
            // In the PID namespace of others, its cgroup or their parents tell which are its own.
            let is_member = if is_shared { has_group } else { entry.link("ns/pid").is_ok_and(|link| link == space) };
            entry.pid == init.pid || is_member
        })
        .collect();
    // The first process of a namespace beneath is the child of a process in the container.
    loop {
        let mut beneath: Vec<_> =
            others.extract_if(.., |(_, stat)| members.iter().any(|(member, _)| member.pid == stat.parent)).collect();
        if beneath.is_empty() {
            break;
        }
        members.append(&mut beneath);
    }
    members.sort_by_key(|(entry, stat)| (entry.pid != init.pid, stat.started, entry.pid));
    Ok(members)
}

/// The container's own cgroup, if it has one.
pub(super) fn group(container: &Container) -> Option<Group> {
    let path = container.state.cgroup.as_deref()?;
    // If it cannot be opened, `/proc` has to do.
    Group::open(path).ok().flatten()
}

/// The processes of a running container, and the names of their IDs. Fails if it does not run.
pub(crate) fn processes(container: &Container) -> Result<(Vec<Process>, Names), Error> {
    let (init, _) = init(container, "show the processes of")?;
    // Among the PIDs that a process has in nested namespaces, the one in init's namespace.
    let depth = init.status().map_or(0, |status| status.pids.len());
    let inside = |pids: &[i32]| depth.checked_sub(1).and_then(|index| pids.get(index)).copied().unwrap_or(0);
    let mut pids = BTreeMap::new();
    let mut processes = Vec::new();
    for (entry, stat) in members(container, &init)? {
        let Some(status) = entry.status() else { continue };
        let pid = inside(&status.pids);
        pids.insert(entry.pid, pid);
        processes.push(Process {
            host_pid: entry.pid,
            pid,
            parent: 0,
            process_group: inside(&status.process_groups),
            arguments: entry.arguments(),
            label: entry.read("attr/current").unwrap_or_default().trim_end_matches(['\0', '\n']).to_owned(),
            stat,
            status,
        });
    }
    for process in &mut processes {
        process.parent = pids.get(&process.stat.parent).copied().unwrap_or(0);
    }
    Ok((processes, names(&init)))
}

/// If a file cannot be read, its IDs have no names and are shown as numbers.
fn names(init: &Entry) -> Names {
    let mut names = Names {
        uid_map: map(&init.read("uid_map").unwrap_or_default()),
        gid_map: map(&init.read("gid_map").unwrap_or_default()),
        host_users: users::user_names(&fs::read_to_string("/etc/passwd").unwrap_or_default()),
        host_groups: users::group_names(&fs::read_to_string("/etc/group").unwrap_or_default()),
        ..Names::default()
    };
    if let Ok(root) = init.root() {
        // The files are hostile: they are opened beneath the root, and only if they are regular and short.
        let read = |path| users::read_etc(root.as_fd(), path).ok().flatten().unwrap_or_default();
        names.users = users::user_names(&read(users::PASSWD));
        names.groups = users::group_names(&read(users::GROUP));
    }
    names
}

/// Source: user_namespaces(7), `uid_map`: the second column has IDs of the reader's namespace.
fn map(text: &str) -> Vec<[u32; 3]> {
    text.lines()
        .filter_map(|line| {
            let mut numbers = line.split_ascii_whitespace().map(|word| word.parse::<u32>().ok());
            Some([numbers.next()??, numbers.next()??, numbers.next()??])
        })
        .collect()
}
