//! Paths inside a container: those of `/proc` and `/sys` that are hidden or read-only, and paths of the host.

use std::path::{Path, PathBuf};

pub(super) use crate::types::container_path::{clean, is_within};

/// Paths that no program in a container needs and that reveal, or reach, the host. Source: safety.md section 4, the
/// union of docker's, podman's and crun's lists; the paths of each CPU are added by [`masked`].
const MASKED: [&str; 23] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/config.gz",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/bpf",
    "/sys/fs/selinux",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    "/sys/kernel/tracing",
    "/sys/module",
];

/// Paths that may be read and never written, whatever their owner. Source: as above.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The masked paths on a host with this many CPUs; the runtime skips missing ones.
pub(super) fn masked(cpus: u32) -> Vec<String> {
    let throttles = (0..cpus).map(|n| format!("/sys/devices/system/cpu/cpu{n}/thermal_throttle"));
    MASKED.iter().map(|&path| path.to_owned()).chain(throttles).collect()
}

/// The read-only paths.
pub(super) fn read_only() -> Vec<String> {
    READ_ONLY.iter().map(|&path| path.to_owned()).collect()
}

/// The absolute path of `path`, which may be relative to `working_dir`.
pub(super) fn host_path(path: &str, working_dir: &Path) -> PathBuf {
    // `./x` and `.` read better without the dot; `..` stays, because the kernel must resolve it after symlinks.
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.is_empty() || path == "." { working_dir.to_owned() } else { working_dir.join(path) }
}
