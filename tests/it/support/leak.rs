//! Finds what a test left behind.
//!
//! Supervisors find processes: each lives until the last descendant of its command has exited. Only a mount can hold a
//! namespace without processes, and mounts have the lab's path. Cgroups do not have the test's name: `scripts/test`
//! compares them before and after the run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Lab;

/// Everything that the test left behind, one line each.
pub(super) fn look(lab: &Lab) -> Vec<String> {
    let mut found = processes(lab);
    found.extend(mounts(lab));
    for directory in ["containers", "names", "tmp", "trash"] {
        let directory = lab.store().join(directory);
        found.extend(entries(&directory).map(|name| format!("file: {}/{name}", directory.display())));
    }
    found
}

/// Kills remaining processes, and removes their cgroups and the lab's files. Some files may belong to subordinate IDs.
pub(super) fn sweep(lab: &Lab) {
    // A test may have written a record that names another's.
    let group = |id: String| lab.group(&id).filter(|group| group.to_string_lossy().contains(&id));
    let groups: Vec<PathBuf> = entries(&lab.store().join("containers")).filter_map(group).collect();
    let supervisors = lab.supervisors.lock().map(|mut list| std::mem::take(&mut *list)).unwrap_or_default();
    for mut supervisor in supervisors {
        supervisor.end();
    }
    for group in &groups {
        remove_group(group);
        if let Some(pod) = group.parent().filter(|parent| parent.to_string_lossy().contains("/rc-pod-")) {
            // Not if other members are left.
            drop(fs::remove_dir(pod));
        }
    }
    if fs::remove_dir_all(lab.root()).is_ok() {
        return;
    }
    // overlayfs makes directories of mode 0000 in a work directory, which keep out even their owner.
    let remove = "chmod -R u+rwX \"$0\"; rm -rf \"$0\"";
    for prefix in [&["unshare", "--map-root-user", "--map-auto"][..], &[]] {
        let words: Vec<&str> = prefix.iter().copied().chain(["sh", "-c", remove]).collect();
        let mut command = std::process::Command::new(words[0]);
        command.args(&words[1..]).arg(lab.root()).stderr(std::process::Stdio::null());
        drop(command.status());
    }
}

/// Removes a cgroup without processes, and those in it.
fn remove_group(group: &Path) {
    for name in entries(group).map(|name| group.join(name)).filter(|path| path.is_dir()) {
        remove_group(&name);
    }
    drop(fs::remove_dir(group));
}

/// Supervisors that do not exit, with the processes beneath them.
pub(super) fn processes(lab: &Lab) -> Vec<String> {
    let end = Instant::now() + lab.grace;
    let Ok(mut supervisors) = lab.supervisors.lock() else { return vec!["a test panicked with the lock".into()] };
    let mut found = Vec::new();
    for supervisor in supervisors.iter_mut() {
        let Ok(process) = i32::try_from(supervisor.child.id()) else { continue };
        // A test that has already failed is not worth the wait.
        let end = if std::thread::panicking() { Instant::now() } else { end };
        if !ends_before(process, end) {
            found.push(format!("process beneath `{}`:", supervisor.command));
            found.extend(describe_below(process).into_iter().skip(1));
        }
    }
    found
}

/// Waits until our child `process` has exited, at most until `end`.
fn ends_before(process: i32, end: Instant) -> bool {
    let Some(descriptor) = Pid::from_raw(process).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return true;
    };
    let left = end.saturating_duration_since(Instant::now());
    let left = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(0), tv_nsec: left.subsec_nanos().into() };
    poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&left)).is_ok_and(|ready| ready == 1)
}

/// Process `pid` and its descendants, each with its depth below it.
pub(super) fn below(pid: i32) -> Vec<(i32, usize)> {
    let mut found = Vec::new();
    let mut next = vec![(pid, 0)];
    while let Some((pid, depth)) = next.pop() {
        found.push((pid, depth));
        let tasks = entries(Path::new(&format!("/proc/{pid}/task")));
        next.extend(tasks.flat_map(|task| {
            let list = fs::read_to_string(format!("/proc/{pid}/task/{task}/children")).unwrap_or_default();
            list.split_whitespace().filter_map(|child| Some((child.parse().ok()?, depth + 1))).collect::<Vec<_>>()
        }));
    }
    found
}

/// Process `pid` and its descendants, with the reason why each waits.
pub(super) fn describe_below(pid: i32) -> Vec<String> {
    let mut found = Vec::new();
    for (pid, depth) in below(pid) {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let status = read("status");
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
                .unwrap_or_default()
        };
        found.push(format!(
            "{:indent$}{pid} {} [{}] state {} uid {} in {} syscall {}",
            "",
            field("Name:"),
            read("cmdline").replace('\0', " ").trim_end(),
            field("State:"),
            field("Uid:").replace('\t', ","),
            read("wchan"),
            read("syscall").trim_end(),
            indent = depth * 2,
        ));
    }
    found
}

/// Mounts in this namespace that name the lab, or whose root or mount point is in it.
fn mounts(lab: &Lab) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let root = lab.root().to_string_lossy().into_owned();
    table.lines().filter(|line| line.contains(&root)).map(|line| format!("mount: {line}")).collect()
}

/// The names in a directory; none if it does not exist.
fn entries(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}
