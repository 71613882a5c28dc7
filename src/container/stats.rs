//! The resource usage of a running container: its cgroup's numbers if it has the controllers, otherwise the sum over
//! its processes.

use std::time::Duration;

use super::processes::{group, init, members};
use super::{Container, Error};
use crate::runtime::cgroup::Usage;
use crate::sys::fs;
use crate::sys::proc::{self, Entry};

/// The usage at one moment. Fields that cannot be found out are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The time since boot of this sample.
    pub(crate) at: Duration,
    /// The time since boot at which the container was started.
    pub(crate) started: Duration,
    /// CPU time.
    pub(crate) cpu: Option<Duration>,
    /// The part of it in the kernel.
    pub(crate) kernel: Option<Duration>,
    /// Bytes of memory.
    pub(crate) memory: Option<u64>,
    /// Its memory limit in bytes, or the host's memory.
    pub(crate) memory_limit: Option<u64>,
    /// Bytes received and sent by the interfaces of its own network.
    pub(crate) network: Option<(u64, u64)>,
    /// Bytes read from and written to block devices.
    pub(crate) devices: Option<(u64, u64)>,
    /// Processes and threads.
    pub(crate) tasks: Option<u64>,
}

/// Takes a sample of a running container. Fails if it does not run, or ends meanwhile.
pub(crate) fn sample(container: &Container) -> Result<Sample, Error> {
    let (init, id) = init(container, "show what is used by")?;
    let usage = match group(container) {
        Some(group) => group.usage()?,
        None => Usage::default(),
    };
    let rest = if usage.cpu.is_none() || usage.memory.is_none() || usage.devices.is_none() || usage.tasks.is_none() {
        sum(&members(container, &init)?)
    } else {
        Usage::default()
    };
    let memory = host_memory();
    let own_network = !container.config.network.endpoints().is_empty();
    let time = |microseconds: Option<u64>| microseconds.map(Duration::from_micros);
    Ok(Sample {
        at: since_boot(),
        started: ticks(id.start_time),
        cpu: time(usage.cpu.or(rest.cpu)),
        kernel: time(usage.kernel.or(rest.kernel)),
        memory: usage.memory.or(rest.memory),
        memory_limit: usage.memory_limit.filter(|limit| memory.is_none_or(|memory| *limit < memory)).or(memory),
        network: own_network.then(|| init.read("net/dev").ok().map(|text| traffic(&text))).flatten(),
        devices: usage.devices.or(rest.devices),
        tasks: usage.tasks.or(rest.tasks),
    })
}

/// The same from the running processes; the usage of a process that exited counts with the process that waited for it.
fn sum(members: &[(Entry, proc::Stat)]) -> Usage {
    let microseconds = |ticks: u64| u64::try_from(self::ticks(ticks).as_micros()).unwrap_or(u64::MAX);
    let total = |of: fn(&proc::Stat) -> u64| members.iter().map(|(_, stat)| of(stat)).sum::<u64>();
    let devices = members.iter().map(|(entry, _)| entry.device_bytes().ok());
    Usage {
        cpu: Some(microseconds(total(|stat| stat.ticks.iter().sum()))),
        kernel: Some(microseconds(total(|stat| stat.kernel_ticks.iter().sum()))),
        memory: members.iter().map(|(entry, stat)| if stat.state == 'Z' { Some(0) } else { entry.memory() }).sum(),
        memory_limit: None,
        // Processes of other IDs cannot be read, and a partial sum would be wrong.
        devices: devices.sum::<Option<Bytes>>().map(|bytes| (bytes.0, bytes.1)),
        tasks: Some(total(|stat| stat.threads)),
    }
}

/// Bytes read and bytes written, which are added separately.
struct Bytes(u64, u64);

impl std::iter::Sum<(u64, u64)> for Bytes {
    fn sum<I: Iterator<Item = (u64, u64)>>(all: I) -> Self {
        all.fold(Self(0, 0), |sum, (read, written)| Self(sum.0.saturating_add(read), sum.1.saturating_add(written)))
    }
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(to_float(ticks) / to_float(proc::ticks_a_second()))
}

#[expect(clippy::cast_precision_loss, reason = "ticks of two million years are exact")]
fn to_float(number: u64) -> f64 {
    number as f64
}

/// The time since boot, by the clock of the processes' start times, in hundredths of a second. Source: proc_uptime(5).
///
/// clock_gettime(2) is not used: for that rustix needs the kernel's vDSO, which user-mode Linux does not have.
pub(crate) fn since_boot() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(' ').next().and_then(uptime).unwrap_or_default()
}

fn uptime(text: &str) -> Option<Duration> {
    let (seconds, hundredths) = text.split_once('.')?;
    let nanos = hundredths.parse::<u32>().ok().filter(|_| hundredths.len() == 2)? * 10_000_000;
    Some(Duration::new(seconds.parse().ok()?, nanos))
}

/// Bytes of the host's memory. Source: proc_meminfo(5).
fn host_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes received and sent by all interfaces but loopback. Source: proc_pid_net(5), `dev`: the first and the ninth
/// column.
fn traffic(text: &str) -> (u64, u64) {
    let interfaces = text.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    interfaces.fold((0, 0), |(received, sent), (_, counters)| {
        let column =
            |index: usize| counters.split_ascii_whitespace().nth(index).and_then(|word| word.parse::<u64>().ok());
        (received + column(0).unwrap_or(0), sent + column(8).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_boot_is_read_with_its_hundredths() {
        assert_eq!(uptime("12.07"), Some(Duration::from_millis(12_070)));
        for bad in ["", "12", "12.7", "x.00", "12.x0"] {
            assert_eq!(uptime(bad), None, "{bad}");
        }
        assert!(!since_boot().is_zero());
    }

    #[test]
    fn traffic_is_that_of_all_interfaces_but_loopback() {
        let text = "Inter-|   Receive                  |  Transmit\n\
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n\
                lo:     999       1    0    0    0     0          0         0      999       1\n\
              tap0:     100       1    0    0    0     0          0         0       20       1    0\n\
              eth1:5 1 0 0 0 0 0 0 6 1 0\n";
        assert_eq!(traffic(text), (105, 26));
        assert_eq!(traffic(""), (0, 0));
    }
}
