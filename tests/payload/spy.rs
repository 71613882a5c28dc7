//! Looks at every other visible process, as fast as it can, or takes their descriptors.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// Until `stop` exists, notes where `exe`, `root`, `cwd` and the descriptors of all other processes lead, then prints
/// each target once, sorted, as `NAME TARGET`; the name of every descriptor is `fd`.
pub(crate) fn watch(stop: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut seen = BTreeSet::new();
    crate::ready()?;
    while !Path::new(stop).exists() {
        for entry in fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.parse::<u32>().is_ok_and(|pid| pid != std::process::id()) {
                look(&entry.path(), &mut seen);
            }
        }
    }
    for line in seen {
        println!("{line}");
    }
    Ok(())
}

fn look(process: &Path, seen: &mut BTreeSet<String>) {
    for name in ["exe", "root", "cwd"] {
        if let Ok(target) = fs::read_link(process.join(name)) {
            seen.insert(format!("{name} {}", target.display()));
        }
    }
    for entry in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
        if let Ok(target) = fs::read_link(entry.path()) {
            // The number of a pipe or socket does not matter.
            let target = target.to_string_lossy();
            seen.insert(format!("fd {}", target.split_once(":[").map_or(&*target, |(kind, _)| kind)));
        }
    }
}

/// Until `stop` exists, takes the descriptors 0 to 15 of all other processes, and keeps those above 2; then prints each
/// number that it got once, sorted, as `fd NUMBER KIND`.
pub(crate) fn grab(stop: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut seen = BTreeSet::new();
    let mut held = Vec::new();
    // A process whose descriptors can certainly be taken, so that an empty result means that nothing was tried.
    let mut own = crate::again(&["hang"])?;
    crate::ready()?;
    let this = std::process::id();
    // A new process has a number that is not far away: asking for those is faster than reading /proc.
    let mut newest = this;
    while !Path::new(stop).exists() {
        let next = newest + 1..newest + 8;
        for pid in next.chain([own.id(), newest]).filter(|pid| *pid != this) {
            let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
            let Ok(process) = pidfd_open(number, PidfdFlags::empty()) else { continue };
            newest = newest.max(pid);
            // As long as it lives: the descriptor may exist only for a moment.
            for number in (0..16).rev().cycle().take(512) {
                match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
                    Ok(taken) => {
                        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&taken));
                        let target = fs::read_link(path)?.to_string_lossy().into_owned();
                        let kind = target.split_once(":[").map_or(&*target, |(kind, _)| kind);
                        // The pipes of a program do not matter, and keeping them would make their readers wait.
                        if seen.insert(format!("fd {number} {kind}")) && number > 2 {
                            held.push(taken);
                        }
                    }
                    Err(rustix::io::Errno::SRCH) => break,
                    Err(_) => {}
                }
            }
        }
    }
    own.kill()?;
    own.wait()?;
    for line in seen {
        println!("{line}");
    }
    Ok(())
}
