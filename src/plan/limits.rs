//! Cgroup limits: how they are typed, what they mean, and how a change is applied.
//!
//! ```text
//! LimitRequest ── read ──▶ LimitChanges ── Limits::changed_by ──▶ Limits (saved) ── resources ──▶ the spec's resources
//! ```
//!
//! A new container's limits are a change of no limits. Sources: podman-run(1), podman-update(1), docker-run(1).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BlockDevices, Defaults, DeviceValue, Error, Facts, LimitRequest, Limits, Throttle};
use crate::types::{Invalid, parse_size};

/// The weights that `--blkio-weight` and `--blkio-weight-device` take.
const WEIGHTS: std::ops::RangeInclusive<u64> = 10..=1000;

/// Limits to change, parsed. Absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LimitChanges {
    /// Bytes; 0 is no limit.
    memory: Option<u64>,
    /// Bytes of memory and swap together; -1 is no limit, 0 twice the memory.
    memory_swap: Option<i64>,
    /// Bytes; 0 is none.
    memory_reservation: Option<u64>,
    /// Thousandths of a CPU; 0 is no limit.
    milli_cpus: Option<u64>,
    /// 0 is the default.
    cpu_shares: Option<u64>,
    /// Microseconds; 0 and -1 are no limit.
    cpu_quota: Option<i64>,
    /// Microseconds; 0 is the default.
    cpu_period: Option<u64>,
    cpuset_cpus: Option<String>,
    cpuset_mems: Option<String>,
    blkio_weight: Option<u16>,
    /// A rate of 0 is no limit.
    devices: Vec<DeviceValue>,
    /// 0 is no limit.
    pids: Option<u64>,
}

/// The limits of a new container: the requested ones, and the settings' limit of processes if none was requested.
pub(super) fn limits(request: &LimitRequest, facts: &Facts) -> Result<Limits, Error> {
    let Defaults { pids_limit, .. } = facts.defaults;
    let mut limits = Limits::default().changed_by(&LimitChanges::read(request, &facts.found.block_devices)?)?;
    limits.default_pids = pids_limit.filter(|_| request.pids_limit.is_none());
    Ok(limits)
}

impl LimitChanges {
    /// Reads the options. `block_devices` are those of [`LimitRequest::block_devices`].
    ///
    /// Fails with the first option whose value is wrong, or with two that exclude each other.
    pub(crate) fn read(request: &LimitRequest, block_devices: &BlockDevices) -> Result<Self, Error> {
        for (option, is_there) in
            [("--cpu-period", request.cpu_period.is_some()), ("--cpu-quota", request.cpu_quota.is_some())]
        {
            if is_there && request.cpus.is_some() {
                return Err(Error::Exclusive { options: [option, "--cpus"] });
            }
        }
        let size =
            |option, text: &Option<String>| text.as_deref().map(parse_size).transpose().map_err(Error::option(option));
        let list = |option, text: &Option<String>| {
            text.as_deref().filter(|text| !text.is_empty()).map(numbers).transpose().map_err(Error::option(option))
        };
        let mut devices = Vec::new();
        for (option, what, texts) in request.devices() {
            for text in texts {
                devices.push(device(what, text, block_devices).map_err(Error::option(option))?);
            }
        }
        Ok(Self {
            memory: size("--memory", &request.memory)?,
            memory_swap: request
                .memory_swap
                .as_deref()
                .map(total)
                .transpose()
                .map_err(Error::option("--memory-swap"))?,
            memory_reservation: size("--memory-reservation", &request.memory_reservation)?,
            milli_cpus: request.cpus.as_deref().map(milli_cpus).transpose().map_err(Error::option("--cpus"))?,
            cpu_shares: request.cpu_shares,
            cpu_quota: request.cpu_quota.map(quota).transpose().map_err(Error::option("--cpu-quota"))?,
            cpu_period: request.cpu_period.map(period).transpose().map_err(Error::option("--cpu-period"))?,
            cpuset_cpus: list("--cpuset-cpus", &request.cpuset_cpus)?,
            cpuset_mems: list("--cpuset-mems", &request.cpuset_mems)?,
            blkio_weight: request
                .blkio_weight
                .map(|asked| weight(asked.into(), &asked.to_string()))
                .transpose()
                .map_err(Error::option("--blkio-weight"))?,
            devices,
            pids: request.pids_limit.map(processes),
        })
    }
}

impl LimitRequest {
    /// The paths of the block devices that are limited.
    pub(crate) fn block_devices(&self) -> BTreeSet<String> {
        let texts = self.devices().into_iter().flat_map(|(_, _, texts)| texts);
        texts.filter_map(|text| device_path(text).ok()).map(|(path, _)| path.to_owned()).collect()
    }

    /// The limits of single devices: the option, what it limits, and its values.
    fn devices(&self) -> [(&'static str, Throttle, &[String]); 5] {
        [
            ("--blkio-weight-device", Throttle::Weight, &self.blkio_weight_devices),
            ("--device-read-bps", Throttle::ReadBps, &self.device_read_bps),
            ("--device-write-bps", Throttle::WriteBps, &self.device_write_bps),
            ("--device-read-iops", Throttle::ReadIops, &self.device_read_iops),
            ("--device-write-iops", Throttle::WriteIops, &self.device_write_iops),
        ]
    }
}

impl Limits {
    /// These limits with some of them changed. Fails if the result contradicts itself.
    pub(crate) fn changed_by(&self, changes: &LimitChanges) -> Result<Self, Error> {
        let mut limits = self.clone();
        set(&mut limits.memory, changes.memory, &0);
        set(&mut limits.memory_swap, changes.memory_swap, &0);
        set(&mut limits.memory_reservation, changes.memory_reservation, &0);
        if changes.milli_cpus.is_some() {
            (limits.cpu_quota, limits.cpu_period) = (None, None);
        }
        if changes.cpu_quota.is_some() || changes.cpu_period.is_some() {
            limits.milli_cpus = None;
        }
        set(&mut limits.milli_cpus, changes.milli_cpus, &0);
        set(&mut limits.cpu_quota, changes.cpu_quota.map(|quota| quota.max(0).unsigned_abs()), &0);
        set(&mut limits.cpu_period, changes.cpu_period, &0);
        set(&mut limits.cpu_shares, changes.cpu_shares, &0);
        set(&mut limits.cpuset_cpus, changes.cpuset_cpus.clone(), &String::new());
        set(&mut limits.cpuset_mems, changes.cpuset_mems.clone(), &String::new());
        set(&mut limits.blkio_weight, changes.blkio_weight, &0);
        for change in &changes.devices {
            limits.devices.retain(|old| !old.is_same_limit(change));
            if change.value > 0 {
                limits.devices.push(change.clone());
            }
        }
        if changes.pids.is_some() {
            limits.default_pids = None;
        }
        set(&mut limits.pids, changes.pids, &0);
        limits.check()?;
        Ok(limits)
    }

    fn check(&self) -> Result<(), Error> {
        let swap = self.memory_swap.and_then(|swap| u64::try_from(swap).ok());
        if let Some(swap) = swap.filter(|swap| self.memory.is_none_or(|memory| *swap < memory)) {
            let reason = match self.memory {
                Some(memory) => format!("memory and swap together must be at least the {memory} of `--memory`"),
                None => "needs `--memory`: the value is memory and swap together".to_owned(),
            };
            return Err(Error::option("--memory-swap")(Invalid::new("size", swap.to_string(), reason)));
        }
        match (self.memory, self.memory_reservation) {
            (Some(memory), Some(reservation)) if reservation > memory => {
                let reason = format!("it is above the {memory} of `--memory`");
                Err(Error::option("--memory-reservation")(Invalid::new("size", reservation.to_string(), reason)))
            }
            _ => Ok(()),
        }
    }
}

/// Sets a changed value; `none` means no limit.
fn set<T: PartialEq>(place: &mut Option<T>, change: Option<T>, none: &T) {
    if let Some(value) = change {
        *place = Some(value).filter(|value| value != none);
    }
}

/// `--memory-swap`: a size, or -1 for no limit.
fn total(text: &str) -> Result<i64, Invalid> {
    match text {
        "-1" => Ok(-1),
        // parse_size gives at most 2^63 - 1.
        _ => parse_size(text).map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
    }
}

/// `--cpu-quota` in microseconds; the kernel's minimum is a millisecond.
fn quota(quota: i64) -> Result<i64, Invalid> {
    match quota {
        -1 | 0 | 1000.. => Ok(quota),
        _ => Err(Invalid::new("quota", quota.to_string(), "must be at least 1000 microseconds, or -1 for no limit")),
    }
}

/// `--cpu-period` in microseconds. Source: the kernel's sched-bwc.rst.
fn period(period: u64) -> Result<u64, Invalid> {
    match period {
        0 | 1000..=1_000_000 => Ok(period),
        _ => Err(Invalid::new("period", period.to_string(), "must be 1000 to 1000000 microseconds")),
    }
}

/// `--cpus`: a decimal number of CPUs, in thousandths; 0 is no limit. An exponent is read as docker and podman do.
fn milli_cpus(text: &str) -> Result<u64, Invalid> {
    let invalid = |reason: &str| Invalid::new("number of CPUs", text, reason);
    let unreadable = || invalid("must be a decimal number, such as 1.5");
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i8>().map_err(|_| unreadable())?),
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    // Where the point of the thousandths is, in digits from the left.
    let end = i64::try_from(whole.len()).unwrap_or(i64::MAX) + i64::from(exponent) + 3;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.len() > 40 {
        return Err(unreadable());
    }
    let thousandths: String =
        digits.chars().chain(std::iter::repeat('0')).take(usize::try_from(end).unwrap_or(0)).collect();
    let milli = thousandths.trim_start_matches('0');
    let milli: u64 = if milli.is_empty() { 0 } else { milli.parse().map_err(|_| unreadable())? };
    if milli >= 1_000_000_000 {
        return Err(unreadable());
    }
    // The kernel's minimum is a quota of 1 ms in a period of 100 ms.
    if milli < 10 && digits.bytes().any(|byte| byte != b'0') {
        return Err(invalid("must be at least 0.01"));
    }
    Ok(milli)
}

/// `--cpuset-cpus`, `--cpuset-mems`: numbers and ranges of them.
fn numbers(text: &str) -> Result<String, Invalid> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let is_part = |part: &str| match part.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
        None => number(part).is_some(),
    };
    if text.split(',').all(is_part) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new("list", text, "must be numbers and ranges, such as 0-3,7"))
}

fn weight(weight: u64, text: &str) -> Result<u16, Invalid> {
    let invalid = || Invalid::new("weight", text, "must be from 10 to 1000");
    u16::try_from(weight).ok().filter(|_| WEIGHTS.contains(&weight)).ok_or_else(invalid)
}

/// Splits `PATH:VALUE` of a device's limit.
fn device_path(text: &str) -> Result<(&str, &str), Invalid> {
    let invalid = |reason: &str| Invalid::new("limit of a device", text, reason);
    let (path, value) = text.rsplit_once(':').ok_or_else(|| invalid("must be DEVICE:VALUE"))?;
    if !path.starts_with("/dev/") {
        return Err(invalid("the device must be a path below `/dev`"));
    }
    Ok((path, value))
}

/// A limit for one device: a weight, a rate in bytes with a unit, or one in operations.
fn device(what: Throttle, text: &str, block_devices: &BlockDevices) -> Result<DeviceValue, Invalid> {
    let invalid = |reason: &str| Invalid::new("limit of a device", text, reason);
    let (path, value) = device_path(text)?;
    let value = match what {
        Throttle::Weight => value.parse().ok().and_then(|number| weight(number, value).ok()).map(u64::from),
        Throttle::ReadBps | Throttle::WriteBps => parse_size(value).ok(),
        Throttle::ReadIops | Throttle::WriteIops => value.parse().ok().filter(|_| !value.starts_with('+')),
    };
    let value = value.ok_or_else(|| invalid(what.expected()))?;
    let numbers = block_devices.get(path).ok_or_else(|| invalid("the device was not looked up"))?;
    let (major, minor) = numbers.as_ref().map_err(|reason| invalid(reason))?;
    Ok(DeviceValue { what, path: path.to_owned(), major: *major, minor: *minor, value })
}

impl Throttle {
    /// The kind of its value.
    fn expected(self) -> &'static str {
        match self {
            Self::Weight => "the weight must be from 10 to 1000",
            Self::ReadBps | Self::WriteBps => {
                "the rate must be a number of bytes per second, with or without a unit: 1mb"
            }
            Self::ReadIops | Self::WriteIops => "the rate must be a number of operations per second",
        }
    }
}

/// `--pids-limit`: 0 and negative numbers are no limit, as in docker and podman.
fn processes(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(0)
}

#[cfg(test)]
mod tests;
