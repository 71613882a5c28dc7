//! Enabling controllers for the child cgroups, for which rc's own processes must leave the cgroup.

use std::os::unix::fs::MetadataExt as _;

use super::limits::{Expect, Setting};
use super::{Error, Own, SUPERVISOR};
use crate::sys::fs;
use crate::sys::proc::Entry;

/// A process in our cgroup that is not rc's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The pid as this process sees it; 0 if it does not.
    pub pid: i32,
    /// Its name, `/proc/PID/comm`; empty if it has ended.
    pub name: String,
}

/// `12 (sh), 15 (make)`, at most five of them.
pub(super) fn names(others: &[Neighbour]) -> String {
    let mut words: Vec<String> =
        others.iter().take(5).map(|other| format!("{} ({})", other.pid, other.name.escape_debug())).collect();
    if others.len() > 5 {
        words.push(format!("and {} more", others.len() - 5));
    }
    words.join(", ")
}

/// Enables the controllers that the settings need, in `cgroup.subtree_control` of our cgroup.
///
/// The kernel allows no processes beside child cgroups with controllers, except in the root cgroup. It does not refuse
/// `pids` and `cpu`, which also work for threads: the cgroup then becomes a threaded one, and no process can be created
/// in its children (EOPNOTSUPP). So rc's processes leave first. Source: cgroup-v2.rst, "Threads".
pub(super) fn enable(own: &Own, settings: &[Setting]) -> Result<(), Error> {
    for setting in missing(own, settings)? {
        if !is_root(own) {
            vacate(own, setting)?;
        }
        match own.directory.write("cgroup.subtree_control", &format!("+{}", setting.controller())) {
            Err(error) if error.is_not_found() => return Err(not_delegated(own, setting)),
            other => other?,
        }
    }
    Ok(())
}

/// Enables every controller that there is and that can be enabled, for a cgroup that its user divides.
pub(super) fn enable_all(own: &Own) {
    let available = own.directory.read("cgroup.controllers").unwrap_or_default();
    for controller in available.split_ascii_whitespace() {
        let (file, value) = (format!("{controller}.max"), String::new());
        // Nobody has asked for a limit by it.
        drop(enable(own, &[Setting { file, value, expect: Expect::Same, instead: None }]));
    }
}

/// Whether it is the root cgroup, which has no type, and may have processes.
fn is_root(own: &Own) -> bool {
    own.directory.read("cgroup.type").is_err()
}

/// Whether [`enable`] would succeed, as far as rc can tell without doing it.
pub(super) fn check(own: &Own, settings: &[Setting]) -> Result<(), Error> {
    let missing = missing(own, settings)?;
    match missing.first() {
        Some(setting) if !is_root(own) => ours(own, setting).map(drop),
        _ => Ok(()),
    }
}

/// The settings, one per controller, whose controller is available and not yet enabled.
fn missing<'a>(own: &Own, settings: &'a [Setting]) -> Result<Vec<&'a Setting>, Error> {
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let (enabled, available) =
        (own.directory.read("cgroup.subtree_control")?, own.directory.read("cgroup.controllers")?);
    let has = |list: &str, controller: &str| list.split_ascii_whitespace().any(|word| word == controller);
    let mut missing: Vec<&Setting> = Vec::new();
    for setting in settings {
        let controller = setting.controller();
        if has(&enabled, controller) || missing.iter().any(|other| other.controller() == controller) {
            continue;
        }
        if !has(&available, controller) {
            return Err(not_delegated(own, setting));
        }
        missing.push(setting);
    }
    Ok(missing)
}

fn not_delegated(own: &Own, setting: &Setting) -> Error {
    Error::NotDelegated {
        limit: setting.file.clone(),
        controller: setting.controller().to_owned(),
        group: own.path.clone(),
    }
}

/// Moves rc's own processes, and nothing else, to the leaf cgroup.
fn vacate(own: &Own, setting: &Setting) -> Result<(), Error> {
    // Each round moves all processes that are there; further rounds are needed only if they have forked meanwhile.
    for _ in 0..16 {
        let pids = ours(own, setting)?;
        if pids.is_empty() {
            return Ok(());
        }
        match own.directory.make(SUPERVISOR) {
            Err(error) if error.source.raw_os_error() == Some(libc::EEXIST) => {}
            other => other?,
        }
        let leaf = own.directory.child(SUPERVISOR)?;
        for pid in pids {
            match leaf.write("cgroup.procs", &pid.to_string()) {
                Err(error) if error.source.raw_os_error() == Some(libc::ESRCH) => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// The pids of rc's own processes in the cgroup; an error if there are others.
fn ours(own: &Own, setting: &Setting) -> Result<Vec<i32>, Error> {
    let family = Family::of_this_process();
    let (ours, others): (Vec<i32>, Vec<i32>) = own.directory.processes()?.into_iter().partition(|pid| family.has(*pid));
    let others: Vec<Neighbour> = others
        .into_iter()
        .map(|pid| Neighbour { pid, name: name(pid) })
        // A process that has ended since then does not matter.
        .filter(|other| other.pid == 0 || !other.name.is_empty())
        .collect();
    if others.is_empty() {
        return Ok(ours);
    }
    Err(Error::Shared {
        limit: setting.file.clone(),
        controller: setting.controller().to_owned(),
        group: own.path.clone(),
        others,
    })
}

/// rc's own processes: the ancestors of this one that run rc, other commands, and the monitors of other containers;
/// also what this process and the monitors have started, such as network helpers. What a user has started with rc, such
/// as the shell of `rc unshare`, is not one of them.
struct Family {
    /// The first of this process' ancestors that run the same program: the command that forked the monitor.
    top: i32,
    program: Option<(u64, u64)>,
}

impl Family {
    fn of_this_process() -> Self {
        let mut top = rustix::process::getpid().as_raw_nonzero().get();
        let program = program(top);
        let is_ours = |pid: &i32| program.is_some() && self::program(*pid) == program;
        while let Some(parent) = parent(top).filter(is_ours) {
            top = parent;
        }
        Self { top, program }
    }

    fn has(&self, pid: i32) -> bool {
        self.runs_rc(pid) || with_ancestors(pid).any(|pid| pid == self.top || self.is_monitor(pid))
    }

    /// Whether it runs this same program: another file can have its name, but not its inode.
    fn runs_rc(&self, pid: i32) -> bool {
        self.program.is_some() && program(pid) == self.program
    }

    fn is_monitor(&self, pid: i32) -> bool {
        name(pid).starts_with("rc: ") && self.runs_rc(pid)
    }
}

/// Device and inode of the program that a process runs; `None` if it has ended, or this user may not know.
fn program(pid: i32) -> Option<(u64, u64)> {
    fs::metadata(format!("/proc/{pid}/exe")).map(|file| (file.dev(), file.ino())).ok()
}

/// `/proc/PID/comm`; empty if it has ended.
fn name(pid: i32) -> String {
    let name = Entry::open(pid).and_then(|process| process.read("comm").ok());
    name.map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

/// A process, its parent, and so on. A longer chain is a loop: pids were reused while we read it.
fn with_ancestors(pid: i32) -> impl Iterator<Item = i32> {
    std::iter::successors(Some(pid), |pid| parent(*pid)).take(256)
}

/// The parent's pid, if there is one in this pid namespace.
fn parent(pid: i32) -> Option<i32> {
    Entry::open(pid)?.stat().map(|stat| stat.parent).filter(|parent| *parent > 0)
}

/// Whether the kernel has given the controller to version 1; then version 2 cannot have it. Source: `/proc/cgroups`,
/// whose second column is the hierarchy; 0 is version 2.
pub(super) fn is_in_version_1(controller: &str) -> bool {
    let name = if controller == "io" { "blkio" } else { controller };
    fs::read_to_string("/proc/cgroups").is_ok_and(|text| hierarchy(&text, name).is_some_and(|number| number != 0))
}

fn hierarchy(text: &str, controller: &str) -> Option<u32> {
    text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>()).find_map(|fields| match fields[..] {
        [name, number, ..] if name == controller => number.parse().ok(),
        _ => None,
    })
}

/// Whether the host has no swap space. Source: proc_swaps(5): one line of headings.
pub(super) fn is_swapless() -> bool {
    fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_named_five_at_most_and_escaped() {
        let other = |pid: i32| Neighbour { pid, name: if pid == 1 { "a\u{1b}".to_owned() } else { "sh".to_owned() } };
        assert_eq!(names(&[other(1), other(2)]), "1 (a\\u{1b}), 2 (sh)");
        let many: Vec<_> = (2..9).map(other).collect();
        assert_eq!(names(&many), "2 (sh), 3 (sh), 4 (sh), 5 (sh), 6 (sh), and 2 more");
    }

    #[test]
    fn the_hierarchy_of_a_controller_is_its_second_column() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\ncpu\t0\t1\t1\n";
        assert_eq!(hierarchy(text, "cpuset"), Some(3));
        assert_eq!(hierarchy(text, "cpu"), Some(0));
        assert_eq!(hierarchy(text, "pids"), None);
    }

    #[test]
    fn this_process_is_ours_and_process_1_is_not() {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let family = Family::of_this_process();
        assert!(family.has(me) && family.runs_rc(me));
        assert!(!family.has(1));
        // A monitor has another process name.
        assert!(!family.is_monitor(me));
    }
}
