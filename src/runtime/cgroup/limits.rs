//! A spec's limits in the kernel's units, without I/O.
//!
//! `io` has the block devices.
//!
//! Sources: runtime-spec config-linux.md "Control cgroups"; the kernel's cgroup-v2.rst; runc's `cgroups/utils.go` and
//! `cgroups/fs2` for the meaning of the spec's v1 fields in v2.

pub(super) mod io;

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};

use super::Error;

/// The period of `cpu.max`, microseconds, if the spec has only a quota: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// One value for one file of a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The file, `memory.max`.
    pub(super) file: String,
    /// The value to write.
    pub(super) value: String,
    /// What must be read afterwards.
    pub(super) expect: Expect,
    /// The setting for a kernel that does not have the file.
    pub(super) instead: Option<Box<Setting>>,
}

/// What a file must say after it has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// The value itself.
    Same,
    /// The value, rounded down to whole pages of this many bytes.
    Pages(u64),
    /// The same set of numbers, in `cpuset.cpus.effective`: a CPU that does not exist does not count.
    Effective,
    /// The value as one line of several: `default 100`, `8:0 50`.
    Line,
    /// One line of several starts with the first word of the value, and contains the second: `8:0 rbps=1024 wbps=max
    /// …`.
    Word,
    /// Nothing is checked: only the kernel knows the format.
    Anything,
}

impl Setting {
    fn new(file: &str, value: impl Into<String>, expect: Expect) -> Self {
        Self { file: file.to_owned(), value: value.into(), expect, instead: None }
    }

    /// The controller that the file belongs to: `cpu` of `cpu.max`.
    pub(super) fn controller(&self) -> &str {
        self.file.split_once('.').map_or(self.file.as_str(), |(controller, _)| controller)
    }

    /// The file to read afterwards.
    pub(super) fn read_back(&self) -> String {
        match self.expect {
            Expect::Effective => format!("{}.effective", self.file),
            _ => self.file.clone(),
        }
    }

    /// What to write to restore `before`, which was read from the file.
    pub(super) fn undo(&self, before: &str) -> String {
        let before = before.trim();
        let (first, word) = self.value.split_once(' ').unwrap_or((&self.value, ""));
        match self.expect {
            Expect::Line => line_of(before, &self.value).map_or_else(|| format!("{first} default"), str::to_owned),
            Expect::Word => {
                let key = word.split_once('=').map_or(word, |(key, _)| key);
                let line = line_of(before, &self.value).unwrap_or_default();
                let old = line.split(' ').find(|old| old.split_once('=').is_some_and(|(name, _)| name == key));
                format!("{first} {}", old.map_or_else(|| format!("{key}=max"), str::to_owned))
            }
            // The kernel takes an empty line for "inherit from the parent"; a write of nothing would do nothing.
            _ if before.is_empty() => "\n".to_owned(),
            _ => before.to_owned(),
        }
    }

    /// Whether `text`, read from [`read_back`](Self::read_back), says that the limit is in force.
    pub(super) fn holds(&self, text: &str) -> bool {
        let text = text.trim();
        match self.expect {
            Expect::Anything => true,
            Expect::Same => text == self.value,
            Expect::Line => text.lines().any(|line| line.trim() == self.value),
            Expect::Word => match (self.value.split_once(' '), line_of(text, &self.value)) {
                (Some((_, word)), Some(line)) => line.split(' ').any(|other| other == word),
                // A device without limits has no line.
                (word, None) => word.is_some_and(|(_, word)| word.ends_with("=max")),
                (None, _) => false,
            },
            Expect::Effective => numbers(text).is_some_and(|now| numbers(&self.value) == Some(now)),
            Expect::Pages(page) => match (self.value.parse::<u64>(), text.parse::<u64>()) {
                (Ok(asked), Ok(now)) => now == asked - asked % page,
                // To the kernel, more than it can count is no limit.
                (Ok(asked), Err(_)) => text == "max" && asked >= i64::MAX.unsigned_abs() - page,
                _ => text == self.value,
            },
        }
    }
}

/// The line that starts with the same word as `value`, in a file with a line for each device.
fn line_of<'a>(text: &'a str, value: &str) -> Option<&'a str> {
    let first = |line: &'_ str| line.split(' ').next().map(str::to_owned);
    text.lines().map(str::trim).find(|line| first(line) == first(value))
}

/// The limit of the number of processes and threads.
pub(super) fn pids(limit: u64) -> Setting {
    Setting::new("pids.max", limit.to_string(), Expect::Same)
}

/// Everything that `resources` asks for, in the order in which it is written.
///
/// Fails for what cgroup v2 does not have or rc does not set; nothing is ignored silently. `page` is the page size in
/// bytes.
pub(super) fn settings(resources: &LinuxResources, page: u64) -> Result<Vec<Setting>, Error> {
    for (name, asked) in [
        ("devices", resources.devices().as_ref().is_some_and(|list| !list.is_empty())),
        ("network", resources.network().is_some()),
        ("rdma", resources.rdma().as_ref().is_some_and(|map| !map.is_empty())),
    ] {
        if asked {
            return Err(Error::Unsupported { what: name });
        }
    }
    let mut settings = Vec::new();
    if let Some(memory) = resources.memory() {
        settings.extend(of_memory(memory, page)?);
    }
    if let Some(cpu) = resources.cpu() {
        settings.extend(of_cpu(cpu)?);
    }
    if let Some(block_io) = resources.block_io() {
        settings.extend(io::settings(block_io)?);
    }
    if let Some(limit) = resources.pids() {
        // Zero and less mean no limit, as in docker and podman.
        settings.push(match u64::try_from(limit.limit()) {
            Ok(limit) if limit > 0 => pids(limit),
            _ => Setting::new("pids.max", "max", Expect::Same),
        });
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        let size = limit.page_size();
        let Some(bytes) = huge_page(size) else {
            return Err(Error::Invalid { what: "page size", value: size.clone() });
        };
        settings.push(Setting::new(&format!("hugetlb.{size}.max"), or_max(limit.limit()), Expect::Pages(bytes)));
    }
    let mut unified: Vec<_> = resources.unified().iter().flatten().collect();
    unified.sort();
    for (file, value) in unified {
        let words = file.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if !words || !file.contains('.') || file.starts_with('.') || file.starts_with("cgroup.") {
            return Err(Error::Invalid { what: "name of a control file", value: file.clone() });
        }
        settings.push(Setting::new(file, value.as_str(), Expect::Anything));
    }
    Ok(settings)
}

/// -1 is "no limit" in the spec.
fn or_max(value: i64) -> String {
    u64::try_from(value).map_or_else(|_| "max".to_owned(), |value| value.to_string())
}

fn of_memory(memory: &LinuxMemory, page: u64) -> Result<Vec<Setting>, Error> {
    for (name, asked) in [
        ("memory.kernel", memory.kernel().is_some()),
        ("memory.kernelTCP", memory.kernel_tcp().is_some()),
        ("memory.swappiness", memory.swappiness().is_some()),
        ("memory.disableOOMKiller", memory.disable_oom_killer() == Some(true)),
        ("memory.useHierarchy = false", memory.use_hierarchy() == Some(false)),
    ] {
        if asked {
            return Err(Error::Unsupported { what: name });
        }
    }
    let mut settings = Vec::new();
    // Zero means "not set" in the spec's integers.
    let limit = memory.limit().filter(|limit| *limit != 0);
    if let Some(swap) = swap(limit, memory.swap().filter(|swap| *swap != 0))? {
        settings.push(Setting::new("memory.swap.max", swap, Expect::Pages(page)));
    }
    if let Some(reservation) = memory.reservation().filter(|value| *value != 0) {
        // For this file, no limit means no protection.
        settings.push(Setting::new("memory.low", reservation.max(0).to_string(), Expect::Pages(page)));
    }
    if let Some(limit) = limit {
        settings.push(Setting::new("memory.max", or_max(limit), Expect::Pages(page)));
    }
    Ok(settings)
}

/// The spec's `swap` is memory and swap together, as docker's `--memory-swap`; `memory.swap.max` is swap alone.
fn swap(limit: Option<i64>, swap: Option<i64>) -> Result<Option<String>, Error> {
    match (limit, swap) {
        (Some(-1), None) | (_, Some(-1)) => Ok(Some("max".to_owned())),
        (_, None) => Ok(None),
        (Some(limit), Some(swap)) if limit > 0 && swap >= limit => Ok(Some((swap - limit).to_string())),
        (_, Some(swap)) => {
            Err(Error::Invalid { what: "memory and swap together (at least the memory)", value: swap.to_string() })
        }
    }
}

fn of_cpu(cpu: &LinuxCpu) -> Result<Vec<Setting>, Error> {
    for (name, asked) in [
        ("cpu.realtimeRuntime", cpu.realtime_runtime().is_some()),
        ("cpu.realtimePeriod", cpu.realtime_period().is_some()),
    ] {
        if asked {
            return Err(Error::Unsupported { what: name });
        }
    }
    let mut settings = Vec::new();
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    if quota.is_some() || period.is_some() {
        let quota = quota.map_or_else(|| "max".to_owned(), or_max);
        let value = format!("{quota} {}", period.unwrap_or(CPU_PERIOD));
        settings.push(Setting::new("cpu.max", value, Expect::Same));
    }
    if let Some(burst) = cpu.burst() {
        settings.push(Setting::new("cpu.max.burst", burst.to_string(), Expect::Same));
    }
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        settings.push(Setting::new("cpu.weight", weight(shares).to_string(), Expect::Same));
    }
    // Last: an idle cgroup has no weight.
    if let Some(idle) = cpu.idle() {
        settings.push(Setting::new("cpu.idle", idle.to_string(), Expect::Same));
    }
    for (file, list) in [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())] {
        let Some(list) = list.as_deref().filter(|list| !list.is_empty()) else { continue };
        if numbers(list).is_none() {
            return Err(Error::Invalid { what: "list of numbers", value: list.to_owned() });
        }
        settings.push(Setting::new(file, list, Expect::Effective));
    }
    Ok(settings)
}

/// v1's shares (2 to 262144, 1024 by default) as a v2 weight (1 to 10000, 100 by default): a curve through the three
/// pairs. Source: runc, `ConvertCPUSharesToCgroupV2Value`.
pub(super) fn weight(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let Ok(shares) = u32::try_from(shares) else { return 10_000 };
    let log = f64::from(shares).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10000")]
    let weight = 10_f64.powf(exponent).ceil() as u64;
    weight
}

/// Bytes of the kernel's name for a size of huge pages: `64KB`, `2MB`, `1GB`.
fn huge_page(name: &str) -> Option<u64> {
    let (number, shift) = [("KB", 10), ("MB", 20), ("GB", 30)]
        .into_iter()
        .find_map(|(unit, shift)| name.strip_suffix(unit).map(|number| (number, shift)))?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| number.parse::<u64>().ok()?.checked_shl(shift)).flatten().filter(|bytes| *bytes > 0)
}

/// The numbers of a list like `0-3,7`, sorted, each once; `None` if it is not such a list, or has numbers above 65535.
fn numbers(list: &str) -> Option<Vec<u16>> {
    let mut numbers = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last {
            return None;
        }
        numbers.extend(first..=last);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

#[cfg(test)]
mod tests;
