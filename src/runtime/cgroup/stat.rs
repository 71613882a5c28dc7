//! Resource usage of a cgroup. Source: the kernel's cgroup-v2.rst.

use super::directory::{Directory, number};
use super::{Error, Group};
use crate::sys::fs::PathError;

/// Usage of a cgroup and its descendants; fields of controllers that are not enabled are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Microseconds of CPU time.
    pub cpu: Option<u64>,
    /// The kernel's part of that.
    pub kernel: Option<u64>,
    /// Bytes of memory, without the page cache that the kernel could free at once.
    pub memory: Option<u64>,
    /// The memory limit in bytes; absent for none.
    pub memory_limit: Option<u64>,
    /// Bytes read from and written to block devices.
    pub devices: Option<(u64, u64)>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

impl Group {
    /// The usage so far. Fails if a file that exists cannot be read.
    pub fn usage(&self) -> Result<Usage, Error> {
        let read = |file: &str| optional(self.directory(), file);
        let cpu = read("cpu.stat")?;
        let of = |text: &Option<String>, key: &str| number(text.as_deref()?, key)?.parse::<u64>().ok();
        let whole = |text: Option<String>| text?.trim().parse::<u64>().ok();
        // As in docker: page cache that is not in use does not count as the container's.
        let cache = of(&read("memory.stat")?, "inactive_file").unwrap_or(0);
        Ok(Usage {
            cpu: of(&cpu, "usage_usec"),
            kernel: of(&cpu, "system_usec"),
            memory: whole(read("memory.current")?).map(|bytes| bytes.saturating_sub(cache)),
            memory_limit: whole(read("memory.max")?),
            devices: read("io.stat")?.map(|text| devices(&text)),
            tasks: whole(read("pids.current")?),
        })
    }
}

/// A file of a controller that the cgroup may not have.
fn optional(directory: &Directory, file: &str) -> Result<Option<String>, PathError> {
    match directory.read(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The sums over all devices: lines `8:0 rbytes=1 wbytes=2 rios=…`.
fn devices(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        text.split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix(key)?.strip_prefix('=')?.parse::<u64>().ok())
            .fold(0, u64::saturating_add)
    };
    (sum("rbytes"), sum("wbytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_devices_are_added() {
        let text = "8:0 rbytes=100 wbytes=5 rios=1 wios=1 dbytes=0 dios=0\n98:0 rbytes=11 wbytes=7 rios=2\n254:0 \n";
        assert_eq!(devices(text), (111, 12));
        assert_eq!(devices(""), (0, 0));
    }
}
