//! The limits in `HostConfig` of `inspect`, with podman's names; 0, "" and null mean no limit.

use serde_json::{Value, json};

use crate::plan::{ContainerConfig, Limits, Throttle};

/// The limits of a container, in podman's order.
pub(super) fn limits(config: &ContainerConfig) -> Value {
    let limits = &config.limits;
    let nano_cpus = limits.milli_cpus.unwrap_or(0).saturating_mul(1_000_000);
    let of_cpus = |value: u64| if nano_cpus > 0 { value } else { 0 };
    json!({
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "Memory": limits.memory.unwrap_or(0),
        "NanoCpus": nano_cpus,
        "CgroupParent": config.cgroup.parent.as_deref().unwrap_or(""),
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "BlkioWeightDevice": devices(limits, Throttle::Weight),
        "BlkioDeviceReadBps": devices(limits, Throttle::ReadBps),
        "BlkioDeviceWriteBps": devices(limits, Throttle::WriteBps),
        "BlkioDeviceReadIOps": devices(limits, Throttle::ReadIops),
        "BlkioDeviceWriteIOps": devices(limits, Throttle::WriteIops),
        "CpuPeriod": limits.cpu_period.unwrap_or_else(|| of_cpus(100_000)),
        "CpuQuota": limits.cpu_quota.unwrap_or_else(|| of_cpus(nano_cpus / 10_000)),
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": limits.cpuset_cpus.as_deref().unwrap_or(""),
        "CpusetMems": limits.cpuset_mems.as_deref().unwrap_or(""),
        "Devices": config.devices.iter().map(|device| json!({
            "PathOnHost": device.host, "PathInContainer": device.container, "CgroupPermissions": "rwm",
        })).collect::<Vec<_>>(),
        "DiskQuota": 0,
        "KernelMemory": 0,
        "MemoryReservation": limits.memory_reservation.unwrap_or(0),
        "MemorySwap": swap(limits),
        "MemorySwappiness": 0,
        "OomKillDisable": false,
        "PidsLimit": limits.pids.or(limits.default_pids).unwrap_or(0),
        "Ulimits": config.rlimits.iter().map(|limit| json!({
            "Name": limit.name,
            "Soft": resource(limit.soft),
            "Hard": resource(limit.hard),
        })).collect::<Vec<_>>(),
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
        "CgroupConf": Some(&config.cgroup.conf).filter(|conf| !conf.is_empty()),
    })
}

/// Memory and swap together.
fn swap(limits: &Limits) -> Value {
    match (limits.memory_swap, limits.memory) {
        (Some(swap), _) => json!(swap),
        (None, memory) => json!(memory.unwrap_or(0).saturating_mul(2)),
    }
}

fn devices(limits: &Limits, what: Throttle) -> Value {
    let word = if what == Throttle::Weight { "Weight" } else { "Rate" };
    let devices = limits.devices.iter().filter(|device| device.what == what);
    let list: Vec<Value> = devices.map(|device| json!({ "Path": device.path, word: device.value })).collect();
    if list.is_empty() { Value::Null } else { Value::Array(list) }
}

/// A resource limit; podman's -1 is no limit.
fn resource(limit: u64) -> Value {
    if limit == u64::MAX { json!(-1) } else { json!(limit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

    #[test]
    fn limits_have_podman_s_names_and_units() {
        let (mut config, _) = sample();
        let mut shown = |json: Value| {
            config.limits = serde_json::from_value(json).expect("limits");
            limits(&config)
        };
        let none = shown(json!({}));
        for (name, expected) in [
            ("Memory", json!(0)),
            ("MemorySwap", json!(0)),
            ("CpuPeriod", json!(0)),
            ("CpuQuota", json!(0)),
            ("CpusetCpus", json!("")),
            ("BlkioDeviceReadBps", json!(null)),
        ] {
            assert_eq!(none[name], expected, "{name}");
        }
        let device =
            |what: &str, value: u64| json!({ "what": what, "path": "/d", "major": 8, "minor": 0, "value": value });
        let all = shown(json!({
            "memory": 64, "memoryReservation": 32, "cpuShares": 512, "cpuQuota": 5000, "cpuPeriod": 9000,
            "cpusetCpus": "0-1", "cpusetMems": "0", "blkioWeight": 20, "pids": 7,
            "devices": [device("weight", 30), device("read-bps", 1), device("write-iops", 2)],
        }));
        for (name, expected) in [
            ("Memory", json!(64)),
            ("MemorySwap", json!(128)),
            ("MemoryReservation", json!(32)),
            ("CpuShares", json!(512)),
            ("CpuQuota", json!(5000)),
            ("CpuPeriod", json!(9000)),
            ("NanoCpus", json!(0)),
            ("CpusetCpus", json!("0-1")),
            ("CpusetMems", json!("0")),
            ("BlkioWeight", json!(20)),
            ("BlkioWeightDevice", json!([{ "Path": "/d", "Weight": 30 }])),
            ("BlkioDeviceReadBps", json!([{ "Path": "/d", "Rate": 1 }])),
            ("BlkioDeviceWriteBps", json!(null)),
            ("BlkioDeviceWriteIOps", json!([{ "Path": "/d", "Rate": 2 }])),
            ("PidsLimit", json!(7)),
        ] {
            assert_eq!(all[name], expected, "{name}");
        }
        assert_eq!(shown(json!({ "memory": 64, "memorySwap": -1 }))["MemorySwap"], -1);
        assert_eq!(shown(json!({ "milliCpus": 1500 }))["CpuQuota"], 150_000);
    }
}
