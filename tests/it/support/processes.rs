//! The processes of a lab, by the names that the kernel keeps.

use std::fs;

use super::{Lab, Signal};

/// The PIDs of those with this name, cut to 15 bytes: the keeper of `app` is `rc: net app`.
pub(crate) fn processes(lab: &Lab, name: &str) -> Vec<i32> {
    let name: String = name.chars().take(15).collect();
    let root = lab.root().to_string_lossy().into_owned();
    let pids = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
        let comm = fs::read_to_string(entry.path().join("comm")).ok()?;
        // The environment of one that has given up its privileges cannot be read.
        let is_ours = || [Some(pid), parent(pid)].into_iter().flatten().any(|pid| belongs(pid, &root));
        (comm.trim_end() == name && is_ours()).then_some(pid)
    });
    pids.collect()
}

/// The parent of a process, while that lives.
fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// Whether a process has this directory in its environment.
fn belongs(pid: i32, root: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    String::from_utf8_lossy(&environment).contains(root)
}

/// The children of a process that have this name.
pub(crate) fn children(pid: i32, name: &str) -> Vec<i32> {
    let all = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let named = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name);
    all.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(named).collect()
}

/// Kills a process, if it has not ended, and waits until it has given up its locks.
pub(crate) fn kill(pid: i32) {
    let Some(process) = rustix::process::Pid::from_raw(pid) else { return };
    // A zombie has closed its files.
    let has_ended = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    };
    if !has_ended() && rustix::process::kill_process(process, Signal::KILL).is_ok() {
        super::wait::until("the killed process ends", || has_ended().then_some(()));
    }
}

/// Returns when a process waits for a lock of flock(2).
#[track_caller]
pub(crate) fn waits_for_lock(pid: i32) {
    let waiting = format!(" -> FLOCK  ADVISORY  WRITE {pid} ");
    super::wait::until("it waits for the lock", || {
        fs::read_to_string("/proc/locks").expect("/proc/locks").contains(&waiting).then_some(())
    });
}

/// How often a process has gone to sleep. One that asks again and again for what is not there never does.
#[track_caller]
pub(crate) fn sleeps(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}

/// Returns when a process has gone to sleep several times from now on.
#[track_caller]
pub(crate) fn rests(pid: i32) {
    let before = sleeps(pid);
    super::wait::until("it rests", || (sleeps(pid) > before + 5).then_some(()));
}

/// Sets how many descriptors a process may have, and returns how many those were.
#[track_caller]
pub(crate) fn limit_descriptors(pid: i32, most: u64) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("a process");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("the limit");
    let mut limits = line.split_whitespace().map_while(|word| word.parse().ok());
    let (soft, hard) = (limits.next().expect("a soft limit"), limits.next().expect("a hard limit"));
    let new = rustix::process::Rlimit { current: Some(most), maximum: Some(hard) };
    let process = rustix::process::Pid::from_raw(pid);
    rustix::process::prlimit(process, rustix::process::Resource::Nofile, new).expect("the process is ours");
    soft
}
