//! Limits as resources of the runtime spec: those of a new container, or the difference that a change makes.

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids, LinuxResources, LinuxThrottleDevice, LinuxThrottleDeviceBuilder,
    LinuxWeightDeviceBuilder,
};

use super::{ContainerConfig, DeviceValue, Limits, Throttle};

/// The period of `cpu.max` in microseconds.
const CPU_PERIOD: u64 = 100_000;

/// The default shares of a cgroup.
const CPU_SHARES: u64 = 1024;

/// -1 is "no limit" in the spec.
const UNLIMITED: i64 = -1;

/// What must be set so that a cgroup with the limits `from` has the limits `to`, and nothing else; `None` if that is
/// nothing.
///
/// A limit that `to` no longer has is set to the spec's "no limit". From no limits at all, the result is what a new
/// container needs. The default limit of processes is not included: it was not requested.
pub(crate) fn resources(from: &Limits, to: &Limits) -> Option<LinuxResources> {
    let mut resources = LinuxResources::default();
    if let Some(memory) = memory(from, to) {
        resources.set_memory(Some(memory));
    }
    if let Some(cpu) = cpu(from, to) {
        resources.set_cpu(Some(cpu));
    }
    if let Some(block_io) = block_io(from, to) {
        resources.set_block_io(Some(block_io));
    }
    if from.pids != to.pids || from.default_pids.is_some() && to.default_pids.is_none() && to.pids.is_none() {
        let mut pids = LinuxPids::default();
        pids.set_limit(to.pids.map_or(UNLIMITED, signed));
        resources.set_pids(Some(pids));
    }
    (resources != LinuxResources::default()).then_some(resources)
}

impl ContainerConfig {
    /// All resources of the container's cgroup: the limits as they are now, and the control files of `--cgroup-conf`.
    /// Both the first start and every restart take it from here.
    pub(crate) fn resources(&self) -> Option<LinuxResources> {
        let limits = resources(&Limits::default(), &self.limits);
        if self.cgroup.conf.is_empty() {
            return limits;
        }
        let mut resources = limits.unwrap_or_default();
        resources.set_unified(Some(self.cgroup.conf.clone().into_iter().collect()));
        Some(resources)
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The value to set: none if it does not change, `reset` if the limit is removed.
fn change<T: PartialEq + Clone>(from: Option<&T>, to: Option<&T>, reset: T) -> Option<T> {
    if from == to { None } else { Some(to.cloned().unwrap_or(reset)) }
}

fn memory(from: &Limits, to: &Limits) -> Option<LinuxMemory> {
    let mut memory = LinuxMemory::default();
    let limit = |limits: &Limits| limits.memory.map(signed);
    if (limit(from), total(from)) != (limit(to), total(to)) {
        // Both, since the kernel's limit of swap alone is the difference.
        memory.set_limit(limit(to).or_else(|| from.memory.map(|_| UNLIMITED)));
        memory.set_swap(total(to).or_else(|| total(from).map(|_| UNLIMITED)));
    }
    let reservation = |limits: &Limits| limits.memory_reservation.map(signed);
    memory.set_reservation(change(reservation(from).as_ref(), reservation(to).as_ref(), UNLIMITED));
    (memory != LinuxMemory::default()).then_some(memory)
}

/// Memory and swap together: by default as much swap as memory, as in docker and podman.
fn total(limits: &Limits) -> Option<i64> {
    limits.memory_swap.or_else(|| limits.memory.map(|bytes| signed(bytes.saturating_mul(2))))
}

fn cpu(from: &Limits, to: &Limits) -> Option<LinuxCpu> {
    let mut cpu = LinuxCpu::default();
    if bandwidth(from) != bandwidth(to) {
        let (quota, period) = bandwidth(to);
        let is_gone = quota.is_none() && period.is_none();
        cpu.set_quota(if is_gone { Some(UNLIMITED) } else { quota });
        cpu.set_period(if is_gone { Some(CPU_PERIOD) } else { period });
    }
    cpu.set_shares(change(from.cpu_shares.as_ref(), to.cpu_shares.as_ref(), CPU_SHARES));
    cpu.set_cpus(to.cpuset_cpus.clone().filter(|_| from.cpuset_cpus != to.cpuset_cpus));
    cpu.set_mems(to.cpuset_mems.clone().filter(|_| from.cpuset_mems != to.cpuset_mems));
    (cpu != LinuxCpu::default()).then_some(cpu)
}

/// Quota and period of `cpu.max`, in microseconds.
fn bandwidth(limits: &Limits) -> (Option<i64>, Option<u64>) {
    match limits.milli_cpus {
        Some(milli) => (Some(signed(milli.saturating_mul(CPU_PERIOD / 1000))), Some(CPU_PERIOD)),
        None => (limits.cpu_quota.map(signed), limits.cpu_period),
    }
}

fn block_io(from: &Limits, to: &Limits) -> Option<LinuxBlockIo> {
    let mut block_io = LinuxBlockIo::default();
    block_io.set_weight(to.blkio_weight.filter(|_| from.blkio_weight != to.blkio_weight));
    // The values that changed or were removed: a rate of 0 is no limit.
    let is_in = |list: &[DeviceValue], value: &DeviceValue| list.contains(value);
    let gone = from.devices.iter().filter(|old| !to.devices.iter().any(|new| new.is_same_limit(old)));
    let mut devices: Vec<DeviceValue> = to.devices.iter().filter(|new| !is_in(&from.devices, new)).cloned().collect();
    devices.extend(gone.map(|old| DeviceValue { value: 0, ..old.clone() }));
    let weights = devices.iter().filter(|device| device.what == Throttle::Weight).map(|device| {
        let value = u16::try_from(device.value).unwrap_or(u16::MAX);
        let weight = LinuxWeightDeviceBuilder::default().major(device.major).minor(device.minor).weight(value);
        // This fails only for missing fields, and each field has a default.
        weight.build().unwrap_or_default()
    });
    block_io
        .set_weight_device(some(weights.collect()))
        .set_throttle_read_bps_device(throttles(&devices, Throttle::ReadBps))
        .set_throttle_write_bps_device(throttles(&devices, Throttle::WriteBps))
        .set_throttle_read_iops_device(throttles(&devices, Throttle::ReadIops))
        .set_throttle_write_iops_device(throttles(&devices, Throttle::WriteIops));
    (block_io != LinuxBlockIo::default()).then_some(block_io)
}

fn throttles(devices: &[DeviceValue], what: Throttle) -> Option<Vec<LinuxThrottleDevice>> {
    let devices = devices.iter().filter(|device| device.what == what).map(|device| {
        let throttle = LinuxThrottleDeviceBuilder::default().major(device.major).minor(device.minor).rate(device.value);
        throttle.build().unwrap_or_default()
    });
    some(devices.collect())
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_sets_what_has_changed_and_nothing_else() {
        let device =
            |what: &str, value: u64| json!({ "what": what, "path": "/d", "major": 8, "minor": 0, "value": value });
        let throttle = |rate: u64| json!([{ "major": 8, "minor": 0, "rate": rate }]);
        for (from, to, expected) in [
            (json!({}), json!({}), json!(null)),
            (json!({ "memory": 5, "pids": 3 }), json!({ "memory": 5, "pids": 3 }), json!(null)),
            (json!({}), json!({ "memory": 5 }), json!({ "memory": { "limit": 5, "swap": 10 } })),
            (json!({}), json!({ "memory": 5, "memorySwap": 7 }), json!({ "memory": { "limit": 5, "swap": 7 } })),
            (json!({}), json!({ "memory": 5, "memorySwap": -1 }), json!({ "memory": { "limit": 5, "swap": -1 } })),
            (json!({ "memory": 5 }), json!({ "memory": 6 }), json!({ "memory": { "limit": 6, "swap": 12 } })),
            (json!({ "memory": 5 }), json!({}), json!({ "memory": { "limit": -1, "swap": -1 } })),
            (json!({ "memory": 5 }), json!({ "memory": 5, "memorySwap": 10 }), json!(null)),
            (json!({}), json!({ "memoryReservation": 4 }), json!({ "memory": { "reservation": 4 } })),
            (json!({ "memoryReservation": 4 }), json!({}), json!({ "memory": { "reservation": -1 } })),
            (json!({}), json!({ "milliCpus": 1500 }), json!({ "cpu": { "quota": 150_000, "period": 100_000 } })),
            (json!({ "milliCpus": 1 }), json!({}), json!({ "cpu": { "quota": -1, "period": 100_000 } })),
            (json!({ "milliCpus": 1 }), json!({ "cpuQuota": 2 }), json!({ "cpu": { "quota": 2 } })),
            (json!({}), json!({ "cpuPeriod": 2 }), json!({ "cpu": { "period": 2 } })),
            (json!({}), json!({ "cpuShares": 7, "cpusetCpus": "0" }), json!({ "cpu": { "shares": 7, "cpus": "0" } })),
            (json!({ "cpuShares": 7 }), json!({}), json!({ "cpu": { "shares": 1024 } })),
            (json!({ "pids": 3 }), json!({}), json!({ "pids": { "limit": -1 } })),
            (json!({ "defaultPids": 3 }), json!({}), json!({ "pids": { "limit": -1 } })),
            (json!({}), json!({ "defaultPids": 3 }), json!(null)),
            (json!({}), json!({ "blkioWeight": 20 }), json!({ "blockIO": { "weight": 20 } })),
            (
                json!({}),
                json!({ "devices": [device("weight", 30)] }),
                json!({ "blockIO": { "weightDevice": [{ "major": 8, "minor": 0, "weight": 30 }] } }),
            ),
            (
                json!({ "devices": [device("read-bps", 1), device("write-iops", 2)] }),
                json!({ "devices": [device("read-bps", 3)] }),
                json!({ "blockIO": { "throttleReadBpsDevice": throttle(3), "throttleWriteIOPSDevice": throttle(0) } }),
            ),
        ] {
            let limits = |value: &serde_json::Value| serde_json::from_value::<Limits>(value.clone()).expect("limits");
            let found = serde_json::to_value(resources(&limits(&from), &limits(&to))).expect("JSON");
            assert_eq!(found, expected, "{from} {to}");
        }
    }
}
